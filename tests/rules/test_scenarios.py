"""Whole stories under all rules at once: which alerts fire when, and that no others do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from promtool import Series, check

TARGET = 'job="tweetbot", instance="one:9464", bot="one"'
HOUR = 60
"""Minutes, as all times here are."""
ByMinute = Callable[[int], float]


@dataclass(frozen=True)
class Story:
    minutes: int
    series: Sequence[tuple[str, ByMinute]]
    """Names with the labels beside the target's, and the value at each minute."""
    firing: dict[int, set[str]]
    """By minute; each as "alert severity", and the agent's name where it has one."""

    def shown(self) -> Iterator[Series]:
        for name, value in [*self.series, *ALWAYS]:
            family, _, labels = name.partition("{")
            values = " ".join(f"{value(minute):.12g}" for minute in range(self.minutes + 1))
            yield {"series": f"{family}{{{TARGET}, {labels or '}'}", "values": values}

    def cases(self) -> Iterator[dict[str, Any]]:
        for minute, alerts in self.firing.items():
            yield {
                "expr": 'group by (alertname, severity, agent) (ALERTS{alertstate="firing", alertname!="Watchdog"})',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": labels(*alert.split()), "value": 1} for alert in alerts],
            }


def labels(alert: str, severity: str, *agent: str) -> str:
    of_agent = "".join(f', agent="{name}"' for name in agent)
    return f'{{alertname="{alert}", severity="{severity}"{of_agent}}}'


def always(value: float) -> ByMinute:
    return lambda minute: value


def until(change: int, before: float, after: float) -> ByMinute:
    return lambda minute: before if minute < change else after


def falling(begin: int, end: int, before: float, after: float) -> ByMinute:
    """Evenly from one value to another."""

    def value(minute: int) -> float:
        part = min(max((minute - begin) / (end - begin), 0), 1)
        return before + part * (after - before)

    return value


ALWAYS = [("up", always(1)), ('tweetbot_scrape_collector_success{collector="database"}', always(1))]


def executing(agent: str, every: int, end: int = 10**9) -> list[tuple[str, ByMinute]]:
    """A full window of executions every so many minutes, the newest before `end`."""

    def newest(minute: int) -> float:
        return min(minute, end) // every * every * 60

    of_agent = f'{{agent="{agent}"}}'
    return [
        (f"tweetbot_recent_executions{of_agent}", always(50)),
        (f"tweetbot_execution_last_timestamp_seconds{of_agent}", newest),
        (
            f"tweetbot_recent_window_start_timestamp_seconds{of_agent}",
            lambda minute: newest(minute) - 49 * every * 60,
        ),
    ]


def but(begin: int, end: int, meanwhile: float, else_: float) -> ByMinute:
    """One value between two moments, another before and after."""
    return lambda minute: meanwhile if begin <= minute < end else else_


def executing_but(agent: str, begin: int, end: int) -> list[tuple[str, ByMinute]]:
    """A full window of executions every minute, none between two moments."""

    def newest(minute: int) -> float:
        return (begin - 1 if begin <= minute < end else minute) * 60

    of_agent = f'{{agent="{agent}"}}'
    return [
        (f"tweetbot_recent_executions{of_agent}", always(50)),
        (f"tweetbot_execution_last_timestamp_seconds{of_agent}", newest),
        (
            f"tweetbot_recent_window_start_timestamp_seconds{of_agent}",
            lambda minute: newest(minute) - 49 * 60,
        ),
    ]


def portfolio(value: ByMinute, peak: ByMinute) -> list[tuple[str, ByMinute]]:
    return [("tweetbot_portfolio_value_usd", value), ("tweetbot_portfolio_peak_value_usd", peak)]


