"""The colours of states can be told apart by everybody, and read on both themes."""

from itertools import combinations

import pytest
from grafana_files import ROOT

from grafana.kit.look import GREEN, ORANGE, OUTCOMES, RED

assert ROOT  # `grafana` is found through grafana_files

STATES = (GREEN, ORANGE, RED)
# Machado, Oliveira and Fernandes 2009, severity 1.0: linear RGB as it is seen.
SEEN = {
    "by most people": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red cones": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "without green cones": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "without blue cones": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
Vector = tuple[float, float, float]


def linear(colour: str) -> Vector:
    """The linear RGB of #rrggbb."""
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return red, green, blue


def times(matrix: tuple[Vector, ...], vector: Vector) -> Vector:
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three


def lab(rgb: Vector) -> Vector:
    """CIE 1976 L*a*b* under D65."""
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    clipped = (min(1.0, max(0.0, rgb[0])), min(1.0, max(0.0, rgb[1])), min(1.0, max(0.0, rgb[2])))
    white = (0.9505, 1.0, 1.089)
    scaled = (value / most for value, most in zip(times(to_xyz, clipped), white, strict=True))
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in scaled)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(one: str, two: str) -> float:
    """As WCAG 2 has it."""
    dark, light = sorted(
        sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), linear(each), strict=True)) for each in (one, two)
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("eyes", SEEN)
def test_states_differ(eyes: str) -> None:
    seen = [lab(times(SEEN[eyes], linear(colour))) for colour in STATES]
    for one, two in combinations(seen, 2):
        assert sum((a - b) ** 2 for a, b in zip(one, two, strict=True)) ** 0.5 > 20


@pytest.mark.parametrize("background", ["#181b1f", "#ffffff"])
def test_states_can_be_read(background: str) -> None:
    """Large text needs 3; the orange, which is the lightest, comes with a sign."""
    assert [round(contrast(colour, background), 1) for colour in STATES if colour != ORANGE] >= [3, 3]
    assert contrast(ORANGE, background) > 2.6


@pytest.mark.parametrize("background", ["#181b1f", "#ffffff"])
def test_outcomes_can_be_read(background: str) -> None:
    """Grafana's own yellows and light shades are made for the dark theme; each outcome comes with a sign."""
    given = [colour for _, colour in OUTCOMES.values()]
    assert [colour for colour in given if "yellow" in colour or "light" in colour] == []
    assert {colour for colour in given if colour[0] == "#" and contrast(colour, background) <= 2.6} == set()
