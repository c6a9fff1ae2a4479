"""Compacting a bucket's manifest: many segments become one that says the same, and only then do the old ones go.

The new one is named after the newest that it replaces, and sorts right behind it: a segment that another machine writes
meanwhile stays newer. Old ones go oldest first, so that what is left of them after a kill never brings a deleted key back.
"""

from __future__ import annotations

import gzip
import secrets
from collections.abc import AsyncIterator
from typing import IO, Any

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.inventory import begin_manifest, drop_manifest, manifest_page, note_manifest
from mediamirror.jobs.run.manifest import SEGMENTS, pages, read_segment, segment_body, write_row
from mediamirror.jobs.run.worklist import WorkList
from mediamirror.scratch import scratch_folder
from mediamirror.store.base import ObjectAttributes, Store

_PAGE = 1_000
_END = ".jsonl.gz"


async def load_manifest(catalog: Catalog, store: Store) -> list[str]:
    """Take the manifest into the catalog's temporary table; return the keys of its segments, oldest first.

    Raises `ObjectCorrupt` for a damaged segment.
    """
    await catalog.write(begin_manifest)
    names = [row.key async for row in store.list(SEGMENTS) if row.key.endswith(_END)]
    for name in names:
        async for page in pages(read_segment(store, name)):
            await catalog.write(note_manifest, page)
    return names


async def compact(catalog: Catalog, store: Store, absent: WorkList[str]) -> tuple[str, int] | None:
    """Replace all segments by one without the ``absent`` keys; return its key and how many were replaced.

    None when there is nothing to gain. Raises `StoreError`.
    """
    names = await load_manifest(catalog, store)
    async for keys in pages(aiter(absent)):
        await catalog.write(drop_manifest, keys)
    if len(names) < 2 and not len(absent):
        return None
    if not names:
        return None
    key = f"{names[-1].removesuffix(_END)}_{secrets.token_hex(3)}{_END}"
    with scratch_folder() as folder:
        path = folder / "segment.gz"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
            await _write_all(catalog, file)
        await store.put(key, segment_body(path), ObjectAttributes("application/gzip"))
    for name in names:
        await store.delete(name)
    return key, len(names)


async def _write_all(catalog: Catalog, file: IO[str]) -> None:
    async for row in manifest_rows(catalog):
        write_row(file, row)


async def manifest_rows(catalog: Catalog) -> AsyncIterator[dict[str, Any]]:
    """Yield what `load_manifest` took in: the newest row of each object, then of each set."""
    after = ("", "")
    while page := await catalog.read(manifest_page, after=after, limit=_PAGE):
        for _, row in page:
            yield row
        after = page[-1][0]
