"""How far `backfill` is, on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal; takes how many steps were made, and of how many."""
    console = Console(stderr=True)
    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("replaying", total=None)

        def report(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield report
