"""A page as the same mapping as `expected`, and how the two differ."""

import math
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

from .table import Key

PARTS = ("_bucket", "_count", "_sum")
EXACT = ("_total", *PARTS, "_timestamp_seconds")
CLOSE = 1e-12

# All that `expected` speaks of; what else is on a page is none of its business.
NAMES = """
executions_total executions_succeeded_total executions_failed_total executions_errored_total
execution_duration_seconds decisions_total decisions_succeeded_total decisions_failed_total
execution_confidence_ratio execution_signals_total execution_last_timestamp_seconds recent_executions
recent_success_ratio recent_error_ratio recent_response_time_seconds recent_window_start_timestamp_seconds
decision_outcome_revisions_total decisions_pending decisions_by_risk_total decision_confidence_ratio
decision_alternatives decision_results_total recent_actual_result decision_autonomy_ratio
decision_performance_score_ratio decision_learning_rate_ratio learning_adjustments_total
recent_confidence_ratio recent_autonomy_ratio recent_adaptation_ratio decision_messages_total
decision_brier_score decision_resolved_total decision_resolved_succeeded_total
decision_last_timestamp_seconds portfolio_balance_btc portfolio_balance_usd portfolio_value_usd
portfolio_starting_value_usd portfolio_goal_value_usd portfolio_week_start_value_usd portfolio_growth_ratio
portfolio_goal_progress_ratio portfolio_deployed_ratio portfolio_peak_value_usd portfolio_max_drawdown_ratio
portfolio_updated_timestamp_seconds portfolio_snapshot_timestamp_seconds trades_total trade_volume_btc_total
trade_volume_usd_total trade_fees_usd_total trade_value_usd trades_profitable_total
trades_unprofitable_total trade_gains_usd_total trade_losses_usd_total trade_unmatched_btc_total
trade_last_timestamp_seconds market_price_usd market_volume_24h_usd market_price_change_24h_ratio
market_fear_greed_index market_updated_timestamp_seconds system_paused system_alerts_total system_commands
database_rows_total database_malformed_values_total label_overflow_total
"""
FAMILIES = frozenset(f"tweetbot_{name}" for name in NAMES.split())


def parse(text: str) -> dict[Key, float]:
    """A page in the text format; a sample that is there twice is an error."""
    samples: dict[Key, float] = {}
    for metric in text_string_to_metric_families(text):
        for sample in metric.samples:
            if sample.name.endswith("_created"):
                continue
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in samples:
                raise ValueError(f"twice on the page: {_spelt(key)}")
            samples[key] = sample.value
    return samples


def difference(
    page: Mapping[Key, float], expected: Mapping[Key, float], only: Iterable[str] | None = None
) -> list[str]:
    """What is missing, unexpected or different, a line each; `only` names the families to look at.

    Counters, histograms and moments must be equal to the last bit, other gauges within 1e-12. More columns
    than the oracle's may have a malformed counter, as long as it is 0.
    """
    families = FAMILIES if only is None else frozenset(only)
    here = {key: value for key, value in page.items() if family(key[0]) in families}
    there = {key: value for key, value in expected.items() if family(key[0]) in families}
    missing = [f"missing: {_spelt(key)} {there[key]}" for key in there if key not in here]
    unexpected = [
        f"unexpected: {_spelt(key)} {here[key]}"
        for key in here
        if key not in there and not _harmless(key, here[key])
    ]
    differing = [
        f"differs: {_spelt(key)} is {here[key]!r}, should be {there[key]!r}"
        for key in there
        if key in here and not same(key[0], here[key], there[key])
    ]
    return [*missing, *unexpected, *differing]


def family(sample: str) -> str:
    """Of a histogram's part, the histogram."""
    for part in PARTS:
        if sample.endswith(part) and sample.removesuffix(part) in FAMILIES:
            return sample.removesuffix(part)
    return sample


def same(name: str, value: float, other: float) -> bool:
    if name.endswith(EXACT):
        return value == other
    return math.isclose(value, other, rel_tol=CLOSE, abs_tol=CLOSE)


def _harmless(key: Key, value: float) -> bool:
    return key[0] == "tweetbot_database_malformed_values_total" and value == 0


def _spelt(key: Key) -> str:
    labels = ",".join(f'{name}="{value[:80]}"' for name, value in key[1])
    return f"{key[0]}{{{labels}}}"
