"""Leads each optimization through its states: one file a state, called by the reconciler, called by the loop."""
