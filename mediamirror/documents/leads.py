"""Which sitemaps a crawl has still to read: those of the sites it visits, and those that others list. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from mediamirror.markup.page.links import host_of
from mediamirror.model import Problem

MAX_SITEMAPS = 1_000
"""Most sitemaps read in one run."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A sitemap to read. ``guess``: nobody named it, it is only where sitemaps usually are; ``alone``: nor any other."""

    url: str
    guess: bool = False
    alone: bool = False

    def failed(self, code: str, message: str) -> Iterator[Problem]:
        """What there is to say when it gave nothing: of a guess, only where there is no other sitemap."""
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
