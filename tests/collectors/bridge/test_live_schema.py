"""Documents made from the schema, valid and broken: whatever comes, a page comes of it."""

import copy
import random
import time
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.collectors.base import CollectorError
from exporter.collectors.bridge.agents import AgentsCollector
from exporter.collectors.bridge.client import BotState, BridgeClient
from exporter.collectors.bridge.collector import BridgeCollector
from exporter.collectors.bridge.communication import CommunicationCollector
from exporter.collectors.bridge.document import DocumentReader
from exporter.collectors.bridge.endpoint import ProcessState
from exporter.collectors.bridge.self_reports import SelfReportsCollector
from exporter.collectors.process.finder import ProcessFinder
from exporter.collectors.process.view import ProcessView
from exporter.config import load
from exporter.http.negotiation import choose_format
from exporter.metrics.exposition import encode
from exporter.metrics.merging import merge
from exporter.metrics.samples import Samples

from .documents import SCHEMA, VALIDATOR, Document, series, whole

CONFIG = load(None, {"bridge.url": "http://bot.example"})
SLOW = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, "", "x", "\ud800\0\n", -1, 1.5, 10**400, 1e308, -0.0, [], {}, [[]], {"a": {}}, [None] * 3]
)
NUMBERS = st.one_of(
    st.integers(0, 10**12), st.floats(0, 1), st.floats(allow_nan=False, allow_infinity=False), st.just(10**30)
)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def made(schema: Document) -> st.SearchStrategy[Any]:
    """What the schema allows: as much of the standard as it uses."""
    if "$ref" in schema:
        target: Any = SCHEMA
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return st.deferred(lambda: made(target))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            return objects(schema)
        case "array":
            items = made(schema["items"])
            return st.lists(items, min_size=schema.get("minItems", 0), max_size=4)
        case "integer":
            return st.integers(schema["minimum"], 10**18)
        case "number":
            return NUMBERS.map(abs) if "minimum" in schema else NUMBERS
        case "boolean":
            return st.booleans()
        case _:
            return TEXTS


def objects(schema: Document) -> st.SearchStrategy[Document]:
    if "properties" not in schema:
        return st.dictionaries(TEXTS, NUMBERS | st.dictionaries(TEXTS, NUMBERS, max_size=3), max_size=8)
    required = {key: made(schema["properties"][key]) for key in schema.get("required", ())}
    optional = {key: made(of) for key, of in schema["properties"].items() if key not in required}
    found = st.fixed_dictionaries(required, optional=optional)
    least = schema.get("minProperties", 0)
    return found.filter(lambda value: len(value) >= least)


DOCUMENTS = made(SCHEMA)


def collected(document: Document, built: list[BridgeCollector] | None = None) -> list[Any]:
    """What the sources make of the document."""
    bridge = BridgeClient(CONFIG.bridge, clock=lambda: document.get("time", 0.0))
    live = built or [
        kind(bridge, CONFIG) for kind in (AgentsCollector, CommunicationCollector, SelfReportsCollector)
    ]
    process = ProcessState("", document, 0.0, (None, None))
    state = BotState(document, 0.0, (process,), {})
    metrics = []
    for source in live:
        try:
            metrics += source.families(state)
        except CollectorError:
            continue
        finally:
            metrics += source.self_metrics()
    samples = Samples()
    ProcessView(ProcessFinder(None, None), DocumentReader()).add(samples, process, None)
    return merge(metrics + samples.metrics())


def check_page(metrics: list[Any]) -> None:
    """Both formats can be written and read back."""
    list(parse_text(encode(metrics, choose_format("text/plain")).decode()))
    page = encode(metrics, choose_format("application/openmetrics-text")).decode()
    list(parse_openmetrics(page))  # type: ignore[no-untyped-call]


@SLOW
@given(DOCUMENTS)
def test_valid_documents(document: Document) -> None:
    VALIDATOR.validate(document)
    check_page(collected(document))


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in children for place in places(value, (*path, key)))]


def replaced(document: Document, path: tuple[Any, ...], junk: Any) -> Document:
    changed = copy.deepcopy(document)
    node: Any = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = junk
    return changed


@SLOW
@given(st.randoms(use_true_random=False), st.lists(JUNK, min_size=1, max_size=4))
def test_broken_documents(rng: random.Random, junk: list[Any]) -> None:
    document = whole()
    for each in junk:
        document = replaced(document, rng.choice(places(document)[1:]), each)
    check_page(collected(document))


@SLOW
@given(st.randoms(use_true_random=False), JUNK)
def test_a_broken_leaf_changes_nothing_elsewhere(rng: random.Random, junk: Any) -> None:
    good = whole()
    leaves = [
        path
        for path in places(good)
        if path and path[0] in ("agents", "orchestrator") and "id" not in path and len(path) == 3
    ]
    path = rng.choice(leaves)
    before, after = series(collected(good)), series(collected(replaced(good, path, junk)))
    changed = {key for key in before if after.get(key) != before[key]}
    assert len(changed) <= 7, (path, junk, changed)


def test_reading_the_whole_document_is_quick() -> None:
    begun = time.process_time()
    for _ in range(100):
        collected(whole())
    assert (time.process_time() - begun) / 100 < 0.05
