"""Units, colours and value mappings. A state is always a sign and a word, never a colour alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.models import dashboard as model

from exporter.optimizer.bottlenecks import BOTTLENECKS

# Units, as Grafana names them.
RATIO = "percentunit"
SECONDS = "s"
MINUTES = "suffix:min"
"""For hours on an axis: Grafana divides seconds by ten, and writes 1.94 hours."""
BYTES = "bytes"
USD = "currency:financial: USD:suffix"
"""As a suffix: the sign of a loss stands before the number."""
BTC = "suffix:BTC"
COUNT = "short"
NUMBER = "locale"
MOMENT_AGO = "dateTimeFromNow"
MOMENT = "dateTimeAsIso"
SCORE = "none"
CORES = "none"

SHARE: dict[str, Any] = {"unit": RATIO, "bounds": (0, 1)}
"""A ratio on an axis from 0 to 1; no fixed decimals, which would leave ticks at 0 and 1 only."""

# Well, beyond a threshold, beyond the critical one: chosen so that they differ for the colour-blind, too, and can be
# read on the light and on the dark theme (tests/grafana/test_colours.py).
GREEN, ORANGE, RED = "#1f9e89", "#d98e00", "#d4285f"
BLUE, PURPLE, GREY, YELLOW = "blue", "purple", "#8e8e8e", "#a98500"

Steps = Sequence[tuple[float | None, str]]
"""Colours from a value on; None is from the lowest."""

NEUTRAL: Steps = ((None, "text"),)
"""A number that is neither good nor bad."""


def signed(nothing: float) -> Steps:
    """A gain or a loss; from a loss of `nothing` to a gain of it, it is neither, nor where there is no value."""
    return ((None, "text"), (-1e15, RED), (-nothing, "text"), (nothing, GREEN))


NONE_IS_WELL: Steps = ((None, GREEN), (1, ORANGE))
"""A count of what should not be."""
NONE_IS_VITAL: Steps = ((None, GREEN), (1, RED))
"""A count of what pages."""


def thresholds(steps: Steps) -> list[model.DynamicConfigValue]:
    """The same as properties of an override."""
    given = [{"value": value, "color": colour} for value, colour in steps]
    return [model.DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": given})]


def coloured(steps: Steps) -> list[model.DynamicConfigValue]:
    """Properties of a column whose text has the colour of its value."""
    cell = model.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"})
    return [cell, *thresholds(steps)]


PERCENT = [
    model.DynamicConfigValue(id_val="unit", value=RATIO),
    model.DynamicConfigValue(id_val="decimals", value=0),
]
"""Properties of a ratio among other numbers."""


def mapping(states: Mapping[str, tuple[str, str | None]]) -> list[model.ValueMapping]:
    """Value → (text, colour); None is the text's own."""
    results = {
        value: model.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(states.items())
    }
    return [model.ValueMap(options=results)]


# How bad a value is: 0 inside its recorded thresholds, 1 beyond one of them, 2 beyond the critical one.
VERDICT = mapping({"0": ("✓ ok", GREEN), "1": ("▲ warn", ORANGE), "2": ("✖ crit", RED)})
MARK = mapping({"0": ("✓", GREEN), "1": ("▲", ORANGE), "2": ("✖", RED)})
ACTIVITY = mapping(
    {
        "2": ("● active", GREEN),
        "1": ("◐ silent", ORANGE),
        "0": ("○ stopped", RED),
        "-1": ("· not said", GREY),
    }
)
NOT_EVIDENT = mapping({"-1": ("? may be chance", YELLOW)})
"""In the place of a moment: of a bottleneck whose evidence is still too thin for an alert."""
RUNNING = mapping({"1": ("● running", GREEN), "0": ("○ stopped", RED)})
PAUSED = mapping({"0": ("▶ live", GREEN), "1": ("⏸ paused", BLUE)})
HEALTH = mapping({"1": ("✓ ok", GREEN), "0": ("✖ failing", RED)})
SEVERITY = mapping(
    {"critical": ("✖ critical", RED), "warning": ("▲ warning", ORANGE), "info": ("i info", BLUE)}
)
ALERT = mapping({"2": ("✖ critical", RED), "1": ("▲ warning", ORANGE)})
MODE = mapping({"1": ("◌ observe", BLUE), "2": ("▶ act", ORANGE)})
OUTCOMES = {
    "succeeded": ("✓ succeeded", GREEN),
    "improved": ("△ improved", "semi-dark-green"),
    "no_effect": ("= no effect", YELLOW),
    "rolled_back": ("↩ rolled back", ORANGE),
    "rollback_failed": ("✖ rollback failed", RED),
    "action_failed": ("✖ action failed", "dark-red"),
    "interrupted": ("! interrupted", PURPLE),
    "inconclusive": ("≈ inconclusive", "#6f7d00"),
    "overridden": ("⇄ overridden", "semi-dark-purple"),
    "not_enough_data": ("? not enough data", "#7a6a5a"),
    "observed": ("◌ observed", BLUE),
    "advised": ("i advised", "semi-dark-blue"),
    "over": ("○ over", GREY),
}
"""How optimizations end: docs/optimizer.md."""
STATES = {
    "waiting": ("◔ waiting", GREY),
    "acting": ("▶ acting", BLUE),
    "measuring": ("◑ measuring", GREEN),
    "restoring": ("↩ restoring", ORANGE),
}
"""Those of an open optimization."""
BOTTLENECK = mapping({each.name: (each.measure.text, None) for each in BOTTLENECKS})
MEASURED = mapping(
    {each.name: (f"{each.measure.text}{', s' * (each.unit == 'seconds')}", None) for each in BOTTLENECKS}
)
"""With the unit of its values."""
BOTTLENECK_SEVERITY = mapping(
    {
        "critical": ("✖ critical", RED),
        "high": ("▲ high", ORANGE),
        "medium": ("△ medium", YELLOW),
        "low": ("· low", BLUE),
    }
)
