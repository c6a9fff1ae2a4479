"""What the source's own catalog knows: a mirror that we made has told one what its objects hold.

A run writes to the catalog of its destination alone. Where that one does not know an object, the source's is asked, which is only
read; as always a recorded sha256 counts for no other state than the one that it was recorded for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.sync_rows import find_store, read_holdings
from mediamirror.errors import CatalogError
from mediamirror.jobs.sync.pairs import Held, joined_page
from mediamirror.model import Problem

_PAGE = 1_000


class LentCatalog:
    """A second catalog, opened when something is not known, and only if there is one. Use as an async context manager.

    One that can't be used is told of once, and then nothing is known: that costs time and no object.
    """

    def __init__(self, path: Path, own: Path, tell: Callable[[Problem], None]) -> None:
        self._path = path
        self._there = path != own and path.exists()
        self._tell = tell
        self._catalog: Catalog | None = None

    async def filled(self, pages: AsyncIterator[list[Held]], identity: str) -> AsyncIterator[list[Held]]:
        """Yield the same pages, with what is recorded here of objects whose sha256 is missing. Sorted, as they are."""
        last = ""
        async for page in pages:
            if self._there and any(held.sha256 is None for held in page):
                yield await self._asked(page, identity, last)
            else:
                yield page
            last = page[-1].key if page else last

    async def _asked(self, page: list[Held], identity: str, after: str) -> list[Held]:
        try:
            if self._catalog is None:
                self._catalog = await Catalog.open_existing(self._path, read_only=True)
            place = await self._catalog.read(find_store, identity)
            while place is not None and after < page[-1].key:
                rows = await self._catalog.read(read_holdings, place, after=after, limit=_PAGE)
                if not rows:
                    break
                page, after = joined_page(page, rows), rows[-1].key
        except CatalogError as error:
            self._there = False
            self._tell(Problem("catalog-not-used", f"What SRC's own catalog knows is left out. {error.message}"))
        return page

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._catalog is not None:
            await self._catalog.__aexit__(kind, error, trace)
