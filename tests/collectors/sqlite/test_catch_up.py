"""The log of the first catch-up."""

from structlog.testing import capture_logs

from exporter.collectors.sqlite.catch_up import CatchUpProgress


def logged(*notes: tuple[float, int]) -> list[dict[str, object]]:
    """What is logged for notes of (moment, rows left)."""
    moment = 0.0
    progress = CatchUpProgress(lambda: moment)
    with capture_logs() as logs:
        for moment, unread in notes:  # noqa: B007 (the clock reads it)
            progress.note(unread)
    return [{key: log[key] for key in log if key not in ("event", "log_level")} for log in logs]


def test_every_ten_seconds_with_percent_and_time_left() -> None:
    assert logged((0, 1000), (5, 900), (10, 750), (15, 600), (20, 500)) == [
        {"percent": 25.0, "rows_left": 750, "seconds_left": 30},
        {"percent": 50.0, "rows_left": 500, "seconds_left": 20},
    ]


def test_a_short_one_says_nothing() -> None:
    assert logged((0, 1000), (9, 0), (30, 0)) == []


def test_new_rows_after_it_start_another() -> None:
    assert logged((0, 1000), (9, 0), (100, 50), (110, 25)) == [
        {"percent": 50.0, "rows_left": 25, "seconds_left": 10}
    ]


def test_more_than_there_was_at_first_is_the_new_whole() -> None:
    assert logged((0, 100), (5, 200), (15, 100)) == [{"percent": 50.0, "rows_left": 100, "seconds_left": 10}]
