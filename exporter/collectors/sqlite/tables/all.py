"""The list of all tables: a new one is its module, its test and one line here."""

from exporter.collectors.sqlite.table import GrowingTable, LiveTable
from exporter.collectors.sqlite.tables.control import SystemAlerts, SystemCommands, SystemConfig
from exporter.collectors.sqlite.tables.decisions import Decisions
from exporter.collectors.sqlite.tables.executions import Executions
from exporter.collectors.sqlite.tables.history import History
from exporter.collectors.sqlite.tables.market import Market
from exporter.collectors.sqlite.tables.portfolio import Portfolio
from exporter.collectors.sqlite.tables.trades import Trades

TABLES: tuple[type[GrowingTable] | type[LiveTable], ...] = (
    Executions,
    Decisions,
    History,
    Portfolio,
    Trades,
    Market,
    SystemConfig,
    SystemAlerts,
    SystemCommands,
)
"""In the order of the page."""
PRICED = (Market.name, History.name, Decisions.name)
"""Where the price of a BTC is from: the first of these tables that has one."""
