"""Disks that hang, file systems that cannot be watched, files that are mounted without their directory."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.collectors.sqlite import connection, filesystem
from exporter.collectors.sqlite.filesystem import Mount, mount_of
from exporter.collectors.sqlite.seqlock import DatabaseFile
from exporter.collectors.sqlite.session import Query, Session

from .bots import append, execute, executions, write_bot
from .harness import following

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bot.db"
    write_bot(path, agent_executions=executions(3))
    return path


# Disks that hang


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is cleared, nobody gets a file opened."""
    answers = threading.Event()
    answers.set()
    opened = DatabaseFile.__init__

    def hang(self: DatabaseFile, path: Path) -> None:
        answers.wait()
        opened(self, path)

    monkeypatch.setattr(DatabaseFile, "__init__", hang)
    monkeypatch.setattr(connection, "HANGS_AFTER", 0.1)
    yield answers
    answers.set()


async def test_a_disk_that_hangs_costs_the_collector_and_nothing_else(
    path: Path, hanging: threading.Event
) -> None:
    async with following(path) as followed:
        await followed.caught_up()
        hanging.clear()
        assert await followed.fails() == f"{path} does not answer: check the disk"
        assert followed.source.readiness() == [f"{path} does not answer: check the disk"]
        assert followed.self_metrics("database_size_bytes") == path.stat().st_size
        hanging.set()
        append(path, "agent_executions", executions(2))
        await followed.recovered()
        assert await followed.executions() == {"a": 5}


async def test_the_exporter_ends_though_the_disk_hangs(path: Path, hanging: threading.Event) -> None:
    async with following(path) as followed:
        await followed.caught_up()
        hanging.clear()
        await followed.fails()


async def test_what_waits_for_a_hanging_disk_does_not_pile_up(path: Path, hanging: threading.Event) -> None:
    async with following(path) as followed:
        await followed.caught_up()
        hanging.clear()
        threads = threading.active_count()
        for _ in range(5):
            await followed.fails()
        assert threading.active_count() == threads


async def test_no_file_call_is_made_on_the_event_loop(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loops = threading.get_ident()
    calls: list[tuple[str, bool]] = []
    watching = True

    def note(what: str, where: object) -> None:
        if watching and str(where).startswith(str(path)):
            calls.append((what, threading.get_ident() == loops))

    stat = os.stat

    def noted(where: Any, *arguments: Any, **named: Any) -> os.stat_result:
        note("stat", where)
        return stat(where, *arguments, **named)

    def audited(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.open", "sqlite3.connect"):
            where = arguments[0]
            note(event, str(where).removeprefix("file://"))

    sys.addaudithook(audited)  # cannot be taken out again
    monkeypatch.setattr(os, "stat", noted)
    async with following(path) as followed:
        await followed.caught_up()
        await followed.collect()
        await followed.source.diagnose()
    watching = False
    assert {what for what, _ in calls} == {"stat", "open", "sqlite3.connect"}
    assert [what for what, on_loop in calls if on_loop] == []


# File systems


async def test_the_log_says_once_how_the_file_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        async with following(path) as followed:
            await followed.caught_up()
            append(path, "agent_executions", executions(2))
            await followed.recovered()
        monkeypatch.setattr(filesystem, "LOCAL", set())
        async with following(path) as followed:
            await followed.caught_up()
            assert await followed.executions() == {"a": 5}
    said = [line["how"] for line in logs if line["event"] == "database reading"]
    assert said == [
        "without a lock",
        "under locks of 0.5 ms, because it lies on a file system that cannot be watched",
    ]


async def test_check_says_how_the_file_is_kept(path: Path) -> None:
    async with following(path) as followed:
        finding = (await followed.source.diagnose())[0]
        assert f"rollback journal, on {followed.source._reader._session.mount.kind}" in finding.detail
        execute(path, "PRAGMA journal_mode = WAL")
        assert "write-ahead log, on " in (await followed.source.diagnose())[0].detail


@pytest.mark.parametrize(
    ("kind", "local"),
    [
        ("ext4", True),
        ("tmpfs", True),
        ("nfs4", False),
        ("cifs", False),
        ("fuse.sshfs", False),
        ("overlay", False),
    ],
)
def test_file_systems_that_can_be_watched(kind: str, local: bool) -> None:
    assert Mount("/", kind).is_local is local


def test_the_mount_of_a_file(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        mount = mount_of(file.fileno())
    found = subprocess.run(
        ["findmnt", "--noheadings", "--output", "TARGET,FSTYPE", "--target", tmp_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [mount.point, mount.kind] == found.stdout.split()


def test_without_proc_nothing_is_known_of_mounts() -> None:
    assert mount_of(10**6) == Mount()
    assert not Mount().is_local


MOUNTED = """
import subprocess, sys
from pathlib import Path
from exporter.collectors.base import CollectorError
from exporter.collectors.sqlite.session import Query, Session
directory, path, mounted = map(Path, sys.argv[1:])
mounted.mkdir(parents=True)
alone = mounted / "a file.db"
alone.touch()
subprocess.run(["mount", "--bind", path, alone], check=True)
(mounted / "directory").mkdir()
subprocess.run(["mount", "--bind", directory, mounted / "directory"], check=True)
for each in alone, mounted / "directory" / path.name:
    try:
        print(Session(each, lambda _: None, None).read(Query("SELECT count(*) FROM agent_executions", {}, 1.0)))
    except CollectorError as error:
        print(error)
"""


def test_a_file_that_is_mounted_without_its_directory_is_refused(path: Path, tmp_path: Path) -> None:
    """The journal of a bot that was killed is not beside it: half a transaction would be shown."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    mounted = tmp_path / "mounted"
    time.sleep(0.02)
    program: list[str | Path] = [sys.executable, "-c", MOUNTED, path.parent, path, mounted]
    ran = subprocess.run(["unshare", "--mount", *program], capture_output=True, text=True, check=True)
    refused, _, read = ran.stdout.splitlines()
    assert refused == (
        f"{mounted}/a file.db is mounted without its directory, so that a journal or write-ahead log beside it "
        "cannot be seen: mount the directory"
    )
    assert read == "(3,)"


def test_a_link_to_a_file_leads_to_what_lies_beside_the_file(path: Path, tmp_path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL")
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    session = Session(link, lambda _: None, None)
    assert session.read(Query("SELECT count(*) FROM agent_executions", {}, 1.0)) == (3,)
    assert [each.name for each in Path(link.parent).iterdir()] == ["link.db"]
    session.close()
