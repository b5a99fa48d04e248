"""Mounts that go away, are read-only or full, and disks that fail or hang, under the real programs."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from collectors.sqlite.bots import append, execute, executions, write_bot
from optimizer.alerts.test_webhook import alert, envelope
from tools import free_port

from faults import faulty_disk
from faults.programs import NAMESPACE, Program, inside, mounts, running, wait_for

ROWS = 300
pytestmark = pytest.mark.timeout(400)  # several programs are started, one after the other


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """The bot's file, in a directory of its own."""
    (tmp_path / "bot").mkdir()
    path = tmp_path / "bot" / "bot.db"
    write_bot(path, agent_executions=executions(ROWS))
    return path


def exporter(path: Path, *more: str, **where: Any) -> Any:
    return running("serve", f"--database.path={path}", *more, folder=path.parents[1], **where)


def fill(directory: Path, within: list[str]) -> None:
    """Writes until nothing fits any more."""
    command = [*within, "dd", "if=/dev/zero", f"of={directory}/filling", "bs=1k"]
    assert b"No space left" in subprocess.run(command, capture_output=True).stderr


def shows(program: Program, rows: int) -> None:
    wait_for(lambda: program.database_works() and program.series("executions_total") == rows)


def test_totals_on_a_full_disk(bot: Path, tmp_path: Path) -> None:
    totals = tmp_path / "totals"
    totals.mkdir()
    with mounts('mount -t tmpfs -o size=256k none "$1"', totals) as within:
        with exporter(bot, f"--storage.path={totals}", prefix=within) as first:
            shows(first, ROWS)
            first.end()
        saved = subprocess.run([*within, "sh", "-c", f"cat {totals}/*"], capture_output=True).stdout
        assert saved
        fill(totals, within)
        append(bot, "agent_executions", executions(7))
        with exporter(bot, f"--storage.path={totals}", prefix=within) as second:
            shows(second, ROWS + 7)
            log = second.end()
        assert log.count("totals could not be saved") == 1
        assert "no space left on device" in log
        subprocess.run([*within, "rm", f"{totals}/filling"], check=True)
        assert subprocess.run([*within, "sh", "-c", f"cat {totals}/*"], capture_output=True).stdout == saved
        with exporter(bot, f"--storage.path={totals}", prefix=within) as third:
            shows(third, ROWS + 7)
            assert "saved totals found" in third.end()


def test_a_ledger_on_a_full_disk(tmp_path: Path) -> None:
    folder, token = tmp_path / "ledger", tmp_path / "token"
    folder.mkdir()
    token.touch(0o600)
    token.write_text("sesame-open-it-all")
    arguments = [f"--optimizer.token-file={token}", f"--optimizer.ledger={folder / 'ledger.db'}"]
    arguments += [f"--optimizer.prometheus-url=http://127.0.0.1:{free_port()}", "--optimizer.bot=main"]

    def post(number: int) -> int:
        body = envelope(*(alert(fingerprint=f"{number:08x}{n:08x}") for n in range(50)))
        headers = {"Authorization": "Bearer sesame-open-it-all", "Content_Type": "application/json"}
        return program.get("/api/v1/alerts", body, **headers)[0]

    with (
        mounts('mount -t tmpfs -o size=2m none "$1"', folder) as within,
        running("optimizer", *arguments, folder=tmp_path, prefix=within) as program,
    ):
        assert post(0) == 200
        fill(folder, within)
        assert wait_for(lambda: next((status for n in range(100) if (status := post(n)) != 200), 0)) == 503
        assert program.get("/metrics")[0] == 200
        assert program.get("/-/ready")[0] == 503
        assert "the disk is full: make room" in program.log()
        subprocess.run([*within, "rm", f"{folder}/filling"], check=True)
        wait_for(lambda: post(1) == 200)
        program.end()


