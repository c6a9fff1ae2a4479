"""What every job needs: someone to tell, the inputs' documents, a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from mediamirror.documents.archive import WarcArchive
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.fetch import OpenFetcher, Request
from mediamirror.markup import link_header
from mediamirror.markup.extract import extract_document
from mediamirror.model import Download, Event, Extraction, Problem
from mediamirror.settings import ReadOptions

Emit = Callable[[Event], None]
"""Called with each event of a job, in order; must not block."""

_DOCUMENTS = "text/html,application/xhtml+xml,application/xml;q=0.9,text/plain;q=0.8,*/*;q=0.7"


def nobody_listens(event: Event) -> None:
    """Take an event and do nothing."""
    del event


def identity_of(store_name: str, endpoint_url: str | None) -> str:
    """Name a DEST so that two runs that mean the same place agree, wherever they are started from.

    A directory is its real path; a bucket belongs to its endpoint.
    """
    if store_name.startswith("s3://"):
        return f"{store_name}@{endpoint_url}" if endpoint_url else store_name
    return str(Path(store_name).resolve())


def now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


def own_hosts(inputs: Sequence[str]) -> frozenset[str]:
    """Return the hosts of the inputs that are URLs: they may see the credentials that the user gave."""
    urls = (each for each in inputs if each.startswith(("http://", "https://")))
    return frozenset(host for host in (_host(url) for url in urls) if host)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


async def documents(
    inputs: Sequence[str],
    options: ReadOptions,
    fetcher: OpenFetcher,
    stdin: BinaryIO | None,
    archive: WarcArchive | None = None,
) -> AsyncIterator[Document | Problem]:
    """Yield the documents of the inputs, those from the network fetched by the same stack as the images."""

    async def fetch(url: str) -> Download:
        return await fetcher.fetch(Request(url, accept=_DOCUMENTS, max_size=options.max_document, allow_empty=True))

    read = read_inputs(
        inputs,
        as_=options.as_,
        base_url=options.base_url,
        fetch=fetch,
        stdin=stdin,
        limit=options.max_document,
        field=options.field,
        archive=archive,
    )
    async for found in read:
        yield found


def look_through(document: Document, *, links: bool = False) -> Extraction:
    """Find the image sets of one document."""
    found = extract_document(
        document.data,
        media_type=document.media_type,
        base_url=document.base_url,
        document=document.name,
        as_=document.kind,
        links=links,
    )
    if not document.link_headers:
        return found
    headed = link_header.find(document.link_headers, document=document.name, base_url=document.name)
    return Extraction((*headed.sets, *found.sets), (*headed.problems, *found.problems))
