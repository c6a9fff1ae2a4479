"""A store in memory, as strict as the real ones: for tests and dry runs."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiofiles

from mediamirror.errors import ObjectMissing
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Body, StoredObject
from mediamirror.store.base import ObjectAttributes, Store, checked_body, checked_key, clean_metadata, visible

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Held:
    data: bytes
    row: StoredObject
    attributes: ObjectAttributes


class MemoryStore(Store):
    """Objects in a dict. See `store.base.Store` for the contract."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self._held: dict[str, _Held] = {}
        self._writes = 0

    @property
    def name(self) -> str:
        """How people call it."""
        return self._name

    async def check(self, *, create: bool = False, writes: bool = True) -> None:
        """Prove that the store can be used: memory always can."""

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        """Store a body under a key, whole or not at all."""
        checked_key(key)
        data = body.data if body.data is not None else await _read(body.path)
        checked_body(body, size=len(data), sha256=hashlib.sha256(data).hexdigest(), key=key)
        self._writes += 1
        metadata = (*attributes.metadata, ("sha256", body.sha256))
        row = StoredObject(
            key=key,
            size=len(data),
            sha256=body.sha256,
            content_type=attributes.content_type,
            token=f"{self._writes}",
            modified=datetime.now(UTC),
            metadata=clean_metadata(metadata),
        )
        self._held[key] = _Held(data, row, attributes)
        return row

    async def head(self, key: str) -> StoredObject | None:
        """Return what is known of one object."""
        checked_key(key)
        held = self._held.get(key)
        return held.row if held else None

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes."""
        checked_key(key)
        held = self._held.get(key)
        if held is None:
            raise ObjectMissing(f"{self._name} holds no {key}.")
        for start in range(0, len(held.data), _CHUNK):
            yield held.data[start : start + _CHUNK]

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the objects whose key starts with ``prefix``, sorted by bytes, as they were when it began."""
        found = [key for key in self._held if key.startswith(prefix) and visible(key, prefix)]
        for key in sorted(found, key=str.encode):
            held = self._held.get(key)
            if held is not None:
                yield replace(held.row, sha256=None, content_type=None, metadata=())

    async def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        checked_key(key)
        self._held.pop(key, None)

    async def aclose(self) -> None:
        """Keep the objects: a store in memory may be opened again."""

    def attributes(self, key: str) -> ObjectAttributes:
        """Return what was asked for when ``key`` was put; KeyError for a missing one."""
        return self._held[key].attributes


async def _read(path: Path | None) -> bytes:
    if path is None:
        return b""
    async with aiofiles.open(path, "rb") as file:
        return bytes(await file.read())
