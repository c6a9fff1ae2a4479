"""Sort a listing of any length by key, in bounded memory: some servers list in the order of their directories."""

from __future__ import annotations

import asyncio
import heapq
import pickle
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO

from mediamirror.model import StoredObject

RUN = 50_000
"""Rows sorted at once. A longer listing goes to temporary files, one per run, that are merged."""

_PAGE = 1_000


async def sorted_by_key(rows: AsyncIterator[StoredObject], *, run: int = RUN) -> AsyncIterator[StoredObject]:
    """Yield all ``rows`` in ascending order of the key's UTF-8 bytes; the first comes after the last was read."""
    held: list[StoredObject] = []
    with ExitStack() as files:
        spilled: list[IO[bytes]] = []
        async for row in rows:
            held.append(row)
            if len(held) >= run:
                file = files.enter_context(tempfile.TemporaryFile())
                await asyncio.to_thread(_spill, held, file)
                spilled.append(file)
                held = []
        held.sort(key=_bytes)
        merged = heapq.merge(held, *(_read(file) for file in spilled), key=_bytes)
        while page := await asyncio.to_thread(_take, merged):
            for row in page:
                yield row


def _bytes(row: StoredObject) -> bytes:
    return row.key.encode("utf-8", "surrogatepass")


def _take(rows: Iterator[StoredObject]) -> list[StoredObject]:
    return list(islice(rows, _PAGE))


def _spill(rows: list[StoredObject], file: IO[bytes]) -> None:
    rows.sort(key=_bytes)
    for start in range(0, len(rows), _PAGE):
        pickle.dump(rows[start : start + _PAGE], file)
    file.seek(0)


def _read(file: IO[bytes]) -> Iterator[StoredObject]:
    """Read back what `_spill` wrote, a page at a time."""
    while True:
        try:
            page = pickle.load(file)  # noqa: S301 - our own anonymous temporary file
        except EOFError:
            return
        yield from page
