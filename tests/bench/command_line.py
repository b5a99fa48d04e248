"""The yardstick of the first catch-up: the sqlite3 command line adds up the same rows with plain SQL."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

EXECUTIONS = """
SELECT agent_name, execution_type, count(*), sum(success = 1), sum(success = 0), count(error_message),
  sum(execution_time_ms), max(unixepoch(timestamp)),
  sum(execution_time_ms <= 50), sum(execution_time_ms <= 100), sum(execution_time_ms <= 250),
  sum(execution_time_ms <= 500), sum(execution_time_ms <= 1000), sum(execution_time_ms <= 2000),
  sum(execution_time_ms <= 5000), sum(execution_time_ms <= 10000), sum(execution_time_ms <= 30000),
  sum(confidence), sum(signals)
FROM (SELECT *, json_extract(output_data, '$.confidence') AS confidence,
    json_extract(output_data, '$.signalsGenerated') AS signals FROM agent_executions)
GROUP BY agent_name, execution_type;
"""
RECENT = """
SELECT {agent}, count(*), min(unixepoch(timestamp)) FROM (
  SELECT {agent}, timestamp,
    row_number() OVER (PARTITION BY {agent} ORDER BY unixepoch(timestamp) DESC, rowid DESC) AS place FROM {table})
WHERE place <= {window} GROUP BY {agent};
"""
DECISIONS = """
SELECT agent, type, count(*), max(unixepoch(timestamp)), sum(confidence), sum(risk = 'low'), sum(risk = 'high'),
  sum(alternatives), sum(success IS NULL), sum(success), sum(result), sum(autonomy), sum(adjustments), sum(messages)
FROM (SELECT *, json_extract(reasoning, '$.confidence') AS confidence,
    json_extract(reasoning, '$.riskAssessment') AS risk,
    json_array_length(reasoning, '$.alternatives') AS alternatives,
    json_extract(outcome, '$.success') AS success, json_extract(outcome, '$.actualResult') AS result,
    json_extract(agent_state, '$.autonomyLevel') AS autonomy,
    json_array_length(feedback, '$.learningAdjustments') AS adjustments,
    json_array_length(system, '$.interAgentCommunication') AS messages FROM agent_decisions)
GROUP BY agent, type;
"""


def available() -> bool:
    """Whether the program is installed."""
    return shutil.which("sqlite3") is not None


def cost(path: Path, window: int) -> float:
    """CPU seconds. `window` rows of each agent are looked for too; 0 for the totals alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ["sqlite3", "-readonly", "-bail", path],
        input=_script(window),
        stdout=subprocess.DEVNULL,
        env={**os.environ, "HOME": os.devnull},
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _script(window: int) -> str:
    settings = ["PRAGMA temp_store = MEMORY;", "PRAGMA cache_size = -2048;"]
    agents = {"agent_executions": "agent_name", "agent_decisions": "agent"}
    recent = [RECENT.format(table=table, agent=agent, window=window) for table, agent in agents.items()]
    return "\n".join([*settings, EXECUTIONS, DECISIONS, *(recent if window else []), ""])
