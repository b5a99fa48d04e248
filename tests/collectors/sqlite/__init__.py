"""Source 1 against real files, and against the oracle's reading of them."""
