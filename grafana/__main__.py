"""`python -m grafana` writes the dashboards' JSON; `--check` only says whether it is in step."""

import argparse
from pathlib import Path

from grafana.boards import dashboards
from grafana.kit.board import to_json

FOLDER = Path(__file__).parent / "dashboards"


def rendered() -> dict[Path, str]:
    """The text of each file, by its path."""
    return {FOLDER / f"{board.uid}.json": to_json(board) for board in dashboards()}


def main() -> int:
    """Returns the exit status: 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m grafana", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not in step")
    wanted = rendered()
    if parser.parse_args().check:
        present = {path: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
        return 0 if present == wanted else 1
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
