"""Opens every dashboard in a running Grafana, and names the panels that are not drawn as they should be."""

import argparse
import json
import os
import sys
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

from grafana.files import FOLDER
from grafana.render.faults import faults


def main() -> int:
    """0 if every panel is drawn as it should be, 1 if not, 2 without a browser."""
    arguments = _arguments()
    try:
        from grafana.render.browser import browser, look_at
    except ImportError:
        print("needs a browser: .venv/bin/pip install playwright, .venv/bin/playwright install chromium")
        return 2
    token = os.environ.get("GRAFANA_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    arguments.pictures.mkdir(parents=True, exist_ok=True)
    count = 0
    with browser(arguments.browser, headers) as page:
        for uid, width, theme in product(arguments.dashboard, arguments.width, arguments.theme):
            picture = arguments.pictures / f"{uid}-{width}-{theme}.png"
            panels = look_at(page, _address(arguments, uid, theme), width, picture)
            found = [
                fault for panel in panels for fault in faults(panel, heatmap=panel.title in _heatmaps(uid))
            ]
            print(
                f"{picture.stem}: {len(panels)} panels, {len(found)} faults", *found, sep="\n  ", flush=True
            )
            count += len(found)
    return 1 if count else 0


def _heatmaps(uid: str) -> set[str]:
    board = json.loads((FOLDER / f"{uid}.json").read_text("utf-8"))
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    inside = [panel for row in rows for panel in row["panels"]]
    return {panel["title"] for panel in [*board["panels"], *inside] if panel["type"] == "heatmap"}


def _address(arguments: argparse.Namespace, uid: str, theme: str) -> str:
    chosen = {"theme": theme, "from": arguments.since, "to": "now"}
    if arguments.bot:
        chosen["var-bot"] = arguments.bot
    if arguments.agent and uid == "tweetbot-agent":
        chosen["var-agent"] = arguments.agent
    return f"{arguments.url.rstrip('/')}/d/{uid}?{urlencode(chosen)}&kiosk"


def _arguments() -> argparse.Namespace:
    every = sorted(path.stem for path in FOLDER.glob("*.json"))
    parser = argparse.ArgumentParser(
        prog="scripts/render-dashboards",
        description=__doc__,
        epilog="Who may look is said by the environment variable GRAFANA_TOKEN, the token of a service account.",
    )
    parser.add_argument("url", metavar="GRAFANA_URL", help="such as http://localhost:3000")
    parser.add_argument("--dashboard", nargs="+", default=every, choices=every, metavar="UID")
    parser.add_argument("--width", nargs="+", type=int, default=[1280, 1920, 2560], metavar="PIXELS")
    parser.add_argument("--theme", nargs="+", default=["dark", "light"], choices=["dark", "light"])
    parser.add_argument("--since", default="now-1h", help="start of the time range (default now-1h)")
    parser.add_argument("--bot", help="which bot (default: the first)")
    parser.add_argument("--agent", help="whose dashboard Agent is (default: the first agent)")
    parser.add_argument("--pictures", type=Path, default=Path("pictures"), help="folder (default pictures)")
    parser.add_argument("--browser", metavar="PROGRAM", help="a Chromium (default: Playwright's own)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
