"""Progress on standard error: what is done of how much, how fast, and how long it will take.

On a terminal it is one line, drawn anew by a thread, so that it moves while nothing happens; what is printed meanwhile goes above
it. In a log, which is no terminal, it is a plain line now and then.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from threading import Event as Flag
from threading import RLock, Thread
from typing import Any, TextIO, cast

from mediamirror.first_use import dataclass
from mediamirror.model import (
    Compared,
    Event,
    ImageSet,
    MendEvent,
    ObjectEvent,
    Outcome,
    Planned,
    Rendered,
    Status,
    SyncEvent,
    Workload,
)
from mediamirror.report.events import human_bytes, plural

_EVERY = 0.25
"""Seconds from one drawing to the next."""
_PATIENCE = 1.0
"""Seconds before a line that counts towards nothing: what is done sooner needs none."""
_NOW_AND_THEN = 30.0
"""Seconds from one line in a log to the next: what is done sooner has none."""
_LONGEST_BAR, _SHORTEST_BAR = 40, 6
ERASE = "\r\x1b[K"
"""Goes to the beginning of a terminal's line and empties it."""


@dataclass(slots=True)
class Amount:
    """How far a run is. ``total`` is None while nobody knows; ``all_bytes`` of ``bytes`` are known where it is not 0."""

    noun: str
    total: int | None = None
    all_bytes: int = 0
    done: int = 0
    bytes: int = 0
    aside: int = 0
    """What needed no work, and is in none of the other numbers."""


def progress_line(amount: Amount, seconds: float, width: int, *, signs: str = "━╌") -> str:
    """Render how far a run is after ``seconds``, in ``width`` characters at most. Count and time left stay to the last.

    | width | line                                                                           |
    |-------|--------------------------------------------------------------------------------|
    | 76    | ━━━╌╌╌╌╌╌╌ 12/50 images (7 without work) 3.2 MiB 2.1 MiB/s 8 images/s left 0:00:05 |
    | 44    | ━━╌╌╌╌ 12/50 images 8 images/s left 0:00:05    |
    | 30    | 12/50 images left 0:00:05                      |
    """
    parts = [(rank, text) for rank, text in _parts(amount, seconds) if text]
    while len(parts) > 1 and len(" ".join(text for _, text in parts)) > width and max(parts)[0]:
        parts.remove(max(parts))
    line = " ".join(text for _, text in parts)
    room = min(_LONGEST_BAR, width - len(line) - 1)
    if amount.total is not None and room >= _SHORTEST_BAR:
        full = round(room * min(1.0, amount.done / max(amount.total, 1)))
        line = f"{signs[0] * full}{signs[1] * (room - full)} {line}"
    return line[:width]


def log_line(amount: Amount, seconds: float) -> str:
    """Say the same in a log: ``12/50 images (7 without work) 3.2 MiB 2.1 MiB/s 8 images/s left 0:00:05``."""
    return " ".join(text for _, text in _parts(amount, seconds) if text)


def _parts(amount: Amount, seconds: float) -> list[tuple[int, str]]:
    """The parts of a line in order, each with a number that says which goes first where room is scarce; 0 stays."""
    speed, pace = (count / seconds if seconds > 0.01 else 0.0 for count in (amount.bytes, amount.done))
    moved, rate = human_bytes(amount.bytes) if amount.bytes else "", f"{human_bytes(int(speed))}/s" if speed else ""
    if amount.total is None:
        return [(0, f"{plural(amount.done, amount.noun)} so far"), (2, moved), (3, rate), (0, _clock(seconds))]
    if amount.all_bytes:
        moved = _of(amount.bytes, amount.all_bytes)
        left = (amount.all_bytes - amount.bytes) / speed if speed else None
    else:
        left = (amount.total - amount.done) / pace if pace else None
    return [
        (0, f"{amount.done:,}/{amount.total:,} {amount.noun}s"),
        (4, f"({amount.aside:,} without work)" if amount.aside else ""),
        (3, moved),
        (1 if amount.all_bytes else 2, rate),
        (1, "" if amount.all_bytes or not pace else f"{pace:.0f} {amount.noun}s/s"),
        (0, f"left {_clock(left)}" if amount.done < amount.total else "finishing"),
    ]


def _of(done: int, total: int) -> str:
    power = next((power for power in range(4) if total < 1000 * 1024**power), 4)
    return f"{done / 1024**power:.1f}/{total / 1024**power:.1f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def _clock(seconds: float | None) -> str:
    if seconds is None or seconds > 359_999:
        return "-:--:--"
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


