"""A listing of any length, sorted by key in bounded memory: some servers list in the order of their directories.

Most listings come in order, and are only written down and read back; what is out of order is sorted in runs that are merged.
"""

from __future__ import annotations

import asyncio
import heapq
import marshal
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from operator import itemgetter
from typing import IO, Self

from mediamirror.errors import StoreError
from mediamirror.settings import MiB
from mediamirror.store.base import Entry

RUN = 10_000
"""Entries in memory at once. A longer listing goes to one temporary file, run after run."""

MOST_BYTES = 16 * 1024 * MiB
"""Of the temporary file: a listing of more than a hundred million objects, or one without an end."""

_PAGE = 1_000
_MERGED_PAGE = 100
"""Entries of each run in memory while runs are merged: a hundred runs are a listing of a million."""

_KEY = itemgetter(0)


def once(rows: Iterator[Entry]) -> Iterator[Entry]:
    """Give each key of a sorted listing once: a server may name one twice that is written to meanwhile.

    Where the entries differ, the last one's size counts and no change token does, so that nothing recorded vouches for it.
    """
    held: Entry | None = None
    for row in rows:
        if held is not None and held[0] == row[0]:
            held = row if held[1:3] == row[1:3] else (row[0], row[1], None, row[3])
            continue
        if held is not None:
            yield held
        held = row
    if held is not None:
        yield held


class Listing:
    """Fill it from pages in any order, then read it in ascending order of the keys' UTF-8 bytes.

    Use as a context manager: the temporary file goes with it. Code points sort as UTF-8 bytes do. A key that was listed twice
    comes once: see `once`. A listing that would fill more than ``most`` bytes of that file is `StoreError`.
    """

    def __init__(self, *, run: int = RUN, most: int = MOST_BYTES) -> None:
        self._run = run
        self._most = most
        self._held: list[Entry] = []
        self._file: IO[bytes] | None = None
        self._runs: list[int] = []
        self._last = ""
        self._in_order = True

    def __enter__(self) -> Self:
        """Nothing is opened before there is more than a run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    async def fill(self, pages: AsyncIterator[list[Entry]]) -> Self:
        """Take every page; return itself."""
        async for page in pages:
            if not page:
                continue
            self._in_order = self._in_order and page[0][0] >= self._last and sorted(page, key=_KEY) == page
            self._last = page[-1][0]
            self._held += page
            if len(self._held) >= self._run:
                await asyncio.to_thread(self._spill)
        self._held.sort(key=_KEY)
        return self

    async def pages(self) -> AsyncIterator[list[Entry]]:
        """Yield the entries by the page, each key once."""
        rows = once(self._rows())
        while page := await asyncio.to_thread(lambda: list(islice(rows, _PAGE))):
            yield page

    def _rows(self) -> Iterator[Entry]:
        runs = [self._read(start) for start in self._runs]
        if not self._in_order:
            yield from heapq.merge(*runs, self._held, key=_KEY)
            return
        for run in runs:
            yield from run
        yield from self._held

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="mediamirror-")  # noqa: SIM115 - closed by __exit__
        self._held.sort(key=_KEY)
        self._runs.append(self._file.seek(0, 2))
        for start in range(0, len(self._held), _MERGED_PAGE):
            marshal.dump(self._held[start : start + _MERGED_PAGE], self._file)
        marshal.dump(None, self._file)
        self._held = []
        if self._file.tell() > self._most:
            raise StoreError(
                f"The listing fills more than {self._most // MiB:,} MiB and goes on (the last key is {self._last[:100]!a}): it has "
                "no end, or more objects than are compared at once. Nothing was changed. Name a part of it, such as "
                "s3://bucket/prefix."
            )

    def _read(self, at: int) -> Iterator[Entry]:
        """Read back one run, a page at a time; the runs share the file."""
        while self._file is not None:
            self._file.seek(at)
            page: list[Entry] | None = marshal.load(self._file)  # noqa: S302 - our own anonymous temporary file
            if page is None:
                return
            at = self._file.tell()
            yield from page
