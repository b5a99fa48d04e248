"""The Compose stack as its files say it, and as a container sees it."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
ACT = ROOT / "deploy" / "compose" / "act.yml"
SECRETS = "./deploy/secrets/"


def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text("utf-8"))


STACK: dict[str, Any] = load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]


@dataclass(frozen=True)
class Mount:
    """What stands where in a container. `source` is a path of the host, or the name of a volume."""

    source: str
    target: str
    mode: str

    @property
    def host(self) -> Path | None:
        """The file or folder in the repository; None for a volume, and for secrets, which are not in it."""
        in_repository = self.source.startswith("./") and not self.source.startswith(SECRETS)
        return ROOT / self.source if in_repository else None


def filled(text: str) -> str:
    """With the defaults in the place of variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def mounts(service: str) -> list[Mount]:
    """Of a service, with the defaults of variables."""
    parts = [filled(volume).split(":") for volume in SERVICES[service].get("volumes", [])]
    return [Mount(source, target, *(mode or ["rw"])) for source, target, *mode in parts]


def lay_out(service: str, folder: Path) -> Path:
    """Copies what is mounted from the repository to where the container has it, below `folder`."""
    for mount in mounts(service):
        if mount.host is None:
            continue
        target = folder / mount.target.lstrip("/")
        if mount.host.is_dir():
            shutil.rmtree(target, ignore_errors=True)  # what is mounted hides what was there
            shutil.copytree(mount.host, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(mount.host, target)
    return folder
