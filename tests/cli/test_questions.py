"""What `setup` asks at a terminal: here, a pseudo-terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

DEADLINE_SECONDS = 120
TOKEN = "The token of your Telegram bot (@BotFather gives you one; it is not shown): "
CHAT = "The number of the chat"
FILE = "The bot's SQLite file"
CTRL_D = "\x04"

ASK_FOR_TELEGRAM = """
import argparse
from exporter.cli import setup_receivers
from exporter.cli.questions import ask
parser = argparse.ArgumentParser()
setup_receivers.add_flags(parser)
receiver = setup_receivers.chosen(parser.parse_args([]), ask)
print("settings", hash(receiver.settings["bot_token"]) == hash("1:hush"), receiver.settings["chat_id"])
"""


class Terminal:
    """A program in a terminal, and what the terminal has shown."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self.shown = ""
        self._screen = screen
        self._seen = 0

    def until(self, text: str) -> None:
        """Reads until the text is shown, after what an earlier call has found."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown[self._seen :]:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {text!r} in {self.shown!r}"
            assert self._read(), f"ended without {text!r}: {self.shown!r}"
        self._seen = self.shown.index(text, self._seen) + len(text)

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def end(self) -> int:
        """The exit code, once all output is read."""
        while self._read():
            pass
        return self.process.wait(DEADLINE_SECONDS)

    def _read(self) -> bool:
        data = b""
        with suppress(OSError):  # Linux's way to say that nobody has the terminal open any more
            data = os.read(self._screen, 4096)
        self.shown += data.decode()
        return bool(data)


@contextmanager
def terminal(arguments: Sequence[str]) -> Iterator[Terminal]:
    screen, keyboard = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=keyboard,
            stdout=keyboard,
            stderr=keyboard,
            start_new_session=True,
        )
        os.close(keyboard)
        try:
            yield Terminal(process, screen)
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(screen)


def test_a_secret_is_not_shown_and_a_wrong_answer_is_asked_for_again() -> None:
    with terminal(["-c", ASK_FOR_TELEGRAM]) as shell:
        shell.until(TOKEN)
        shell.type("hush\n")
        shell.until("the token of a Telegram bot is a number, a colon and letters")
        shell.until(TOKEN)
        shell.type("1:hush\n")
        shell.until(f"{CHAT}: ")
        shell.type("me\n")
        shell.until("--telegram-chat: must be a whole number")
        shell.until(f"{CHAT}: ")
        shell.type("\n")
        shell.until("--telegram-chat is needed")
        shell.until(f"{CHAT}: ")
        shell.type("-100\n")
        shell.until("settings True -100")
        assert shell.end() == 0
        assert "hush" not in shell.shown


def test_after_three_wrong_answers_it_gives_up() -> None:
    with terminal(["-m", "exporter", "setup", "--dry-run", "--keep-alertmanager"]) as shell:
        for typed, expected in (
            (CTRL_D, "--database.path is needed"),
            ("~nobody-here/bot.db\n", "there is no home directory for ~nobody-here"),
            ("x" * 300 + "\n", "file name too long"),
        ):
            shell.until(f"{FILE}: ")
            shell.type(typed)
            shell.until(expected)
        assert shell.end() == 2
        assert shell.shown.count(FILE) == 3


def test_interrupted_at_a_question_nothing_is_changed() -> None:
    with terminal(["-c", ASK_FOR_TELEGRAM]) as shell:
        shell.until(TOKEN)
        # The pseudo-terminal is not the controlling one, so Ctrl-C would send nothing.
        os.killpg(shell.process.pid, signal.SIGINT)
        shell.until("Interrupted: nothing was changed.")
        assert shell.end() != 0
