"""Stored responses as a web archive: the recorded status, headers and times, and the bytes out of the store."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Literal

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.listing import CatalogRow, Query
from mediamirror.catalog.stored_sets import Exchange, read_exchange, was_stripped
from mediamirror.documents.warc.write import WarcWriter
from mediamirror.errors import StoreError
from mediamirror.first_use import dataclass
from mediamirror.jobs.catalog.catalogs import Where, list_rows
from mediamirror.jobs.mirror.publish import SOURCE_SHA256
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.session import INTERRUPTED, Needs, open_run
from mediamirror.model import Problem
from mediamirror.redact import redact_url
from mediamirror.settings import StoreOptions
from mediamirror.store.base import Store
from mediamirror.store.keys import bounded

ArchiveKind = Literal["warc", "warc.gz", "wacz"]
_IN_MEMORY = 4 * 1024 * 1024


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
        """1 when an object could not be read, or is not what was recorded."""
        return INTERRUPTED if self.interrupted else int(self.failed > 0)


async def export_warc(
    dest: str,
    where: Where,
    query: Query,
    file: IO[bytes],
    *,
    options: StoreOptions,
    software: str,
    kind: ArchiveKind,
    hide: bool = False,
    on_event: Callable[[Problem | Archived], None] = lambda _: None,
) -> Archived:
    """Write every stored object that ``query`` chooses into ``file`` as WARC records, compressed or not, or as a WACZ of them.

    An object that can't be read, or whose bytes are not those recorded, is a `Problem` and is left out; one that was stripped of
    its metadata is counted and left out. With ``hide`` URLs lose their secrets. ``on_event`` is told of each
    problem, and of how it ended, also when it was interrupted. Raises `UsageError`, `CatalogError` and `StoreRefused`.
    """
    done = Archived()

    def conclude(interrupted: bool) -> Archived:
        done.interrupted = interrupted
        return done

    needs = Needs(command="catalog export", to=dest, store=options, catalog=where.path, existing=True, adopts=True)
    async with open_run(needs, conclude=conclude, emit=on_event) as session:
        store, catalog = session.store, session.catalog
        writer = WarcWriter(file, compressed=kind == "warc.gz")
        if kind == "wacz":
            from mediamirror.documents.wacz_write import WaczWriter  # noqa: PLC0415 -- loaded for this alone

            box = session.stack.enter_context(WaczWriter(file, session.scratch, at=now(), software=software))
            writer = session.stack.enter_context(box.archive())
        writer.info((("software", software), ("format", "WARC File Format 1.1"), ("description", _ABOUT)), now())
        async for row in list_rows(where, query):
            if row.key is None or row.status == "gone":
                continue
            if row.url is None or row.sha256 is None:
                done.without_url += 1
                continue
            exchange = await catalog.read(read_exchange, row.url, row.sha256)
            try:
                if exchange is None and await _is_stripped(catalog, store, row):
                    done.stripped += 1
                    continue
                with tempfile.SpooledTemporaryFile(_IN_MEMORY) as body:
                    await load_checked(store, row, body)
                    _write(writer, row, exchange, body, done, hide=hide)
            except StoreError as error:
                done.failed += 1
                on_event(Problem(error.code, error.message, document=row.key))
    return done


_ABOUT = (
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


async def load_checked(store: Store, row: CatalogRow, body: IO[bytes]) -> None:
    """Copy the bytes of an object. Raises `StoreError` where they are not those that were recorded."""
    digest = hashlib.sha256()
    async for chunk in bounded(store.get(row.key or ""), row.bytes or 0, f"{store.name}/{row.key}"):
        digest.update(chunk)
        body.write(chunk)
    if digest.hexdigest() != row.sha256:
        raise StoreError(
            f"{store.name}/{row.key} does not hold the bytes that were recorded; it was left out. "
            "Look at the mirror with `mediamirror verify --mirror DEST`."
        )


def _write(
    writer: WarcWriter, row: CatalogRow, exchange: Exchange | None, body: IO[bytes], done: Archived, *, hide: bool
) -> None:
    url = _shown(row.url or "", hide=hide)
    if exchange is None:
        at = datetime.fromisoformat(row.stored_at) if row.stored_at else now()
        writer.resource(url, at.astimezone(UTC), row.content_type or f"image/{row.format or 'x-unknown'}", body)
        done.resources += 1
        return
    at = exchange.fetched_at.astimezone(UTC)
    for hop, status, headers in exchange.hops or ():
        writer.response(_shown(hop, hide=hide), at, status, headers, None)
        done.redirects += 1
    done.hops_unknown += exchange.hops is None and exchange.final_url != row.url
    writer.response(_shown(exchange.final_url, hide=hide), at, exchange.status, exchange.headers, body)
    done.responses += 1


def _shown(url: str, *, hide: bool) -> str:
    return redact_url(url, room=None) if hide else url


def sentence(done: Archived) -> str:
    """Say in one line what was written, and what could not be."""
    parts = [f"{done.responses:,} responses"]
    parts += [f"{done.redirects:,} redirects"] if done.redirects else []
    parts += [f"{done.resources:,} resources whose exchange is not recorded"] if done.resources else []
    line = f"{', '.join(parts)} written."
    if done.interrupted:
        line += " Interrupted: the archive is not whole. Run the same command again."
    if done.without_url:
        line += f" {done.without_url:,} objects have no recorded URL and were left out."
    if done.stripped:
        line += (
            f" {done.stripped:,} objects were stripped of their metadata before they were stored (--strip-metadata): the bytes "
            "that came are not kept, so they were left out."
        )
    if done.hops_unknown:
        line += (
            f" {done.hops_unknown:,} were fetched before redirects were recorded: they stand under their final URL alone; "
            "mirror them again to have the redirects."
        )
    if done.failed:
        line += f" {done.failed:,} could not be read or are not what was recorded."
    return line
