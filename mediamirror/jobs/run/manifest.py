"""The manifest of a bucket: immutable segments under ``_mediamirror/manifest/``, the newest row per key wins.

Each run that changed something adds one segment, whose name no other run can have; none is ever rewritten. The rows are JSON,
one a line, gzipped:

    {"type": "object", "key", "sha256", "size", "token", "content_type", "url", "format", "width", "height",
     "facts": {"decoded", "frames", "mode", "alpha", "icc", "orientation", "has_gps", "corrected_width", "corrected_height"},
     "origins": [{"url", "fetched_at", "status", "final_url", "content_type", "etag", "last_modified", "source_sha256",
                  "source_size", "asked"}]}
    {"type": "deleted", "key"}
    {"type": "set", "id", "status": "whole" | "partial", "document", "line", "alt", "context",
     "objects": [{"url", "key", "width", "density"}], "missing": [{"url", "width", "density", "reason"}],
     "row": {...}, "other_rows": [{"document", "line", "row": {...}}]}

``row`` has the plain columns of the input's row that the document is, and ``other_rows`` has those of further rows that name the
set, at most 100; a set of other documents has neither, and no segment of an early release does.

A set's row is written when the last of its rungs is settled, and says ``partial`` with what is missing while one is: a reader
never takes a set with a hole for a whole one. A directory has one too: after a move its change tokens mean nothing any more, and
the sha256 of each object still does (decision 0053).

Many segments can be compacted: they become one that says the same, and only then do the old ones go. The new one is named after
the newest that it replaces, and sorts right behind it: a segment that another machine writes meanwhile stays newer. Old ones go
oldest first, so that what is left of them after a kill never brings a deleted key back.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import secrets
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import NoneType
from typing import IO, Any

from mediamirror.catalog.adoption import adopted_of, put_adopted, put_manifest_sets
from mediamirror.catalog.catalog import Catalog, as_time
from mediamirror.catalog.ingest import store_id
from mediamirror.catalog.manifest import (
    FACTS,
    ManifestObject,
    Origin,
    begin_manifest,
    drop_manifest,
    drop_published,
    drop_unknown,
    knows_manifest,
    note_manifest,
    published_sets,
    put_published,
    read_gone,
    read_manifest,
    read_new,
)
from mediamirror.catalog.stored_sets import NamedBy, is_new_here, sets_of_rows
from mediamirror.errors import ManifestDamaged, ObjectCorrupt, SourceChanged, StoreError
from mediamirror.jobs.run.pipeline import WorkList, pages
from mediamirror.model import Body, ItemError, Problem, SetResult, SetRow, Status
from mediamirror.redact import is_redacted, redact_text, redact_values, suspicious
from mediamirror.scratch import scratch_folder
from mediamirror.store.base import RESERVED, ObjectAttributes, Store, bounded, reason_against

SEGMENTS = f"{RESERVED}manifest/"
ASIDE = f"{RESERVED}damaged/"
"""Where `set_damaged_aside` puts segments that can't be read: no part of the manifest any more, and nothing of them is lost."""

LONGEST_ROW = 1024 * 1024
"""Bytes of one row that are read at most; a set with a thousand rungs has a tenth of that."""

_MOST_INFLATED = 64 * 1024 * 1024
_MOST_RATIO = 100
"""How many bytes a segment may inflate to: 64 MiB, and then a hundred times its own size. Ours reach about fifteen times."""

_LARGEST = 2**63 - 1
_TEXT, _WHOLE = (str, NoneType), (int, NoneType)
_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "object": {
        **{"key": (str,), "sha256": (str,), "size": (int,), "token": (str,)},
        **{"content_type": _TEXT, "url": _TEXT, "format": _TEXT, "width": _WHOLE, "height": _WHOLE},
        **{"facts": (dict, NoneType), "origins": (list, NoneType)},
    },
    "deleted": {"key": (str,)},
    "set": {
        **{"id": (str,), "status": (str,), "document": _TEXT, "line": _WHOLE, "alt": _TEXT, "context": _TEXT},
        **{"objects": (list,), "row": (dict, NoneType), "other_rows": (list, NoneType)},
    },
}
_NAMED: dict[str, tuple[type, ...]] = {"document": (str,), "line": (int,), "row": (dict,)}
_RUNG = {"url": (str,), "width": _WHOLE, "density": (int, float, NoneType), "key": _TEXT, "reason": _TEXT}
_ORIGIN: dict[str, tuple[type, ...]] = {
    **{"url": (str,), "fetched_at": _TEXT, "status": _WHOLE, "final_url": _TEXT, "content_type": _TEXT},
    **{"etag": _TEXT, "last_modified": _TEXT, "source_sha256": _TEXT, "source_size": _WHOLE, "asked": _TEXT},
}
_OF_BYTES: dict[str, tuple[type, ...]] = {**dict.fromkeys(FACTS, _WHOLE), "mode": _TEXT}
"""What a row of each type holds, and of which types of JSON; what stands there besides is left alone."""

