"""From the inputs to their documents, as many of them as are taken, and to the pictures that archives among them hold."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from mediamirror.documents.document import Document
from mediamirror.documents.read import Fetch, read_download, read_inputs
from mediamirror.documents.reader import Reader, Unread
from mediamirror.errors import FetchError, NotArchived, UsageError
from mediamirror.fetch.late import LateFetcher
from mediamirror.fetch.request import Fetcher, Request, discard
from mediamirror.first_use import dataclass, replace
from mediamirror.markup.extract import PAGES
from mediamirror.markup.places.urls import is_made_up, resolve
from mediamirror.model import Download, Problem
from mediamirror.settings import FetchOptions, ReadOptions

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive

_SHEETS = "text/css,*/*;q=0.1"
_HELD = 256 * 1024
"""Largest body out of an archive that is held in memory: with 1 MiB, as for those from the network, a run took 140 MiB for 72."""
_MOST_LOADED = 10_000
"""Most style sheets and frames that are asked for in one run."""
_MOST_FRAMES = 2
"""Frames are read in frames, and in these no more."""
_OF_THE_WEB = "If its pages are from the web, give their address: --base-url https://example.org/."
_DOCUMENTS = "text/html,application/xhtml+xml,application/xml;q=0.9,text/plain;q=0.8,*/*;q=0.7"


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
    fetcher: LateFetcher,
    reader: Reader,
    stdin: BinaryIO | None,
    archive: WarcArchive | None = None,
    record: Callable[[Fetcher], Fetcher] | None = None,
) -> AsyncIterator[Document | Problem]:
    """Yield the documents of the inputs, those from the network fetched by the same stack as the images.

    ``reader`` says where a page leads on to, where that is asked for. With ``record``, which wraps the fetcher, the style sheets of
    pages from the network are documents too, and frames of their own hosts: without them an archive shows the pages otherwise.
    """

    _check_base(options.base_url)
    asked = fetcher if record is None else record(fetcher)

    fetched: set[str] = set()

    async def fetch(url: str, accept: str = _DOCUMENTS) -> Download:
        if options.offline:
            raise NotArchived(
                f"{url} was not requested: --offline asks nothing of the network. Give the page as a file."
            )
        download = await asked.fetch(Request(url, accept=accept, max_size=options.max_document, allow_empty=True))
        fetched.add(download.final_url)
        return download

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
            memory=options.max_document_memory,
        )

    items = _all_documents(read, fetch, fetcher, reader, options)
    if record is not None:
        items = _with_what_it_loads(items, fetch, fetched, reader, options)
    items = _limited(items, options.max_documents)
    async for found in _without_data(items, options, archive) if options.keep_data else items:
        yield found


async def _with_what_it_loads(
    items: AsyncIterator[Document | Problem],
    fetch: Callable[..., Awaitable[Download]],
    fetched: Set[str],
    reader: Reader,
    options: ReadOptions,
) -> AsyncIterator[Document | Problem]:
    """The same, and behind each page that was fetched its style sheets, those that these import, and its frames with theirs.

    A page of a web archive has them there, or nowhere: what the network gives today is not what it looked like.
    """
    asked: set[str] = set()
    local, elsewhere = _Counted(), _Counted()
    async for item in items:
        yield item
        if isinstance(item, Document) and item.kind in PAGES and not is_of_the_web(item.name):
            local.add(item.name)
        waiting = deque(await _loaded_by(item, fetched, reader, 0))
        while waiting and len(asked) < _MOST_LOADED:
            part = waiting.popleft()
            if part.url in asked or (part.depth and part.url in fetched):
                continue
            asked.add(part.url)
            if part.depth > _MOST_FRAMES or not part.is_near:
                elsewhere.add(part.url)
                continue
            try:
                download = await fetch(part.url, _DOCUMENTS if part.depth else _SHEETS)
            except FetchError as error:
                code, what = ("frame-not-archived", "frame") if part.depth else ("sheet-not-archived", "style sheet")
                yield Problem(code, f"{error.message} It is a {what}.", document=part.url)
                continue
            try:
                async for each in read_download(
                    part.url, download, limit=options.max_document, memory=options.max_document_memory
                ):
                    yield each
                    waiting += await _loaded_by(each, fetched, reader, part.depth)
            finally:
                discard(download.body)
    if local.count:
        pages = f"{local} is" if local.count == 1 else f"{local} are"
        message = f"{pages} not in the archive, because a local file has no URL: give pages by their addresses to have them there."
        yield Problem("page-not-archived", message, document=local.first)
    if elsewhere.count:
        frames = "a frame" if elsewhere.count == 1 else "frames"
        message = f"{elsewhere}: not in the archive, as {frames} of another host, or too deep in others."
        yield Problem("frame-not-archived", message, document=elsewhere.first)


@dataclass
class _Counted:
    first: str = ""
    count: int = 0

    def add(self, name: str) -> None:
        self.first, self.count = self.first or name, self.count + 1

    def __str__(self) -> str:
        return self.first if self.count == 1 else f"{self.first} and {self.count - 1:,} more"


class _Loaded(NamedTuple):
    """A style sheet, or with a ``depth`` a frame: how many frames stand around what is in it. ``is_near``: on its page's host."""

    url: str
    depth: int = 0
    is_near: bool = True


