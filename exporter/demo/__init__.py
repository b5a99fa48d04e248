"""A simulated bot: a process of its own that writes a real SQLite file and serves a real state document."""

from exporter.demo.bot import DemoBot
from exporter.demo.errors import DemoError
from exporter.demo.scenarios import SCENARIOS

__all__ = ["SCENARIOS", "DemoBot", "DemoError"]
