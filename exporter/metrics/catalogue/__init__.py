"""Every metric family that is exported, declared once: one module a collector.

Collectors emit only what stands here; docs/metrics.md is generated from it. A name is the name of the series as
Prometheus stores it, a counter's `_total` included.
"""

from exporter.metrics.catalogue import (
    agents,
    communication,
    database,
    exporter,
    optimizer,
    self_reports,
    system,
)
from exporter.metrics.catalogue.agents import *
from exporter.metrics.catalogue.communication import *
from exporter.metrics.catalogue.database import *
from exporter.metrics.catalogue.exporter import *
from exporter.metrics.catalogue.family import Family as Family
from exporter.metrics.catalogue.optimizer import *
from exporter.metrics.catalogue.self_reports import *
from exporter.metrics.catalogue.system import *

_MODULES = (database, agents, system, communication, self_reports, exporter, optimizer)

FAMILIES: tuple[Family, ...] = tuple(
    value for module in _MODULES for value in vars(module).values() if isinstance(value, Family)
)
"""In the order in which a page shows them."""
