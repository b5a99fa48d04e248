"""promtool's unit tests of rules, from Python."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rulefiles import RULE_FILES, groups_of
from tools import needed

Series = Mapping[str, str]
"""`series` and its `values`, one a minute."""
Case = Mapping[str, Any]
"""An `expr` that at its `eval_time` gives `exp_samples`."""


def check(
    directory: Path,
    series: Sequence[Series],
    cases: Sequence[Case],
    files: Sequence[Path] = RULE_FILES,
    evaluation_interval: str = "5m",
) -> None:
    """Fails where a case does, or where any rule of the files cannot be evaluated."""
    document = {
        "rule_files": [str(path) for path in files],
        "evaluation_interval": evaluation_interval,
        "group_eval_order": [group["name"] for path in files for group in groups_of(path)],
        "tests": [{"interval": "1m", "input_series": [*series], "promql_expr_test": [*cases]}],
    }
    path = directory / "rules_test.yml"
    path.write_text(yaml.safe_dump(document, width=10**9))
    command = [needed("promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[:3000]
