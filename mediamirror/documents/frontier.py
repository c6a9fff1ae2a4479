"""Which pages a crawl has still to ask for: each URL once, those listed before those linked, and no more than fit. Pure."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

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
