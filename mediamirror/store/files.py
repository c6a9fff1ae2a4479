"""Whole files, written so that a crash leaves none in part. Blocking: `DirectoryStore` runs these in a thread."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mediamirror.errors import BadKey, NameTaken
from mediamirror.model import Body
from mediamirror.store.keys import TEMPORARY, checked_body
from mediamirror.store.tree import names_in, open_file, opened, sync_directory

CHUNK = 1024 * 1024
_TRIES = 20
_AREA = TEMPORARY.rstrip("/").split("/")
"""The directory within the root where files lie until they are whole: on the same file system, so that a rename moves them."""
_PART = ".part"


class Abandoned(Exception):
    """The task that wanted this file was cancelled."""


def write_whole(root: Path, key: str, body: Body, wanted: Callable[[], bool]) -> os.stat_result:
    """Write ``body`` under ``root/key``: temporary file, fsync, rename, fsync of the directories.

    The bytes are hashed on their way and `ObjectCorrupt` is raised when they are not the body promised. ``wanted`` is
    asked between chunks and before the rename; when it says no, nothing remains and `Abandoned` is raised.
    """
    with _temporary(root) as (area, name, descriptor):
        size, sha256 = _copy(body, descriptor, wanted)
        checked_body(body, size=size, sha256=sha256, key=key)
        os.fsync(descriptor)
        _still(wanted)
        _publish(area, name, root, key)
        # Of the open file and after the rename: another writer may have taken the name, and a rename moves ctime.
        return os.fstat(descriptor)


def remove(root: Path, key: str) -> None:
    """Unlink a regular file, then the directories above it that are empty now."""
    *inner, last = key.split("/")
    with suppress(FileNotFoundError, NotADirectoryError), opened(root, inner) as parent:
        if not stat.S_ISREG(os.stat(last, dir_fd=parent, follow_symlinks=False).st_mode):
            return
        os.unlink(last, dir_fd=parent)
        sync_directory(parent)
    with suppress(OSError, BadKey):  # that it is not empty, most of the time
        while inner:
            *inner, last = inner
            _remove_directory(root, [*inner, last])


def remove_area(root: Path) -> None:
    """Take away the temporary area and what is above it, where nothing is in them."""
    with suppress(OSError, BadKey):
        _remove_directory(root, _AREA)
        _remove_directory(root, _AREA[:1])


def make_durable(root: Path, key: str) -> None:
    """Sync a file that another program wrote, or a run that died before it could sync the directory."""
    descriptor = open_file(root, key)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with opened(root, key.split("/")[:-1]) as parent:
        sync_directory(parent)


def leftovers(root: Path, before: float) -> list[str]:
    """Return the paths of our temporary files last written before ``before`` (seconds since the epoch), sorted."""
    with suppress(FileNotFoundError), _opened_area(root, make=False) as area:
        return [str(root / TEMPORARY / name) for name in _parts(area, before)]
    return []


def sweep(root: Path, before: float) -> int:
    """Remove those files; return how many."""
    removed = 0
    with suppress(FileNotFoundError), _opened_area(root, make=False) as area:
        for name in _parts(area, before):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=area)
                removed += 1
    return removed


def folds_case(root: Path) -> bool:
    """Whether ``root`` takes ``a`` and ``A`` for one name: shown by making a file."""
    with _temporary(root) as (area, name, _):
        try:
            os.stat(name.swapcase(), dir_fd=area, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True


@contextmanager
def _opened_area(root: Path, *, make: bool) -> Iterator[int]:
    """Open the temporary area. Raises `NameTaken` where something else has its name."""
    with ExitStack() as stack:
        try:
            area = stack.enter_context(opened(root, _AREA, make=make, durable=False))
        except NotADirectoryError:
            raise NameTaken(
                f"{root}/{TEMPORARY} can't be a directory: something else has that name or a part of it. Move that away."
            ) from None
        yield area


@contextmanager
def _temporary(root: Path) -> Iterator[tuple[int, str, int]]:
    """Yield the temporary area, and a new file's name in it and descriptor; what still has that name at the end is removed."""
    with ExitStack() as stack:
        area, name, descriptor = _open_temporary(root, stack)
        try:
            yield area, name, descriptor
        finally:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=area)


def _open_temporary(root: Path, stack: ExitStack) -> tuple[int, str, int]:
    """Open a new file with the permissions of any other (umask), and make its directory when that is missing."""
    name = f"{os.getpid()}-{secrets.token_hex(8)}{_PART}"
    for attempt in range(_TRIES):
        with ExitStack() as trial:
            # Another run may take the empty directory away between any two calls.
            try:
                area = trial.enter_context(_opened_area(root, make=True))
                descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=area)
            except FileNotFoundError:
                if attempt == _TRIES - 1 or not root.is_dir():
                    raise
            else:
                stack.push(trial.pop_all())
                return area, name, descriptor
    raise AssertionError


def _parts(area: int, before: float) -> list[str]:
    """Name the files in the temporary area that are ours by their name and were last written before that moment, sorted."""
    found: list[str] = []
    for name in names_in(area):
        if name.endswith(_PART):
            with suppress(FileNotFoundError):
                seen = os.stat(name, dir_fd=area, follow_symlinks=False)
                if stat.S_ISREG(seen.st_mode) and seen.st_mtime < before:
                    found.append(name)
    return found


def _remove_directory(root: Path, names: list[str]) -> None:
    with opened(root, names[:-1]) as parent:
        os.rmdir(names[-1], dir_fd=parent)


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


def _publish(area: int, name: str, root: Path, key: str) -> None:
    """Rename, making the directories on the way; a concurrent `remove` may take an empty one away again."""
    *inner, last = key.split("/")
    for attempt in range(_TRIES):
        try:
            with opened(root, inner, make=True) as parent:
                os.rename(name, last, src_dir_fd=area, dst_dir_fd=parent)
                with suppress(FileNotFoundError):  # removed again by somebody else
                    sync_directory(parent)
        except FileNotFoundError:
            if attempt == _TRIES - 1 or not root.is_dir():
                raise
        else:
            return
