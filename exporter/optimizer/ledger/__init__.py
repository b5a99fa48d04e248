"""The ledger: an SQLite file of the optimizer's own."""
