"""The machine that is set up: its files and commands; and what setup has put there, for --uninstall."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.cli.errors import CommandError

MANIFEST = "/etc/tweetbot-exporter/setup.json"
BACKUP = ".before-tweetbot-exporter"


@dataclass(frozen=True, slots=True)
class File:
    """What is to stand at an absolute path."""

    path: str
    content: bytes
    mode: int = 0o644
    group: str = "root"
    is_users: bool = False
    """Written once, then the user's to change: never replaced."""
    check: tuple[str, ...] = ()
    """The command that must accept the file before it takes its place."""


@dataclass(frozen=True, slots=True)
class Machine:
    """All paths are absolute, and lie below `root`, which only tests change."""

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Where `path` really is."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> bytes | None:
        """The content; None if there is no such file."""
        try:
            return self.at(path).read_bytes()
        except FileNotFoundError:
            return None

    def differs(self, file: File) -> bool:
        """Whether the file has to be written."""
        present = self.read(file.path)
        return present is None if file.is_users else present != file.content

    def write(self, file: File) -> None:
        """Checks it, keeps a copy of what was there before setup, and replaces it as a whole."""
        target = self.at(file.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        candidate = target.with_name(f".{target.name}.new")
        try:
            descriptor = os.open(candidate, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(file.content)
            if file.check:
                self.run(*file.check, str(candidate))
            backup = target.with_name(target.name + BACKUP)
            if file.check and target.exists() and not backup.exists():
                shutil.copy2(target, backup)
            self.give(candidate, file.group)
            candidate.chmod(file.mode)
            candidate.replace(target)
        finally:
            candidate.unlink(missing_ok=True)

    def give(self, path: Path, group: str) -> None:
        shutil.chown(path, "root", group)

    def run(self, *command: str) -> str:
        """The command's output; CommandError, with what it said, if it fails or is not there."""
        try:
            done = subprocess.run(  # noqa: S603 (our own commands)
                command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise CommandError(f"{command[0]} is not installed") from None
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
            raise CommandError(f"`{' '.join(command)}` failed: {' / '.join(said)}")
        return done.stdout

    def succeeds(self, *command: str) -> bool:
        """Whether the command ends with 0."""
        try:
            self.run(*command)
        except CommandError:
            return False
        return True

    def has(self, program: str) -> bool:
        return shutil.which(program) is not None

    def runs_systemd(self) -> bool:
        return self.at("/run/systemd/system").is_dir()


@dataclass(slots=True)
class Manifest:
    """What setup has put onto the machine."""

    files: dict[str, str] = field(default_factory=dict)
    """Path → SHA-256 of the content."""
    pending: set[str] = field(default_factory=set)
    """Paths that were written, and whose services have not been reloaded since."""

    @classmethod
    def read(cls, machine: Machine) -> "Manifest":
        """Empty where setup has not run."""
        text = machine.read(MANIFEST)
        if text is None:
            return cls()
        try:
            found = json.loads(text)
            return cls(dict(found["files"]), set(found.get("pending", ())))
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"{MANIFEST} is damaged: remove what setup made by hand") from None

    def add(self, file: File) -> None:
        self.files[file.path] = digest(file.content)
        self.pending.add(file.path)

    def write(self, machine: Machine) -> None:
        content: Mapping[str, object] = {"files": self.files, "pending": sorted(self.pending)}
        machine.write(File(MANIFEST, json.dumps(content, indent=1).encode() + b"\n"))


def digest(content: bytes) -> str:
    """As the manifest has it."""
    return hashlib.sha256(content).hexdigest()
