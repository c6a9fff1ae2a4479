"""The listing of a bucket by ListObjectsV2: the query for one page, the answer read by expat, and page after page.

botocore takes a tenth of a millisecond for each entry, which is most of a sync where nothing changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import field
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree

from mediamirror.errors import StoreError
from mediamirror.first_use import dataclass
from mediamirror.model import StoredObject
from mediamirror.store.base import Entry
from mediamirror.store.s3.errors import read_time
from mediamirror.store.s3.exchange import Call, Exchange
from mediamirror.store.s3.headers import LARGEST

LONGEST_PAGE = 4 * 1024 * 1024
"""Bytes of an answer that are read at most: a thousand keys of 1,024 bytes, each three times as long when encoded."""

_LONGEST_TOKEN = 200
_EMPTY_PAGES = 1_000
"""Pages in a row that may hold no key: a bucket that is being emptied has such, and they end."""

_PATIENCE = 300.0
_SLOWEST = 10
"""Seconds, and then keys a second, that the server of a listing is waited for in all."""


class BadListing(ValueError):
    """An answer that is no ListBucketResult."""


@dataclass(slots=True)
class Page:
    """The entries of one page, and the token of the next page (None: this is the last)."""

    entries: list[Entry] = field(default_factory=list)
    following: str | None = None

    @property
    def rows(self) -> list[StoredObject]:
        """The entries as objects."""
        return [as_object(entry) for entry in self.entries]


def as_object(entry: Entry) -> StoredObject:
    """Return an entry as an object."""
    key, size, token, modified = entry
    return StoredObject(key, size, None, None, token, read_time(modified))


def page_query(prefix: str, size: int, following: str | None) -> str:
    """Return the query, sorted and encoded as it is signed. Keys are asked for encoded: XML can't hold every one."""
    parts = {"encoding-type": "url", "list-type": "2", "max-keys": str(size), "prefix": prefix}
    if following is not None:
        parts["continuation-token"] = following
    return "&".join(f"{name}={quote(value, safe='~')}" for name, value in sorted(parts.items()))


def read_page(answer: bytes, prefix: str = "") -> Page:
    """Read a ListBucketResult; keys are told without ``prefix``. Raises `BadListing`."""
    try:
        root = _root(answer)
        # A tag is "{namespace}name"; all of an answer are of one namespace, or of none.
        namespace = root.tag.removesuffix("ListBucketResult")
        if namespace == root.tag:
            raise BadListing("it is no ListBucketResult")
        entries = _entries(root, namespace, prefix)
    except (ElementTree.ParseError, ValueError) as error:
        raise BadListing(str(error)) from error
    if root.findtext(f"{namespace}IsTruncated") != "true":
        return Page(entries)
    following = root.findtext(f"{namespace}NextContinuationToken")
    if not following:
        raise BadListing("it says that there is more, and not where")
    return Page(entries, following)


def _root(answer: bytes) -> ElementTree.Element:
    text = answer.decode()
    if "<!DOCTYPE" in text:
        # The only place where entities can be declared: an answer of ten kilobytes could mean ten gigabytes.
        raise BadListing("it declares a document type")
    return ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entities


def _entries(root: ElementTree.Element, namespace: str, prefix: str) -> list[Entry]:
    """Return the entries; whether their keys are encoded, as a form is (a plus is a space), the answer says."""
    encoded = root.findtext(f"{namespace}EncodingType") == "url"
    names = [f"{namespace}{name}" for name in ("Key", "Size", "ETag", "LastModified")]
    entries: list[Entry] = []
    for contents in root.iterfind(f"{namespace}Contents"):
        key, size, tag, modified = map(contents.findtext, names)
        if key is None:
            continue
        if encoded and ("%" in key or "+" in key):
            key = unquote_plus(key)
        token = (tag or "").strip('"')[:_LONGEST_TOKEN] or None
        entries.append((key.removeprefix(prefix), _size(size), token, modified))
    return entries


def _size(text: str | None) -> int:
    size = int(text or 0)
    if not 0 <= size <= LARGEST:
        raise BadListing(f"an object can't have {text} bytes"[:200])
    return size


class _Advance:
    """Notices a listing that never ends: its tokens go round in a circle, its pages stay empty, or keys come in drips.

    Brent's way to find a circle: one token is remembered, and another one after twice as many pages.
    """

    def __init__(self) -> None:
        self._held: str | None = None
        self._pages = self._until = 1
        self._empty = self._keys = 0
        self._waited = 0.0

    def check(self, page: Page, seconds: float) -> None:
        """Count a page that took so long. Raises `BadListing`."""
        self._keys += len(page.entries)
        self._empty = 0 if page.entries else self._empty + 1
        self._waited += seconds
        if page.following is None:
            return
        if page.following == self._held:
            raise BadListing("the same pages come again and again")
        if self._empty >= _EMPTY_PAGES:
            raise BadListing(f"{_EMPTY_PAGES:,} pages in a row hold no key")
        if self._waited > _PATIENCE + self._keys / _SLOWEST:
            raise BadListing(f"it gives less than {_SLOWEST} keys a second")
        self._pages += 1
        if self._pages == self._until or self._held is None:
            self._held, self._until = page.following, self._pages * 2


class Pages:
    """The listing of a bucket, page by page, in the server's own order. Keys are told without ``own``, the store's prefix."""

    def __init__(self, exchange: Exchange, name: str, *, own: str, size: int) -> None:
        self._exchange = exchange
        self._name = name
        self._own = own
        self._size = size
        self._advance = _Advance()

    async def all(self, prefix: str) -> AsyncIterator[Page]:
        """Yield every page. While one is looked at, the next is on its way."""
        asked: asyncio.Task[Page] | None = asyncio.create_task(self.page(prefix, None))
        try:
            while asked is not None:
                page = await asked
                asked = asyncio.create_task(self.page(prefix, page.following)) if page.following else None
                yield page
        finally:
            if asked is not None:
                asked.cancel()
                await asyncio.wait({asked})
                # Seen here: nobody else will ask how it ended.
                _ = asked.cancelled() or asked.exception()

    async def page(self, prefix: str, following: str | None) -> Page:
        """Ask for one page. Raises `StoreError`, also for a listing without an end."""
        query = page_query(self._own + prefix, self._size, following)
        started = asyncio.get_running_loop().time()
        answer = await self._exchange.call(Call("GET", "", self._name, query, longest=LONGEST_PAGE))
        try:
            page = read_page(answer.body, self._own)
            self._advance.check(page, asyncio.get_running_loop().time() - started)
        except BadListing as error:
            raise StoreError(f"{self._name} could not be listed: the answer makes no sense ({error}).") from error
        return page
