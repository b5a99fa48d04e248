"""The history that Prometheus would have, had it scraped the exporter all along: replayed from the bot's rows."""
