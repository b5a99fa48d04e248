"""Log lines on their way to a stream that perhaps nobody reads: who logs never waits for it."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

MOST_LINES = 1000
FLUSH_SECONDS = 0.2
"""More than a reader needs who is there at all."""


class QueueHandler(logging.Handler):
    """Hands formatted lines to a thread that calls `write`. What does not fit into the queue is dropped and counted."""

    def __init__(self, write: Callable[[str], object], most_lines: int = MOST_LINES) -> None:
        super().__init__()
        self.dropped = 0
        """So many in all."""
        self._reported = 0
        self._write = write
        self._lines: queue.Queue[str | threading.Event | None] = queue.Queue(most_lines)
        threading.Thread(target=self._write_lines, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record) + "\n")
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Waits until what was logged is written, though not for long."""
        written = threading.Event()
        with suppress(queue.Full):
            self._lines.put(written, timeout=FLUSH_SECONDS)
            written.wait(FLUSH_SECONDS)

    def close(self) -> None:
        """Nothing is written any more after what is in the queue."""
        super().close()
        with suppress(queue.Full):
            self._lines.put_nowait(None)

    def _write_lines(self) -> None:
        while (line := self._lines.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
                continue
            # A stream that is closed or full must not end the logging: it may be read again.
            with suppress(OSError, ValueError):
                self._write(line)
                self._report_dropped()

    def _report_dropped(self) -> None:
        if new := self.dropped - self._reported:
            self._reported += new
            about = {"msg": f"{new} log lines were dropped: they were not read", "levelno": logging.WARNING}
            self._write(self.format(logging.makeLogRecord({**about, "levelname": "WARNING"})) + "\n")
