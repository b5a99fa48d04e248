"""The bot's process and its host, the exporter, and the monitoring itself."""

from grafana.boards.alerts import alerts_over_time
from grafana.boards.host import host
from grafana.boards.runtime_exporter import database, exporter, monitoring
from grafana.kit import look, variables
from grafana.kit.board import Board
from grafana.kit.graphs import events, heatmap_of_buckets, lines
from grafana.kit.queries import increase, of, query, threshold
from grafana.kit.tables import Key, Value, table
from grafana.kit.values import stat

NO_PROCESS = "the bot's process is not seen: neither bridge nor pid is configured"


def board() -> Board:
    result = Board(
        "tweetbot-runtime",
        "TweetBot / Runtime and exporter",
        "The bot's process, the exporter's own health, and whether rules and alerts get through.",
        others=[
            variables.job_of("node", "node_cpu_seconds_total", "The scrape job of node_exporter."),
            variables.job_of(
                "prometheus", "prometheus_rule_group_interval_seconds", "Prometheus's scrape job of itself."
            ),
        ],
    )
    _now(result)
    _process(result)
    host(result)
    _orchestrator(result)
    exporter(result)
    database(result)
    monitoring(result)
    result.row("Alerts")
    result.add(9, alerts_over_time())
    return result


def _bot(name: str, *matchers: str) -> str:
    return f"max by (bot) ({of(name, *matchers)})"


def _now(board: Board) -> None:
    board.add(
        5,
        stat(
            "Orchestrator",
            "Whether the orchestrator runs its cycle.",
            query(_bot("tweetbot_orchestrator_running"), "now", instant=True),
            unit="none",
            states=look.RUNNING,
            empty="needs the live bot",
            width=4,
        ),
        stat(
            "Mode",
            "A paused bot is silent on purpose.",
            query(_bot("tweetbot_system_paused"), "mode", instant=True),
            unit="none",
            states=look.PAUSED,
            empty="the bot has no system_config",
            width=4,
        ),
        stat(
            "Collectors",
            "Whether all configured collectors deliver.",
            query(f"min by (bot) ({of('tweetbot_scrape_collector_success')})", "collectors", instant=True),
            unit="none",
            states=look.HEALTH,
            empty="the exporter is not scraped",
            width=4,
        ),
        stat(
            "Bot up since",
            "When the bot's process started.",
            query(f"{_bot('tweetbot_process_start_time_seconds')} * 1000", "started", instant=True),
            neutral="a restart is marked on every graph, and many alert",
            unit=look.MOMENT_AGO,
            empty=NO_PROCESS,
            width=4,
        ),
        table(
            "Versions",
            "Of the exporter and of the bot's Node.js.",
            [Key("what", "What", 110), Key("version", "Version"), Key("instance", "Instance")],
            [Value("", VERSIONS)],
            small=True,
            empty="the exporter is not scraped",
            width=8,
        ),
    )


def _process(board: Board) -> None:
    board.row("The bot's process")
    board.add(
        8,
        lines(
            "CPU",
            "Share of one core. Normal: far below 100 %; Node.js runs JavaScript on one core.",
            query(
                f"sum by (mode) (rate({of('tweetbot_process_cpu_seconds_total')}[$__rate_interval]))",
                "{{mode}}",
            ),
            unit=look.RATIO,
            stacked=True,
            fill=40,
            bounds=(0, None),
            empty=NO_PROCESS,
            width=6,
        ),
        lines(
            "Memory",
            "A heap that only grows is a leak; at its limit (dashed) the process dies.",
            query(_bot("tweetbot_process_resident_memory_bytes"), "resident"),
            query(_bot("tweetbot_process_heap_size_bytes"), "heap size"),
            query(_bot("tweetbot_process_heap_used_bytes"), "heap used"),
            threshold("bot:process_heap_limit_bytes:last5m", "threshold: critical", agents=False),
            unit=look.BYTES,
            bounds=(None, None),
            log=True,
            empty=NO_PROCESS,
            width=6,
        ),
        lines(
            "Event loop lag",
            "How late the event loop is. Above the dashed line the bot cannot keep up.",
            query(_bot("tweetbot_process_eventloop_lag_p50_seconds"), "median"),
            query(_bot("tweetbot_process_eventloop_lag_p99_seconds"), "99th percentile"),
            query(_bot("tweetbot_process_eventloop_lag_max_seconds"), "longest"),
            threshold("bot:eventloop_lag_seconds:threshold", agents=False),
            unit=look.SECONDS,
            bounds=(None, None),
            log=True,
            empty="needs the bridge in the bot's process",
            width=6,
        ),
        lines(
            "File descriptors and threads",
            "Steady growth of descriptors is a leak.",
            query(_bot("tweetbot_process_open_fds"), "open file descriptors"),
            query(_bot("tweetbot_process_threads"), "threads"),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            empty=NO_PROCESS,
            width=6,
        ),
    )


def _orchestrator(board: Board) -> None:
    cycles = increase(of("tweetbot_orchestrator_cycle_duration_seconds_bucket"))
    board.row("Orchestrator and control")
    board.add(
        8,
        lines(
            "Orchestration cycles",
            "In each interval. Normal: even, none fails.",
            query(f"sum by (bot) ({increase(of('tweetbot_orchestrator_cycles_total'))})", "ended"),
            query(f"sum by (bot) ({increase(of('tweetbot_orchestrator_cycles_failed_total'))})", "failed"),
            unit=look.COUNT,
            interval="1m",
            bounds=(0, None),
            empty="needs the live bot",
            colours={"ended": look.BLUE, "failed": look.RED},
            width=5,
        ),
        heatmap_of_buckets(
            "Duration of cycles",
            "Normal: one narrow band.",
            query(f"sum by (le) ({cycles})", "{{le}}", heatmap=True),
            unit=look.SECONDS,
            interval="1m",
            empty="needs the live bot",
            width=5,
        ),
        events(
            "Events in system_alerts",
            "The bot's own alerts in each interval, by level.",
            query(f"sum by (level) ({increase(of('tweetbot_system_alerts_total'))})", "{{level}}"),
            interval="2m",
            empty="the bot has no system_alerts",
            colours={"info": look.BLUE, "warning": look.ORANGE, "error": look.PURPLE, "critical": look.RED},
            width=5,
        ),
        lines(
            "Its own figures",
            "What the orchestrator says of the system's performance, and its learning rate. No threshold: "
            "nothing is made of it.",
            query(f"max by (aspect) ({of('tweetbot_orchestrator_performance_ratio')})", "{{aspect}}"),
            query(_bot("tweetbot_orchestrator_learning_rate_ratio"), "learning rate"),
            **look.SHARE,
            empty="needs the live bot",
            width=5,
        ),
        lines(
            "Commands",
            "Rows of system_commands by status. Normal: pending ones vanish within a cycle.",
            query(f"sum by (status) ({of('tweetbot_system_commands')})", "{{status}}"),
            unit=look.COUNT,
            decimals=0,
            bounds=(0, None),
            empty="the bot has no system_commands",
            width=4,
        ),
    )


VERSIONS = " or ".join(
    f'label_replace({of(name)}, "what", "{what}", "", "")'
    for name, what in (("tweetbot_exporter_build_info", "exporter"), ("tweetbot_nodejs_info", "Node.js"))
)
VERSIONS = f"max by (what, version, instance) ({VERSIONS})"
