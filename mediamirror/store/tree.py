"""What lies below a directory, reached step by step from its root: no link below the root is ever followed. Blocking.

A path is not used twice: between two uses a link may have taken a directory's place. Whoever has a directory's descriptor
works in that directory, whatever its name leads to by now.
"""

from __future__ import annotations

import errno
import heapq
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, groupby, islice
from pathlib import Path

from mediamirror.errors import BadKey, NameTaken, ObjectMissing, StoreDenied, StoreError, StoreFull, StoreUnavailable
from mediamirror.store.base import MAX_KEY_BYTES

BATCH = 20_000
"""Names held at once for one directory: a larger one is read several times over, the smallest names first."""

LINK = "a symbolic link"
SPECIAL = "neither a file nor a directory"
Notice = Callable[[str, str], None]
"""Told of an entry that is left out: its path below the root, in what can be shown of it, and the reason."""

_STEP = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_TAKEN = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
_NAME = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP}
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.ESTALE}


@contextmanager
def opened(root: Path, names: Sequence[str], *, made: Callable[[int], None] | None = None) -> Iterator[int]:
    """Open a directory as `open_directory` does, for the time of the block."""
    here = open_directory(root, names, made=made)
    try:
        yield here
    finally:
        os.close(here)


def open_directory(root: Path, names: Sequence[str], *, made: Callable[[int], None] | None = None) -> int:
    """Open the directory ``root/names[0]/names[1]/...``; return its descriptor, for calls with ``dir_fd``.

    With ``made`` what is missing on the way is made, and ``made`` is told of each directory that has a new entry, by its descriptor.
    Only ``root`` itself may be a link: any other is `BadKey`, wherever it leads. Raises `FileNotFoundError` and `NotADirectoryError`.
    """
    here = os.open(root, _STEP)
    try:
        for depth, name in enumerate(names, 1):
            try:
                below = _step(here, name, made)
            except OSError as error:
                if error.errno in _GONE and _is_link(here, name):
                    raise _link_refused(root, names[:depth]) from None
                raise
            os.close(here)
            here = below
    except BaseException:
        os.close(here)
        raise
    return here


def open_file(root: Path, key: str) -> int:
    """Open the regular file ``root/key`` to be read; return its descriptor.

    A link on the way is `BadKey`. Raises `FileNotFoundError` and `NotADirectoryError`, and `ObjectMissing` for what is no file.
    """
    *inner, last = key.split("/")
    with opened(root, inner) as parent:
        try:
            descriptor = os.open(last, _READ, dir_fd=parent)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENXIO}:  # a link, a socket
                raise _no_file(root, key) from None
            raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _no_file(root, key)


def seen_at(root: Path, key: str) -> os.stat_result | None:
    """Return what the system knows of the regular file ``root/key``; None where none is. A link on the way is `BadKey`."""
    *inner, last = key.split("/")
    with suppress(FileNotFoundError, NotADirectoryError), opened(root, inner) as parent:
        seen = os.stat(last, dir_fd=parent, follow_symlinks=False)
        return seen if stat.S_ISREG(seen.st_mode) else None
    return None


def seen_among(root: Path, keys: Sequence[str]) -> dict[str, os.stat_result]:
    """Return what `seen_at` does of many keys, by the key; one that it raises something for is left out.

    The directory of neighbours is opened once.
    """
    found: dict[str, os.stat_result] = {}
    for inner, names in groupby(sorted(keys), lambda key: key.rpartition("/")[0]):
        with suppress(OSError, BadKey), opened(root, inner.split("/") if inner else ()) as parent:
            for key in names:
                with suppress(OSError):
                    seen = os.stat(key.rpartition("/")[2], dir_fd=parent, follow_symlinks=False)
                    if stat.S_ISREG(seen.st_mode):
                        found[key] = seen
    return found


def sync_directory(descriptor: int) -> None:
    """Make the entries of an `opened` directory durable."""
    again = readable(descriptor)
    try:
        os.fsync(again)
    finally:
        os.close(again)


def _step(here: int, name: str, made: Callable[[int], None] | None) -> int:
    try:
        return os.open(name, _STEP | os.O_NOFOLLOW, dir_fd=here)
    except FileNotFoundError:
        if made is None:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=here)
        made(here)
    return os.open(name, _STEP | os.O_NOFOLLOW, dir_fd=here)


def readable(directory: int) -> int:
    """Open a directory again so that it can be listed and synced: its descriptor may be one that only leads on."""
    return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)


def names_in(directory: int) -> list[str]:
    """Name everything in an `opened` directory that is small by nature, sorted."""
    listed = readable(directory)
    try:
        return sorted(os.listdir(listed))  # noqa: PTH208 - a descriptor
    finally:
        os.close(listed)


def _is_link(here: int, name: str) -> bool:
    with suppress(OSError):
        return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
    return False


def token_of(seen: os.stat_result) -> str:
    """Return the change token of a file: the same one means that nobody wrote to it meanwhile."""
    return f"{seen.st_size}:{seen.st_mtime_ns}:{seen.st_ctime_ns}:{seen.st_ino}"


