"""The rows of the runtime dashboard about the exporter, its reads, and the monitoring itself."""

from grafana.kit import look
from grafana.kit.board import Board
from grafana.kit.graphs import heatmap_of_buckets, lines, timeline
from grafana.kit.queries import ANY, increase, of, query, threshold
from grafana.kit.tables import Key, Value, table

NO_DATABASE = "no database is configured"
NO_PROMETHEUS = "Prometheus does not scrape itself"
PROMETHEUS = f'{ANY}, job=~"$prometheus_job"'
OURS = f'{PROMETHEUS}, rule_group=~".*tweetbot.*"'


def _bot(name: str) -> str:
    return f"max by (bot) ({of(name)})"


def exporter(board: Board) -> None:
    board.row("The exporter")
    board.add(
        8,
        timeline(
            "Collectors over time",
            "Whether each source, and the bridge in each of the bot's processes, delivered at each scrape. "
            "Normal: ✓ ok throughout.",
            query(f"min by (collector) ({of('tweetbot_scrape_collector_success')})", "{{collector}}"),
            query(f"min by (process) ({of('tweetbot_bridge_up')})", "bridge: {{process}}"),
            states=look.HEALTH,
            empty="the exporter is not scraped",
            width=9,
        ),
        lines(
            "Duration of collectors",
            "Part of the scrape: it must stay far below the scrape's time-out.",
            query(
                f"max by (collector) ({of('tweetbot_scrape_collector_duration_seconds')})", "{{collector}}"
            ),
            unit=look.SECONDS,
            bounds=(0, None),
            empty="the exporter is not scraped",
            width=8,
        ),
        lines(
            "Exporter: CPU and memory",
            "Normal: a small share of a core, and memory that does not grow.",
            query(f"sum by (bot) (rate({of('process_cpu_seconds_total')}[$__rate_interval]))", "CPU"),
            query(_bot("process_resident_memory_bytes"), "memory"),
            unit=look.RATIO,
            bounds=(0, None),
            right_axis={"memory": look.BYTES},
            empty="the exporter is not scraped",
            width=7,
        ),
    )


def database(board: Board) -> None:
    reads = f"sum by (le) ({increase(of('tweetbot_database_read_duration_seconds_bucket'))})"
    board.row("The database", collapsed=True)
    board.add(
        8,
        heatmap_of_buckets(
            "Duration of reads",
            "How long the exporter's reads took. The bot waits for none of them unless the exporter's log "
            "says that it locks the file.",
            query(reads, "{{le}}", heatmap=True),
            unit=look.SECONDS,
            interval="1m",
            empty=NO_DATABASE,
            width=6,
        ),
        lines(
            "Rows read per second",
            "By table. High while catching up, then as fast as the bot writes.",
            query(
                f"sum by (table) (rate({of('tweetbot_database_rows_total')}[$__rate_interval]))", "{{table}}"
            ),
            unit=look.COUNT,
            decimals=2,
            bounds=(0, None),
            legend_at="right",
            empty=NO_DATABASE,
            width=9,
        ),
        lines(
            "Rows not yet read",
            "Above 0 while the exporter catches up. Normal: 0.",
            query(f"sum by (table) ({of('tweetbot_database_unread_rows')})", "{{table}}"),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            legend_at="right",
            empty=NO_DATABASE,
            width=9,
        ),
    )
    board.add(
        8,
        lines(
            "Size of database and write-ahead log",
            "A log that grows beyond the dashed line is never checkpointed. Without a WAL it is 0.",
            query(_bot("tweetbot_database_size_bytes"), "database"),
            query(_bot("tweetbot_database_wal_bytes"), "write-ahead log"),
            threshold("bot:database_wal_bytes:threshold", agents=False),
            unit=look.BYTES,
            bounds=(0, None),
            empty=NO_DATABASE,
            width=8,
        ),
        table(
            "Malformed values",
            "Values that are there and cannot be used. Normal: empty, or a few old ones.",
            [Key("table", "Table"), Key("column", "Column")],
            [
                Value(
                    "Values",
                    f"sum by (table, column) ({of('tweetbot_database_malformed_values_total')}) > 0",
                    decimals=0,
                    width=100,
                )
            ],
            sort="Values",
            small=True,
            empty="✓ every value could be used",
            width=8,
        ),
        lines(
            "Overflow, replaced files, bridge",
            "Rows counted under `other` because a bound on labels was reached; times the file was another "
            "one; values of the bridge that could not be used. Normal: 0.",
            query(
                f"sum by (bot) ({increase(of('tweetbot_label_overflow_total'))})",
                "label overflow",
            ),
            query(f"sum by (bot) ({increase(of('tweetbot_database_replacements_total'))})", "file replaced"),
            query(
                f"sum by (bot) ({increase(of('tweetbot_bridge_malformed_values_total'))})",
                "malformed (bridge)",
            ),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            soft_max=1,
            empty=NO_DATABASE,
            width=8,
        ),
    )


def monitoring(board: Board) -> None:
    def counter(name: str) -> str:
        return f"sum({increase(f'{name}{{{PROMETHEUS}}}')})"

    board.row("Prometheus: rules and alerts (all bots)", collapsed=True)
    board.add(
        8,
        lines(
            "Rule evaluation",
            "Time that the slowest group of rules takes, as a share of its interval. From 100 % on, it "
            "skips.",
            query(
                f"max(prometheus_rule_group_last_duration_seconds{{{OURS}}}"
                f" / prometheus_rule_group_interval_seconds{{{OURS}}})",
                "slowest group",
            ),
            unit=look.RATIO,
            bounds=(0, None),
            empty=NO_PROMETHEUS,
            width=8,
        ),
        lines(
            "Rule failures",
            "Evaluations that failed or were skipped, in each interval. Normal: 0.",
            query(counter("prometheus_rule_evaluation_failures_total"), "failed"),
            query(counter("prometheus_rule_group_iterations_missed_total"), "skipped"),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            soft_max=1,
            empty=NO_PROMETHEUS,
            colours={"failed": look.RED, "skipped": look.ORANGE},
            width=8,
        ),
        lines(
            "Alert deliveries",
            "Notifications to Alertmanager in each interval. Normal: nothing failed or dropped.",
            query(counter("prometheus_notifications_sent_total"), "sent"),
            query(counter("prometheus_notifications_errors_total"), "failed"),
            query(counter("prometheus_notifications_dropped_total"), "dropped"),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            soft_max=1,
            empty=NO_PROMETHEUS,
            colours={"sent": look.GREEN, "failed": look.RED, "dropped": look.ORANGE},
            width=8,
        ),
    )
