"""Source 3: the bot's process."""
