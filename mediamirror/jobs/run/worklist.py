"""A list of any length that is written once, in order, and then read: its head in memory, the rest in a temporary file."""

from __future__ import annotations

import asyncio
import pickle
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Generic, TypeVar

T = TypeVar("T")

PAGE = 1_000


class WorkList(Generic[T]):
    """Append, then iterate. Items must be picklable. Use as a context manager: the file goes with it."""

    def __init__(self, *, page: int = PAGE) -> None:
        self._page = page
        self._last: list[T] = []
        self._file: IO[bytes] | None = None
        self._count = 0

    def __enter__(self) -> WorkList[T]:
        """Nothing is opened before there is more than a page."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, item: T) -> None:
        """Add one item at the end."""
        self._last.append(item)
        self._count += 1
        if len(self._last) >= self._page:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="mediamirror-")  # noqa: SIM115 - closed by __exit__
            pickle.dump(self._last, self._file, pickle.HIGHEST_PROTOCOL)
            self._last = []

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield every item, a page at a time from the file."""
        if self._file is not None:
            self._file.seek(0)
            while page := await asyncio.to_thread(self._read, self._file):
                for item in page:
                    yield item
        for item in self._last:
            yield item

    @staticmethod
    def _read(file: IO[bytes]) -> list[T]:
        try:
            page: list[T] = pickle.load(file)  # noqa: S301 - our own anonymous temporary file
        except EOFError:
            return []
        return page
