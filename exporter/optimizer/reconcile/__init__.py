"""The loop that leads each optimization through its states."""
