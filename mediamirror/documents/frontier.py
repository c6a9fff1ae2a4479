"""Which sitemaps a crawl has still to read: those of the sites it visits, and those that others list. Pure."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from urllib.parse import urlsplit

from mediamirror.first_use import dataclass
from mediamirror.markup.page.links import host_of
from mediamirror.model import Problem

_LEFT_COUNTED = 100_000
_SPARE = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One page to ask for. ``levels`` says how many levels of links are followed from it on."""

    url: str
    levels: int


class Frontier:
    """The pages found and not yet asked for.

    A URL is its own identity: serialised, without fragment. What was seen is kept as 16 bytes each, and what is waiting is
    bounded: some more than ``max_pages`` wait, since those that robots.txt closes don't count as pages.
    """

    def __init__(self, max_pages: int) -> None:
        self._room = max(max_pages, min(_SPARE * max_pages, _LEFT_COUNTED))
        self._seen: set[bytes] = set()
        self._over: set[bytes] = set()
        self._listed: OrderedDict[str, int] = OrderedDict()
        self._linked: OrderedDict[str, int] = OrderedDict()

    def add_listed(self, url: str, levels: int) -> None:
        """Take a page that a sitemap lists; it is asked for before any that is only linked."""
        if url in self._linked:
            del self._linked[url]
            self._listed[url] = levels
        elif self._is_new(url):
            self._listed[url] = levels

    def add_linked(self, url: str, levels: int) -> None:
        """Take a page that another page links to."""
        if self._is_new(url):
            self._linked[url] = levels

    def take_listed(self) -> Step | None:
        """Return the next page that a sitemap lists, and forget that it waits."""
        return Step(*self._listed.popitem(last=False)) if self._listed else None

    def take_linked(self) -> Step | None:
        """Return the next page that is linked, level by level, and forget that it waits."""
        return Step(*self._linked.popitem(last=False)) if self._linked else None

    def mark(self, url: str) -> bool:
        """Note that a page is being read; False where it was read before. One that waits no longer does."""
        waited = self._listed.pop(url, None) is not None or self._linked.pop(url, None) is not None
        digest = _digest(url)
        is_new = waited or digest not in self._seen
        self._seen.add(digest)
        self._over.discard(digest)
        return is_new

    @property
    def left(self) -> int:
        """How many pages are known and were not asked for; with very many, at least so many."""
        return len(self._listed) + len(self._linked) + len(self._over)

    def _is_new(self, url: str) -> bool:
        digest = _digest(url)
        if digest in self._seen:
            return False
        if len(self._listed) + len(self._linked) >= self._room:
            if len(self._over) < _LEFT_COUNTED:
                self._over.add(digest)
            return False
        self._seen.add(digest)
        self._over.discard(digest)
        return True


def _digest(url: str) -> bytes:
    return hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=16).digest()


MAX_SITEMAPS = 1_000
"""Most sitemaps read in one run."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A sitemap to read. ``guess``: no one named it, it is the usual address; ``alone``: and the site named no other."""

    url: str
    guess: bool = False
    alone: bool = False

    def failed(self, code: str, message: str) -> Iterator[Problem]:
        """The problem to report when a sitemap can't be read; a guessed one is reported only if there is no other."""
        if not self.guess:
            yield Problem(code, message, document=self.url)
        elif self.alone:
            yield Problem("no-sitemap", f"robots.txt names no sitemap, and {message}", document=self.url)


class Leads:
    """The sites whose robots.txt is to be read for sitemaps, and the sitemaps to read; each once, and a bounded number."""

    def __init__(self) -> None:
        self._sites: deque[str] = deque()
        self._sitemaps: deque[Lead] = deque()
        self._known: set[str] = set()
        self._over = 0

    def add_site(self, url: str) -> None:
        """Take the site that a URL belongs to."""
        origin = f"{urlsplit(url).scheme}://{host_of(url)}"
        if origin not in self._known:
            self._known.add(origin)
            self._sites.append(origin)

    def add(self, lead: Lead) -> None:
        """Take a sitemap."""
        if len(self._known) >= MAX_SITEMAPS:
            self._over += lead.url not in self._known
        elif self.mark(lead.url):
            self._sitemaps.append(lead)

    def mark(self, url: str) -> bool:
        """Note that a sitemap is being read; False where it was read, or is waiting to be."""
        is_new = url not in self._known
        self._known.add(url)
        return is_new

    def take(self) -> Lead | None:
        """Return the next sitemap, and forget that it waits."""
        return self._sitemaps.popleft() if self._sitemaps else None

    def take_site(self) -> str | None:
        """Return the next origin, and forget that it waits."""
        return self._sites.popleft() if self._sites else None

    @property
    def left(self) -> int:
        """How many are known and were not read; a site counts as one."""
        return len(self._sites) + len(self._sitemaps)

    @property
    def over(self) -> int:
        """How many were beyond `MAX_SITEMAPS`."""
        return self._over
