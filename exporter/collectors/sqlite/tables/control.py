"""system_config, system_alerts and system_commands: where upstream's bot is told to pause, and says what it saw."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

from exporter.collectors.sqlite import values
from exporter.collectors.sqlite.aggregates import Aggregate, Count
from exporter.collectors.sqlite.batch import Batch, By, Value
from exporter.collectors.sqlite.table import Cells, Context, GrowingTable, LiveTable, Rows
from exporter.collectors.sqlite.values import UNUSABLE
from exporter.config import Config
from exporter.metrics import catalogue as c
from exporter.metrics.catalogue import Family
from exporter.metrics.labels import OTHER, UNKNOWN
from exporter.metrics.samples import Samples

LEVELS = ("info", "warning", "critical", "error")
STATUSES = ("pending", "processed", "failed")
STATES = {"running": 0, "paused": 1}

LEVEL = Value("level", values.name)
BY_LEVEL = By(("level",))


class SystemConfig(LiveTable):
    """Whether the bot is paused."""

    name = "system_config"
    columns = ("key", "value")
    limit = 4096
    dated = False

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._status: Any = None

    @property
    def needs(self) -> Mapping[Family, frozenset[str]]:
        return {c.SYSTEM_PAUSED: frozenset(self.columns)}

    async def read(self, rows: Rows, now: float) -> bool:
        return self.look(await rows.newest(self.columns, self.limit))

    def look(self, rows: list[Cells]) -> bool:
        """Takes all rows; whether what is shown is other than before."""
        self.rows = max(self.rows, len(rows))
        before = self._status
        self._status = next((value for _, key, value in rows if key == "system_status"), None)
        changed: bool = self._status != before
        if changed and self._status is not None and self._state is None:
            self.malformed["value"] += 1
        return changed

    @property
    def _state(self) -> int | None:
        return STATES.get(self._status) if isinstance(self._status, str) else None

    def samples(self, out: Samples, context: Context) -> None:
        out.add(c.SYSTEM_PAUSED, self._state)


class SystemAlerts(GrowingTable):
    """How many alerts of each level the bot has written down."""

    name = "system_alerts"
    values: ClassVar[tuple[Value, ...]] = (LEVEL,)
    columns = ("level",)
    identity = ("timestamp", "alert_type", "level")
    dated = False

    def declare(self) -> tuple[Aggregate, ...]:
        levels = Count(c.SYSTEM_ALERTS, BY_LEVEL)
        levels.totals = {(level,): 0 for level in LEVELS}
        return (levels,)

    def prepare(self, batch: Batch) -> Batch:
        batch.group(BY_LEVEL, [(_level(text),) for text in batch.values[LEVEL]])
        return batch


def _level(text: str | None) -> str:
    if not text:
        return UNKNOWN
    return text.lower() if text.lower() in LEVELS else OTHER


class SystemCommands(LiveTable):
    """The newest commands by their status."""

    name = "system_commands"
    columns = ("status",)
    limit = 20_000
    dated = False

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._statuses: Counter[str] = Counter()
        self._unusable = 0
        self._overflow = 0

    @property
    def needs(self) -> Mapping[Family, frozenset[str]]:
        return {c.SYSTEM_COMMANDS: frozenset(self.columns)}

    async def read(self, rows: Rows, now: float) -> bool:
        return self.look(await rows.newest(self.columns, self.limit))

    def look(self, rows: list[Cells]) -> bool:
        """Takes the newest rows, newest first; whether what is shown is other than before."""
        self.rows = max(self.rows, len(rows))
        found = [values.name(status) for _, status in reversed(rows)]
        unusable = found.count(UNUSABLE)
        self.malformed["status"] += max(0, unusable - self._unusable)
        self._unusable = unusable
        before, self._statuses = self._statuses, Counter(dict.fromkeys(STATUSES, 0))
        overflow = 0
        for status, commands in Counter(None if text is UNUSABLE else text for text in found).items():
            label, overflows = self.labels.bound_status(status, STATUSES)
            self._statuses[label] += commands
            overflow += commands * overflows
        self.labels.overflow += max(0, overflow - self._overflow)
        self._overflow = overflow
        return before != self._statuses

    def samples(self, out: Samples, context: Context) -> None:
        for status, commands in self._statuses.items():
            out.add(c.SYSTEM_COMMANDS, commands, status)
