"""The loop back: a bottleneck becomes an optimization, is carried out, and its measured effect is logged.

A process of its own; the exporter does not know it. An alert is only a hint to look: whether there is a bottleneck,
how large it is and what an action did to it is always asked of Prometheus.

    web      the webhook, the API, the metrics        →  engine  →  strategies, ledger
    prometheus   what is measured (`Records`)         ↗
    bot          what is done, by the bridge (`Bot`)  ↗
"""
