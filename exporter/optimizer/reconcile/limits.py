"""The loss cap: how much money may be lost before nothing but a pause is done any more. Pure."""

from exporter.config import Optimizer
from exporter.optimizer import messages
from exporter.optimizer.model import Portfolio


def only_pause(config: Optimizer, portfolio: Portfolio) -> str:
    """Why nothing but a pause may be done, "" if more may. What is not known counts as lost."""
    value, cap, most = portfolio.value, config.loss_cap_usd, config.max_drawdown_ratio
    if cap is not None and (value is None or value < cap):
        worth = "is not known" if value is None else f"is {value:.2f} USD"
        limit = f"under {cap:.2f} USD nothing but a pause is done"
        return f"the portfolio's value {worth}, and {limit} (optimizer.loss_cap_usd)"
    if most is None:
        return ""
    drawdown = None if value is None or not portfolio.peak else max(0.0, 1 - value / portfolio.peak)
    if drawdown is not None and drawdown <= most:
        return ""
    depth = "not known" if drawdown is None else messages.percent(drawdown)
    limit = f"past {messages.percent(most)} nothing but a pause is done"
    return f"the portfolio's drawdown is {depth}, and {limit} (optimizer.max_drawdown_ratio)"
