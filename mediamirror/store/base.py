"""The store: a place for objects by key, with one small contract that every implementation keeps, and what it asks of keys.

tests/conformance holds the suite that each store passes, on every server it is used with.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import quote

from mediamirror.errors import BadKey, ObjectCorrupt, SourceChanged
from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Body, StoredObject

RESERVED = "_mediamirror/"
"""The prefix at a store's root that is ours: manifests and quarantine, never content."""

MAX_KEY_BYTES = 1024
"""Longest key, in bytes of UTF-8; S3's own limit. A store with a prefix counts the prefix too."""

PREFIX = 64 * 1024
"""First bytes of a body that are at hand, as `model.Body` promises."""

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


Entry = tuple[str, int, str | None, str | None]
"""One object of a listing, as small as it can be: key, size in bytes, change token, and the time as the store wrote it."""

Page = list[Entry]
"""Some of a listing's entries. (Beside a method ``list`` the type can't be written out.)"""

LeftOut = Callable[[str, str], None]
"""Takes the key of an object that is there and can't take part, and why."""

_PAGE = 1_000


class Store(Protocol):
    """Objects by key.

    Keys: relative, ``/``-separated, 1 to 1,024 bytes of UTF-8, no empty, ``.`` or ``..`` segment, no control character;
    anything else is `BadKey`. A key is independent of every other: storing ``a/b`` never disturbs ``a``, except in a
    directory, where the two can't both be files: the second put is `BadKey` and the first object stays.

    Nor may a key hold a backslash (some servers take it for a slash) or start with ``_mediamirror/tmp/`` (where a store
    keeps what is not whole yet). What lies under `RESERVED` is put, read and deleted like anything else, but ``list`` shows
    it only where the prefix names it: ``list("")`` is content alone.

    - ``check`` is called once before the first item: it proves that the store can be reached, or raises
      `StoreRefused`, `DestinationMissing` or `BadDestination` with what to do; with ``create=True`` a directory is made (a bucket
      where its options say so); with ``writes=False`` nothing is written and only reading is proved.
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

    Every method may be called concurrently. Errors are of `StoreError`; ``StoreUnavailable`` is raised only after the
    store's own bounded retries. A store names this class as its base: what it can't do better it has from here.
    """

    @property
    def name(self) -> str:
        """How people call it: a path or ``s3://bucket/prefix``. No secret in it."""
        ...

    @property
    def folds_case(self) -> bool:
        """Whether ``a`` and ``A`` are one key here, as `layout.key_for` wants to know. Right after `check`."""
        return False

    @property
    def local_root(self) -> Path | None:
        """The directory where each object is the file of its key, or None where there is none.

        Who only reads may read these files by their paths. Who writes holds the directory itself with a lock of the kernel's, and
        may then sweep it; a store without has no lock of its own. Nor has it attributes: they are told from the bytes.
        """
        return None

    @property
    def previews(self) -> bool:
        """Whether nothing is written here, since the run is a dry one: whoever would only read in order to write need not."""
        return False

    async def check(self, *, create: bool = False, writes: bool = True) -> None:
        """Prove that the store can be used."""
        ...

    async def put(self, key: str, body: Body, attributes: ObjectAttributes) -> StoredObject:
        """Store a body under a key, whole or not at all."""
        ...

    async def head(self, key: str) -> StoredObject | None:
        """Return what is known of one object."""
        ...

    async def heads(self, keys: Sequence[str]) -> Mapping[str, StoredObject]:
        """Return what ``head`` would of many keys, by the key; those that are missing, or can't be keys here, are left out."""
        found = {key: await self.head(key) for key in keys}
        return {key: row for key, row in found.items() if row is not None}

    def get(self, key: str) -> AsyncIterator[bytes]:
        """Yield an object's bytes."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Yield the objects whose key starts with ``prefix``, sorted."""
        ...

    async def pages(self, prefix: str = "", *, left_out: LeftOut | None = None) -> AsyncIterator[Page]:  # noqa: ARG002
        """Yield what ``list`` does by the page, in no certain order: a million keys cost little.

        ``left_out`` is told of each object that this contract allows no key for.
        """
        page: Page = []
        async for row in self.list(prefix):
            page.append((row.key, row.size, row.token, None))
            if len(page) >= _PAGE:
                yield page
                page = []
        yield page

    async def is_empty(self) -> bool:
        """Say whether the store holds no content; cheap, whatever it holds."""
        async for _ in self.list():
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove an object; a missing one is fine."""
        ...

    async def make_durable(self, key: str) -> None:
        """Make an object that is there as durable as one that `put` returned.

        Only a directory holds others: what another program wrote, or a run that died.
        """
        del key

    def copies_from(self, other: Store) -> bool:  # noqa: ARG002
        """Whether the server itself can copy objects of ``other`` here: the same service, reached as the same user."""
        return False

    async def copy_from(self, other: Store, found: StoredObject, sha256: str | None) -> StoredObject:  # noqa: ARG002
        """Copy an object of ``other`` to the same key here, with its attributes, whole or not at all; where `copies_from` is true.

        ``found`` is it as listed: when its token is no longer that, nothing is copied and `ObjectMissing` is raised.
        ``sha256`` is recorded with the copy where it is known and the source's metadata do not say it.
        """
        raise TypeError(f"{self.name} copies nothing from {other.name} by itself")

    async def leftovers(self, *, before: datetime) -> builtins.list[str]:  # noqa: ARG002
        """Return what a run that was killed began before that moment and never finished, as people may be told of it."""
        return []

    async def sweep(self, *, before: datetime) -> int:  # noqa: ARG002
        """Remove it; return how many. Never called by itself: another run may be writing."""
        return 0

    async def aclose(self) -> None:
        """Release connections and threads; safe to call twice."""
        ...

    async def __aenter__(self) -> Self:
        """Enter: nothing is contacted yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()


