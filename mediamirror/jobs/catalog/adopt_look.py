"""What one stored object is: as the manifest says, else as its metadata say, else as its bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from urllib.parse import quote

from mediamirror.catalog.adoption import Adopted, adopted_of
from mediamirror.catalog.manifest import ManifestObject, Origin
from mediamirror.errors import ImageError, ObjectMissing, SourceChanged, StoreError
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.imaging.header import read_header
from mediamirror.jobs.sync.local import PREFIX, content_type_of
from mediamirror.model import ItemError, ObjectEvent, StoredObject
from mediamirror.redact import is_redacted
from mediamirror.store.base import Store, bounded
from mediamirror.store.layout import url_of

Told = list[tuple[str, str | None]]

_PIXELS = pattern(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Task:
    """An object that a store lists, with what the manifest and a list say of it (URL, and sha256 where it is told)."""

    row: StoredObject
    manifest: ManifestObject | None
    told: Told


@dataclass(frozen=True, slots=True)
class Done:
    """What was learnt of one object: what is told of it, and what can be recorded, if anything."""

    event: ObjectEvent
    adopted: Adopted | None = None


class Looker:
    """Learns what an object is. Safe to call concurrently."""

    def __init__(self, store: Store, base_url: str | None, *, rebuild: bool) -> None:
        self._store = store
        self._base_url = base_url
        self._rebuild = rebuild

    async def look(self, task: Task) -> Done:
        """Return what can be recorded of one object; its failure is a result."""
        key = task.row.key
        try:
            adopted, reason = await self._learn(task)
        except StoreError as error:
            return Done(ObjectEvent("record", key, "failed", error=ItemError(error.code, error.message)))
        if isinstance(reason, ItemError):
            return Done(ObjectEvent("record", key, "differs from the manifest", error=reason), adopted)
        said = next((sha for _, sha in task.told if sha is not None and sha != adopted.sha256), None)
        if said is not None:
            message = f"The list says its sha256 is {said}, and it is {adopted.sha256}: it was not recorded."
            return Done(ObjectEvent("record", key, "failed", error=ItemError("object-corrupt", message)))
        return Done(ObjectEvent("record", key, reason, adopted.size), adopted)

    async def _learn(self, task: Task) -> tuple[Adopted, str | ItemError]:
        row, said = task.row, tuple(Origin(url) for url, _ in task.told)
        known = None if task.manifest is None else adopted_of(task.manifest, task.manifest.token)
        if known is not None and (known.size, known.token) == (row.size, row.token):
            return self._as_told(known, row, said), "as the manifest says"
        head = await self._store.head(row.key)
        if head is None:
            raise ObjectMissing(f"{self._store.name}/{row.key} was removed meanwhile. Run the same command again.")
        origins = said or self._guess(row.key, head.metadata)
        metadata = dict(head.metadata)
        if head.sha256 is not None and all(_PIXELS.fullmatch(metadata.get(name, "")) for name in ("width", "height")):
            kind = (head.content_type or "").removeprefix("image/") or None
            pixels = (kind, int(metadata["width"]), int(metadata["height"]))
            found = Adopted(
                row.key, head.sha256, head.size, head.token, head.content_type, origins, *pixels, head.modified
            )
            return found, "as its metadata say"
        found = await self._read(head, origins)
        if known is not None and known.sha256 == found.sha256:
            # Copied from another disk: its state there means nothing, and its bytes are proved.
            return self._as_told(known, head, said), "as the manifest says, its bytes compared"
        if known is not None:
            # What damaged it must not become what is right: a record of the manifest's bytes finds it again, and mends it.
            return replace(self._as_told(known, row, said), token=known.token, size=known.size), _differs(known, found)
        return found, "as its bytes are"

    def _as_told(self, known: Adopted, row: StoredObject, said: tuple[Origin, ...]) -> Adopted:
        origins = said or known.origins or self._guess(known.key, ())
        return replace(known, token=row.token, origins=origins, modified=row.modified)

    async def _read(self, head: StoredObject, origins: tuple[Origin, ...]) -> Adopted:
        digest, prefix, size = hashlib.sha256(), b"", 0
        async for chunk in bounded(self._store.get(head.key), head.size, f"{self._store.name}/{head.key}"):
            digest.update(chunk)
            size += len(chunk)
            prefix += chunk[: max(0, PREFIX - len(prefix))]
        again = await self._store.head(head.key)
        if again is None or (again.size, again.token) != (size, head.token):
            raise SourceChanged(f"{self._store.name}/{head.key} changed while it was read. Run the same command again.")
        try:
            facts = read_header(prefix)
        except ImageError:
            facts = None
        kind = head.content_type or content_type_of(head.key, prefix)
        found = Adopted(head.key, digest.hexdigest(), size, head.token, kind, origins, modified=head.modified)
        if facts is None:
            return found
        return replace(found, format=facts.format, width=facts.width, height=facts.height)

    def _guess(self, key: str, metadata: Iterable[tuple[str, str]]) -> tuple[Origin, ...]:
        """The URL as the object's metadata say, else from the key: under --base-url, or as the path layout made it."""
        recorded = dict(metadata).get("source-url", "")
        if (
            recorded.startswith(("http://", "https://"))
            and not is_redacted(recorded)
            and not recorded.endswith("%E2%80%A6")
        ):
            return (Origin(recorded),)
        if self._base_url is not None:
            return (Origin(f"{self._base_url.rstrip('/')}/{quote(key, safe='/~!$&()*+,;=:@')}"),)
        url = url_of(key) if self._rebuild else None
        return (Origin(url),) if url is not None else ()


def _differs(known: Adopted, found: Adopted) -> ItemError:
    return ItemError(
        "object-corrupt",
        f"Its bytes are not those that the manifest tells of (sha256 {found.sha256[:16]}…, and it says {known.sha256[:16]}…): it was "
        "recorded as the manifest says. `verify --mirror DEST --repair` puts those bytes back.",
    )
