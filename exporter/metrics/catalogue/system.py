"""Source 3: the bot's processes; `process` is the name that the bridge gives one, `unknown` without a bridge."""

from exporter.metrics.catalogue.family import Declarations

_declare = Declarations("system")

PROCESS_CPU = _declare.counter(
    "tweetbot_process_cpu_seconds_total",
    "CPU time of the bot's process; mode is user or system.",
    "process",
    "mode",
)
PROCESS_START = _declare.gauge(
    "tweetbot_process_start_time_seconds", "When the bot's process started.", "process"
)
PROCESS_RESIDENT = _declare.gauge(
    "tweetbot_process_resident_memory_bytes", "Resident memory of the bot's process.", "process"
)
PROCESS_HEAP_USED = _declare.gauge(
    "tweetbot_process_heap_used_bytes", "Used V8 heap of the bot's process.", "process"
)
PROCESS_HEAP_SIZE = _declare.gauge(
    "tweetbot_process_heap_size_bytes", "Size of the bot's V8 heap (heapTotal).", "process"
)
PROCESS_HEAP_LIMIT = _declare.gauge(
    "tweetbot_process_heap_limit_bytes",
    "V8 aborts the bot's process when its heap needs more than this.",
    "process",
)
PROCESS_FDS = _declare.gauge(
    "tweetbot_process_open_fds", "Open file descriptors of the bot's process.", "process"
)
PROCESS_THREADS = _declare.gauge("tweetbot_process_threads", "Threads of the bot's process.", "process")
EVENTLOOP_P50 = _declare.gauge(
    "tweetbot_process_eventloop_lag_p50_seconds",
    "Median delay of the bot's event loop in the last full minute.",
    "process",
)
EVENTLOOP_P99 = _declare.gauge(
    "tweetbot_process_eventloop_lag_p99_seconds",
    "99th percentile of the delay of the bot's event loop in the last full minute.",
    "process",
)
EVENTLOOP_MAX = _declare.gauge(
    "tweetbot_process_eventloop_lag_max_seconds",
    "Longest delay of the bot's event loop in the last full minute.",
    "process",
)
NODEJS_INFO = _declare.info(
    "tweetbot_nodejs_info", "Node.js of the bot's process.", "process", "version", "platform"
)
