"""From Alertmanager's webhook to the alerts that matter."""
