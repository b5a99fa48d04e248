"""From the data's names to label values, and their bounds."""

import pytest

from exporter.metrics.labels import NAME_LENGTH, LabelBounds, slugify, spell_agent, spell_type

LONGEST, TOO_LONG = "x" * NAME_LENGTH, "x" * (NAME_LENGTH + 1)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Market Hunter", "market-hunter"),
        ("market_hunter", "market-hunter"),
        ("  -Market -- Hunter!  ", "market-hunter"),
        ("Agent 7", "agent-7"),
        ("Größe", "größe"),
        ("E\u0301lan", "élan"),
        ("?!", ""),
    ],
)
def test_slugs(name: str, label: str) -> None:
    assert slugify(name) == label


def test_an_agents_label() -> None:
    aliases = {"old-name": "new-name"}
    assert [spell_agent(name, aliases) for name in ("Old Name", "Other One", None, "", "?!", LONGEST, TOO_LONG)] == [
        "new-name", "other-one", "unknown", "unknown", "unknown", LONGEST, None,
    ]  # fmt: skip


def test_a_type_keeps_its_spelling() -> None:
    assert [spell_type(name) for name in ("Scan_X", "a\0b", None, "", LONGEST, TOO_LONG)] == [
        "Scan_X", "a\ufffdb", "unknown", "unknown", LONGEST, None,
    ]  # fmt: skip


def test_agents_beyond_the_bound_are_other_and_counted() -> None:
    labels = LabelBounds({"Old Name": "New Name"}, agents=2, pairs=10)
    assert labels.bound_agent("Old Name", 5) == "new-name"
    assert labels.bound_agent("b", 1) == "b"
    assert labels.overflow == 0
    assert labels.bound_agent("c", 3) == "other"
    assert labels.bound_agent("B", 1) == "b"
    assert labels.bound_agent(TOO_LONG, 2) == "other"
    assert labels.overflow == 5
    assert [labels.known_agent(name) for name in ("Old Name", "b", "c")] == ["new-name", "b", "other"]


def test_data_that_says_other_takes_no_place() -> None:
    labels = LabelBounds({}, agents=1, pairs=1)
    assert labels.bound_agent("Other", 4) == "other"
    assert labels.bound_type("a", "other", 4) == ("a", "other")
    assert labels.bound_type("a", "scan", 1) == ("a", "scan")
    assert labels.overflow == 0


def test_types_are_bounded_in_pairs_and_a_row_overflows_once() -> None:
    labels = LabelBounds({}, agents=1, pairs=2)
    assert labels.bound_type("a", "scan", 1) == ("a", "scan")
    assert labels.bound_type("a", "trade", 1) == ("a", "trade")
    assert labels.overflow == 0
    assert labels.bound_type("a", "rest", 2) == ("a", "other")
    assert labels.overflow == 2
    assert labels.bound_type("b", "rest", 3) == ("other", "other")
    assert labels.overflow == 5
    assert labels.known_type("a", "scan") == ("a", "scan")
    assert labels.known_type("a", "rest") == ("a", "other")
    assert labels.known_type("b", "scan") == ("other", "other")


def test_an_agent_beyond_its_bound_with_a_type_that_has_room_overflows() -> None:
    labels = LabelBounds({}, agents=1, pairs=9)
    labels.bound_agent("a", 1)
    assert labels.bound_type("b", "scan", 2) == ("other", "scan")
    assert labels.overflow == 2


def test_recipients_are_bounded_on_their_own() -> None:
    labels = LabelBounds({"Old": "new"}, agents=5, pairs=1)
    labels.bound_type("a", "scan", 1)
    assert labels.bound_recipient("a", "Old", 1) == ("a", "new")
    assert labels.bound_recipient("a", "c", 2) == ("a", "other")
    assert labels.bound_recipient("stranger", "other", 1) == ("other", "other")
    assert labels.overflow == 2


def test_a_usual_status_takes_no_place() -> None:
    labels = LabelBounds({}, agents=1, pairs=9)
    assert labels.bound_status("done", ("done",)) == ("done", False)
    assert labels.bound_status("odd", ("done",)) == ("odd", False)
    assert labels.bound_status("odder", ("done",)) == ("other", True)
    assert labels.bound_status("done", ("done",)) == ("done", False)
    assert labels.bound_status(TOO_LONG, ()) == ("other", True)
    assert labels.overflow == 0
