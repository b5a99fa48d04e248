"""What the README shows can be used as it stands."""

import re
from pathlib import Path

import yaml
from tools import ROOT

from exporter.config import load

README = (ROOT / "README.md").read_text()


def test_configuration_file(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "config.yml"
    path.write_text(shown)
    config = load(path, {})
    assert config.bridge.url
    assert set(yaml.safe_load(shown)) <= set(type(config).model_fields)
