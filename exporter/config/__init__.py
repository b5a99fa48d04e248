"""The configuration: sections and their field types, the YAML file, and the texts of its errors.

It imports nothing else of ours, and nothing else reads YAML or the environment.
"""

from exporter.config.addresses import Address, parse_address
from exporter.config.environment import variable
from exporter.config.errors import ConfigError, flag_name
from exporter.config.loading import load
from exporter.config.sections import (
    Agents,
    Bot,
    Bridge,
    Config,
    Database,
    Limits,
    Log,
    Optimizer,
    Portfolio,
    Storage,
    Web,
)
from exporter.config.types import LogFormat, LogLevel, OptimizerMode

__all__ = [
    "Address",
    "Agents",
    "Bot",
    "Bridge",
    "Config",
    "ConfigError",
    "Database",
    "Limits",
    "Log",
    "LogFormat",
    "LogLevel",
    "Optimizer",
    "OptimizerMode",
    "Portfolio",
    "Storage",
    "Web",
    "flag_name",
    "load",
    "parse_address",
    "variable",
]
