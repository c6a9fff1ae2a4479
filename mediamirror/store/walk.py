"""The regular files below a directory, in the order of their keys' bytes, in bounded memory. Blocking."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

BATCH = 20_000
"""Names held at once for one directory: a larger one is read several times over, the smallest names first."""


LINK = "a symbolic link"
SPECIAL = "neither a file nor a directory"
Notice = Callable[[str, str], None]
"""Told of an entry that is left out: its path below the root, in what can be shown of it, and the reason."""


def token_of(seen: os.stat_result) -> str:
    """Return the change token of a file: the same one means that nobody wrote to it meanwhile."""
    return f"{seen.st_size}:{seen.st_mtime_ns}:{seen.st_ctime_ns}:{seen.st_ino}"


def _ignored(path: str, reason: str) -> None:
    """Nobody asked what was left out."""


def walk(
    root: Path, prefix: str = "", *, batch: int = BATCH, notice: Notice = _ignored
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield ``(key, stat)`` for each file whose key starts with ``prefix``.

    ``os.walk`` would give ``a/b`` before ``a-b``, since it compares names and not whole keys: a directory sorts here as
    its name with a slash. Links are neither followed nor shown; names that are no UTF-8 can't be keys and are left out, as
    are devices and pipes: ``notice`` is told of each.
    """
    yield from _below(os.fspath(root), "", prefix, batch, notice)


def _below(directory: str, at: str, prefix: str, batch: int, notice: Notice) -> Iterator[tuple[str, os.stat_result]]:
    for name, is_directory in _sorted_entries(directory, at, prefix, batch, notice):
        path = f"{directory}{os.sep}{name}"
        if is_directory:
            yield from _below(path, f"{at}{name}/", prefix, batch, notice)
            continue
        try:
            yield at + name, os.lstat(path)
        except FileNotFoundError:
            continue


def _sorted_entries(directory: str, at: str, prefix: str, batch: int, notice: Notice) -> Iterator[tuple[str, bool]]:
    """Yield the directory's entries in key order, holding at most ``batch`` of them."""
    last = b""
    while True:
        # A directory read several times over tells of its odd entries once.
        told = _ignored if last else notice
        names = (k for k in _keys_of_entries(directory, at, prefix, told) if k > last)
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


def _keys_of_entries(directory: str, at: str, prefix: str, notice: Notice) -> Iterator[bytes]:
    """Names as they sort: with a slash behind a directory's. Only those that can lead to ``prefix``."""
    try:
        scan = os.scandir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    with scan:
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


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
