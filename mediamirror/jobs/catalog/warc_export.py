"""Stored responses as a web archive: the recorded status, headers and times, and the bytes out of the store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.listing import CatalogRow, Query
from mediamirror.catalog.stored_sets import Exchange, read_exchanges, was_stripped
from mediamirror.errors import StoreError
from mediamirror.first_use import dataclass
from mediamirror.jobs.catalog.catalogs import Where, list_rows
from mediamirror.jobs.mirror.publish import SOURCE_SHA256
from mediamirror.jobs.run.archive import IN_MEMORY, ArchiveOut, Target, load_checked
from mediamirror.jobs.run.pipeline import pages
from mediamirror.jobs.run.session import INTERRUPTED, Needs, Session, open_run
from mediamirror.model import Problem
from mediamirror.settings import StoreOptions
from mediamirror.store.base import Store

_BATCH = 64


@dataclass(slots=True)
class Archived:
    """What an archive was made of. ``resources`` are bytes of which no exchange is recorded."""

    responses: int = 0
    resources: int = 0
    redirects: int = 0
    failed: int = 0
    without_url: int = 0
    stripped: int = 0
    hops_unknown: int = 0
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """1 when an object that was asked for is not in the archive."""
        return INTERRUPTED if self.interrupted else int(self.failed + self.without_url + self.stripped > 0)


async def export_warc(
    dest: str,
    where: Where,
    query: Query,
    target: Target,
    *,
    options: StoreOptions,
    on_event: Callable[[Problem | Archived], None] = lambda _: None,
) -> Archived:
    """Write every stored object that ``query`` chooses as WARC records to where ``target`` says.

    An object that can't be read, or whose bytes are not those recorded, is a `Problem` and is left out; one that was stripped of
    its metadata is counted and left out. ``on_event`` is told of each problem, and of how it ended, also when it was interrupted.
    Raises `UsageError`, `CatalogError`, `StoreRefused`, `ArchiveError`.
    """
    done = Archived()

    def conclude(interrupted: bool) -> Archived:
        done.interrupted = interrupted
        return done

    needs = Needs(command="catalog export", to=dest, store=options, catalog=where.path, existing=True, adopts=True)
    async with open_run(needs, conclude=conclude, emit=on_event) as session:
        with ArchiveOut(target, session.scratch) as out:
            there = (row async for row in list_rows(where, query) if row.key is not None and row.status != "gone")
            # Some at a time: to ask the catalog for each by itself takes as long as writing it.
            async for rows in pages(there, _BATCH):
                found = await session.catalog.read(read_exchanges, [(row.url, row.sha256) for row in rows])
                for row, exchange in zip(rows, found, strict=True):
                    await _export(row, exchange, session, out, done, on_event)
    return done


async def _export(
    row: CatalogRow,
    exchange: Exchange | None,
    session: Session[Archived],
    out: ArchiveOut,
    done: Archived,
    on_event: Callable[[Problem | Archived], None],
) -> None:
    """Write one object, or count why it is not."""
    store, catalog = session.store, session.catalog
    if row.url is None or row.sha256 is None:
        done.without_url += 1
        return
    try:
        if exchange is None and await _is_stripped(catalog, store, row):
            done.stripped += 1
            return
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            await load_checked(store, row, body)
            out.stored(row, exchange, body)
    except StoreError as error:
        done.failed += 1
        on_event(Problem(error.code, error.message, document=row.key or ""))
        return
    if exchange is None:
        done.resources += 1
        return
    done.responses += 1
    done.redirects += len(exchange.hops or ())
    done.hops_unknown += exchange.hops is None and exchange.final_url != row.url


ABOUT = (
    "Responses as recorded by the catalog; header names in lower case, bodies with every coding undone, "
    "bodies of redirects not kept."
)


async def _is_stripped(catalog: Catalog, store: Store, row: CatalogRow) -> bool:
    """Whether these are not the bytes that the URL gave: as the catalog says, or, where that was made anew, the object itself."""
    key, sha256 = row.key or "", row.sha256 or ""
    if await catalog.read(was_stripped, row.store, key, sha256):
        return True
    found = await store.head(key)
    return found is not None and dict(found.metadata).get(SOURCE_SHA256, sha256) != sha256
