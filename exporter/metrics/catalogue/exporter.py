"""About the exporter itself."""

from exporter.metrics.catalogue.family import Declarations

READ_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)

_declare = Declarations("exporter")

COLLECTOR_SUCCESS = _declare.gauge(
    "tweetbot_scrape_collector_success", "1 if the collector delivered at this scrape, else 0.", "collector"
)
COLLECTOR_DURATION = _declare.gauge(
    "tweetbot_scrape_collector_duration_seconds", "How long the collector took at this scrape.", "collector"
)
BUILD_INFO = _declare.info(
    "tweetbot_exporter_build_info", "Version of the exporter and of its Python.", "version", "python_version"
)
LOG_LINES_DROPPED = _declare.counter(
    "tweetbot_log_lines_dropped_total",
    "Log lines of the exporter or optimizer that were dropped because nobody read those before.",
)
LABEL_OVERFLOW = _declare.counter(
    "tweetbot_label_overflow_total",
    "Rows or entries counted under the label value `other`, because a bound on label values was reached or a "
    "name has over 128 characters.",
    "collector",
)
BRIDGE_MALFORMED = _declare.counter(
    "tweetbot_bridge_malformed_values_total",
    "Values of the bridge's documents that are there and cannot be used, and are left out; counted at each "
    "read.",
    "collector",
)
DATABASE_ROWS = _declare.counter(
    "tweetbot_database_rows_total",
    "Rows that the exporter has read of a table, the first catch-up included.",
    "table",
)
DATABASE_MALFORMED = _declare.counter(
    "tweetbot_database_malformed_values_total",
    "Values that are there and cannot be used, and are left out.",
    "table",
    "column",
)
DATABASE_FUTURE = _declare.counter(
    "tweetbot_database_future_rows_total",
    "Rows dated more than five minutes ahead of the exporter's clock; they count, and sort as the oldest.",
    "table",
)
DATABASE_UNREAD = _declare.gauge(
    "tweetbot_database_unread_rows",
    "Row numbers between the last row read and the newest row, and rows found below the last row read: above 0 while "
    "catching up.",
    "table",
)
DATABASE_REWRITES = _declare.counter(
    "tweetbot_database_rewrites_total",
    "Ranges of up to 1,024 rows in which a second look, within an hour, found other rows than those counted; the "
    "totals still hold the former ones.",
    "table",
)
DATABASE_REPLACEMENTS = _declare.counter(
    "tweetbot_database_replacements_total",
    "Times the database file was found to be another one; its totals were started anew.",
)
DATABASE_SIZE = _declare.gauge("tweetbot_database_size_bytes", "Size of the database file.")
DATABASE_WAL = _declare.gauge("tweetbot_database_wal_bytes", "Size of the write-ahead log; 0 without one.")
DATABASE_READ_DURATION = _declare.histogram(
    "tweetbot_database_read_duration_seconds",
    "How long each read of the database took. Where it locks the file, it did so no longer.",
    READ_BUCKETS,
)
