"""What the exporter and the optimizer share of HTTP: server, metrics handler, sockets, client, tokens."""
