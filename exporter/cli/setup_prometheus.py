"""Our part of Debian's prometheus.yml: blocks between two marks, everything else stays as it is.

Prometheus takes rules from other files, but scrape jobs only from 2.43 on, and Debian 12 has 2.42.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from exporter.cli.errors import CommandError

FOLDER = "/etc/prometheus/tweetbot"
"""What is ours in Prometheus's and Alertmanager's directory."""
_BEGIN, _END = "# tweetbot-exporter: begin", "# tweetbot-exporter: end"
_BLOCK = re.compile(rf"^ *{_BEGIN}\n.*?^ *{_END}\n", re.MULTILINE | re.DOTALL)
_RULES = [f"{FOLDER}/thresholds.yml", f"{FOLDER}/recording/*.yml", f"{FOLDER}/alerts/*.yml"]
_JOBS: dict[str, dict[str, Any]] = {
    "tweetbot": {"file_sd_configs": [{"files": [f"{FOLDER}/targets/tweetbot.yml"]}]},
    "tweetbot-optimizer": {"file_sd_configs": [{"files": [f"{FOLDER}/targets/optimizer.yml"]}]},
    "prometheus": {"static_configs": [{"targets": ["localhost:9090"]}]},
    "alertmanager": {"static_configs": [{"targets": ["localhost:9093"]}]},
}
"""Those that the rules know. The last two are often there already."""
_ALERTMANAGER = {"alertmanagers": [{"static_configs": [{"targets": ["localhost:9093"]}]}]}


def edited(text: str) -> str:
    """With our rules and scrape jobs; the same text if they are there. CommandError where they do not fit in."""
    text = restored(text)
    document = _parsed(text)
    known = {job.get("job_name") for job in document.get("scrape_configs") or ()}
    if "tweetbot" in known:
        raise CommandError(
            "prometheus.yml has a job tweetbot of its own: take it out, or set Prometheus up by hand"
        )
    jobs = [{"job_name": name, **job} for name, job in _JOBS.items() if name not in known]
    expected = {
        **document,
        "rule_files": [*_RULES, *(document.get("rule_files") or ())],
        "scrape_configs": [*jobs, *(document.get("scrape_configs") or ())],
    }
    text = _with(text, "rule_files", _RULES)
    text = _with(text, "scrape_configs", jobs)
    if not document.get("alerting"):
        text += _marked(yaml.safe_dump({"alerting": _ALERTMANAGER}), "")
        expected["alerting"] = _ALERTMANAGER
    if _parsed(text) != expected:
        raise CommandError(
            "prometheus.yml is written in a way that cannot be added to: set Prometheus up by hand"
        )
    return text


def restored(text: str) -> str:
    """Without our blocks."""
    return _BLOCK.sub("", text)


def _with(text: str, key: str, entries: list[Any]) -> str:
    """`entries` as the first ones of the list `key`, indented like its others."""
    lines = text.splitlines(keepends=True)
    dumped = yaml.safe_dump(entries, sort_keys=False)
    for number, line in enumerate(lines):
        if re.match(rf"{key}:\s*(#.*)?$", line):
            indent = next(_indents(lines[number + 1 :]), "  ")
            return "".join([*lines[: number + 1], _marked(dumped, indent), *lines[number + 1 :]])
    ended = "" if text.endswith("\n") or not text else "\n"
    return text + ended + _marked(f"{key}:\n{dumped}", "")


def _indents(lines: list[str]) -> Iterator[str]:
    """Of the entries that follow, up to the next key."""
    for line in lines:
        if found := re.match(r"( *)- ", line):
            yield found[1]
        elif re.match(r"[^\s#]", line):
            return


def _marked(block: str, indent: str) -> str:
    lines = [_BEGIN, *block.splitlines(), _END]
    return "".join(f"{indent}{line}\n" for line in lines)


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise CommandError(f"prometheus.yml is not valid YAML: {error}") from None
    if not isinstance(document, dict):
        raise CommandError("prometheus.yml is not a mapping")
    return document
