"""Every link and picture in the documentation leads to something that is there."""

import re
from pathlib import Path

import pytest
from tools import ROOT

FOLDERS = [
    path
    for path in ROOT.iterdir()
    if path.is_dir() and not path.name.startswith(".") and path.name not in ("build", "dist", "node_modules")
]
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])
NAMED = re.compile(rf"`((?:{'|'.join(folder.name for folder in FOLDERS)})/[^\s`…]*)")
# Made by whoever follows the documentation.
NOT_COMMITTED = ("deploy/secrets/", "dist/")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings]
    return {heading.strip().lower().replace(" ", "-") for heading in plain}


def lost(page: Path) -> list[str]:
    result = []
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            result.append(link)
    return result


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert lost(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    named = {name for name in NAMED.findall(page.read_text("utf-8")) if not name.startswith(NOT_COMMITTED)}
    assert sorted(name for name in named if not any(ROOT.glob(name.rstrip("/.,")))) == []


def test_every_package_is_on_the_map() -> None:
    """Of docs/architecture.md."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    packages = [path.parent.relative_to(ROOT) for path in (ROOT / "exporter").rglob("__init__.py")]
    folders = {*packages, Path("exporter/bridge")} - {Path("exporter")}
    assert sorted(str(folder) for folder in folders if f"`{folder}/`" not in page) == []


def test_every_page_and_picture_is_linked_from_somewhere() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text("utf-8"))
    }
    there = {*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "images").iterdir()}
    assert sorted(str(path) for path in there - linked) == []


def test_a_lost_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One heading\n[a](#one-heading) [b](#other) ![c](gone.png) `[d](code)` [e](page.md#one-heading)\n"
    )
    assert lost(page) == ["#other", "gone.png"]