TEMPORARY = f"{RESERVED}tmp/"
"""Where a store may keep what is not whole yet. No key, and never listed."""

_CONTROL = pattern(r"[\x00-\x1f\x7f-\x9f]")
_PLAIN = pattern(r"(?!_mediamirror/)(?:[A-Za-z0-9_-][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""Most keys: nothing in them that any rule is about."""
_LINE_BREAKS = pattern(r"[\r\n]+")
_NOT_PRINTABLE_ASCII = pattern(r"[^\x20-\x7e]")
_METADATA_NAME = pattern(r"[a-z0-9][a-z0-9._-]*")


def checked_key(key: str, *, prefix: str = "") -> str:
    """Return ``prefix + key`` if it keeps the contract of `store.base`; else raise `BadKey` with the reason."""
    reason = reason_against(key, prefix=prefix)
    if reason is not None:
        raise BadKey(f"The key {_shown(key)} can't be stored: {reason}.")
    return prefix + key


def reason_against(key: str, *, prefix: str = "") -> str | None:
    """Name what the contract of `store.base` has against ``key`` under ``prefix``, or None."""
    whole = prefix + key
    if len(whole) <= MAX_KEY_BYTES // 4 and _PLAIN.fullmatch(key):
        return None
    return _reason_against(key, whole)


def visible(key: str, prefix: str) -> bool:
    """Whether a listing under ``prefix`` shows ``key``: what is ours only where the prefix names it."""
    if key.startswith(TEMPORARY):
        return False
    return not key.startswith(RESERVED) or prefix.startswith(RESERVED)


def checked_body(body: Body, *, size: int, sha256: str, key: str) -> None:
    """Raise `ObjectCorrupt` when the bytes handed over are not the body that was promised."""
    if size != body.size or sha256 != body.sha256:
        raise ObjectCorrupt(
            f"{key}: the {size} bytes handed to the store are not the {body.size} bytes that were received; "
            "nothing was stored. Fetch the file again."
        )


async def bounded(chunks: AsyncIterator[bytes], size: int, name: str) -> AsyncIterator[bytes]:
    """Yield the chunks of an object that has ``size`` bytes; `SourceChanged` as soon as there are more.

    What a server sends is not always what it said before: a body without an end fills whatever it is read into.
    """
    seen = 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > size:
            raise SourceChanged(
                f"{name} gives more bytes than the {size:,} it is said to have. Run the same command again."
            )
        yield chunk


class Sum:
    """The size, the sha256 and the first bytes of what goes by."""

    def __init__(self) -> None:
        self.size = 0
        self.prefix = b""
        self._digest = hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        self._digest.update(chunk)
        if len(self.prefix) < PREFIX:
            self.prefix += chunk[: PREFIX - len(self.prefix)]

    @property
    def sha256(self) -> str:
        """That of all that was taken."""
        return self._digest.hexdigest()


async def summed(chunks: AsyncIterator[bytes]) -> Sum:
    """Read to the end, and keep what there is to know."""
    seen = Sum()
    async for chunk in chunks:
        seen.add(chunk)
    return seen


def clean_metadata(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return metadata fit for HTTP headers, sorted by name.

    Names in lower case; names that are no header token are left out. In values, line breaks and runs of white space
    become one space, and what is not ASCII is percent-encoded UTF-8. S3 folds white space when it checks signatures.
    """
    cleaned = {name.lower(): clean_value(value) for name, value in pairs}
    return tuple(sorted((name, value) for name, value in cleaned.items() if _METADATA_NAME.fullmatch(name)))


def clean_value(value: str) -> str:
    """Return a header value in printable ASCII without line breaks; other characters percent-encoded."""
    if value.isascii() and value.isprintable() and "  " not in value:
        return value.strip()
    one_line = " ".join(_LINE_BREAKS.sub(" ", value).split())
    return _NOT_PRINTABLE_ASCII.sub(lambda found: quote(found[0], safe="", errors="replace"), one_line)


def _reason_against(key: str, whole: str) -> str | None:
    try:
        size = len(whole.encode())
    except UnicodeEncodeError:
        return "it holds half a character (a lone surrogate)"
    if size > MAX_KEY_BYTES:
        return f"it has {size:,} bytes with the prefix, and {MAX_KEY_BYTES:,} is the most"
    if _CONTROL.search(key):
        return "it holds a control character"
    if "\\" in key:
        return "it holds a backslash, which some servers take for a slash"
    return _reason_against_segments(key)


def _reason_against_segments(key: str) -> str | None:
    segments = key.split("/")
    if not key:
        return "it is empty"
    if "" in segments:
        return "it has an empty segment (a slash at either end, or two in a row)"
    if "." in segments or ".." in segments:
        return "it has a segment '.' or '..'"
    if key.startswith(TEMPORARY):
        return f"{TEMPORARY} is for temporary files"
    return None


def _shown(key: str) -> str:
    return ascii(key if len(key) <= 120 else f"{key[:100]}...")
