"""The optimizer's HTTP."""
