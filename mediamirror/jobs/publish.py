"""Putting verified bytes into the store, at most once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mediamirror.catalog.rows import KnownObject, WorkItem
from mediamirror.errors import NoSuchBucket, StoreDenied, StoreError, StoreFull, StoreStopped, StoreUnavailable
from mediamirror.fetch import redact_url
from mediamirror.model import Body, ImageFacts, Status, StoredObject
from mediamirror.settings import StoreOptions
from mediamirror.store.base import ObjectAttributes, Store
from mediamirror.store.layout import key_for

ENDURED = 50
"""Objects in a row that a destination may refuse or fail before the rest of the run is not tried."""
MAX_METADATA_VALUE = 1024
"""S3 allows 2 KiB of user metadata in all; a longer source URL is left out of it (the catalog has it)."""


@dataclass(frozen=True, slots=True)
class Published:
    """How the bytes came to be in the store: ``stored``, ``unchanged`` or ``duplicate``."""

    status: Status
    stored: StoredObject
    sent_bytes: int = 0


class _Patience:
    """Counts the objects in a row that the destination as a whole failed; another `ENDURED` are not fetched for nothing."""

    def __init__(self) -> None:
        self._failures = 0
        self._last = ""

    def check(self) -> None:
        if self._failures >= ENDURED:
            raise StoreStopped(
                f"Not tried, because the destination failed {ENDURED} objects in a row. The last: {self._last} "
                "Mend that and run the same command again."
            )

    def failed(self, error: StoreError) -> None:
        if isinstance(error, (StoreDenied, StoreFull, NoSuchBucket, StoreUnavailable)):
            self._failures += 1
            self._last = error.message

    def worked(self) -> None:
        self._failures = 0


class Publisher:
    """Decides the key and puts the bytes, unless the store has them already.

    ``was_empty`` says that the store held nothing when the run began, which saves asking for each key.
    """

    def __init__(self, store: Store, options: StoreOptions, *, was_empty: bool, case_insensitive: bool) -> None:
        self._store = store
        self._options = options
        self._was_empty = was_empty
        self._case_insensitive = case_insensitive
        self._under_way: dict[str, asyncio.Lock] = {}
        self._patience = _Patience()

    def key(self, url: str, *, sha256: str | None = None, image_format: str | None = None) -> str | None:
        """Return the key of a variant; None in the hash layout while the bytes are not known."""
        if self._options.layout == "hash" and (sha256 is None or image_format is None):
            return None
        return key_for(
            url,
            layout=self._options.layout,
            sha256=sha256,
            format=image_format,
            case_insensitive=self._case_insensitive,
        )

    def _recorded(self, item: WorkItem) -> KnownObject | None:
        fetch = item.fetch
        if fetch is None or fetch.facts is None:
            return None
        key = self.key(item.variant.url, sha256=fetch.sha256, image_format=fetch.facts.format)
        return next((o for o in item.objects if o.key == key and o.sha256 == fetch.sha256), None)

    async def confirm(self, item: WorkItem) -> KnownObject | None:
        """Return the recorded object if the store still holds it with the recorded size and sha256.

        Raises `StoreError` when the store can't be asked, or when it is not worth asking any more.
        """
        self._patience.check()
        recorded = self._recorded(item)
        if recorded is None:
            return None
        found = await self._store.head(recorded.key)
        if found is None or found.size != recorded.size or found.sha256 not in {None, recorded.sha256}:
            return None
        # Without a recorded hash in the store (a plain directory), the change token has to stand for the bytes.
        if found.sha256 is None and recorded.token is not None and found.token != recorded.token:
            return None
        return recorded

    async def publish(self, item: WorkItem, kept: KnownObject | None, body: Body, facts: ImageFacts) -> Published:
        """Make sure that the store holds ``body`` under its key. Raises `StoreError`."""
        try:
            published = await self._publish(item, kept, body, facts)
        except StoreError as error:
            self._patience.failed(error)
            raise
        self._patience.worked()
        return published

    async def _publish(self, item: WorkItem, kept: KnownObject | None, body: Body, facts: ImageFacts) -> Published:
        key = key_for(
            item.variant.url,
            layout=self._options.layout,
            sha256=body.sha256,
            format=facts.format,
            case_insensitive=self._case_insensitive,
        )
        if kept is not None and kept.key == key and kept.sha256 == body.sha256:
            return Published(Status.UNCHANGED, _as_stored(kept))
        attributes = self._attributes(item.variant.url, facts)
        if self._options.layout == "path":
            there = None if self._was_empty else await self._same(key, body)
            if there is not None:
                return Published(Status.UNCHANGED, there)
            return Published(Status.STORED, await self._store.put(key, body, attributes), body.size)
        async with self._turn(key):
            there = await self._same(key, body)
            if there is not None:
                return Published(Status.DUPLICATE, there)
            return Published(Status.STORED, await self._store.put(key, body, attributes), body.size)

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        # Two URLs with the same bytes share a key in the hash layout: the second waits, then finds the first's object.
        lock = self._under_way.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._under_way.pop(key, None)

    async def _same(self, key: str, body: Body) -> StoredObject | None:
        found = await self._store.head(key)
        if found is None or found.size != body.size:
            return None
        if found.sha256 is not None:
            return found if found.sha256 == body.sha256 else None
        digest = hashlib.sha256()
        async for chunk in self._store.get(key):
            digest.update(chunk)
        return found if digest.hexdigest() == body.sha256 else None

    def _attributes(self, url: str, facts: ImageFacts) -> ObjectAttributes:
        own = [("source-url", redact_url(url)), ("width", str(facts.width)), ("height", str(facts.height))]
        given = self._options.metadata
        return ObjectAttributes(
            content_type=f"image/{facts.format}",
            cache_control=self._options.cache_control,
            acl=self._options.acl,
            storage_class=self._options.storage_class,
            metadata=(*given, *(pair for pair in own if len(pair[1]) <= MAX_METADATA_VALUE)),
        )


def _as_stored(known: KnownObject) -> StoredObject:
    return StoredObject(known.key, known.size, known.sha256, known.content_type, known.token)
