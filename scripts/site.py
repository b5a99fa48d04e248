"""A hook of mkdocs: links that leave docs/ lead to the repository."""

import re
from typing import Any

_OUTSIDE = re.compile(r"\]\(\.\./([^)\s]+)")


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return _OUTSIDE.sub(rf"]({config['repo_url'].rstrip('/')}/blob/main/\1", markdown)
