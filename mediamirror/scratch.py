"""Folders for bytes on their way, in the system's temporary folder, and files that appear whole under their names or not at all.

Each is held by a lock of the kernel's (flock) on the folder or the unfinished file itself, released by whatever kind of death. So
the next run can tell what nobody uses any more from what is in use, and removes what a kill left behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO

from mediamirror.first_use import pattern

PREFIX = "mediamirror-scratch-"
"""No other folder may begin so: what nobody holds under it is removed."""
_TRIES = 100
_PART = pattern(r"\.(.+)\.[0-9a-f]{8}\.part")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder that goes with the block, and first remove what runs that died have left. Raises `OSError`."""
    sweep(Path(tempfile.gettempdir()))
    folder, held = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def sweep(base: Path) -> int:
    """Remove the folders below ``base`` whose run has died; return how many. What can't be removed is left."""
    removed = 0
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.getuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
                    removed += 1
            finally:
                os.close(descriptor)
    return removed


def _make() -> tuple[Path, int]:
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        # Another run that sweeps may take the folder for a dead one's before it is held.
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), folder.stat()):
                    return folder, descriptor
            os.close(descriptor)
    raise OSError(f"no folder could be kept in {tempfile.gettempdir()}")


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file whole or not at all. A link under its name is replaced, and nothing is written through one.

    A reader who has the old one open never sees half of the new one. Raises `OSError`, also for what `refuse_special` refuses.
    """
    with appearing(path) as file:
        file.write(data)


@contextmanager
def appearing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside ``path`` that takes its name when the block ends well, and is gone where it does not.

    What a killed run has left of it is removed. Raises `OSError`, also for what `refuse_special` refuses.
    """
    refuse_special(path)
    sweep_parts(left_in(path.parent.absolute()).pop(path.name, ()))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            with suppress(OSError):  # some file systems know no locks: there it stays
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@lru_cache(maxsize=64)
def left_in(folder: Path) -> dict[str, list[Path]]:
    """The unfinished files in a folder when this process first writes there, by the names that they were to have.

    A folder of many pages is listed once, and not for each of them.
    """
    found = defaultdict[str, list[Path]](list)
    with suppress(OSError):
        for entry in os.scandir(folder):
            if match := _PART.fullmatch(entry.name):
                found[match[1]].append(Path(entry.path))
    return dict(found)


def sweep_parts(parts: Iterable[Path]) -> None:
    """Remove the unfinished files whose run has died: each holds a lock that dies with it."""
    for part in parts:
        with suppress(OSError):
            descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    part.unlink()
            finally:
                os.close(descriptor)


def refuse_special(path: Path) -> None:
    """Raise `OSError` for a device, a pipe or a socket: a file that takes its name would destroy it, for everybody."""
    with suppress(FileNotFoundError):
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind not in {stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR}:
            raise OSError(errno.EEXIST, "it is a device, a pipe or a socket", str(path))
