"""A line of progress: what it says at each width, what it counts, and that what is printed meanwhile goes above it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event as Flag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.cli.output import progress_for
from mediamirror.cli.progress import ERASE, Amount, LoggedProgress, Progress, log_line, progress_line
from mediamirror.model import Download, ImageSet, Outcome, Planned, Status, Variant, Workload

URL = "https://e.example/a.webp"
SOME = Amount("image", total=5000, done=1250, bytes=40 * 1024**2, aside=300)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (95, "━━━╌╌╌╌╌╌╌╌╌ 1,250/5,000 images (300 without work) 40.0 MiB 4.0 MiB/s 125 images/s left 0:00:30"),
        (80, "━━━━╌╌╌╌╌╌╌╌╌╌╌╌ 1,250/5,000 images 40.0 MiB 4.0 MiB/s 125 images/s left 0:00:30"),
        (49, "1,250/5,000 images 125 images/s left 0:00:30"),
        (33, "1,250/5,000 images left 0:00:30"),
        (10, "1,250/5,00"),
    ],
)
def test_count_and_time_left_stay_and_the_rest_gives_way(width: int, line: str) -> None:
    assert progress_line(SOME, 10.0, width) == line


@given(
    amount=st.builds(
        Amount,
        st.just("object"),
        st.none() | st.integers(1, 10**9),
        st.integers(0, 10**13),
        *[st.integers(0, 10**9)] * 3,
    ),
    seconds=st.floats(0, 10**6),
    width=st.integers(1, 300),
)
def test_no_line_is_wider_than_the_terminal(amount: Amount, seconds: float, width: int) -> None:
    assert len(progress_line(amount, seconds, width)) <= width


@contextmanager
def drawn() -> Iterator[tuple[Progress, io.StringIO]]:
    """Progress on a terminal; pytest puts its own standard error in place before each test."""
    with pytest.MonkeyPatch.context() as patch:
        terminal = io.StringIO()
        patch.setattr(sys, "stderr", terminal)
        progress = Progress("image", "image set")
        try:
            yield progress, terminal
        finally:
            progress.stop()


def outcome(status: Status, *, asked: bool = True, size: int = 0) -> Outcome:
    download = Download(URL, URL, 304, (), None, datetime.now(UTC)) if asked else None
    return Outcome(Variant(URL), status, download=download, fetched_bytes=size)


def last_line(terminal: io.StringIO) -> str:
    return terminal.getvalue().rpartition(ERASE)[2]


def test_it_counts_work_and_neither_what_is_skipped_nor_what_needs_no_question() -> None:
    with drawn() as (progress, terminal):
        progress.show(Planned(1, 2, variants=7, wanted=4))
        for event in [outcome(Status.SKIPPED)] * 3 + [outcome(Status.UNCHANGED, asked=False)] * 2:
            progress.show(event)
        progress.show(outcome(Status.UNCHANGED))
        progress.show(outcome(Status.STORED, size=2048))
        assert "2/2 images (5 without work)" in last_line(terminal)


def test_while_nobody_knows_how_much_there_is_it_counts_what_is_found() -> None:
    with drawn() as (progress, _):
        for _ in range(3):
            progress.show(ImageSet("page.html", 1, ()))
        assert progress_line(progress.amount, 2.0, 80) == "3 image sets so far 0:00:02"


def test_what_is_printed_goes_above_it_and_it_comes_back() -> None:
    with drawn() as (progress, terminal):
        progress.show(Workload(2, 2, 0))
        sys.stderr.write("a result\n")
        assert f"{ERASE}a result\n" in terminal.getvalue()
        progress.show(Workload(2, 2, 0))
        assert "0/2 images" in last_line(terminal)


def test_it_leaves_nothing_behind_and_gives_the_streams_back() -> None:
    with drawn() as (progress, terminal):
        progress.show(Workload(2, 2, 0))
        progress.stop()
        sys.stderr.write("the end\n")
        assert (terminal.getvalue().endswith(f"{ERASE}the end\n"), sys.stderr is terminal) == (True, True)


def test_a_log_has_the_same_words_without_a_bar() -> None:
    assert log_line(SOME, 10.0) == "1,250/5,000 images (300 without work) 40.0 MiB 4.0 MiB/s 125 images/s left 0:00:30"
    assert log_line(Amount("image set", done=3), 61.0) == "3 image sets so far 0:01:01"


class Log(io.StringIO):
    """A log that says when there is a line in it."""

    def __init__(self) -> None:
        super().__init__()
        self.told = Flag()

    def flush(self) -> None:
        self.told.set()


def test_where_there_is_no_terminal_a_plain_line_is_written_now_and_then_also_while_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", log := Log())
    progress = LoggedProgress("image", "image set", every=0.01)
    progress.start()
    progress.show(Planned(1, 2, variants=7, wanted=4))
    progress.show(outcome(Status.STORED, size=2048))
    log.told.clear()
    assert log.told.wait(60)
    progress.stop()
    text = log.getvalue()
    assert text.splitlines()[-1].startswith("mediamirror: 1/4 images 2.0 KiB ")
    assert "\x1b" not in text
    assert "\r" not in text
    progress.show(outcome(Status.STORED))
    assert log.getvalue() == text


def test_nobody_is_told_of_progress_who_does_not_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert progress_for("image", "image set", wanted=False) is None
    logged = progress_for("image", "image set", wanted=True)
    assert isinstance(logged, LoggedProgress)
    logged.stop()
