"""Whole files, written so that a crash leaves none in part. Blocking: `DirectoryStore` runs these in a thread."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self

from mediamirror.errors import BadKey, NameTaken
from mediamirror.first_use import dataclass
from mediamirror.model import Body
from mediamirror.store.base import TEMPORARY, Sum, checked_body
from mediamirror.store.tree import names_in, open_directory, open_file, opened, readable, sync_directory

CHUNK = 1024 * 1024
_TRIES = 20
_AREA = TEMPORARY.rstrip("/").split("/")
"""The directory within the root where files lie until they are whole: on the same file system, so that a rename moves them."""
_PART = ".part"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_AT_ONCE = 32
"""Directories with new entries that are held open to be synced together."""


class Abandoned(Exception):
    """The task that wanted this file was cancelled."""


@dataclass(slots=True, eq=False)
class Writing:
    """A body on its way to ``key``: it can be called off, and has an outcome in the end."""

    key: str
    body: Body
    wanted: bool = True
    outcome: os.stat_result | Exception | None = None
    """What the system knows of the file, or why there is none."""
    name: str = ""
    """Of the temporary file, until it is renamed."""
    descriptor: int = -1


def write_together(root: Path, writings: Sequence[Writing]) -> None:
    """Write bodies under ``root``, each whole or not at all, and tell each its outcome.

    All of them to temporary files, a sync of each, their renames, then one sync of each directory: on return they are durable. The
    bytes are hashed on their way, and the outcome is `ObjectCorrupt` where they are not the body promised. Whether one is still
    ``wanted`` is asked between chunks and before its rename; where it is not, nothing remains and its outcome is `Abandoned`.
    """
    with _Area(root) as area, _Folders(root) as folders:
        try:
            _each(writings, lambda writing: _fill(writing, area))
            if len(writings) > 1:  # so that the first sync finds all of them on their way to the disk
                _each(writings, _begin_writing_back)
            _each(writings, lambda writing: os.fsync(writing.descriptor))
            _each(writings, lambda writing: folders.prepare(writing.key))
            folders.sync()
            _each(writings, lambda writing: _publish(writing, area, folders))
            folders.sync()
            # Of the open file and after the rename: another writer may have taken the name, and a rename moves ctime.
            _each(writings, _look)
        except OSError as error:  # a directory could not be synced
            _each(writings, partial(_fail, error))
        finally:
            for writing in writings:
                area.drop(writing)


def _each(writings: Sequence[Writing], step: Callable[[Writing], object]) -> None:
    """Take one step with each that has not failed; what fails is its outcome, and the others go on."""
    for writing in writings:
        if not isinstance(writing.outcome, Exception):
            try:
                step(writing)
            except Exception as error:
                writing.outcome = error


def _fail(error: Exception, writing: Writing) -> None:
    writing.outcome = error


def _fill(writing: Writing, area: _Area) -> None:
    area.create(writing)
    size, sha256 = _copy(writing)
    checked_body(writing.body, size=size, sha256=sha256, key=writing.key)


def _begin_writing_back(writing: Writing) -> None:
    if hasattr(os, "posix_fadvise"):  # not on macOS. On Linux it does not wait for the disk (mm/fadvise.c)
        os.posix_fadvise(writing.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _look(writing: Writing) -> None:
    writing.outcome = os.fstat(writing.descriptor)


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
    with suppress(FileNotFoundError), _opened_area(root) as area:
        return [str(root / TEMPORARY / name) for name in _parts(area, before)]
    return []


def sweep(root: Path, before: float) -> int:
    """Remove those files; return how many."""
    removed = 0
    with suppress(FileNotFoundError), _opened_area(root) as area:
        for name in _parts(area, before):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=area)
                removed += 1
    return removed


def folds_case(root: Path) -> bool:
    """Whether ``root`` takes ``a`` and ``A`` for one name: shown by making a file."""
    probe = Writing("", Body(0, ""))
    with _Area(root) as area:
        area.create(probe)
        try:
            os.stat(probe.name.swapcase(), dir_fd=area.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        finally:
            area.drop(probe)
        return True


class _Area:
    """The temporary area, held open, and made where it is missing. Raises `NameTaken` where something else has its name."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def create(self, writing: Writing) -> None:
        """Open a new file with the permissions of any other (umask)."""
        writing.name = f"{os.getpid()}-{secrets.token_hex(8)}{_PART}"
        for attempt in range(_TRIES):
            # Another run may take the empty directory away between any two calls.
            try:
                if self.descriptor < 0 or attempt:
                    self.__exit__()
                    self.descriptor = -1
                    self.descriptor = _open_area(self._root, made=lambda _: None)
                writing.descriptor = os.open(writing.name, _NEW, 0o666, dir_fd=self.descriptor)
            except FileNotFoundError:
                if attempt == _TRIES - 1 or not self._root.is_dir():
                    raise
            else:
                return

    def drop(self, writing: Writing) -> None:
        """Close a file of `create`, and remove it where it still has that name."""
        if writing.descriptor >= 0:
            os.close(writing.descriptor)
            if writing.name:
                with suppress(FileNotFoundError):
                    os.unlink(writing.name, dir_fd=self.descriptor)