_CHUNK = 64 * 1024
_STAMP = "%Y%m%dT%H%M%S.%fZ"


def segment_name(at: datetime) -> str:
    """Return the key of a new segment: names sort by time, and no two are the same."""
    return f"{SEGMENTS}{at:{_STAMP}}-{secrets.token_hex(6)}.jsonl.gz"


async def write_segment(
    catalog: Catalog, store: Store, store_id: int, *, at: datetime, sets: AsyncIterator[SetResult] | None = None
) -> Problem | None:
    """Write what the manifest does not say yet as one segment, if there is anything: of the objects, and of ``sets``.

    The catalog's rows speak of durable bytes, so the segment does; it is marked as written only after it is durable itself.
    A store that refuses it gives a `Problem`: the next run that changes something says it all again.
    """
    if not await has_manifest(store):
        await catalog.write(drop_published, store_id)  # what was told once is told no more: somebody removed it
    if not await catalog.read(knows_manifest, store_id):
        await adopt(catalog, store, store_id, records=False)
        # What only another machine knows of is not gone because it is not known here.
        await catalog.write(drop_unknown, store_id)
    with (
        scratch_folder() as folder,
        WorkList[tuple[str, str, str]]() as objects,
        WorkList[str]() as gone,
        WorkList[tuple[str, str]]() as told,
    ):
        path = folder / "segment.gz"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
            async for row in catalog.rows(read_new, store_id):
                write_row(file, object_row(row))
                objects.append((row.key, row.sha256, row.token))
            async for key in catalog.rows(read_gone, store_id):
                write_row(file, {"type": "deleted", "key": key})
                gone.append(key)
            if sets is not None:
                await _write_sets(catalog, store_id, sets, file, told)
        if not len(objects) + len(gone) + len(told):
            return None
        try:
            await store.put(await _newest_name(store, at), segment_body(path), ObjectAttributes("application/gzip"))
        except StoreError as error:
            return Problem("manifest-not-written", f"The manifest of {store.name} was not written: {error.message}")
        await _mark(catalog, store_id, objects, gone, told)
        return None


async def _newest_name(store: Store, at: datetime) -> str:
    """Return a name that sorts after those that are there, also when the clock was set back since they were written."""
    newest = ""
    async for found in store.list(SEGMENTS):
        newest = found.key
    if (name := segment_name(at)) > newest:
        return name
    try:
        last = datetime.strptime(newest[len(SEGMENTS) :].partition("-")[0], _STAMP)
        return segment_name(last + timedelta(microseconds=1))
    except ValueError:
        return name
    except OverflowError:
        raise ObjectCorrupt(f"{store.name}/{newest} names the end of all time: remove it.") from None


async def _write_sets(
    catalog: Catalog, store_id: int, sets: AsyncIterator[SetResult], file: IO[str], told: WorkList[tuple[str, str]]
) -> None:
    async for page in pages(sets):
        rows = await set_rows(catalog, page)
        known = await catalog.read(published_sets, store_id, [row["id"] for row in rows])
        for row in rows:
            if known.get(row["id"]) != (digest := _digest(row)):
                write_row(file, row)
                told.append((row["id"], digest))


async def _mark(
    catalog: Catalog,
    store_id: int,
    objects: WorkList[tuple[str, str, str]],
    gone: WorkList[str],
    sets: WorkList[tuple[str, str]],
) -> None:
    async for page in pages(aiter(objects)):
        await catalog.write(put_published, store_id, objects=page)
    async for keys in pages(aiter(gone)):
        await catalog.write(put_published, store_id, gone=keys)
    async for pairs in pages(aiter(sets)):
        await catalog.write(put_published, store_id, sets=pairs)


