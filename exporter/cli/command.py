"""What a command is, and what commands have in common."""

import argparse
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.cli import flags
from exporter.cli.errors import CommandError
from exporter.config import Config, ConfigError, load
from exporter.runtime import logging

LEAST_SQLITE = (3, 37, 0)
"""With pragma_table_list."""


@dataclass(frozen=True, slots=True)
class Command:
    """`about` is one line of the help. `run` gets the parsed flags and returns the exit code."""

    about: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def configure(parsed: argparse.Namespace, defaults: Mapping[str, object] | None = None) -> Config:
    """The configuration of flags, environment and file; from here on, logging is what it says.

    `defaults` (dotted key → value) are the command's own.
    """
    file = vars(parsed).get("config.file") or flags.config_file()
    config = load(file, flags.set_keys(parsed), os.environ, defaults or {})
    logging.configure(config.log.level, config.log.format)
    return config


def require_bot(config: Config) -> None:
    """ConfigError where nothing leads to a bot, CommandError where its database cannot be read by this SQLite."""
    if not config.has_source:
        raise ConfigError(
            "no database is given; name the bot's SQLite file with --database.path, or as database.path in "
            "the file of --config.file, or its bridge with --bridge.url (or try `tweetbot-exporter demo`)"
        )
    if config.database.path is not None and sqlite3.sqlite_version_info < LEAST_SQLITE:
        raise CommandError(
            f"SQLite {'.'.join(map(str, LEAST_SQLITE))} or later is needed, and Python has "
            f"{sqlite3.sqlite_version}: use a Python that is built with a newer one"
        )
