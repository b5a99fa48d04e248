"""Replays a bot's database as the series its exporter would have given, minute by minute, for promtool.

Written apart from the exporter and only as exact as alerts need: plain rows in, values of input series out.
Time 0 is the first row.
"""

import json
import re
import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oracle import evidence

STEP = 60
TARGET = 'job="tweetbot", instance="one:9464", bot="one"'
WINDOW = 50


def seconds(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "").replace("T", " "))
    return moment.replace(tzinfo=UTC).timestamp()


def slugify(name: str) -> str:
    return re.sub(r"\W+|_", "-", name.lower()).strip("-")


def ratio(value: float) -> float:
    return value / 100 if value > 1 else value


class Replay:
    """Collects `series → {step: value}`; between two values a series keeps its older one."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        self._points: dict[str, dict[int, float]] = defaultdict(dict)
        self._start = 0.0
        self._end = 0

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._db.execute(sql).fetchall()

    def put(self, moment: float, name: str, value: float, **labels: str) -> None:
        step = int((moment - self._start) // STEP) + 1
        self._end = max(self._end, step)
        text = "".join(f', {key}="{val}"' for key, val in labels.items())
        self._points[f"{name}{{{TARGET}{text}}}"][step] = value

    def run(self) -> tuple[list[dict[str, str]], int]:
        firsts = [
            self.rows(f"SELECT min(timestamp) FROM {table}")[0][0]
            for table in ("agent_executions", "agent_decisions")
        ]
        self._start = min(seconds(first) for first in firsts if first)
        self.executions()
        self.decisions()
        self.money()
        self.control()
        return self.series(), self._end

    def executions(self) -> None:
        totals: dict[tuple[str, str, str], int] = defaultdict(int)
        windows: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=WINDOW))
        bounds: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=evidence.LENGTHS[-1]))
        columns = "timestamp, agent_name, execution_type, success, execution_time_ms"
        sql = f"SELECT {columns} FROM agent_executions ORDER BY timestamp, id"
        for stamp, name, kind, success, took in self.rows(sql):
            moment, agent = seconds(stamp), slugify(name)
            totals[agent, kind, "total"] += 1
            if success is not None:
                totals[agent, kind, "succeeded_total" if success else "failed_total"] += 1
            for suffix in ("total", "succeeded_total", "failed_total"):
                self.put(
                    moment,
                    f"tweetbot_executions_{suffix}",
                    totals[agent, kind, suffix],
                    agent=agent,
                    execution_type=kind,
                )
            window = windows[agent]
            window.append((moment, success, took))
            bounds[agent].append((success, took))
            self.bounds(moment, agent, bounds[agent])
            known = [row[1] for row in window if row[1] is not None]
            times = [row[2] / 1000 for row in window if row[2] is not None]
            self.put(moment, "tweetbot_recent_executions", len(window), agent=agent)
            self.put(moment, "tweetbot_execution_last_timestamp_seconds", moment - self._start, agent=agent)
            self.put(
                moment,
                "tweetbot_recent_window_start_timestamp_seconds",
                window[0][0] - self._start,
                agent=agent,
            )
            if known:
                self.put(moment, "tweetbot_recent_success_ratio", sum(known) / len(known), agent=agent)
            if times:
                self.put(
                    moment, "tweetbot_recent_response_time_seconds", sum(times) / len(times), agent=agent
                )

    def bounds(self, moment: float, agent: str, rows: Iterable[tuple[int | None, float | None]]) -> None:
        outcomes = [bool(success) for success, _ in rows if success is not None]
        times = [round(took * 1000) for _, took in rows if took is not None]
        if len(outcomes) >= evidence.LENGTHS[0]:
            bound = evidence.highest_success_ratio(outcomes)
            self.put(moment, "tweetbot_recent_success_upper_bound_ratio", bound, agent=agent)
        if len(times) >= evidence.LENGTHS[0]:
            bound = evidence.lowest_mean(times) / 1e6
            self.put(moment, "tweetbot_recent_response_time_lower_bound_seconds", bound, agent=agent)

    def decisions(self) -> None:
        totals: dict[tuple[str, str, str], int] = defaultdict(int)
        confidences: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=WINDOW))
        resolved: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=WINDOW))
        sql = "SELECT timestamp, agent, type, reasoning, outcome FROM agent_decisions ORDER BY timestamp"
        for stamp, name, kind, reasoning, outcome in self.rows(sql):
            moment, agent = seconds(stamp), slugify(name)
            confidence = json.loads(reasoning).get("confidence")
            success = json.loads(outcome).get("success")
            totals[agent, kind, "total"] += 1
            if success is not None:
                totals[agent, kind, "succeeded_total" if success else "failed_total"] += 1
            for suffix in ("total", "succeeded_total", "failed_total"):
                self.put(
                    moment,
                    f"tweetbot_decisions_{suffix}",
                    totals[agent, kind, suffix],
                    agent=agent,
                    decision_type=kind,
                )
            self.put(moment, "tweetbot_decision_last_timestamp_seconds", moment - self._start, agent=agent)
            if confidence is None:
                continue
            confidences[agent].append(ratio(confidence))
            self.put(
                moment,
                "tweetbot_recent_confidence_ratio",
                sum(confidences[agent]) / len(confidences[agent]),
                agent=agent,
            )
            if success is not None:
                resolved[agent].append((ratio(confidence), success))
                totals[agent, "", "resolved"] += 1
                gap = sum(stated - true for stated, true in resolved[agent]) / len(resolved[agent])
                error = sum(stated * (1 - stated) for stated, _ in resolved[agent]) ** 0.5 / len(
                    resolved[agent]
                )
                self.put(moment, "tweetbot_decision_confidence_gap_ratio", gap, agent=agent)
                self.put(moment, "tweetbot_decision_confidence_gap_error_ratio", error, agent=agent)
                # One band is enough: alerts only ask how many there are.
                self.put(
                    moment,
                    "tweetbot_decision_resolved_total",
                    totals[agent, "", "resolved"],
                    agent=agent,
                    confidence_band="0.7",
                )

    def money(self) -> None:
        peak = 0.0
        for stamp, value in self.rows(
            "SELECT timestamp, total_value_usd FROM portfolio_history ORDER BY timestamp"
        ):
            moment, peak = seconds(stamp), max(peak, value)
            self.put(moment, "tweetbot_portfolio_snapshot_timestamp_seconds", moment - self._start)
            self.put(moment, "tweetbot_portfolio_value_usd", value)
            self.put(moment, "tweetbot_portfolio_peak_value_usd", peak)
        for (stamp,) in self.rows(
            "SELECT timestamp FROM market_data WHERE timestamp >= (SELECT min(timestamp) FROM trades)"
        ):
            self.put(
                seconds(stamp), "tweetbot_market_updated_timestamp_seconds", seconds(stamp) - self._start
            )
        lots: deque[list[float]] = deque()
        counts: dict[str, float] = dict.fromkeys(("profitable_total", "unprofitable_total"), 0)
        sides: dict[str, int] = defaultdict(int)
        sql = "SELECT timestamp, executed_by, trade_type, amount_btc, total_usd FROM trades ORDER BY id"
        for stamp, who, side, amount, usd in self.rows(sql):
            moment, agent = seconds(stamp), slugify(who)
            sides[side] += 1
            self.put(moment, "tweetbot_trades_total", sides[side], agent=agent, side=side.lower())
            if side == "BUY":
                lots.append([amount, usd / amount])
                continue
            left, cost = amount, 0.0
            while left > 1e-12 and lots:
                used = min(left, lots[0][0])
                cost, left, lots[0][0] = cost + used * lots[0][1], left - used, lots[0][0] - used
                if lots[0][0] <= 1e-12:
                    lots.popleft()
            counts["profitable_total" if usd > cost else "unprofitable_total"] += 1
            for suffix, count in counts.items():
                self.put(moment, f"tweetbot_trades_{suffix}", count, agent=agent)

    def control(self) -> None:
        for moment in (self._start, self._start + self._end * STEP):
            for collector in ("database", "exporter"):
                self.put(moment - STEP, "tweetbot_scrape_collector_success", 1, collector=collector)
            self.put(moment - STEP, "tweetbot_database_replacements_total", 0)
        self.put(self._start, "tweetbot_system_paused", 0)
        sql = "SELECT processed_at, command FROM system_commands WHERE status = 'processed' ORDER BY 1"
        for stamp, command in self.rows(sql):
            if seconds(stamp) < self._start + self._end * STEP and command in (
                "pause_system",
                "resume_system",
            ):
                self.put(seconds(stamp), "tweetbot_system_paused", float(command == "pause_system"))

    def series(self) -> list[dict[str, str]]:
        result = []
        for name, points in self._points.items():
            values: list[str] = []
            last = "_"
            for step in range(self._end + 1):
                last = f"{points[step]:.12g}" if step in points else last
                values.append(last)
            result.append({"series": name, "values": " ".join(values)})
        return result
