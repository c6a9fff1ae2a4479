"""Putting verified bytes into the store, at most once; with ``--strip-metadata`` without what they tell besides the picture."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mediamirror.catalog.work import KnownObject, WorkItem
from mediamirror.errors import (
    ImageError,
    NoSuchBucket,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreStopped,
    StoreUnavailable,
)
from mediamirror.fetch.request import discard
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.header import map_file, read_whole
from mediamirror.imaging.octets import NAMES, Octets
from mediamirror.imaging.strip import STRIPPED, LeftAlone, Piece, lost_picture, made, plan
from mediamirror.model import Body, Facts, OpaqueFacts, Problem, SourceBytes, Status, StoredObject
from mediamirror.redact import redact_url
from mediamirror.settings import StoreOptions
from mediamirror.store.base import AS_ATTACHMENT, ObjectAttributes, Store, Sum, bounded, summed
from mediamirror.store.layout import key_for

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ready:
    """Bytes as they go into the store, what they say, and what came from the origin."""

    body: Body
    facts: Facts
    source: SourceBytes


class Stripper:
    """Strips bodies, and counts what it had to leave as it is."""

    def __init__(self) -> None:
        self._formats: Counter[str] = Counter()
        self._odd: list[tuple[str, str]] = []
        self._lost: list[tuple[str, str]] = []

    @asynccontextmanager
    async def stripped(self, url: str, body: Body, facts: Facts) -> AsyncIterator[Ready]:
        """Give the body without its metadata; a file that was made for it is gone afterwards.

        A body that can't be stripped is given as it is, and told of by `problems`. Raises `StoreFull` when there is no room to
        make the file.
        """
        source = SourceBytes(body.sha256, body.size, facts)
        ready = Ready(body, facts, source)
        if facts.format not in STRIPPED:
            self._formats[facts.format] += 1
        else:
            try:
                # What is in memory is small: a thread would cost more than the work.
                made_, lost = _strip(body) if body.data is not None else await asyncio.to_thread(_strip, body)
                ready = Ready(made_, _facts(facts, made_, body), source)
                if lost is not None:
                    self._lost.append((url, lost))
            except LeftAlone as odd:
                self._odd.append((url, str(odd)))
        try:
            yield ready
        finally:
            if ready.body is not body:
                discard(ready.body)

    def add(self, other: Stripper) -> None:
        """Count what another one counted."""
        self._formats.update(other._formats)
        self._odd += other._odd
        self._lost += other._lost

    def taken(self) -> Stripper:
        """Return what was counted so far, and begin anew."""
        counted = Stripper()
        counted.add(self)
        self._formats, self._odd, self._lost = Counter(), [], []
        return counted

    def problems(self) -> Iterator[Problem]:
        """What was stored with whatever metadata it has: a sentence for the formats, and one for each odd file."""
        if self._formats:
            told = " and ".join(f"{count:,} {NAMES.get(name, name)}" for name, count in sorted(self._formats.items()))
            yield Problem(
                "metadata-kept",
                f"Stored with their metadata: {told}; --strip-metadata supports only WebP, JPEG and PNG.",
            )
        for url, why in self._odd:
            yield Problem("metadata-kept", f"{url} was stored with its metadata, if it has any: {why}")
        for url, what in self._lost:
            yield Problem("picture-dropped", f"{url} was stored without {what}, which came after its image data.")


def _facts(facts: Facts, stripped: Body, body: Body) -> Facts:
    return facts if stripped is body or isinstance(facts, OpaqueFacts) else replace(facts, has_gps=False)


def _strip(body: Body) -> tuple[Body, str | None]:
    """The body without its metadata, and what picture of its own it lost."""
    if body.data is not None:
        pieces = plan(body.data)
        if pieces == [(0, body.size)]:
            return body, None
        data = made(body.data, pieces)
        _check(body.data, data)
        stripped = Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data)
        return stripped, lost_picture(body.data, pieces)
    return _strip_file(body, Path(body.path or ""))


def _strip_file(body: Body, path: Path) -> tuple[Body, str | None]:
    beside = path.with_name(path.name + ".stripped")
    try:
        with path.open("rb") as file:
            whole = map_file(file)
        pieces = plan(whole)
        if pieces == [(0, body.size)]:
            return body, None
        stripped = _write(beside, whole, pieces)
        with beside.open("rb") as written:
            _check(whole, map_file(written))
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreFull(f"A stripped copy of {body.size:,} bytes can't be made ({error.strerror}).") from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return stripped, lost_picture(whole, pieces)


def _write(path: Path, whole: Octets, pieces: Sequence[Piece]) -> Body:
    seen = Sum()
    with path.open("wb") as out:
        for chunk in _chunks(whole, pieces):
            out.write(chunk)
            seen.add(chunk)
    return Body(seen.size, seen.sha256, path=path, prefix=seen.prefix)


def _chunks(whole: Octets, pieces: Sequence[Piece]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            for at in range(*piece, _CHUNK):
                yield whole[at : min(at + _CHUNK, piece[1])]


def _check(before: Octets, after: Octets) -> None:
    """Raise `LeftAlone` unless the stripped file is the same picture by its structure, and tells no place."""
    try:
        was, now = read_whole(before), read_whole(after)
    except ImageError as error:
        raise LeftAlone(f"without it the file would not be whole ({error.message})") from error
    if replace(was, has_gps=False, notes=()) != replace(now, notes=()):
        raise LeftAlone("without it the file would not say the same")


ENDURED = 50
"""Objects in a row that a destination may refuse or fail before the rest of the run is not tried."""
MAX_METADATA_VALUE = 1024
"""S3 allows 2 KiB of user metadata in all; a longer source URL is left out of it (the catalog has it)."""

SOURCE_SHA256 = "source-sha256"
"""Metadata of an object that was stripped: the sha256 of what the origin gave."""


@dataclass(frozen=True, slots=True)
class Published:
    """How the bytes came to be in the store: ``stored``, ``unchanged`` or ``duplicate``; and what they are.

    ``facts`` are of what is stored; ``source`` is what that was stripped from, if stripping was asked for.
    """

    status: Status
    stored: StoredObject
    sha256: str
    sent_bytes: int
    facts: Facts
    source: SourceBytes | None = None


class _Patience:
    """Counts the objects in a row that the destination as a whole failed; another `ENDURED` are not fetched for nothing."""

    def __init__(self) -> None:
        self._failures = 0
        self._last = ""

    def check(self) -> None:
        if self._failures >= ENDURED:
            raise StoreStopped(
                f"Not tried, because the destination failed {ENDURED} objects in a row. The last: {self._last} "
                "Fix that and run the same command again."
            )

    def failed(self, error: StoreError) -> None:
        if isinstance(error, (StoreDenied, StoreFull, NoSuchBucket, StoreUnavailable)):
            self._failures += 1
            self._last = error.message

    def worked(self) -> None:
        self._failures = 0


class Publisher:
    """Decides the key and puts the bytes, unless the store has them already.

    ``was_empty`` says that the store held nothing when the run began, which saves asking for each key. With a ``stripper``
    what it makes of the bytes is stored, under a record of both hashes.
    """

    def __init__(
        self,
        store: Store,
        options: StoreOptions,
        *,
        was_empty: bool,
        case_insensitive: bool,
        stripper: Stripper | None = None,
    ) -> None:
        self._store = store
        self._options = options
        self.was_empty = was_empty
        self._case_insensitive = case_insensitive
        self.stripper = stripper
        self._under_way: dict[str, asyncio.Lock] = {}
        self._patience = _Patience()

    @property
    def names_by_content(self) -> bool:
        """Whether keys end as the bytes are, whatever the URL says."""
        return self._options.layout == "hash" or self._options.true_endings

    def key(self, url: str, *, sha256: str | None = None, image_format: str | None = None) -> str | None:
        """Return the key of a variant; None while the bytes are not known and the key goes by them."""
        if self.names_by_content and (sha256 is None or image_format is None):
            return None
        return key_for(
            url,
            layout=self._options.layout,
            sha256=sha256,
            format=image_format,
            case_insensitive=self._case_insensitive,
            true_ending=self._options.true_endings,
        )

    def _recorded(self, item: WorkItem) -> KnownObject | None:
        fetch = item.fetch
        if fetch is None or fetch.facts is None:
            return None
        return next((o for o in item.objects if self._is_of(o, item.variant.url, fetch.sha256, fetch.facts)), None)

    def _is_of(self, known: KnownObject, url: str, fetched: str, facts: Facts) -> bool:
        """Whether an object is what this run would store, and where, for the bytes that were fetched last."""
        # What was stored as it came may hold metadata: with a stripper it has to be looked at once.
        origin = known.sha256 if self.stripper is None else known.source_sha256
        return origin == fetched and known.key == self.key(url, sha256=known.sha256, image_format=facts.format)

    async def confirm(self, item: WorkItem) -> KnownObject | None:
        """Return the recorded object if the store still holds it with the recorded size and sha256.

        Raises `StoreError` when the store can't be asked, or when it is not worth asking any more.
        """
        self._patience.check()
        recorded = self._recorded(item)
        if recorded is None:
            return None
        return recorded if _is_still(recorded, await self._store.head(recorded.key)) else None

    async def confirm_all(self, items: Sequence[WorkItem]) -> list[KnownObject | None]:
        """Return what `confirm` does of each item, the store asked for all of them at once."""
        self._patience.check()
        recorded = [self._recorded(item) for item in items]
        found = await self._store.heads([each.key for each in recorded if each is not None])
        return [each if each is not None and _is_still(each, found.get(each.key)) else None for each in recorded]

    async def adopt(self, item: WorkItem) -> StoredObject | None:
        """Return the object that holds what was fetched last: of a run that died before it could record it, or copied since.

        Told by the key and the sha256 of `told`. Raises `StoreError` when the store can't be asked.
        """
        known = None if self.was_empty else self.told(item)
        return None if known is None else await self._same(known.key, Body(known.size, known.sha256), None)

    def told(self, item: WorkItem) -> KnownObject | None:
        """The object that what was fetched last is stored as; what is stored stripped, as it is recorded."""
        fetch = item.fetch
        if self.stripper is not None or fetch is None or fetch.facts is None:
            return self._recorded(item)
        key = self.key(item.variant.url, sha256=fetch.sha256, image_format=fetch.facts.format)
        return KnownObject(key, fetch.sha256, fetch.size, None, None) if key is not None else None

    async def publish(self, item: WorkItem, kept: KnownObject | None, body: Body, facts: Facts) -> Published:
        """Make sure that the store holds ``body``, stripped if that is asked for, under its key. Raises `StoreError`."""
        try:
            published = await self._made_ready(item, kept, body, facts)
        except StoreError as error:
            self._patience.failed(error)
            raise
        self._patience.worked()
        return published

    async def _made_ready(self, item: WorkItem, kept: KnownObject | None, body: Body, facts: Facts) -> Published:
        if self.stripper is None:
            return await self._publish(item, kept, body, facts, None)
        async with self.stripper.stripped(redact_url(item.variant.url), body, facts) as ready:
            return await self._publish(item, kept, ready.body, ready.facts, ready.source)

    async def _publish(
        self, item: WorkItem, kept: KnownObject | None, body: Body, facts: Facts, source: SourceBytes | None
    ) -> Published:
        key = key_for(
            item.variant.url,
            layout=self._options.layout,
            sha256=body.sha256,
            format=facts.format,
            case_insensitive=self._case_insensitive,
            true_ending=self._options.true_endings,
        )
        if kept is not None and kept.key == key and kept.sha256 == body.sha256:
            return Published(Status.UNCHANGED, _as_stored(kept), body.sha256, 0, facts, source)
        attributes = self._attributes(item.variant.url, facts, source)
        if self._options.layout != "hash":
            there = None if self.was_empty else await self._same(key, body, source)
            if there is not None:
                return Published(Status.UNCHANGED, there, body.sha256, 0, facts, source)
            stored = await self._store.put(key, body, attributes)
            return Published(Status.STORED, stored, body.sha256, body.size, facts, source)
        async with self._turn(key):
            # Several origins may give what is the same without its metadata: the first one's hash stands beside the object.
            there = await self._same(key, body, None)
            if there is not None:
                return Published(Status.DUPLICATE, there, body.sha256, 0, facts, source)
            stored = await self._store.put(key, body, attributes)
            return Published(Status.STORED, stored, body.sha256, body.size, facts, source)

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

    async def _same(self, key: str, body: Body, source: SourceBytes | None) -> StoredObject | None:
        """The object under a key if it has these bytes, and names their ``source`` where the store keeps such things."""
        found = await self._store.head(key)
        if found is None or found.size != body.size:
            return None
        if found.sha256 is not None:
            told = source is None or dict(found.metadata).get(SOURCE_SHA256) == source.sha256
            return found if found.sha256 == body.sha256 and told else None
        seen = await summed(bounded(self._store.get(key), body.size, f"{self._store.name}/{key}"))
        if seen.sha256 != body.sha256:
            return None
        await self._store.make_durable(key)
        return found

    def _attributes(self, url: str, facts: Facts, source: SourceBytes | None) -> ObjectAttributes:
        own = [("source-url", redact_url(url, room=None))]
        if facts.width is not None:
            own += [("width", str(facts.width)), ("height", str(facts.height))]
        if source is not None:
            own.append((SOURCE_SHA256, source.sha256))
        given = self._options.metadata
        return ObjectAttributes(
            content_type=facts.content_type,
            headers=(AS_ATTACHMENT,) if isinstance(facts, OpaqueFacts) else (),
            cache_control=self._options.cache_control,
            acl=self._options.acl,
            storage_class=self._options.storage_class,
            metadata=(*given, *(pair for pair in own if len(pair[1]) <= MAX_METADATA_VALUE)),
        )


def _is_still(recorded: KnownObject, found: StoredObject | None) -> bool:
    """Whether an object has the recorded size and sha256."""
    if found is None or found.size != recorded.size or found.sha256 not in {None, recorded.sha256}:
        return False
    # Without a recorded hash in the store (a plain directory), the change token has to stand for the bytes.
    return found.sha256 is not None or recorded.token is None or found.token == recorded.token


def _as_stored(known: KnownObject) -> StoredObject:
    return StoredObject(known.key, known.size, known.sha256, known.content_type, known.token)
