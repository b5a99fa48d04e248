"""The exporter's HTTP: routes, landing page, profile API."""
