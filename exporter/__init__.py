"""Prometheus exporter for the TweetBot trading bot."""

__version__ = "0.1.0"
