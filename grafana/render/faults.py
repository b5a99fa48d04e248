"""What must not be seen on a panel."""

import re
from dataclasses import dataclass, field

WORDS = {
    r"\bErr\b": "an error of the panel",
    r"Computing layout": "a picture that is not finished",
    r"-∞\+": "a state timeline by thresholds",
    r"\b(percentunit|dateTimeFromNow|dateTimeAsIso|currency:|suffix:)|\d short\b": "the name of a unit",
    r"\b(arc__\w+|mainstat|secondarystat|Value #[A-Z])": "the name of an internal field",
    r"\bNaN\b|\bundefined\b": "a value that is none",
}


@dataclass(frozen=True)
class Seen:
    """A panel as it stands on the page."""

    title: str
    text: str
    failed: bool = False
    """Whether it shows the sign of a failed query."""
    cut: list[str] = field(default_factory=list)
    """Titles and headers that do not fit."""


def faults(panel: Seen, *, heatmap: bool = False) -> list[str]:
    """One sentence for each fault. A heatmap cannot say why it is empty, so its description does."""
    found = [] if heatmap or "No data" not in panel.text else ["no data, and no reason for it"]
    found += [f"{why}: {match[0]}" for words, why in WORDS.items() if (match := re.search(words, panel.text))]
    found += [f"cut off: {header}" for header in panel.cut]
    return [f"{panel.title}: {fault}" for fault in (["a query failed"] if panel.failed else []) + found]
