"""Sources 2, 4 and 5: the document that the bridge in the bot's process serves."""
