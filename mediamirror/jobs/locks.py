"""One lock per DEST and per catalog, so that two runs never write to the same place.

The lock is the kernel's (flock): released by death, whatever kind of death, and not inherited by worker processes, since
Python opens files close-on-exec. The file keeps the holder's name for the one who is turned away.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mediamirror.errors import LockHeld, UsageError


@contextmanager
def hold(path: Path, *, thing: str, command: str) -> Iterator[None]:
    """Hold the lock file ``path`` for ``thing``. Raises `LockHeld`, which says who holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The lock file {path} can't be opened ({error.strerror}): check its folder.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another run"
            raise LockHeld(f"{thing} is in use by {holder}: wait for it to end, then run this again.") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} ({command}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
        file.flush()
        yield
        # Emptied, not removed: removing would let a third run lock a new file while a second still waits on the old.
        file.truncate(0)


def lock_name(identity: str) -> str:
    """Return a file name for the lock of a DEST."""
    return hashlib.sha256(identity.encode()).hexdigest()[:24] + ".lock"
