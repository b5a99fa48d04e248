"""The Grafana dashboards, as code: `scripts/generate dashboards` writes grafana/dashboards/*.json.

`kit/` has what dashboards share (variables, links, annotations, queries, one function for each kind of
panel); `boards/` has one file for each dashboard.
"""
