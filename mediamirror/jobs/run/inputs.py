"""What every job needs: someone to tell, the inputs' documents, a clock."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import BinaryIO
from urllib.parse import urlsplit

from mediamirror.catalog.catalog import Catalog, Run
from mediamirror.catalog.rows import WorkItem
from mediamirror.documents.document import Document
from mediamirror.documents.read import Fetch, read_inputs
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.errors import UsageError
from mediamirror.fetch import OpenFetcher, Request
from mediamirror.markup.extract import charset_of, extract_document
from mediamirror.markup.page import link_header
from mediamirror.markup.places.slices import Slice, split
from mediamirror.markup.places.urls import resolve
from mediamirror.model import Download, Event, Extraction, Problem
from mediamirror.settings import ReadOptions

Emit = Callable[[Event], None]
"""Called with each event of a job, in order; must not block."""

_DOCUMENTS = "text/html,application/xhtml+xml,application/xml;q=0.9,text/plain;q=0.8,*/*;q=0.7"


def nobody_listens(event: Event) -> None:
    """Take an event and do nothing."""
    del event


def own_origins(inputs: Sequence[str]) -> frozenset[str]:
    """Return the origins of the inputs that are URLs: they may see the credentials that the user gave.

    Another port or scheme of the same host is another origin, but for one: a site that sends ``http`` on to ``https``, both
    on their default ports, is still the one that was meant.
    """
    words = [inputs] if isinstance(inputs, str) else inputs
    origins = {urlsplit(url)._replace(path="", query="", fragment="").geturl() for url in _urls(words)}
    secured = {f"https{origin[4:]}" for origin in origins if re.fullmatch(r"http://(\[.*\]|[^:]*)", origin)}
    return frozenset(origins | secured)


def _urls(words: Iterable[str]) -> Iterator[str]:
    """The words that are URLs, as they are requested."""
    for word in words:
        url = resolve(word, None) if re.match("https?:", word, re.IGNORECASE) else None
        if isinstance(url, str):
            yield url


async def documents(
    inputs: Sequence[str],
    options: ReadOptions,
    fetcher: OpenFetcher,
    stdin: BinaryIO | None,
    archive: WarcArchive | None = None,
) -> AsyncIterator[Document | Problem]:
    """Yield the documents of the inputs, those from the network fetched by the same stack as the images."""

    _check_base(options.base_url)

    async def fetch(url: str) -> Download:
        return await fetcher.fetch(Request(url, accept=_DOCUMENTS, max_size=options.max_document, allow_empty=True))

    def read(by: Fetch) -> AsyncIterator[Document | Problem]:
        return read_inputs(
            inputs,
            as_=options.as_,
            base_url=options.base_url,
            fetch=by,
            stdin=stdin,
            limit=options.max_document,
            field=options.field,
            archive=archive,
        )

    left = options.max_documents
    async for found in _all_documents(read, fetch, fetcher, options):
        if isinstance(found, Document):
            if not left:
                yield _too_many(found, options.max_documents)
                return
            left -= 1
        yield found


def _all_documents(
    read: Callable[[Fetch], AsyncIterator[Document | Problem]],
    fetch: Fetch,
    fetcher: OpenFetcher,
    options: ReadOptions,
) -> AsyncIterator[Document | Problem]:
    if not options.depth and not options.follow_sitemap:
        return read(fetch)
    from mediamirror.documents.crawl import Bounds, crawl  # noqa: PLC0415 -- start-up time

    bounds = Bounds(
        options.depth, options.follow_sitemap, options.same_host, options.max_pages, limit=options.max_document
    )
    return crawl(read, fetch=fetch, bounds=bounds, sitemaps=fetcher.sitemaps)


def _too_many(document: Document, most: int) -> Problem:
    return Problem(
        "too-many-documents",
        f"Stopped after {most} documents, before {document.name}. Raise --max-documents to read on.",
        document=document.name,
    )


def _check_base(base_url: str | None) -> None:
    if base_url is not None and not isinstance(resolve(base_url, None), str):
        raise UsageError(f"--base-url {base_url!r} is not an absolute URL such as https://example.org/.")


class WorkByHost:
    """The work list of a run as `jobs.lanes` wants it."""

    def __init__(self, catalog: Catalog, run: Run) -> None:
        self._catalog = catalog
        self._run = run

    def lanes(self) -> AsyncIterator[tuple[str, int, int]]:
        """Yield each host with its first and last place."""
        return self._catalog.lanes(self._run)

    async def read(self, after: int, last: int, limit: int) -> list[tuple[int, WorkItem]]:
        """Return up to ``limit`` items from the places after ``after`` up to ``last``, each with its place."""
        return await self._catalog.lane(self._run, after, last, limit)


def look_through(document: Document, *, links: bool = False) -> Iterator[Extraction]:
    """Yield the image sets of one document: a long text slice by slice, what came with its headers first."""
    if document.link_headers:
        yield link_header.find(document.link_headers, document=document.name, base_url=document.name)
    for part in _slices(document):
        yield extract_document(
            part.data,
            media_type=document.media_type,
            base_url=document.base_url,
            document=document.name,
            as_=document.kind,
            links=links,
            first_byte=part.offset,
            lines_before=part.lines,
        )


def _slices(document: Document) -> Iterator[Slice]:
    charset = charset_of(document.media_type)
    if document.kind in {"text", "urls"} and (charset is None or charset.lower() in {"utf-8", "utf8"}):
        return split(document.data, by_line=document.kind == "urls")
    return iter((Slice(document.data, 0, 0),))
