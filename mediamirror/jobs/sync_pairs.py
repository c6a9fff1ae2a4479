"""Joining sorted streams key by key, in bounded memory: two listings, and beside each what is recorded of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from mediamirror.catalog.sync_rows import Holding
from mediamirror.errors import StoreError
from mediamirror.jobs.sync_plan import Side
from mediamirror.model import StoredObject

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """An object as listed, and what is recorded of it in exactly this state."""

    row: StoredObject
    sha256: str | None = None
    twin: str | None = None

    def side(self, place: str) -> Side:
        """Return what `decide` wants to know."""
        return Side(self.row.size, self.sha256, state_of(place, self.row), self.twin)


@dataclass(frozen=True, slots=True)
class Pair:
    """One key, as either side has it."""

    key: str
    source: Held | None
    destination: Held | None


def state_of(place: str, row: StoredObject) -> str | None:
    """Name an object in its present state; None where the store gives no change token."""
    return f"{place}/{row.key}#{row.size}#{row.token}" if row.token else None


async def joined(rows: AsyncIterator[StoredObject], holdings: AsyncIterator[Holding]) -> AsyncIterator[Held]:
    """Give each listed object what is recorded of it, if size and token are still as recorded."""
    known = _Ahead(holdings)
    recorded = await known.take()
    async for row in rows:
        while recorded is not None and recorded.key < row.key:
            recorded = await known.take()
        found: Holding | None = None
        while recorded is not None and recorded.key == row.key:
            if recorded.token == row.token and recorded.size == row.size:
                found = recorded
            recorded = await known.take()
        yield Held(row, found.sha256, found.twin) if found else Held(row)


async def paired(source: AsyncIterator[Held], destination: AsyncIterator[Held]) -> AsyncIterator[Pair]:
    """Merge both sides, in ascending order of the keys. Raises `StoreError` when one is not sorted: its end can't be trusted."""
    left, right = _Ahead(_in_order(source, "source")), _Ahead(_in_order(destination, "destination"))
    a, b = await left.take(), await right.take()
    while a is not None or b is not None:
        if b is None or (a is not None and a.row.key < b.row.key):
            assert a is not None  # noqa: S101 - for mypy
            yield Pair(a.row.key, a, None)
            a = await left.take()
        elif a is None or b.row.key < a.row.key:
            yield Pair(b.row.key, None, b)
            b = await right.take()
        else:
            yield Pair(a.row.key, a, b)
            a, b = await left.take(), await right.take()


async def _in_order(rows: AsyncIterator[Held], side: str) -> AsyncIterator[Held]:
    # Code points sort as UTF-8 bytes do. A listing out of order would make present objects look missing, and delete others.
    last = ""
    async for held in rows:
        if held.row.key <= last:
            raise StoreError(
                f"The listing of the {side} is not in order ({held.row.key!r} after {last!r}): nothing was compared."
            )
        last = held.row.key
        yield held


class _Ahead(Generic[T]):
    """An iterator whose end is None."""

    def __init__(self, items: AsyncIterator[T]) -> None:
        self._items = items

    async def take(self) -> T | None:
        return await anext(self._items, None)
