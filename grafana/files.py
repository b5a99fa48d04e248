"""The dashboards' files."""

from pathlib import Path

from grafana.boards import dashboards
from grafana.kit.board import to_json

FOLDER = Path(__file__).parent / "dashboards"


def rendered() -> dict[Path, str]:
    """The text of each file, by its path."""
    return {FOLDER / f"{board.uid}.json": to_json(board) for board in dashboards()}