def _ignored(path: str, reason: str) -> None:
    """Nobody asked what was left out."""


def walk(
    root: Path, prefix: str = "", *, batch: int = BATCH, notice: Notice = _ignored
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield ``(key, stat)`` for each regular file whose key starts with ``prefix``, in the order of the keys' bytes, streaming.

    ``os.walk`` would give ``a/b`` before ``a-b``, since it compares names and not whole keys: a directory sorts here as
    its name with a slash. Links are neither followed nor shown; names that are no UTF-8 can't be keys and are left out, as
    are devices, pipes and what lies too deep: ``notice`` is told of each.
    """
    with ExitStack() as stack:
        try:
            top = stack.enter_context(opened(root, ()))
        except (FileNotFoundError, NotADirectoryError):
            return
        yield from _below(top, "", prefix, batch, notice)


def _below(here: int, at: str, prefix: str, batch: int, notice: Notice) -> Iterator[tuple[str, os.stat_result]]:
    for name, is_directory in _sorted_entries(here, at, prefix, batch, notice):
        if not is_directory:
            with suppress(FileNotFoundError):
                yield at + name, os.stat(name, dir_fd=here, follow_symlinks=False)
            continue
        if len(at) + len(name) > MAX_KEY_BYTES:
            notice(f"{at}{name}", f"it lies deeper than a key of {MAX_KEY_BYTES:,} bytes can say")
            continue
        try:
            inner = os.open(name, _STEP | os.O_NOFOLLOW, dir_fd=here)
        except OSError as error:
            if error.errno in _GONE:  # removed meanwhile, or something else by now
                continue
            raise
        try:
            yield from _below(inner, f"{at}{name}/", prefix, batch, notice)
        finally:
            os.close(inner)


def _sorted_entries(here: int, at: str, prefix: str, batch: int, notice: Notice) -> Iterator[tuple[str, bool]]:
    """Yield the directory's entries in key order, holding at most ``batch`` of them."""
    last = b""
    while True:
        # A directory read several times over tells of its odd entries once.
        told = _ignored if last else notice
        names = (k for k in _keys_of_entries(here, at, prefix, told) if k > last)
        first = list(islice(names, batch))
        following = next(names, None)
        # Nearly every directory fits, and sorting is what is quickest.
        smallest = sorted(first) if following is None else heapq.nsmallest(batch, chain(first, (following,), names))
        for key in smallest:
            text = key.decode()
            yield text.removesuffix("/"), text.endswith("/")
        if len(smallest) < batch:
            return
        last = smallest[-1]


def _keys_of_entries(here: int, at: str, prefix: str, notice: Notice) -> Iterator[bytes]:
    """Names as they sort: with a slash behind a directory's. Only those that can lead to ``prefix``."""
    try:
        listed = readable(here)
    except FileNotFoundError:  # removed meanwhile
        return
    try:
        with os.scandir(listed) as scan:
            for entry in scan:
                is_directory = entry.is_dir(follow_symlinks=False)
                name = f"{entry.name}/" if is_directory else entry.name
                if prefix:
                    whole = at + name
                    leads_on = whole.startswith(prefix) or (is_directory and prefix.startswith(whole))
                    if not leads_on:
                        continue
                if not is_directory and not entry.is_file(follow_symlinks=False):
                    notice(_shown(at + name), LINK if entry.is_symlink() else SPECIAL)
                    continue
                try:
                    yield name.encode()
                except UnicodeEncodeError:
                    notice(_shown(at + name), "its name is not UTF-8")
    finally:
        os.close(listed)


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def mapped(error: OSError, place: str, key: str) -> StoreError:
    """Return the error of our own tree for a fault of the system: what happened, to which file, and what to do. Pure."""
    which = f"{place}/{key}" if key else place
    number = error.errno or 0
    if number in _FULL:
        return StoreFull(f"No space left for {which}. Free some and run the same command again.")
    if number in _DENIED:
        return StoreDenied(f"{which} may not be written or read ({_words(error)}). Check the owner and permissions.")
    if number in _TAKEN:
        return NameTaken(
            f"{which} can't be a file: a file or directory of a part of that name is there already. Move that away."
        )
    if number in _NAME:
        return BadKey(f"{which} can't be a file name on this file system ({_words(error)}).")
    if number == errno.ENOENT:
        return ObjectMissing(f"{which} is not there. Was {place} moved or removed meanwhile?")
    if number in _PASSING:
        return StoreUnavailable(
            f"{which} can't be opened just now ({_words(error)}). Try again, or lower --concurrency."
        )
    if number == errno.EXDEV:
        return StoreError(
            f"{which} lies on another file system than {place}. Mount neither it nor a folder above it apart."
        )
    return StoreError(f"{which} could not be written or read ({_words(error)}). Check the disk.")


def _link_refused(root: Path, names: Sequence[str]) -> BadKey:
    return BadKey(f"{root}/{'/'.join(names)} is a symbolic link, which is not followed. Remove the link.")


def _no_file(root: Path, key: str) -> ObjectMissing:
    return ObjectMissing(f"{root} holds no {key}.")


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