def test_a_mount_that_is_read_only(bot: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    with (
        mounts('mount --bind "$1" "$2"; mount -o remount,ro,bind "$2"', bot.parent, seen) as within,
        exporter(seen / bot.name, prefix=within) as program,
    ):
        for number, journal in enumerate(("DELETE", "WAL"), 1):
            execute(bot, f"PRAGMA journal_mode = {journal}")
            append(bot, "agent_executions", executions(5))
            shows(program, ROWS + 5 * number)
        program.end()


def test_a_mount_that_goes_away_and_comes_back(bot: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    with (
        mounts('mount --bind "$1" "$2"', bot.parent, seen) as within,
        exporter(seen / bot.name, prefix=within) as program,
    ):
        shows(program, ROWS)
        subprocess.run([*within, "umount", "--lazy", str(seen)], check=True)
        wait_for(lambda: not program.database_works())
        assert program.series("executions_total") is None
        assert program.get("/-/ready")[0] == 503
        assert "No such file or directory; check --database.path" in program.log()
        append(bot, "agent_executions", executions(5))
        subprocess.run([*within, "mount", "--bind", str(bot.parent), str(seen)], check=True)
        shows(program, ROWS + 5)
        program.end()


class Faulty:
    """The bot's directory on a file system that can be told to fail."""

    def __init__(self, process: "subprocess.Popen[str]", errno_file: Path, database: Path) -> None:
        self.process = process
        self.database = database
        self._errno_file = errno_file
        self.within = inside(process)

    def fail_with(self, error: int) -> None:
        self._errno_file.write_text(str(error))


@pytest.fixture
def faulty(bot: Path, tmp_path: Path) -> Iterator[Faulty]:
    seen, errno_file = tmp_path / "seen", tmp_path / "errno"
    seen.mkdir()
    errno_file.write_text("0")
    command = [*NAMESPACE, sys.executable, faulty_disk.__file__, *map(str, (bot.parent, seen, errno_file))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            if process.stdout.readline() != "mounted\n":
                pytest.skip(
                    f"{process.stderr.read().splitlines()[-1]}: there is no FUSE beside this checkout"
                )
            yield Faulty(process, errno_file, seen / bot.name)
        finally:
            process.kill()


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_disk_that_fails(bot: Path, faulty: Faulty) -> None:
    with exporter(faulty.database, prefix=faulty.within) as program:
        shows(program, ROWS)
        for number, error in enumerate((errno.EIO, errno.ESTALE), 1):
            faulty.fail_with(error)
            append(bot, "agent_executions", executions(5))
            wait_for(lambda: not program.database_works())
            assert program.series("executions_total") is None
            assert program.get("/-/ready")[0] == 503
            assert f"cannot be read: {os.strerror(error)}; check the disk" in program.log()
            faulty.fail_with(0)
            shows(program, ROWS + 5 * number)
        assert program.end().count("collector failed") == 2


@pytest.mark.slow("waits twice until a hanging disk is given up")
def test_a_disk_that_hangs(bot: Path, faulty: Faulty) -> None:
    """Once it answers again, and once a signal comes before that."""
    with exporter(faulty.database, prefix=faulty.within) as program:
        shows(program, ROWS)
        append(bot, "agent_executions", executions(5))
        with stopped(faulty.process):
            wait_for(lambda: not program.database_works())
            assert program.get("/-/healthy")[0] == 200
            assert "does not answer: check the disk" in program.get("/-/ready")[1]
        shows(program, ROWS + 5)
        with stopped(faulty.process):
            wait_for(lambda: not program.database_works())
            program.end()


def test_a_file_server_that_is_gone(faulty: Faulty) -> None:
    with exporter(faulty.database, prefix=faulty.within) as program:
        shows(program, ROWS)
        faulty.process.kill()
        wait_for(lambda: not program.database_works())
        assert program.get("/metrics")[0] == 200
        assert "cannot be read: Transport endpoint is not connected" in program.end()
