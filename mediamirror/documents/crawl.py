"""A small crawl: from the INPUTs on to the pages that their sites' sitemaps list and that pages link to.

    INPUTs ──> pages in sitemaps ──> pages linked from them, level by level

No crawler framework: one page at a time, each URL once, bounded by a number of pages, and it says where it stopped. What is
listed comes before what is only linked. Whether a page may be asked for, and how fast, is decided by the fetcher.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

from mediamirror.documents.document import MAX_DOCUMENT, Document
from mediamirror.documents.frontier import MAX_SITEMAPS, Frontier, Lead, Leads, Step
from mediamirror.documents.listings import Listing, body_of, discard, read_answer
from mediamirror.documents.read import Fetch, read_download
from mediamirror.documents.reader import Reader, Unread
from mediamirror.errors import FetchError, RobotsRefused
from mediamirror.first_use import dataclass, replace
from mediamirror.markup.extract import PAGES
from mediamirror.markup.page import links as page_links
from mediamirror.markup.page.links import MAX_LINKS, Links, host_of
from mediamirror.markup.places.urls import resolve
from mediamirror.model import Download, Problem
from mediamirror.settings import MAX_DOCUMENT_MEMORY

_MAX_ROBOTS = 512_000

Found = AsyncIterator[Document | Problem]
Start = Callable[[Fetch], Found]
"""Read the INPUTs with this fetch."""

Sitemaps = Callable[[str], Awaitable[tuple[str, ...] | None]]
"""Origin to the sitemaps that its robots.txt names, where somebody has read that already; None sends us to read it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far to go. ``depth`` is in levels of links, ``max_pages`` counts the INPUTs too, ``limit`` and ``memory`` are in bytes."""

    depth: int = 0
    follow_sitemap: bool = False
    same_host: bool = True
    max_pages: int = 1000
    limit: int = MAX_DOCUMENT
    memory: int = MAX_DOCUMENT_MEMORY


async def _not_known(origin: str) -> tuple[str, ...] | None:  # noqa: ARG001 - the shape of Sitemaps
    return None


def crawl(start: Start, *, fetch: Fetch, reader: Reader, bounds: Bounds, sitemaps: Sitemaps = _not_known) -> Found:
    """Yield the documents of the INPUTs, then the pages found from them, named by their final URLs.

    INPUTs that are URLs, and sitemaps given as files, are where it starts; other files lead nowhere. A page that can't be
    read is a `Problem`, and the crawl goes on; so is an end before the last page, with code ``page-limit``. ``page-closed``
    (robots.txt), ``page-nofollow``, ``not-a-page`` and ``other-host`` say what was left out. Raises what ``start`` raises.
    """
    return _Crawl(fetch, reader, bounds, sitemaps).run(start)


class _Crawl:
    """One crawl: what it may reach, what it knows, and how many pages it has asked for."""

    def __init__(self, fetch: Fetch, reader: Reader, bounds: Bounds, sitemaps: Sitemaps) -> None:
        self._fetch = fetch
        self._reader = reader
        self._sitemaps = sitemaps
        self._bounds = bounds
        self._frontier = Frontier(bounds.max_pages)
        self._hosts: set[str] = set()
        self._asked = 0
        self._answer: Download | None = None
        self._leads = Leads()

    async def run(self, start: Start) -> Found:
        async for item in start(self._fetch_input):
            async for each in self._input(item):
                yield each
        while self._asked < self._bounds.max_pages and (found := self._next()) is not None:
            async for each in found:
                yield each
        for problem in self._left_over():
            yield problem

    def _next(self) -> Found | None:
        """What to do next: the pages of one sitemap before the next sitemap, all of them before what is only linked."""
        if (step := self._frontier.take_listed()) is not None:
            return self._page(step)
        if (lead := self._leads.take()) is not None:
            return self._sitemap(lead)
        if (site := self._leads.take_site()) is not None:
            return self._site(site)
        step = self._frontier.take_linked()
        return None if step is None else self._page(step)

    async def _fetch_input(self, url: str) -> Download:
        self._asked += 1
        self._answer = None
        own = resolve(url, None)
        if isinstance(own, str):
            self._arrive(own)
        try:
            download = await self._fetch(url)
        except FetchError:
            self._visit(url)
            raise
        self._arrive(download.final_url)
        self._answer = download
        return download

    def _arrive(self, url: str) -> None:
        self._frontier.mark(url)
        self._hosts.add(host_of(url))

    def _visit(self, url: str) -> None:
        if self._bounds.follow_sitemap:
            self._leads.add_site(url)

    async def _input(self, item: Document | Problem) -> Found:
        answer = self._answer
        if isinstance(item, Problem):
            yield item
        elif answer is not None and item.name == answer.final_url:
            self._answer = None  # what else has this name comes from within a container
            if item.kind != "sitemap":
                self._visit(item.name)
            async for found in self._document(item, self._bounds.depth, answer):
                yield found
        elif item.kind == "sitemap" and "://" not in item.name and self._bounds.follow_sitemap:
            async for each in self._listed(item, any_host=True):
                yield each
        else:
            yield item

    async def _document(self, document: Document, levels: int, answer: Download) -> Found:
        if document.kind == "sitemap" and self._bounds.follow_sitemap:
            self._leads.mark(document.name)
            async for each in self._listed(document):
                yield each
            return
        yield document
        if levels > 0 and document.kind in PAGES:
            with suppress(Unread):  # whoever looks through it says so
                for problem in self._follow(document, await self._links(document, answer), levels - 1):
                    yield problem

    async def _links(self, document: Document, answer: Download) -> Links:
        tags = (value for name, value in answer.headers if name == "x-robots-tag")
        if any(map(page_links.is_nofollow, tags)):
            return Links((), closed=True)
        return await self._reader.links(document)

    async def _listed(self, document: Document, *, any_host: bool = False) -> Found:
        """A document that is a sitemap: what it lists is taken in. With ``any_host`` all that is wanted, wherever it is."""
        try:
            listing = await self._reader.listing(document)
        except Unread as stopped:
            yield stopped.problem
            return
        if any_host:
            self._hosts.update(map(host_of, (*listing.pages, *listing.children)))
        for each in self._listing(document, listing):
            yield each

    def _follow(self, document: Document, links: Links, levels: int) -> Iterator[Problem]:
        for url in links.urls:
            if self._is_near(url):
                self._frontier.add_linked(url, levels)
        if links.closed:
            yield _problem("page-nofollow", document.name, f"{document.name} asks robots not to follow its links.")
        if links.cut:
            message = f"{document.name} has more than {MAX_LINKS:,} links: the rest is not followed."
            yield _problem("too-many-links", document.name, message)

    async def _page(self, step: Step) -> Found:
        self._asked += 1
        try:
            download = await self._fetch(step.url)
        except RobotsRefused as error:
            self._asked -= 1  # nothing was asked for
            yield _problem("page-closed", step.url, error.message)
            return
        except FetchError as error:
            yield _problem(error.code, step.url, error.message)
            return
        try:
            async for each in self._answered(step, download):
                yield each
        finally:
            discard(download)

    async def _answered(self, step: Step, download: Download) -> Found:
        final = download.final_url
        if final != step.url and not self._frontier.mark(final):
            return
        if not self._is_near(final):
            yield _problem("other-host", step.url, f"{step.url} leads to another host, {final}: {_ANY_HOST}")
            return
        async for item in read_download(step.url, download, limit=self._bounds.limit, memory=self._bounds.memory):
            if isinstance(item, Document) and item.name == final:
                async for each in self._document(item, step.levels, download):
                    yield each
            elif isinstance(item, Problem) and item.code == "binary-document":
                yield replace(item, code="not-a-page", message=f"{final} is no page but binary data: it is left out.")
            else:
                yield item

    async def _site(self, origin: str) -> Found:
        url = f"{origin}/robots.txt"
        known = await self._sitemaps(origin)
        text = await self._read_robots(url) if known is None else "".join(f"Sitemap: {each}\n" for each in known)
        named = page_links.sitemaps_of(text, url)
        for each in self._take_in(url, Listing(children=named)):
            yield each
        self._leads.add(Lead(f"{origin}/sitemap.xml", guess=True, alone=not named))

    async def _read_robots(self, url: str) -> str:
        try:
            robots = await asyncio.to_thread(body_of, await self._fetch(url), _MAX_ROBOTS)
        except (FetchError, OSError):
            return ""  # without one, all is open; with one that can't be read, each page will say so
        return robots[:_MAX_ROBOTS].decode("utf-8", "replace")

    async def _sitemap(self, lead: Lead) -> Found:
        try:
            download = await self._fetch(lead.url)
            document, flaws = await asyncio.to_thread(read_answer, download)
            listing = await self._reader.listing(document)
        except Unread as stopped:
            yield stopped.problem
            return
        except (FetchError, OSError) as error:
            why = error.message if isinstance(error, FetchError) else f"{lead.url} can't be read: {error.strerror}."
            code = error.code if isinstance(error, FetchError) else "input-unreadable"
            for problem in lead.failed(code, why):
                yield problem
            return
        final = download.final_url
        if final != lead.url and not self._leads.mark(final):
            return
        if not self._is_near(final):
            yield _problem("other-host", lead.url, f"{lead.url} leads to another host, {final}: {_ANY_HOST}")
        elif not listing.is_sitemap:
            for problem in lead.failed("not-a-sitemap", f"{final} is no sitemap."):
                yield problem
        else:
            for each in (*flaws, *self._listing(document, listing)):
                yield each

    def _listing(self, document: Document, listing: Listing) -> Iterator[Document | Problem]:
        """Take in what a sitemap lists; itself, where it is to be looked through, comes first."""
        yield from listing.problems
        if listing.has_images:
            yield document
        yield from self._take_in(document.name, listing)

    def _take_in(self, name: str, listing: Listing) -> Iterator[Problem]:
        near = [url for url in listing.pages if self._is_near(url)]
        for url in near:
            self._frontier.add_listed(url, self._bounds.depth)
        children = [url for url in listing.children if self._is_near(url)]
        for url in children:
            self._leads.add(Lead(url))
        total = len(listing.pages) + len(listing.children)
        away = total - len(near) - len(children)
        if away:
            message = f"{away:,} of the {total:,} addresses that {name} lists are on other hosts: {_ANY_HOST}"
            yield _problem("other-host", name, message)

    def _is_near(self, url: str) -> bool:
        return not self._bounds.same_host or host_of(url) in self._hosts

    def _left_over(self) -> Iterator[Problem]:
        pages, sitemaps = self._frontier.left, self._leads.left
        if pages or sitemaps:
            rest = [f"{pages:,} more page{'s' * (pages > 1)}"] if pages else []
            rest += [f"{sitemaps:,} more sitemap{'s' * (sitemaps > 1)}"] if sitemaps else []
            message = (
                f"The crawl stopped after {self._asked:,} pages (--max-pages {self._bounds.max_pages:,}): at least "
                f"{' and '.join(rest)} were found and not read; raise --max-pages to read them."
            )
            yield _problem("page-limit", "", message)
        if self._leads.over:
            message = f"{self._leads.over:,} sitemaps beyond the first {MAX_SITEMAPS:,} were not read."
            yield _problem("sitemap-limit", "", message)


_ANY_HOST = "they are left out; --any-host follows them."


def _problem(code: str, document: str, message: str) -> Problem:
    return Problem(code, message, document=document)