def is_of_the_web(url: str) -> bool:
    """Whether it is an address that a page can have: not a file's, and not one that stands for what has none."""
    return url.startswith(("http://", "https://")) and not is_made_up(url)


async def _loaded_by(item: Document | Problem, fetched: Set[str], reader: Reader, depth: int) -> list[_Loaded]:
    """What a page or a sheet loads, if it was fetched; it has been looked through."""
    if isinstance(item, Problem) or item.name not in fetched:
        return []
    sheets: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    if item.kind in PAGES:
        with suppress(Unread):  # whoever looked through it said so
            links = await reader.links(item)
            sheets, frames = links.sheets, links.frames
    host, imports = urlsplit(item.name).netloc, reader.sheets.imports()
    found = [_Loaded(url) for url in (*sheets, *imports) if url.startswith(("http://", "https://"))]
    return [*found, *(_Loaded(url, depth + 1, urlsplit(url).netloc == host) for url in frames)]


async def _limited(items: AsyncIterator[Document | Problem], most: int) -> AsyncIterator[Document | Problem]:
    left = most
    async for found in items:
        if isinstance(found, Document):
            if not left:
                yield _too_many(found, most)
                return
            left -= 1
        yield found


async def _without_data(
    items: AsyncIterator[Document | Problem], options: ReadOptions, archive: WarcArchive | None
) -> AsyncIterator[Document | Problem]:
    """The same with the pictures that documents hold as ``data:`` URLs taken out, and kept in the archive."""
    from mediamirror.documents.carried import Carried  # noqa: PLC0415 -- start-up time
    from mediamirror.documents.data_urls import DataUrls  # noqa: PLC0415 -- start-up time

    pictures = DataUrls(Carried("data", archive, options.max_document), options.max_document)
    async for item in items:
        yield await asyncio.to_thread(pictures.without, item) if isinstance(item, Document) else item
    await asyncio.to_thread(pictures.close)


def _all_documents(
    read: Callable[[Fetch], AsyncIterator[Document | Problem]],
    fetch: Fetch,
    fetcher: LateFetcher,
    reader: Reader,
    options: ReadOptions,
) -> AsyncIterator[Document | Problem]:
    if options.offline or not (options.depth or options.follow_sitemap):
        return read(fetch)
    from mediamirror.documents.crawl import Bounds, crawl  # noqa: PLC0415 -- start-up time

    bounds = Bounds(
        options.depth,
        options.follow_sitemap,
        options.same_host,
        options.max_pages,
        limit=options.max_document,
        memory=options.max_document_memory,
    )
    return crawl(read, fetch=fetch, reader=reader, bounds=bounds, sitemaps=fetcher.sitemaps)


def _too_many(document: Document, most: int) -> Problem:
    return Problem(
        "too-many-documents",
        f"Stopped after {most} documents, before {document.name}. Raise --max-documents to read on.",
        document=document.name,
    )


def _check_base(base_url: str | None) -> None:
    if base_url is not None and not isinstance(resolve(base_url, None), str):
        raise UsageError(f"--base-url {base_url!r} is not an absolute URL such as https://example.org/.")


def open_archive(directory: Path, fetch: FetchOptions, read: ReadOptions) -> WarcArchive:
    """Return what takes note of the archives among the inputs; its files are in ``directory``."""
    from mediamirror.documents.warc.archive import WarcArchive  # noqa: PLC0415 -- start-up time of what needs none

    return WarcArchive(
        directory,
        spool_over=_HELD,
        max_size=fetch.max_size,
        all_images=read.all_images,
        check_hashes=read.check_hashes,
    )


class ArchiveFirst:
    """A fetcher that answers from the archives what they hold, and asks another for the rest.

    With ``offline`` nothing is asked of the network, and what no archive can give is `NotArchived`, with the reason. A conditional
    request for what the archive still holds unchanged is answered like 304, without a body.
    """

    def __init__(self, archive: WarcArchive, network: Fetcher, *, offline: bool) -> None:
        self._archive = archive
        self._network = network
        self._offline = offline

    async def fetch(self, request: Request) -> Download:
        """Keep the contract of `fetch.request.Fetcher`."""
        is_within = is_made_up(request.url)
        if self._archive.count or self._offline or is_within:
            # A file has no query: pages write one for caches.
            url = request.url.partition("?")[0] if is_within else request.url
            try:
                return _answer(await self._archive.lookup(url, pages=request.pages), request)
            except NotArchived as error:
                if is_within:
                    raise NotArchived(f"{url} is not in the INPUT that names it. {_OF_THE_WEB}") from None
                if self._offline:
                    why = error.message.removesuffix(".")
                    raise NotArchived(f"{why}; omit --offline to fetch it.") from None
        return await self._network.fetch(request)


def _answer(found: Download, request: Request) -> Download:
    same_tag = request.etag is not None and request.etag == found.header("etag")
    same_time = request.etag is None and request.last_modified == found.header("last-modified")
    if request.conditional and (same_tag or same_time) and found.body is not None:
        discard(found.body)
        return replace(found, http_status=304, body=None)
    return found
