"""The yardstick of the first catch-up: the sqlite3 command line runs the exporter's statements."""

import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from exporter.collectors.sqlite import expressions as sql
from exporter.collectors.sqlite.table import Table
from exporter.collectors.sqlite.tables.decisions import TOTALS as DECISION_TOTALS
from exporter.collectors.sqlite.tables.decisions import Decisions
from exporter.collectors.sqlite.tables.executions import TOTALS as EXECUTION_TOTALS
from exporter.collectors.sqlite.tables.executions import Executions
from exporter.collectors.sqlite.tables.outcomes import OUTCOMES

EVERYTHING = 2**60


def available() -> bool:
    """Whether the program is installed."""
    return shutil.which("sqlite3") is not None


def cost(path: Path, window: int) -> float:
    """CPU seconds. `window` rows of each agent are asked for too; 0 for the totals alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["sqlite3", "-readonly", "-bail", path],
        input=_script({"after": 0, "upto": EVERYTHING, "limit": EVERYTHING, "window": window, "pending": 1}),
        stdout=subprocess.DEVNULL,
        env={**os.environ, "HOME": os.devnull},
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _script(parameters: Mapping[str, int]) -> str:
    """With the exporter's own settings."""
    settings = ["PRAGMA temp_store = MEMORY;", "PRAGMA cache_size = -2048;", ".parameter init"]
    values = [f".parameter set :{name} {value}" for name, value in parameters.items()]
    statements = [
        EXECUTION_TOTALS.format(source=_source(Executions)),
        DECISION_TOTALS.format(source=_source(Decisions)),
        OUTCOMES.format(source=_source(Decisions)),
    ]
    return "\n".join([*settings, *values, *(f"{statement};" for statement in statements), ""])


def _source(table: type[Table]) -> str:
    return sql.source(table.name, table.columns, frozenset(table.columns))
