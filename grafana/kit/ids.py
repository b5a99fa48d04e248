"""Numbers of panels. One follows its title, so that a link to it survives changes of the rest of the dashboard."""

from zlib import crc32


def panel_id(title: str) -> int:
    """By which links name a panel: `viewPanel=…`."""
    return crc32(title.encode()) % 1_000_000


def row_id(title: str) -> int:
    """Of a row; a panel in it may have the same title."""
    return panel_id(f"row {title}")
