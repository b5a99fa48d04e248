"""The row of the runtime dashboard about the machine, from node_exporter: the exporter itself does not look at it."""

from grafana.kit import look
from grafana.kit.board import Board
from grafana.kit.graphs import lines
from grafana.kit.queries import TARGET, query

HOST = f'{TARGET}, job=~"$node_job"'
IDLE = 'mode="idle"'
REAL = 'fstype!~"tmpfs|devtmpfs|ramfs|squashfs|iso9660"'
NO_HOST = "no node_exporter is scraped with this bot's label bot"
WITHOUT = " Empty without node_exporter."


def _of(name: str, *matchers: str) -> str:
    return f"{name}{{{', '.join((HOST, *matchers))}}}"


def host(board: Board) -> None:
    board.row("The host", collapsed=True)
    board.add(
        7,
        lines(
            "CPU of the host",
            "Share of the cores' time in which they were busy. Normal: not for long near 100 %." + WITHOUT,
            query(
                f"1 - avg by (bot) (rate({_of('node_cpu_seconds_total', IDLE)}[$__rate_interval]))", "busy"
            ),
            **look.SHARE,
            fill=10,
            empty=NO_HOST,
            width=5,
        ),
        lines(
            "Load of the host",
            "Processes that run or wait for a core or a disk, for each core (mean of 5 minutes). Normal: under 1."
            + WITHOUT,
            query(
                f"max by (bot) ({_of('node_load5')}) / count by (bot) ({_of('node_cpu_seconds_total', IDLE)})",
                "load per core",
            ),
            unit=look.SCORE,
            decimals=1,
            bounds=(0, None),
            soft_max=1,
            empty=NO_HOST,
            width=5,
        ),
        lines(
            "Memory of the host",
            "Share that is not available to programs. Normal: under 90 %; at 100 % the kernel ends one."
            + WITHOUT,
            query(
                f"max by (bot) (1 - {_of('node_memory_MemAvailable_bytes')} / {_of('node_memory_MemTotal_bytes')})",
                "used",
            ),
            **look.SHARE,
            fill=10,
            empty=NO_HOST,
            width=5,
        ),
        lines(
            "Disk space",
            "Share of each file system that is used. A bot cannot write to a full one." + WITHOUT,
            query(
                f"max by (mountpoint) (1 - {_of('node_filesystem_avail_bytes', REAL)}"
                f" / {_of('node_filesystem_size_bytes', REAL)})",
                "{{mountpoint}}",
            ),
            **look.SHARE,
            empty=NO_HOST,
            width=5,
        ),
        lines(
            "Disk time",
            "Share of the time in which each disk was busy. Near 100 %, commits become slow, and the bot waits "
            "only 1 s for one." + WITHOUT,
            query(
                f"max by (device) (rate({_of('node_disk_io_time_seconds_total')}[$__rate_interval]))",
                "{{device}}",
            ),
            unit=look.RATIO,
            bounds=(0, None),
            soft_max=1,
            empty=NO_HOST,
            width=4,
        ),
    )
