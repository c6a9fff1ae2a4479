"""Joining sorted streams key by key, in bounded memory: two listings, and beside each what is recorded of it.

Everything comes by the page: a million keys pass through here, and an await for each would cost more than the comparison.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator
from operator import itemgetter
from typing import NamedTuple

from mediamirror.errors import StoreError
from mediamirror.model import Held
from mediamirror.store.base import Entry

_KEY = itemgetter(0)


class Pair(NamedTuple):
    """One key, as either side has it."""

    key: str
    source: Held | None
    destination: Held | None


async def joined(pages: AsyncIterator[list[Entry]], holdings: AsyncIterator[list[Held]]) -> AsyncIterator[list[Held]]:
    """Give each listed object what is recorded of it, if size and token are still as recorded."""
    known: _Pages = _Pages(holdings)
    async for page in pages:
        if not page:
            continue
        listed = {entry[0]: entry for entry in page}
        found: dict[str, Held] = {}
        while await known.fill():
            for holding in known.until(page[-1][0]):
                entry = listed.get(holding.key)
                if entry is not None and entry[1] == holding.size and entry[2] == holding.token:
                    found[holding.key] = holding
            if known.left:
                break
        yield [_held(entry, found.get(entry[0])) for entry in page]


def joined_page(page: list[Held], rows: list[Held]) -> list[Held]:
    """Give the objects of a page whose sha256 is not known what ``rows`` say of exactly their state."""
    known = {(row.key, row.size, row.token): row.sha256 for row in rows if row.sha256 is not None}
    return [held if held.sha256 else _with(held, known.get((held.key, held.size, held.token or ""))) for held in page]


def _with(held: Held, sha256: str | None) -> Held:
    return held.knowing(sha256) if sha256 else held


def _held(entry: Entry, known: Held | None) -> Held:
    key, size, token, _ = entry
    return Held(key, known.sha256, size, token, known.twin) if known else Held(key, None, size, token)


async def paired(
    source: AsyncIterator[list[Held]], destination: AsyncIterator[list[Held]]
) -> AsyncIterator[list[Pair]]:
    """Merge both sides, in ascending order of the keys. Raises `StoreError` when one lists a key twice or is not sorted."""
    left: _Pages = _Pages(_in_order(source, "source"))
    right: _Pages = _Pages(_in_order(destination, "destination"))
    while True:
        more, also = await left.fill(), await right.fill()
        if not more and not also:
            return
        if not also:
            yield [Pair(held.key, held, None) for held in left.rest()]
        elif not more:
            yield [Pair(held.key, None, held) for held in right.rest()]
        else:
            yield _merged(left, right)


def _merged(left: _Pages, right: _Pages) -> list[Pair]:
    """Merge until one of the two pages is used up."""
    pairs: list[Pair] = []
    a, b = left.at, right.at
    one, other = left.page, right.page
    while a < len(one) and b < len(other):
        mine, theirs = one[a], other[b]
        if mine.key == theirs.key:
            pairs.append(Pair(mine.key, mine, theirs))
            a, b = a + 1, b + 1
        elif mine.key < theirs.key:
            pairs.append(Pair(mine.key, mine, None))
            a += 1
        else:
            pairs.append(Pair(theirs.key, None, theirs))
            b += 1
    left.at, right.at = a, b
    return pairs


async def _in_order(pages: AsyncIterator[list[Held]], side: str) -> AsyncIterator[list[Held]]:
    # A listing out of order would make present objects look missing, and delete others.
    last = ""
    async for page in pages:
        for held in page:
            if held.key <= last:
                raise StoreError(
                    f"The listing of the {side} is not in order ({held.key!r} after {last!r}): nothing was compared."
                )
            last = held.key
        yield page


class _Pages:
    """Pages in a row, and how far the present one is read."""

    def __init__(self, pages: AsyncIterator[list[Held]]) -> None:
        self._pages: AsyncIterator[list[Held]] = pages
        self.page: list[Held] = []
        self.at = 0

    async def fill(self) -> bool:
        """Take pages until there is something to read; False at the end."""
        while self.at >= len(self.page):
            page = await anext(self._pages, None)
            if page is None:
                return False
            self.page, self.at = page, 0
        return True

    @property
    def left(self) -> bool:
        """Whether the present page has something more."""
        return self.at < len(self.page)

    def until(self, key: str) -> list[Held]:
        """Take what the page has up to ``key``, itself included."""
        start, self.at = self.at, bisect_right(self.page, key, lo=self.at, key=_KEY)
        return self.page[start : self.at]

    def rest(self) -> list[Held]:
        """Take what the page still has."""
        start, self.at = self.at, len(self.page)
        return self.page[start:]