def _open_area(root: Path, *, made: Callable[[int], None] | None = None) -> int:
    try:
        return open_directory(root, _AREA, made=made)
    except NotADirectoryError:
        raise NameTaken(
            f"{root}/{TEMPORARY} can't be a directory: something else has that name or a part of it. Move that away."
        ) from None


@contextmanager
def _opened_area(root: Path) -> Iterator[int]:
    area = _open_area(root)
    try:
        yield area
    finally:
        os.close(area)


class _Folders:
    """The directories that a batch is renamed into, each opened once and synced once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[str, int] = {}
        self._changed: dict[str, None] = {}
        self._made_in: dict[tuple[int, int], int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (*self._open.values(), *self._made_in.values()):
            os.close(descriptor)

    def of(self, key: str) -> int:
        """Open the directory of ``key``, made where it is missing."""
        inner = key.rpartition("/")[0]
        if inner not in self._open:
            self._open[inner] = open_directory(self.root, inner.split("/") if inner else (), made=self._note)
        return self._open[inner]

    def prepare(self, key: str) -> None:
        """Open it, unless a concurrent `remove` takes away what has just been made: `_publish` tries again."""
        with suppress(FileNotFoundError):
            self.of(key)

    def forget(self, key: str) -> None:
        """Have the directory of ``key`` opened anew."""
        descriptor = self._open.pop(key.rpartition("/")[0], None)
        if descriptor is not None:
            os.close(descriptor)

    def changed(self, key: str) -> None:
        """Note that the directory of ``key`` has to be synced."""
        self._changed[key.rpartition("/")[0]] = None

    def sync(self) -> None:
        """Make durable what was made, and what was noted."""
        for descriptor in self._made_in.values():
            os.fsync(descriptor)
        while self._made_in:
            os.close(self._made_in.popitem()[1])
        for inner in self._changed:
            with suppress(FileNotFoundError, KeyError):  # removed again by somebody else
                sync_directory(self._open[inner])
        self._changed.clear()

    def _note(self, directory: int) -> None:
        seen = os.fstat(directory)
        if (seen.st_dev, seen.st_ino) not in self._made_in:
            if len(self._made_in) >= _AT_ONCE:
                self.sync()
            self._made_in[seen.st_dev, seen.st_ino] = readable(directory)


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


def _copy(writing: Writing) -> tuple[int, str]:
    seen = Sum()
    for chunk in _chunks(writing.body):
        _still(writing)
        seen.add(chunk)
        _write_all(writing.descriptor, chunk)
    return seen.size, seen.sha256


def _still(writing: Writing) -> None:
    if not writing.wanted:
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


def _publish(writing: Writing, area: _Area, folders: _Folders) -> None:
    """Rename; a concurrent `remove` may take a directory on the way, empty so far, away again."""
    _still(writing)
    for attempt in range(_TRIES):
        try:
            last = writing.key.rpartition("/")[2]
            os.rename(writing.name, last, src_dir_fd=area.descriptor, dst_dir_fd=folders.of(writing.key))
        except FileNotFoundError:
            if attempt == _TRIES - 1 or not folders.root.is_dir():
                raise
            folders.forget(writing.key)
        else:
            writing.name = ""
            folders.changed(writing.key)
            return
