"""The whole of a mirror as old and new addresses, in the order of the catalog, a page of it in memory at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from mediamirror.catalog.rewriting import read_moved
from mediamirror.errors import UsageError
from mediamirror.jobs.catalog.catalogs import reading
from mediamirror.jobs.rewrite.targets import choose_store, find_catalog
from mediamirror.settings import StoreOptions


async def addresses_in(
    dest: str | None, catalog: Path | None, how: StoreOptions | None, public_url: str | None
) -> AsyncGenerator[tuple[str, str], None]:
    """Yield every URL that a mirror holds verified bytes of, with its new address. Raises `UsageError` and `CatalogError`."""
    if public_url is None:
        raise UsageError("Under which URL do browsers find the mirror? Give --public-url URL.")
    where = find_catalog(dest, catalog, how)
    async with reading(where) as opened:
        store, addresses = await choose_store(opened, where, public_url)
        async for url, key in opened.rows(read_moved, store):
            yield url, addresses.of(key, "")
