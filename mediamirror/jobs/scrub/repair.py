"""Putting back the recorded bytes of a damaged or missing object: from a second mirror, or from where it was fetched.

An object whose bytes are right under a wrong Content-Type is stored again as it is, under the type of its bytes.

Only bytes with the recorded sha256 are ever stored, and they replace the damaged ones in one step: a reader sees the old
object or the sound one. The damaged bytes are not kept: what they should have been is there again.
"""

from __future__ import annotations

from pathlib import Path

from mediamirror.errors import FetchError, ImageError, StoreError
from mediamirror.fetch.request import Fetcher, Request
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.header import read_header
from mediamirror.jobs.sync.local import content_type_of
from mediamirror.jobs.sync.places import Place, drop
from mediamirror.model import Body, OpaqueFacts, StoredObject
from mediamirror.redact import redact_url
from mediamirror.store.base import AS_ATTACHMENT, ObjectAttributes, Store


@dataclass(frozen=True, slots=True)
class Damaged:
    """An object to be repaired. ``wanted`` is the sha256 it should have, ``there`` what the store says of it now, if it is there.

    ``url`` is where its bytes were fetched from, ``content_type`` what it was stored as; None where nobody knows.
    """

    key: str
    wanted: str
    there: StoredObject | None = None
    url: str | None = None
    content_type: str | None = None
    mislabelled: bool = False
    """Whether its bytes are right, and ``content_type`` is what they should be stored as."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of it. ``source`` is where the bytes came from, None when no place had them; then ``notes`` say why.

    ``stored`` is the object as it is now; None when it was not repaired, and in a dry run.
    """

    source: str | None
    stored: StoredObject | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    notes: tuple[str, ...] = ()


Found = tuple[Body | None, str, ObjectAttributes | None]
"""Bytes, where they came from, and what that place keeps beside them."""
_NOTHING: Found = (None, "", None)


class Repairer:
    """Looks for the bytes, the nearer place first: ``second``, then the origin. Safe to call concurrently."""

    def __init__(self, store: Store, *, own: Place, second: Place | None, fetcher: Fetcher | None, spool: Path) -> None:
        self._store = store
        self._own = own
        self._second = second
        self._fetcher = fetcher
        self._spool = spool

    async def repair(self, damaged: Damaged) -> Repaired:
        """Put the recorded bytes back if any place has them. Raises `StoreError` when the store does not take them."""
        notes: list[str] = []
        received = 0
        places = (self._from_itself,) if damaged.mislabelled else (self._from_second, self._from_origin)
        for find in places:
            body, source, beside = await find(damaged, notes)
            if body is None:
                continue
            received += body.size
            try:
                if body.sha256 != damaged.wanted:
                    notes.append(f"{source} has other bytes now (sha256 {body.sha256[:16]}…), which were not stored")
                    continue
                return replace(await self._put(damaged, body, source, beside), bytes_in=received)
            finally:
                drop(body, spool=self._spool)
        return Repaired(None, bytes_in=received, notes=tuple(notes))

    async def _from_itself(self, damaged: Damaged, notes: list[str]) -> Found:
        body, source, _ = await _loaded(self._own, damaged.key, notes)
        return body, source, None

    async def _from_second(self, damaged: Damaged, notes: list[str]) -> Found:
        return await _loaded(self._second, damaged.key, notes) if self._second is not None else _NOTHING

    async def _from_origin(self, damaged: Damaged, notes: list[str]) -> Found:
        if self._fetcher is None:
            return _NOTHING
        if damaged.url is None:
            notes.append("where it was fetched from is not recorded")
            return _NOTHING
        try:
            download = await self._fetcher.fetch(Request(damaged.url))
        except FetchError as error:
            notes.append(error.message.rstrip("."))
            return _NOTHING
        return download.body, redact_url(damaged.url), None

    async def _put(self, damaged: Damaged, body: Body, source: str, beside: ObjectAttributes | None) -> Repaired:
        if self._store.previews:
            return Repaired(source)
        stored = await self._store.put(damaged.key, body, _attributes(damaged, body, beside))
        return Repaired(source, stored, bytes_out=body.size)


async def _loaded(place: Place, key: str, notes: list[str]) -> Found:
    try:
        content = await place.load(StoredObject(key, 0))
    except (StoreError, FetchError) as error:
        notes.append(error.message.rstrip("."))
        return _NOTHING
    return content.body, f"{place.name}/{key}", content.attributes


def _attributes(damaged: Damaged, body: Body, beside: ObjectAttributes | None) -> ObjectAttributes:
    """What the object had beside its bytes, as recorded. A drawing is an attachment.

    | there is                               | type                                     | metadata and headers                |
    |----------------------------------------|------------------------------------------|-------------------------------------|
    | the object, as a store of ours wrote it | the recorded one, else that of its bytes | its own                             |
    | another program's object, or nothing   | the same                                 | ``beside``, else as `mirror` writes |
    """
    there, recorded = damaged.there, damaged.content_type
    ours = there is not None and there.sha256 is not None
    kind = recorded or content_type_of(damaged.key, body.prefix)
    if recorded is None and there is not None and there.content_type and not kind.startswith("image/"):
        kind = there.content_type  # only an image tells its own type
    if there is not None and (ours or damaged.mislabelled):
        attributes = ObjectAttributes(kind, metadata=there.metadata, headers=there.headers)
    elif beside is not None and beside.metadata:
        attributes = replace(beside, content_type=recorded or beside.content_type)
    else:
        attributes = ObjectAttributes(kind, metadata=_as_mirrored(damaged, body))
    served = {name for name, _ in attributes.headers}
    if attributes.content_type != OpaqueFacts().content_type or AS_ATTACHMENT[0] in served:
        return attributes
    return replace(attributes, headers=(*attributes.headers, AS_ATTACHMENT))


def _as_mirrored(damaged: Damaged, body: Body) -> tuple[tuple[str, str], ...]:
    if damaged.url is None:
        return ()
    own = (("source-url", redact_url(damaged.url, room=None)),)
    try:
        facts = read_header(body.data or body.prefix)
    except ImageError:
        return own
    return (*own, ("width", str(facts.width)), ("height", str(facts.height)))
