"""Folders for bytes on their way, in the system's temporary folder: one that a kill left behind is removed by the next run;
and small files that are replaced as a whole.

Each folder is held by a lock of the kernel's (flock) on the folder itself, released by whatever kind of death. So the next run can
tell a folder that nobody uses any more from one that is in use.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "mediamirror-scratch-"
"""No other folder may begin so: what nobody holds under it is removed."""
_TRIES = 100


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
    refuse_special(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def refuse_special(path: Path) -> None:
    """Raise `OSError` for a device, a pipe or a socket: a file that takes its name would destroy it, for everybody."""
    with suppress(FileNotFoundError):
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind not in {stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR}:
            raise OSError(errno.EEXIST, "it is a device, a pipe or a socket", str(path))
