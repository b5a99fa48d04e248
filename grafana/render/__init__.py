"""Looks at the dashboards in a running Grafana: what no test of their JSON can see."""
