"""What is declared of a metric family."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family. `collector` is the one that delivers it; the exporter's own have "exporter".

    Declared once, so it is equal to itself only: it is a key for each sample of each scrape.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...]
    collector: str


class Declarations:
    """Declares families of one collector, so that each declaration is only what is particular to it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def counter(self, name: str, help_text: str, *labels: str) -> Family:
        return Family(name, "counter", help_text, labels, (), self._name)

    def gauge(self, name: str, help_text: str, *labels: str) -> Family:
        return Family(name, "gauge", help_text, labels, (), self._name)

    def info(self, name: str, help_text: str, *labels: str) -> Family:
        return Family(name, "info", help_text, labels, (), self._name)

    def histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Family:
        return Family(name, "histogram", help_text, labels, buckets, self._name)
