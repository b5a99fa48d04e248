"""What Prometheus and Alertmanager load; README.md says what is where. Python is only in tools/."""
