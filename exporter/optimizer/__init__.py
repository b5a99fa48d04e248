"""The loop back: a bottleneck becomes an optimization, is carried out, and its measured effect is recorded.

A process of its own; the exporter does not know it. An alert is only a hint to look: whether there is a bottleneck,
how large it is and what an action did to it is always asked of Prometheus.

    http         the webhook, the API, the metrics
    alerts       from a webhook to the optimizations that wait
    reconcile    leads each optimization through its states
    ledger       what was seen, decided, done and measured
    adapters     Prometheus (`MetricsProvider`), and the bot by its bridge (`Bot`)
    bottlenecks  what is found and acted on: one object each
    measures     what a change can make better or worse: one object each
"""
