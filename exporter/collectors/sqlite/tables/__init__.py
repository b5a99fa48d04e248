"""One module a table of the bot's database."""