def _digest(row: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def object_row(row: ManifestObject) -> dict[str, Any]:
    """Return the JSON of one object."""
    told = {"type": "object"} | {name: getattr(row, name) for name in ManifestObject.__slots__}
    told["origins"] = [
        {name: said for name in Origin.__slots__ if (said := getattr(each, name)) is not None} for each in row.origins
    ]
    return told


async def set_rows(catalog: Catalog, results: Sequence[SetResult]) -> list[dict[str, Any]]:
    """Return the JSON of the image sets of which anything is stored, with the columns of the input's rows that name them."""
    rows = [row for row in map(set_row, results) if row["objects"]]
    places = await catalog.read(sets_of_rows, [row["id"] for row in rows])
    return [row | _columns(places[row["id"]]) if row["id"] in places else row for row in rows]


def _columns(places: Sequence[NamedBy]) -> dict[str, Any]:
    """The fields of a set that rows of an input name: the place where it was found first, and the further rows."""
    told: list[dict[str, Any]] = [
        {
            "document": redact_text(each.document),
            "line": each.line,
            # Each by itself: a column may have the name `key`, which is exact everywhere else.
            "row": {name: redact_values(value) for name, value in (each.columns or {}).items()},
        }
        for each in places
    ]
    first, *further = told
    others, room = [], LONGEST_ROW // 2  # the rungs have the other half
    for row in further:
        room -= len(json.dumps(row))
        if room < 0:
            break
        # Documents whose names differ in a secret alone can't be told apart by what is left.
        if not is_redacted(row["document"]):
            others.append(row)
    if is_redacted(first["document"]) or not first["row"]:
        del first["row"]
    return first | ({"other_rows": others} if others else {})


def set_row(result: SetResult) -> dict[str, Any]:
    """Return the JSON of one image set: what of it is stored where, and what is missing and why."""
    stored = [row for row in result.rows if row.key is not None and row.error is None]
    wanted = [row for row in result.rows if row.status is None or row.status.value != "skipped"]
    missing = [row for row in wanted if row.key is None or row.error is not None]
    urls = sorted({row.url for row in result.rows})
    row: dict[str, Any] = {
        "type": "set",
        "id": hashlib.sha256("\n".join(urls).encode()).hexdigest()[:32],
        "status": "partial" if missing else "whole",
        "document": result.document,
        "line": result.line,
        "alt": result.alt,
        "context": result.context,
        "objects": [_rung(row) | {"key": row.key} for row in stored],
        "missing": [_rung(row) | {"reason": row.error.code if row.error else "not reached"} for row in missing],
    }
    told: dict[str, Any] = redact_values(row)
    return told


def set_of_row(row: dict[str, Any]) -> SetResult:
    """Undo `set_row`, as far as it tells."""
    rungs: list[tuple[dict[str, Any], ItemError | None]] = [(rung, None) for rung in row["objects"]]
    rungs += [(rung, ItemError(str(rung.get("reason")), "")) for rung in row.get("missing", ())]
    rows = tuple(
        SetRow(
            str(rung.get("url")),
            declared_width=rung.get("width"),
            density=rung.get("density"),
            status=None if error else Status.STORED,
            key=rung.get("key"),
            error=error,
        )
        for rung, error in rungs
    )
    return SetResult(str(row.get("document")), int(row.get("line") or 0), rows, row.get("alt"), row.get("context"))


def _rung(row: SetRow) -> dict[str, Any]:
    return {"url": row.url, "width": row.declared_width, "density": row.density}


async def read_segments(store: Store) -> AsyncIterator[dict[str, Any]]:
    """Yield every row of every segment, oldest first, in bounded memory: whoever keeps the last row per key has it right.

    Raises `ObjectCorrupt` for a segment that is damaged, before any row that lies behind the damage.
    """
    async for found in store.list(SEGMENTS):
        if found.key.endswith(".jsonl.gz"):
            async for row in read_segment(store, found.key, found.size):
                yield row


async def has_manifest(store: Store) -> bool:
    """Whether any segment of a manifest lies in a store."""
    async for _ in store.list(SEGMENTS):
        return True
    return False


async def partial_sets(store: Store) -> AsyncIterator[SetResult]:
    """Yield the image sets whose newest row says that something of them is missing; memory holds those alone."""
    partial: dict[str, SetResult] = {}
    async for row in read_segments(store):
        if row["type"] == "set":
            partial.pop(row["id"], None)
            if row["status"] == "partial":
                partial[row["id"]] = set_of_row(row)
    for result in partial.values():
        yield result


async def take_in(catalog: Catalog, store: Store, identity: str) -> int:
    """The id of a place in the catalog, which then knows what the place's manifest says, if it knew nothing of the place.

    For the start of a run, when nothing is done yet: raises `ManifestDamaged`.
    """
    found = await catalog.write(store_id, identity)
    if await catalog.read(is_new_here, found):
        try:
            await adopt(catalog, store, found)
        except ObjectCorrupt as error:
            raise ManifestDamaged(
                f"{error.message} Or let `mediamirror catalog rebuild DEST` set the segment aside and make a catalog from the files "
                "and what is whole of the manifest. Nothing was done."
            ) from error
    return found


async def adopt(catalog: Catalog, store: Store, store_id: int, *, records: bool = True) -> None:
    """Take what the manifest says into a catalog that has not read it yet: objects, where they came from, and image sets.

    Without ``records`` only so that it is not said again: what the catalog knows of the objects is newer.
    """
    await load_manifest(catalog, store)
    await catalog.write(drop_published, store_id)
    async for page in pages(catalog.rows(read_manifest)):
        objects = [manifest_object(row) for row in page if row["type"] == "object"]
        sets = [row for row in page if row["type"] == "set"]
        if records:
            await catalog.write(put_adopted, store_id, 0, [adopted_of(each, each.token) for each in objects])
            await catalog.write(put_manifest_sets, store_id, 0, sets)
        told = [(row["id"], _digest(row)) for row in sets]
        states = [(each.key, each.sha256, each.token) for each in objects]
        await catalog.write(put_published, store_id, objects=states, sets=told)


def manifest_object(row: dict[str, Any]) -> ManifestObject:
    """Undo `object_row`."""
    fields = {name: row.get(name) for name in ManifestObject.__slots__}
    fields["facts"] = {name: value for name, value in (row.get("facts") or {}).items() if name in FACTS}
    names = Origin.__slots__
    fields["origins"] = tuple(Origin(**{n: each.get(n) for n in names}) for each in row.get("origins") or ())
    return ManifestObject(**fields)  # type: ignore[arg-type]


async def read_segment(store: Store, key: str, size: int) -> AsyncIterator[dict[str, Any]]:
    """Yield every row of one segment. Raises `ObjectCorrupt` for one that is damaged, at the latest at its end."""
    try:
        async for row in _rows(store, key, size):
            yield row
    except _DAMAGE as error:
        raise ObjectCorrupt(
            f"{_damaged(store, key, error)} Put it back from another copy of the mirror; or remove it, and run the same command "
            f"again. {LOST}"
        ) from error


LOST = "For a file that is in no other segment, the mirror's own record of its URL, its sha256 and its image sets is then lost."
_DAMAGE = (zlib.error, ValueError, RecursionError, SourceChanged)
"""What reading a segment raises where its bytes are none."""


def _damaged(store: Store, key: str, error: Exception) -> str:
    return f"The manifest segment {store.name}/{key} is damaged ({error})."


async def set_damaged_aside(store: Store) -> list[str]:
    """Move every damaged segment out of the manifest, under `ASIDE`; return a sentence or two about each.

    A copy is durable before the segment goes. Raises `StoreError` where it can't be copied whole, or may not be.
    """
    said = []
    for found in [row async for row in store.list(SEGMENTS) if row.key.endswith(_END)]:
        try:
            async for _ in _rows(store, found.key, found.size):
                pass
        except _DAMAGE as error:
            aside = ASIDE + found.key.removeprefix(SEGMENTS)
            with scratch_folder() as folder:
                path = folder / "segment.gz"
                with path.open("wb") as file:
                    async for chunk in bounded(store.get(found.key), found.size, found.key):
                        file.write(chunk)
                await store.put(aside, segment_body(path), ObjectAttributes("application/gzip"))
            await store.delete(found.key)
            said.append(f"{_damaged(store, found.key, error)} It was set aside as {store.name}/{aside}.")
    return said


async def _rows(store: Store, key: str, size: int) -> AsyncIterator[dict[str, Any]]:
    async for line in _lines(store, key, size):
        if (row := checked_row(line)) is not None:
            yield row


async def _lines(store: Store, key: str, size: int) -> AsyncIterator[bytes]:
    inflate, rest, left = zlib.decompressobj(wbits=31), b"", _MOST_INFLATED + _MOST_RATIO * size
    async for chunk in bounded(store.get(key), size, key):
        while chunk:
            data = inflate.decompress(chunk, _CHUNK)
            rest, left = rest + data, left - len(data)
            if left < 0:
                raise ValueError("it decompresses to more than any manifest contains")
            chunk = inflate.unconsumed_tail  # noqa: PLW2901
            *lines, rest = rest.split(b"\n")
            if len(rest) > LONGEST_ROW:
                raise ValueError("a row is too long")
            for line in lines:
                yield line
    if rest or not inflate.eof:
        raise ValueError("it ends too early")


def checked_row(line: bytes | str) -> dict[str, Any] | None:
    """Read one row; None for one of a type that is not known here. Raises `ValueError` for what is no row."""
    row = json.loads(line)
    kind = row.get("type") if isinstance(row, dict) else None
    if isinstance(kind, str) and kind not in _FIELDS:
        return None
    if not isinstance(kind, str) or not _fits(row, _FIELDS[kind]):
        raise ValueError("a row lacks a field, or has one of the wrong type")
    if kind == "set":
        bytes.fromhex(row["id"])
        missing = row.get("missing", [])
        rungs = [*row["objects"], *missing] if isinstance(missing, list) else [None]
        if not all(isinstance(rung, dict) and _fits(rung, _RUNG) for rung in rungs):
            raise ValueError("a set has an invalid variant")
        if not (_is_plain(row.get("row") or {}) and all(map(_is_named, row.get("other_rows") or ()))):
            raise ValueError("a set has an invalid input row")
    elif (reason := reason_against(row["key"])) is not None:
        raise ValueError(f"a row has an invalid key: {reason}")
    elif not all(isinstance(each, dict) and _is_origin(each) for each in row.get("origins") or ()):
        raise ValueError("an object has an invalid origin")
    elif not _fits(row.get("facts") or {}, _OF_BYTES):
        raise ValueError("an object has invalid image properties")
    return dict(row)


def _is_named(row: object) -> bool:
    return isinstance(row, dict) and _fits(row, _NAMED) and _is_plain(row["row"])


def _is_plain(columns: dict[str, Any]) -> bool:
    """Whether these are columns as they are kept of an input's row: texts, numbers and truth values."""
    if not all(isinstance(value, str | int | float) for value in columns.values()):
        return False
    # A lone surrogate is a ValueError, and so is what is no number.
    json.dumps(columns, ensure_ascii=False, allow_nan=False).encode()
    return True


def _is_origin(row: dict[str, Any]) -> bool:
    return _fits(row, _ORIGIN) and (row.get("fetched_at") is None or as_time(row["fetched_at"]) is not None)


def _fits(row: dict[str, Any], fields: dict[str, tuple[type, ...]]) -> bool:
    """Whether each field is of a type that it may have, and can be kept in a catalog."""
    return all(type(row.get(name)) in kinds and _can_be_kept(row.get(name)) for name, kinds in fields.items())


def _can_be_kept(value: object) -> bool:
    if isinstance(value, str):
        value.encode()  # a lone surrogate is a ValueError
    return not isinstance(value, int | float) or (0 <= value <= _LARGEST and math.isfinite(value))


def write_row(file: IO[str], row: dict[str, Any]) -> None:
    """Write one row of a segment. Who may read the bucket was not given the secrets in its URLs."""
    line = json.dumps(row, separators=(",", ":"))
    file.write((json.dumps(redact_values(row), separators=(",", ":")) if suspicious(line) else line) + "\n")


def segment_body(path: Path) -> Body:
    """Return a finished segment as a store takes it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Body(path.stat().st_size, digest, path=path)


_END = ".jsonl.gz"


async def load_manifest(catalog: Catalog, store: Store) -> list[str]:
    """Take the manifest into the catalog's temporary table; return the keys of its segments, oldest first.

    Raises `ObjectCorrupt` for a damaged segment.
    """
    await catalog.write(begin_manifest)
    found = [(row.key, row.size) async for row in store.list(SEGMENTS) if row.key.endswith(_END)]
    for name, size in found:
        async for page in pages(read_segment(store, name, size)):
            await catalog.write(note_manifest, page)
    return [name for name, _ in found]


async def compact(catalog: Catalog, store: Store, absent: WorkList[str]) -> tuple[str, int] | None:
    """Replace all segments by one without the ``absent`` keys; return its key and how many were replaced.

    None when there is nothing to gain. Raises `StoreError`.
    """
    names, dropped = await load_manifest(catalog, store), 0
    async for keys in pages(aiter(absent)):
        dropped += await catalog.write(drop_manifest, keys)
    if not names or (len(names) < 2 and not dropped):
        return None
    key = f"{names[-1].removesuffix(_END)}_{secrets.token_hex(3)}{_END}"
    with scratch_folder() as folder:
        path = folder / "segment.gz"
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=6) as file:
            await _write_all(catalog, file)
        await store.put(key, segment_body(path), ObjectAttributes("application/gzip"))
    for name in names:
        await store.delete(name)
    return key, len(names)


async def _write_all(catalog: Catalog, file: IO[str]) -> None:
    async for row in catalog.rows(read_manifest):
        write_row(file, row)
