"""The regular files below a directory, in the order of their keys' bytes, in bounded memory. Blocking."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from pathlib import Path

BATCH = 20_000
"""Names held at once for one directory: a larger one is read several times over, the smallest names first."""


def walk(root: Path, prefix: str = "", *, batch: int = BATCH) -> Iterator[tuple[str, os.stat_result]]:
    """Yield ``(key, stat)`` for each file whose key starts with ``prefix``.

    ``os.walk`` would give ``a/b`` before ``a-b``, since it compares names and not whole keys: a directory sorts here as
    its name with a slash. Links are neither followed nor shown; names that are no UTF-8 can't be keys and are left out.
    """
    yield from _below(os.fspath(root), "", prefix, batch)


def _below(directory: str, at: str, prefix: str, batch: int) -> Iterator[tuple[str, os.stat_result]]:
    for name, is_directory in _sorted_entries(directory, at, prefix, batch):
        path = f"{directory}{os.sep}{name}"
        if is_directory:
            yield from _below(path, f"{at}{name}/", prefix, batch)
            continue
        try:
            yield at + name, os.lstat(path)
        except FileNotFoundError:
            continue


def _sorted_entries(directory: str, at: str, prefix: str, batch: int) -> Iterator[tuple[str, bool]]:
    """Yield the directory's entries in key order, holding at most ``batch`` of them."""
    last = b""
    while True:
        smallest = heapq.nsmallest(batch, (k for k in _keys_of_entries(directory, at, prefix) if k > last))
        for key in smallest:
            text = key.decode()
            yield text.removesuffix("/"), text.endswith("/")
        if len(smallest) < batch:
            return
        last = smallest[-1]


def _keys_of_entries(directory: str, at: str, prefix: str) -> Iterator[bytes]:
    """Names as they sort: with a slash behind a directory's. Only those that can lead to ``prefix``."""
    try:
        scan = os.scandir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return
    with scan:
        for entry in scan:
            is_directory = entry.is_dir(follow_symlinks=False)
            name = f"{entry.name}/" if is_directory else entry.name
            whole = at + name
            leads_on = whole.startswith(prefix) or (is_directory and prefix.startswith(whole))
            if leads_on and (is_directory or entry.is_file(follow_symlinks=False)):
                try:
                    yield name.encode()
                except UnicodeEncodeError:
                    continue
