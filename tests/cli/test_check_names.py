"""What `check` says of the agents' names in the database and in the live bot."""

import io
from typing import Any

import pytest

from exporter.cli import check_names, main
from exporter.collectors import registry
from exporter.collectors.base import Diagnosis
from exporter.config import load


def shown(stored: tuple[str, ...], live: tuple[str, ...]) -> str:
    out = io.StringIO()
    findings = [
        Diagnosis("database", "ok", "/bot/trading.db"),
        Diagnosis("table agent_executions", "ok", "up to row 7", stored),
        Diagnosis("agents", "ok", "agents", live),
    ]
    check_names.show(findings, out)
    return out.getvalue()


def test_names_stand_side_by_side_with_aliases_to_paste() -> None:
    stored = ("autonomous-market-hunter", "content-creator", "night-watch")
    assert (
        shown(stored, ("market-hunter", "content-creator"))
        == """
AGENT                     DATABASE  LIVE
autonomous-market-hunter  yes       -
content-creator           yes       yes
market-hunter             -         yes
night-watch               yes       -

These agents of the database may be live agents by another name. For those that are, configure:

agents:
  aliases:
    "autonomous-market-hunter": "market-hunter"

No live agent has a name like that of night-watch
"""
    )


def test_what_is_printed_is_a_configuration(tmp_path: Any) -> None:
    """Also where YAML would read a name as something else."""
    said = shown(("null-agent", "1e3-service", "marché-agent"), ("null", "1e3", "marché", "hunter"))
    file = tmp_path / "config.yml"
    file.write_text("agents:\n" + said.split("agents:\n")[1])
    aliases = load(file, {}).agents.aliases
    assert {name: aliases[name] for name in ("null-agent", "1e3-service", "marché-agent")} == {
        "null-agent": "null",
        "1e3-service": "1e3",
        "marché-agent": "marché",
    }


@pytest.mark.parametrize(("stored", "live"), [((), ("market-hunter",)), (("market-hunter",), ()), ((), ())])
def test_nothing_is_compared_where_one_source_names_nobody(
    stored: tuple[str, ...], live: tuple[str, ...]
) -> None:
    assert shown(stored, live) == ""


def test_names_that_match_need_no_advice() -> None:
    assert shown(("market-hunter",), ("market-hunter", "content-creator")).splitlines()[-1] == (
        "market-hunter    yes       yes"
    )


@pytest.mark.parametrize(
    ("name", "live", "found"),
    [
        ("autonomous-market-hunter", ("market-hunter", "market-analyzer"), "market-hunter"),
        ("execution-trading-service", ("execution-agent", "content-creator"), "execution-agent"),
        ("content-creator", ("content-creator-agent", "market-hunter"), "content-creator-agent"),
        ("market-analyzer", ("market-hunter", "narrative-architect"), None),
        ("market", ("market-hunter", "market-analyzer"), None),
        ("agent", ("the-agent", "agent-service"), None),
    ],
)
def test_the_likeliest_has_most_words_in_common_and_no_rival(
    name: str, live: tuple[str, ...], found: str | None
) -> None:
    assert check_names.likeliest(name, live) == found


def test_check_prints_the_names_after_its_table(
    fake_collector: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, agents = fake_collector("database"), fake_collector("agents")
    database.findings = [Diagnosis("table trades", "ok", "up to row 7", ("autonomous-hunter",))]
    agents.findings = [Diagnosis("agents", "ok", "1 agents", ("hunter",))]
    monkeypatch.setattr(registry, "build", lambda _: [database, agents])
    monkeypatch.setattr("exporter.runtime.logging.configure", lambda *_: None)
    assert main.main(["check", "--database.path=x"]) == 0
    assert capsys.readouterr().out.endswith('agents:\n  aliases:\n    "autonomous-hunter": "hunter"\n')