class _Counting:
    """Counts events: ``noun`` is what is counted, ``found`` what is counted while it is not known how much there is to do."""

    def __init__(self, noun: str, found: str) -> None:
        self._noun = noun
        self.amount = Amount(found)
        self._began = time.monotonic()
        self._lock = RLock()

    def _count(self, event: Event | SyncEvent | MendEvent) -> None:
        amount = self.amount
        match event:
            case Planned(variants=variants, wanted=wanted) if variants:
                self._begin(Amount(self._noun, wanted or variants))
            case Workload() if event.objects + event.deletions:
                self._begin(Amount(self._noun, event.objects + event.deletions, event.bytes))
            case Outcome(status=Status.SKIPPED):
                amount.aside += 1
            case Outcome(status=Status.UNCHANGED, download=None) if amount.total is not None:  # nobody was asked
                amount.aside += 1
                amount.total -= 1
            case Outcome():
                self._step(event.fetched_bytes)
            case ObjectEvent() | Compared():
                self._step((event.size or 0) if amount.all_bytes else 0)
            case ImageSet() if amount.total is None:
                amount.done += 1
            case Rendered() if amount.total is None:
                amount.done += event.sets

    def _begin(self, amount: Amount) -> None:
        self.amount = amount
        self._began = time.monotonic()

    def _step(self, size: int) -> None:
        amount = self.amount
        if amount.total is None:
            amount.noun = self._noun
        else:
            amount.total = max(amount.total, amount.done + 1)
        amount.done += 1
        amount.bytes += size


class LoggedProgress(_Counting):
    """Writes a line into a log every so many seconds from `start` until `stop`, also while nothing happens."""

    def __init__(self, noun: str, found: str, *, every: float = _NOW_AND_THEN) -> None:
        super().__init__(noun, found)
        self._stopped = Flag()
        self._every = every

    def start(self) -> None:
        """Begin: a run that is refused before has no lines."""
        Thread(target=self._keep_telling, daemon=True).start()

    def show(self, event: Event | SyncEvent | MendEvent) -> None:
        """Take one event."""
        with self._lock:
            self._count(event)

    def stop(self) -> None:
        """Write no more; safe to call twice."""
        with self._lock:
            self._stopped.set()

    def _keep_telling(self) -> None:
        while not self._stopped.wait(self._every):
            with self._lock, suppress(OSError, ValueError):  # a log that is full or gone is no reason to end a run
                if not self._stopped.is_set():
                    sys.stderr.write(f"mediamirror: {log_line(self.amount, time.monotonic() - self._began)}\n")
                    sys.stderr.flush()


class Progress(_Counting):
    """Keeps one line of a terminal from `start` until `stop`. What is printed meanwhile goes above it."""

    def __init__(self, noun: str, found: str) -> None:
        super().__init__(noun, found)
        self._drew = self._began
        self._drawn = False
        self._whole = True
        self._stopped = Flag()
        self._streams = (sys.stdout, sys.stderr)
        sys.stderr = _above(sys.stderr, self)
        if sys.stdout.isatty():
            sys.stdout = _above(sys.stdout, self)

    def start(self) -> None:
        """Begin to draw, also while nothing happens."""
        Thread(target=self._keep_drawing, daemon=True).start()

    def show(self, event: Event | SyncEvent | MendEvent) -> None:
        """Take one event."""
        with self._lock:
            before = self.amount
            self._count(event)
            amount = self.amount
            late = time.monotonic() - self._drew > _EVERY
            if amount.total is not None and (late or amount is not before or amount.done >= amount.total):
                self._draw()

    def stop(self) -> None:
        """Take the line away; safe to call twice."""
        with self._lock:
            self._stopped.set()
            self.erase()
            sys.stdout, sys.stderr = self._streams

    def erase(self) -> None:
        """Empty the line, where it is drawn."""
        with self._lock:
            if self._drawn:
                self._drawn = False
                self._put(ERASE)

    def written(self, stream: TextIO, text: str) -> int:
        """Write a text above the line, which comes back when that has ended its own."""
        with self._lock:
            self.erase()
            if text:
                self._whole = text.endswith("\n")
            return stream.write(text)

    def _keep_drawing(self) -> None:
        while not self._stopped.wait(_EVERY):
            with self._lock:
                if self.amount.total is not None or time.monotonic() - self._began > _PATIENCE:
                    self._draw()

    def _draw(self) -> None:
        if self._stopped.is_set() or not self._whole:
            return
        self._drew = time.monotonic()
        stream = self._streams[1]
        signs = "━╌" if (stream.encoding or "").lower().startswith("utf") else "#-"
        # The last column stays free: some terminals go on in the next line when it is written.
        line = progress_line(self.amount, self._drew - self._began, _columns(stream) - 1, signs=signs)
        self._put(f"{ERASE}{line}")
        self._drawn = True

    def _put(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone is no reason to end a run
            self._streams[1].write(text)
            self._streams[1].flush()


def _columns(stream: TextIO) -> int:
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or int(os.environ.get("COLUMNS", "80"))
    return 80


def _above(stream: Any, progress: Progress) -> TextIO:
    """Return a stream that writes above the line, and is the given one in all else."""

    class Above:
        def write(self, text: str) -> int:
            return progress.written(stream, text)

        def __getattr__(self, name: str) -> Any:
            return getattr(stream, name)

    return cast("TextIO", Above())
