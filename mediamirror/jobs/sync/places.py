"""SRC and DEST as people write them: what each is, how it is read, whether one lies in the other."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import aiofiles

from mediamirror.errors import BodyCutOff, ObjectCorrupt, SourceChanged
from mediamirror.jobs.sync.local import Content, Digest, LocalPlace, Notice
from mediamirror.model import Body, StoredObject
from mediamirror.store.base import PREFIX, Entry, ObjectAttributes, Store, Sum, bounded, summed

T = TypeVar("T")

_BREAKS = 2
"""How often a body may break off in the middle."""


class Place(Protocol):
    """One side, as it is read. Errors are of `StoreError`."""

    @property
    def name(self) -> str:
        """How people call it."""

    def pages(self) -> AsyncIterator[list[Entry]]:
        """Yield the content by the page, in any order."""

    async def digest(self, row: StoredObject, *, read: bool) -> Digest:
        """Return the sha256 of an object: as its metadata say, or with ``read`` from its bytes."""

    async def attributes(self, row: StoredObject) -> ObjectAttributes:
        """Return how an object is, or (a file) would be, served."""

    async def load(self, row: StoredObject) -> Content:
        """Return an object's bytes and attributes; a body on disk is the caller's to `drop`."""

    async def aclose(self) -> None:
        """Let threads end."""


class BucketPlace:
    """A store's objects. Those larger than ``in_memory`` bytes go through a file in ``spool`` on their way.

    ``notice`` is told of those whose key no store of ours takes.
    """

    def __init__(self, store: Store, *, notice: Notice, spool: Path, in_memory: int) -> None:
        self._store = store
        self._notice = notice
        self._spool = spool
        self._in_memory = in_memory

    @property
    def name(self) -> str:
        """``s3://bucket/prefix``."""
        return self._store.name

    def pages(self) -> AsyncIterator[list[Entry]]:
        """Yield the objects."""
        return self._store.pages(left_out=lambda key, reason: self._notice(key, reason, True))

    async def digest(self, row: StoredObject, *, read: bool) -> Digest:
        """Ask for the metadata; where they hold no sha256, or with ``read``, hash the bytes."""
        found = await self._head(row)
        if found.sha256 is not None and not read:
            return Digest(found.sha256, found.held(found.sha256))
        seen = await _tried(lambda: summed(self._chunks(found)))
        if seen.size != found.size:
            raise self._changed(row)
        return Digest(seen.sha256, found.held(seen.sha256), seen.size)

    async def attributes(self, row: StoredObject) -> ObjectAttributes:
        """Ask for the metadata."""
        return _attributes(await self._head(row))

    def _chunks(self, found: StoredObject) -> AsyncIterator[bytes]:
        return bounded(self._store.get(found.key), found.size, f"{self.name}/{found.key}")

    async def load(self, row: StoredObject) -> Content:
        """Fetch the bytes, and hold them against the object's size and recorded sha256."""
        found = await self._head(row)
        body = await _tried(lambda: self._fetch(found))
        if body.size != found.size:
            drop(body)
            raise self._changed(row)
        if found.sha256 is not None and found.sha256 != body.sha256:
            drop(body)
            raise ObjectCorrupt(
                f"{self.name}/{row.key} does not hold the bytes that its sha256 speaks of; it was not copied. "
                "Restore it from another copy."
            )
        return Content(body, _attributes(found), found.held(body.sha256))

    async def _head(self, row: StoredObject) -> StoredObject:
        found = await self._store.head(row.key)
        if found is None:
            raise SourceChanged(f"{self.name}/{row.key} was removed meanwhile. Run the same command again.")
        return found

    async def _fetch(self, found: StoredObject) -> Body:
        if found.size > self._in_memory:
            return await self._fetch_to_file(found)
        data = b"".join([chunk async for chunk in self._chunks(found)])
        return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:PREFIX])

    async def _fetch_to_file(self, found: StoredObject) -> Body:
        path, seen = self._spool / secrets.token_hex(8), Sum()
        try:
            async with aiofiles.open(path, "wb") as file:
                async for chunk in self._chunks(found):
                    seen.add(chunk)
                    await file.write(chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(seen.size, seen.sha256, path=path, prefix=seen.prefix)

    def _changed(self, row: StoredObject) -> SourceChanged:
        return SourceChanged(f"{self.name}/{row.key} changed while it was read. Run the same command again.")

    async def aclose(self) -> None:
        """Nothing of our own is open."""


async def _tried(read: Callable[[], Awaitable[T]]) -> T:
    """Read once more from the beginning when a body breaks off: the store's own retries end where it begins."""
    for _ in range(_BREAKS):
        with suppress(BodyCutOff):
            return await read()
    return await read()


def _attributes(found: StoredObject) -> ObjectAttributes:
    kind = found.content_type or "application/octet-stream"
    return ObjectAttributes(kind, metadata=found.metadata, headers=found.headers)


def drop(body: Body, *, spool: Path | None = None) -> None:
    """Remove a body's temporary file; with ``spool`` only if it lies there, so that no file of a source is touched."""
    if body.path is not None and (spool is None or body.path.parent == spool):
        body.path.unlink(missing_ok=True)


def place_of(store: Store, *, spool: Path, in_memory: int, notice: Notice) -> Place:
    """Return how ``store`` is read."""
    if store.local_root is not None:
        return LocalPlace(store.local_root, notice=notice, in_memory=in_memory)
    return BucketPlace(store, notice=notice, spool=spool, in_memory=in_memory)
