"""system_config, system_alerts and system_commands: where upstream's bot is told to pause, and says what it saw."""

from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.table import Range, Reads, Table
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.labels import OTHER, UNKNOWN
from exporter.metrics.samples import Samples

LEVELS = ("info", "warning", "critical", "error")
STATUSES = ("pending", "processed", "failed")
NEWEST_COMMANDS = 20_000
"""Commands are updated in place, so these are counted again whenever the file changed."""

STATUS = """
SELECT (SELECT count(*) FROM system_config), (SELECT "value" FROM ({source}) WHERE "key" = 'system_status' LIMIT 1)
"""

ALERTS = f"""
WITH clean AS MATERIALIZED (
  SELECT row_id, typeof(level) = 'blob' AS bad_level, lower({sql.text("level")}) AS level FROM ({{source}})
)
SELECT json_array(max(row_id), count(*), json_object('level', {sql.total("bad_level")}),
  (SELECT json_group_array(json_array({sql.name("level")}, alerts))
   FROM (SELECT level, count(*) AS alerts FROM clean GROUP BY level)))
FROM clean
"""

COMMANDS = f"""
WITH clean AS MATERIALIZED (
  SELECT row_id, typeof(status) = 'blob' AS bad_status, {sql.text("status")} AS status FROM ({{source}})
)
SELECT json_array(count(*), {sql.total("bad_status")},
  (SELECT json_group_array(json_array({sql.name("status")}, first, commands))
   FROM (SELECT status, min(row_id) AS first, count(*) AS commands FROM clean GROUP BY status)))
FROM clean
"""


class SystemConfig(Table):
    """Whether the bot is paused."""

    name = "system_config"
    columns = ("key", "value")
    required = ("key", "value")

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._status_sql = STATUS.format(source=sql.newest(self.name, self.columns, present))
        self._status: Any = None

    async def follow(self, read: Reads) -> bool:
        rows, status = await read.row(self._status_sql, {"limit": sql.MAX_ROWS})
        self.rows = max(self.rows, rows)
        if status != self._status and status not in (None, "running", "paused"):
            self.malformed["value"] += 1
        self._status = status
        return True

    def samples(self, out: Samples) -> None:
        if self._status in ("running", "paused"):
            out.add(c.SYSTEM_PAUSED, self._status == "paused")


class SystemAlerts(Table):
    """How many alerts of each level the bot has written down."""

    name = "system_alerts"
    columns = ("level",)
    identity = ("timestamp", "alert_type", "level")
    required = ("level",)

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._alerts_sql = ALERTS.format(source=self.source)
        self._levels = Counter(dict.fromkeys(LEVELS, 0))

    async def fold(self, read: Reads, span: Range) -> int | None:
        last, rows, malformed, levels = await read.json(self._alerts_sql, span.parameters())
        if last is None:
            return None
        self.count(rows, malformed)
        for level, alerts in levels:
            self._levels[level if level in LEVELS else OTHER if level else UNKNOWN] += alerts
        return int(last)

    def samples(self, out: Samples) -> None:
        for level, alerts in self._levels.items():
            out.add(c.SYSTEM_ALERTS, alerts, level)


class SystemCommands(Table):
    """The newest commands by their status."""

    name = "system_commands"
    columns = ("status",)
    required = ("status",)

    def __init__(self, config: Config, present: frozenset[str], clock: Callable[[], float]) -> None:
        super().__init__(config, present, clock)
        self._commands_sql = COMMANDS.format(source=sql.newest(self.name, self.columns, present))
        self._statuses: Counter[str] = Counter()
        self._unusable = 0
        self._overflow = 0

    async def follow(self, read: Reads) -> bool:
        rows, unusable, statuses = await read.json(self._commands_sql, {"limit": NEWEST_COMMANDS})
        self.rows = max(self.rows, rows)
        self.malformed["status"] += max(0, unusable - self._unusable)
        self._unusable = unusable
        self._statuses = Counter(dict.fromkeys(STATUSES, 0))
        overflow = 0
        for status, _, commands in sorted(statuses, key=itemgetter(1)):
            label, overflows = self.labels.bound_status(status, STATUSES)
            self._statuses[label] += commands
            overflow += commands * overflows
        self.labels.overflow += max(0, overflow - self._overflow)
        self._overflow = overflow
        return True

    def samples(self, out: Samples) -> None:
        for status, commands in self._statuses.items():
            out.add(c.SYSTEM_COMMANDS, commands, status)
