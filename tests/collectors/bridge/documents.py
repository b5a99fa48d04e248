"""BotState documents, and the pages that come of them."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import jsonschema
from prometheus_client.core import Metric

import exporter
from exporter.metrics.catalogue import CYCLE_BUCKETS, LATENCY_BUCKETS

Document = dict[str, Any]

SCHEMA = json.loads((Path(exporter.__file__).parent / "bridge" / "state.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

PROCESS: Document = {
    "pid": 7,
    "startTime": 1000.0,
    "cpu": {"user": 2.5, "system": 0.5},
    "memory": {"rss": 5000, "heapUsed": 1000, "heapTotal": 2000, "heapLimit": 4000, "external": 10},
    "openFds": 20,
    "threads": 11,
    "eventLoopLag": {"p50": 0.001, "p99": 0.02, "max": 0.3, "time": 1060.0},
    "node": "v20.1.0",
    "platform": "linux",
}


def histogram(bounds: tuple[float, ...], *values: float) -> Document:
    buckets = [sum(value <= bound for value in values) for bound in bounds]
    return {"bounds": list(bounds), "buckets": buckets, "count": len(values), "sum": sum(values)}


def document(**parts: Any) -> Document:
    """A valid document of now with these parts."""
    left_out = {"agents": 0, "messages": 0, "reportValues": 0, "malformed": 0}
    made = {
        "version": 1,
        "time": time.time(),
        "process": copy.deepcopy(PROCESS),
        "leftOut": left_out,
        **parts,
    }
    return copy.deepcopy(made)


def whole() -> Document:
    """Everything that a document can have."""
    return document(
        orchestrator={
            "running": True,
            "cycles": {
                "total": 4,
                "failed": 1,
                "skipped": 2,
                "running": 1,
                "completion": "end_mark",
                "duration": histogram(CYCLE_BUCKETS, 0.2, 4.0, 400.0),
                "lastStart": 1234.5,
            },
            "learningRate": 0.15,
            "performance": {"successRate": 0.7, "decisionQuality": 80, "adaptationEffectiveness": 0.5},
        },
        agents=[
            {
                "id": "Market Hunter",
                "running": True,
                "cycles": 42,
                "lastExecutionTime": 1200.25,
                "reputation": 0.9,
                "autonomy": 60,
                "adaptations": 3,
                "goalProgress": {
                    "primary": 0.75,
                    "secondary": 0.82,
                    "tactical": 0.68,
                    "overall": 0.6,
                    "time": 1190.0,
                },
                "recentDecisions": 5,
                "decisionHistory": 77,
                "successHistory": {"succeeded": 3, "failed": 1},
            },
            {"id": "content-creator", "running": False},
        ],
        communication={
            "startTime": 1001.0,
            "pairs": [
                {"from": "Market Hunter", "to": "content-creator", "sent": 8, "failed": 2},
                {"from": "content-creator", "to": "market_hunter", "sent": 4, "failed": 1},
            ],
            "latency": [{"from": "Market Hunter", **histogram(LATENCY_BUCKETS, 0.002, 0.03, 9.0)}],
            "negotiations": [{"agent": "market-hunter", "total": 10, "succeeded": 4}],
            "queued": 12,
        },
        selfReports=[
            {
                "agent": "market-hunter",
                "time": 1195.0,
                "report": {
                    "totalDecisions": 12,
                    "decisionCount": 13,
                    "sourcesQueried": 30,
                    "signalsGenerated": 6,
                    "apiCallsUsed": 24,
                    "successRate": 95,
                    "avgConfidence": 0.8,
                    "avgResponseTime": 1250,
                    "cacheHitRate": 0.5,
                    "queue": {"depth": 3, "retries": {"total": 1}},
                },
            },
            {
                "agent": "content-creator",
                "time": 1196.0,
                "report": {"signalsGenerated": 6, "apiCallsUsed": 24},
            },
        ],
    )


def series(metrics: list[Metric]) -> dict[str, float]:
    """`name{value,value}` → value, without buckets."""
    return {
        sample.name.removeprefix("tweetbot_")
        + (f"{{{','.join(sample.labels.values())}}}" if sample.labels else ""): sample.value
        for metric in metrics
        for sample in metric.samples
        if not sample.name.endswith("_bucket")
    }


def buckets(metrics: list[Metric], name: str) -> dict[str, float]:
    """The one histogram of that name."""
    return {
        sample.labels["le"]: sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == f"tweetbot_{name}_bucket"
    }
