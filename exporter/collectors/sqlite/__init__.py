"""Source 1: the bot's SQLite file, read a little at a time and never again."""
