"""`python -m exporter` is `tweetbot-exporter`."""


def main() -> int:
    """The program. Ctrl-C ends it quietly, also while it is still importing."""
    try:
        from exporter.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
