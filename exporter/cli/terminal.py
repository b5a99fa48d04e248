"""What the commands share of terminal output."""


def printable(text: str) -> str:
    """Text of the bot without line breaks or escape sequences, so that it cannot control the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
