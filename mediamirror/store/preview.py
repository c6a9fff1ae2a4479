"""A store for dry runs: it answers as the one behind it, and writes nothing."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mediamirror.errors import DestinationMissing, NoSuchBucket, StoreRefused
from mediamirror.model import Body, StoredObject
from mediamirror.store.base import LeftOut, ObjectAttributes, Page, Store


class Preview(Store):
    """Reads go through to the store behind it; whoever writes is told what would have become of it.

    One that is not there yet, and would be made, holds nothing.
    """

    previews = True

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def name(self) -> str:
        """That of the store behind it."""
        return self._store.name

    @property
    def folds_case(self) -> bool:
        """As the store behind it."""
        return self._store.folds_case

    @property
    def local_root(self) -> Path | None:
        """That of the store behind it."""
        return self._store.local_root

    async def check(self, *, create: bool = False, writes: bool = True) -> None:
        """Prove that the store can be used or, with ``create``, made."""
        try:
            await self._store.check(writes=writes)
        except DestinationMissing:
            if not create:
                raise
        except StoreRefused as error:
            if create and isinstance(error.__cause__, NoSuchBucket):
                raise StoreRefused(f"{error.message} --create-bucket makes it.") from error
            raise

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        """Store nothing."""
        return StoredObject(key, body.size, body.sha256, attributes.content_type)

    async def head(self, key: str) -> StoredObject | None:
        """Ask the store behind it."""
        return await self._store.head(key)

    async def heads(self, keys: Sequence[str]) -> Mapping[str, StoredObject]:
        """Ask the store behind it."""
        return await self._store.heads(keys)

    def get(self, key: str) -> AsyncIterator[bytes]:
        """Ask the store behind it."""
        return self._store.get(key)

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Ask the store behind it."""
        return self._store.list(prefix)

    def pages(self, prefix: str = "", *, left_out: LeftOut | None = None) -> AsyncIterator[Page]:
        """Ask the store behind it."""
        return self._store.pages(prefix, left_out=left_out)

    async def is_empty(self) -> bool:
        """Ask the store behind it."""
        return await self._store.is_empty()

    async def delete(self, key: str) -> None:
        """Remove nothing."""

    def copies_from(self, other: Store) -> bool:
        """Ask the store behind it."""
        return self._store.copies_from(other)

    async def copy_from(self, other: Store, found: StoredObject, sha256: str | None) -> StoredObject:  # noqa: ARG002
        """Copy nothing."""
        return StoredObject(found.key, found.size, sha256)

    async def leftovers(self, *, before: datetime) -> builtins.list[str]:
        """Ask the store behind it."""
        return await self._store.leftovers(before=before)

    async def aclose(self) -> None:
        """Close the store behind it."""
        await self._store.aclose()
