"""Whole files, written so that a crash leaves none in part. Blocking: `DirectoryStore` runs these in a thread."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mediamirror.model import Body
from mediamirror.store.keys import checked_body

CHUNK = 1024 * 1024
_TRIES = 20


class Abandoned(Exception):
    """The task that wanted this file was cancelled."""


@dataclass(frozen=True, slots=True)
class Area:
    """A directory and, within it, the one where files lie until they are whole (on the same file system)."""

    root: Path
    temporary: Path


def write_whole(area: Area, key: str, body: Body, wanted: Callable[[], bool]) -> os.stat_result:
    """Write ``body`` under ``root/key``: temporary file, fsync, rename, fsync of the directories.

    The bytes are hashed on their way and `ObjectCorrupt` is raised when they are not the body promised. ``wanted`` is
    asked between chunks and before the rename; when it says no, nothing remains and `Abandoned` is raised.
    """
    descriptor, temporary = _open_temporary(area)
    try:
        size, sha256 = _copy(body, descriptor, wanted)
        checked_body(body, size=size, sha256=sha256, key=key)
        os.fsync(descriptor)
        _still(wanted)
        _publish(temporary, area.root, key)
        # Of the open file and after the rename: another writer may have taken the name, and a rename moves ctime.
        return os.fstat(descriptor)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    finally:
        os.close(descriptor)


def remove(root: Path, path: Path) -> None:
    """Unlink a regular file, then the directories above it that are empty now."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.lstat().st_mode):
            return
        path.unlink()
        _sync_directory(path.parent)
    for parent in path.parents:
        if parent == root:
            return
        try:
            parent.rmdir()
        except OSError:
            return


def make_durable(path: Path) -> None:
    """Sync a file that another program wrote, or a run that died before it could sync the directory."""
    _sync(path)
    _sync_directory(path.parent)


def leftovers(temporary: Path, before: float) -> list[str]:
    """Return the temporary files last written before ``before`` (seconds since the epoch), sorted."""
    found: list[str] = []
    with suppress(FileNotFoundError), os.scandir(temporary) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before:
                    found.append(entry.path)
    return sorted(found)


def sweep(temporary: Path, before: float) -> int:
    """Remove those files; return how many."""
    removed = 0
    for path in leftovers(temporary, before):
        with suppress(FileNotFoundError):
            Path(path).unlink()
            removed += 1
    return removed


def folds_case(area: Area) -> bool:
    """Whether ``root`` takes ``a`` and ``A`` for one name: shown by making a file."""
    descriptor, path = _open_temporary(area)
    os.close(descriptor)
    try:
        return path.with_name(path.name.swapcase()).exists()
    finally:
        path.unlink()


def _open_temporary(area: Area) -> tuple[int, Path]:
    """Open a new file with the permissions of any other (umask), and make its directory when that is missing."""
    path = area.temporary / f"{os.getpid()}-{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for attempt in range(_TRIES):
        try:
            return os.open(path, flags, 0o666), path
        except FileNotFoundError:
            # Another run may take the empty directory away between the two calls.
            if attempt == _TRIES - 1 or not area.root.is_dir():
                raise
            area.temporary.mkdir(parents=True, exist_ok=True)
    raise AssertionError


def _copy(body: Body, descriptor: int, wanted: Callable[[], bool]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(body):
        _still(wanted)
        digest.update(chunk)
        size += len(chunk)
        _write_all(descriptor, chunk)
    return size, digest.hexdigest()


def _still(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise Abandoned


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _chunks(body: Body) -> Iterator[bytes]:
    if body.data is not None:
        yield body.data
    elif body.path is not None:
        with body.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _publish(temporary: Path, root: Path, key: str) -> None:
    """Rename, making the directories on the way; a concurrent `remove` may take an empty one away again."""
    target = root / key
    for attempt in range(_TRIES):
        try:
            temporary.replace(target)
        except FileNotFoundError:
            if attempt == _TRIES - 1 or not root.is_dir():
                raise
            _make_directories(root, target.parent)
        else:
            _sync_directory(target.parent)
            return


def _make_directories(root: Path, wanted: Path) -> None:
    """Make what is missing between ``root`` and ``wanted``, each entry durable in its parent."""
    missing: list[Path] = []
    here = wanted
    while here != root and not here.is_dir():
        missing.append(here)
        here = here.parent
    for directory in reversed(missing):
        try:
            directory.mkdir(exist_ok=True)
        except FileNotFoundError:
            return
        _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    if os.name != "nt":
        _sync(directory)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
