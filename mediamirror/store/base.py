"""The store: a place for objects by key, with one small contract that every implementation keeps.

tests/conformance holds the suite that each store passes, on every server it is used with.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from mediamirror.model import Body, StoredObject

RESERVED = "_mediamirror/"
"""The prefix at a store's root that is ours: manifests and quarantine, never content."""

MAX_KEY_BYTES = 1024
"""Longest key, in bytes of UTF-8; S3's own limit. A store with a prefix counts the prefix too."""

SERVED = ("cache-control", "content-disposition", "content-encoding", "content-language", "expires")
"""Headers besides Content-Type that a server keeps with an object and gives out with it."""

AS_ATTACHMENT = ("content-disposition", "attachment")
"""How drawings are served: an ``img`` runs no scripts of theirs, and an attachment is never opened as a page (RFC 6266, 4.2)."""


@dataclass(frozen=True, slots=True)
class ObjectAttributes:
    """What travels with an object. ``metadata`` keys are lower-case ASCII without the ``x-amz-meta-`` prefix.

    ``sha256`` is added to the metadata by the store itself, from the body.
    """

    content_type: str
    cache_control: str | None = None
    acl: str | None = None
    storage_class: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """Further headers that say how the bytes are served, of `SERVED`."""


class Store(Protocol):
    """Objects by key.

    Keys: relative, ``/``-separated, 1 to 1,024 bytes of UTF-8, no empty, ``.`` or ``..`` segment, no control character;
    anything else is `BadKey`. A key is independent of every other: storing ``a/b`` never disturbs ``a``, except in a
    directory, where the two can't both be files: the second put is `BadKey` and the first object stays.

    Nor may a key hold a backslash (some servers take it for a slash) or start with ``_mediamirror/tmp/`` (where a store
    keeps what is not whole yet). What lies under `RESERVED` is put, read and deleted like anything else, but ``list`` shows
    it only where the prefix names it: ``list("")`` is content alone.

    - ``put`` is atomic and idempotent: a reader sees the old object, or none, or the whole new one. When it returns,
      the bytes are durable and ``sha256`` is recorded. When it raises or is cancelled, there is no new object, or a whole
      one, never a part. The body's sha256 and size
      are the caller's word; a spooled body is hashed again on its way (`ObjectCorrupt`), one in memory by the memory and
      directory stores, and by those servers that compare ``x-amz-content-sha256``.
    - ``head`` returns None for a missing key; it never raises for that.
    - ``get`` yields the bytes in chunks; a missing key is `ObjectMissing`, raised before the first chunk.
    - ``list`` yields objects under a prefix in ascending order of the key's UTF-8 bytes, streaming, in bounded memory.
      ``sha256`` and ``content_type`` may be None there. Temporary files and unfinished uploads never show.
    - ``delete`` of a missing key is no error.
    - ``check`` is called once before the first item: it proves that the store can be reached, or raises
      `StoreRefused` or `BadDestination` with what to do; with ``create=True`` a directory is made (a bucket where its options
      say so).

    Every method may be called concurrently. Errors are of `StoreError`; ``StoreUnavailable`` is raised only after the
    store's own bounded retries.
    """

    @property
    def name(self) -> str:
        """How people call it: a path or ``s3://bucket/prefix``. No secret in it."""
        ...

    @property
    def folds_case(self) -> bool:
        """Whether ``a`` and ``A`` are one key here, as `layout.key_for` wants to know. Right after `check`."""
        ...

    async def check(self, *, create: bool = False) -> None:
        """Prove that the store can be used."""
        ...

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        """Store a body under a key, whole or not at all."""
        ...

    async def head(self, key: str) -> StoredObject | None:
        """Return what is known of one object."""
        ...

    def get(self, key: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the objects whose key starts with ``prefix``, sorted."""
        ...

    async def is_empty(self) -> bool:
        """Say whether the store holds no content; cheap, whatever it holds."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        ...

    async def aclose(self) -> None:
        """Release connections and threads; safe to call twice."""
        ...

    async def __aenter__(self) -> Self:
        """Enter: nothing is contacted yet."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        ...


Entry = tuple[str, int, str | None, str | None]
"""One object of a listing, as small as it can be: key, size in bytes, change token, and the time as the store wrote it."""

Page = list[Entry]
"""Some of a listing's entries. (Beside a method ``list`` the type can't be written out.)"""


LeftOut = Callable[[str, str], None]
"""Takes the key of an object that is there and can't take part, and why."""


@runtime_checkable
class ListsByPage(Protocol):
    """A store that gives its listing as it comes, in the server's own order and by the page: a million keys cost little."""

    def pages(self, prefix: str = "", *, left_out: LeftOut | None = None) -> AsyncIterator[list[Entry]]:
        """Yield what ``list`` does, in no certain order. ``left_out`` is told of each object that this contract allows no key for."""
        ...


@runtime_checkable
class MakesDurable(Protocol):
    """A store that may hold an object whose bytes are not durable yet: written by another program, or by a run that died."""

    async def make_durable(self, key: str) -> None:
        """Make an object that is there as durable as one that `put` returned."""
        ...


@runtime_checkable
class CopiesWithin(Protocol):
    """A store whose server copies objects itself, without their bytes passing through here."""

    def copies_from(self, other: object) -> bool:
        """Whether ``other`` is a store on the same service, reached as the same user."""
        ...

    async def copy_from(self, other: object, found: StoredObject, sha256: str | None) -> StoredObject:
        """Copy an object of ``other`` to the same key here, with its attributes, whole or not at all.

        ``found`` is it as listed: when its token is no longer that, nothing is copied and `ObjectMissing` is raised.
        ``sha256`` is recorded with the copy where it is known and the source's metadata do not say it.
        """
        ...


@runtime_checkable
class Sweeps(Protocol):
    """A store where a run that was killed may leave something half-written behind."""

    async def leftovers(self, *, before: datetime) -> builtins.list[str]:
        """Return what was begun before that moment and never finished, as people may be told of it."""
        ...

    async def sweep(self, *, before: datetime) -> int:
        """Remove it; return how many. Never called by itself: another run may be writing."""
        ...
