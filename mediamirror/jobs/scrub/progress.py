"""How far a scrub has come, so that an interrupted one goes on there; and which objects a sample has.

A small file beside the catalog, replaced whole every few seconds: nothing that a lock or a migration would have to guard.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from mediamirror.first_use import dataclass, replace
from mediamirror.scratch import replace_file

_EVERY = 2.0
"""Seconds between two writes of the file: what a kill may cost."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything up to the key ``after`` was read: how many objects, and how many of them are bad still."""

    seed: int
    sample: float
    after: str = ""
    read: int = 0
    bad: int = 0


def in_sample(key: str, *, seed: int, share: float) -> bool:
    """Whether a key is in a sample: the same answer for the same seed, wherever the scrub begins."""
    if share >= 1:
        return True
    digest = hashlib.blake2b(f"{seed}/{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def load(path: Path, *, sample: float) -> Progress | None:
    """Return where an interrupted scrub of the same sample had come to; None where there is none."""
    try:
        found = Progress(**json.loads(path.read_text("utf-8")))
        same = found.sample == sample and isinstance(found.after, str) and bool(found.after)
        return found if same and min(found.read, found.bad) >= 0 else None
    except (OSError, ValueError, TypeError):
        return None


class Tracker:
    """Told of objects in the order in which they are finished, knows up to which key all are; writes that down.

    With ``path`` None nothing is written.
    """

    def __init__(self, path: Path | None, start: Progress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = start
        self._clock = clock
        self._written = clock()
        self._next = 0
        self._early: dict[int, tuple[str, bool]] = {}

    @property
    def progress(self) -> Progress:
        """Up to where everything is read."""
        return self._now

    def finished(self, number: int, key: str, *, bad: bool) -> None:
        """Take one object, by its number in the order of the keys."""
        self._early[number] = (key, bad)
        while (done := self._early.pop(self._next, None)) is not None:
            after, wrong = done
            self._now = replace(self._now, after=after, read=self._now.read + 1, bad=self._now.bad + wrong)
            self._next += 1
        if self._clock() - self._written >= _EVERY:
            self.save()

    def save(self) -> None:
        """Write it down, whole or not at all. A folder that can't be written costs only the resuming."""
        if self._path is None or not self._now.after:
            return
        self._written = self._clock()
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, json.dumps(asdict(self._now)).encode())

    def forget(self) -> None:
        """Everything is read: the next scrub begins anew."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
