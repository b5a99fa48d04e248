"""The optimizer's outside world: Prometheus, and the bot by its bridge."""