DRAWDOWN, FALLING = "TweetbotPortfolioDrawdown warning", "TweetbotPortfolioFalling critical"
FAILING, FAILING_PAGE = (
    "TweetbotAgentSuccessRateLow warning alone",
    "TweetbotAgentSuccessRateLow critical alone",
)
BOT_STALLED, STALLED = "TweetbotBotStalled critical", "TweetbotAgentStalled warning alone"
HOURLY, HOURLY_PAGE = "TweetbotAgentStalled warning hourly", "TweetbotAgentStalled critical hourly"
REPLACED = "TweetbotDatabaseReplaced warning"
DOWN, COLLECTOR = "TweetbotBotDown critical", "TweetbotCollectorFailing warning"

STORIES = {
    "the portfolio loses 12 % within half an hour": Story(
        200,
        portfolio(falling(60, 90, 10_000, 8_800), always(10_000)),
        {60: set(), 70: set(), 90: {FALLING}, 110: {FALLING, DRAWDOWN}, 200: {DRAWDOWN}},
    ),
    "the portfolio loses 12 % within six hours": Story(
        7 * HOUR,
        portfolio(falling(60, 7 * HOUR, 10_000, 8_800), always(10_000)),
        {3 * HOUR: set(), 6 * HOUR - 10: set(), 7 * HOUR: {DRAWDOWN}},
    ),
    "an hourly agent stops": Story(
        14 * HOUR,
        [*executing("hourly", HOUR, 2 * HOUR), *executing("other", 1)],
        {
            **{hour * HOUR + 59: set() for hour in (0, 1, 5, 11)},
            12 * HOUR + 20: {HOURLY},
            14 * HOUR: {HOURLY, HOURLY_PAGE},
        },
    ),
    "the only agent fails, then stops": Story(
        200,
        [
            *executing("alone", 1, 2 * HOUR),
            ('tweetbot_recent_success_ratio{agent="alone"}', until(60, 0.9, 0.3)),
            ('tweetbot_recent_success_upper_bound_ratio{agent="alone"}', until(60, 1, 0.5)),
        ],
        {60: set(), 70: {FAILING, FAILING_PAGE}, 119: {FAILING, FAILING_PAGE}, 150: {BOT_STALLED, STALLED}},
    ),
    # All that is inhibited while the bot is down is over no later than that, so that a recovery pages nobody.
    "the bot is dead for two hours, then back": Story(
        260,
        [
            *executing_but("one", 60, 180),
            *executing_but("two", 60, 180),
            ('tweetbot_scrape_collector_success{collector="system"}', but(60, 180, 0, 1)),
        ],
        {
            59: set(),
            90: {
                DOWN,
                BOT_STALLED,
                COLLECTOR,
                *(f"TweetbotAgentStalled warning {agent}" for agent in ("one", "two")),
            },
            185: {DOWN, BOT_STALLED, COLLECTOR},
            194: {DOWN, BOT_STALLED, COLLECTOR},
            195: set(),
            260: set(),
        },
    ),
    "the database is replaced": Story(
        200,
        [
            *executing("alone", 1),
            ('tweetbot_executions_total{agent="alone", execution_type="trade"}', until(60, 9_000, 6_000)),
            (
                'tweetbot_executions_succeeded_total{agent="alone", execution_type="trade"}',
                until(60, 8_900, 1_000),
            ),
            (
                'tweetbot_executions_failed_total{agent="alone", execution_type="trade"}',
                until(60, 100, 5_000),
            ),
            ("tweetbot_database_replacements_total", until(60, 0, 1)),
            *portfolio(until(60, 12_000, 10_000), until(60, 12_000, 10_000)),
            ("tweetbot_portfolio_balance_usd", until(60, 4_000, 10_000)),
            ("tweetbot_portfolio_balance_btc", until(60, 0.1, 0)),
        ],
        {59: set(), 65: {REPLACED}, 100: {REPLACED}, 200: set()},
    ),
}


@pytest.mark.slow("promtool evaluates all rules for hours")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("story", STORIES)
def test_these_alerts_fire_and_no_others(story: str, tmp_path: Path) -> None:
    told = STORIES[story]
    check(tmp_path, [*told.shown()], [*told.cases()])
