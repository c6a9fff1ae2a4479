"""One object of a scrub: read it whole, judge it against what is recorded, and repair it where that is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from mediamirror.catalog.stored_sets import Expected, expected_sha256
from mediamirror.errors import FetchError, ImageError, NotAnImage, ObjectMissing, StoreError
from mediamirror.fetch.body import Bucket
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.header import FORMATS, read_header, read_whole_body
from mediamirror.jobs.run.switched_off import SwitchedOff
from mediamirror.jobs.scrub.repair import Damaged, Repaired, Repairer
from mediamirror.jobs.sync.places import Place, drop
from mediamirror.lint.stored import StoredSubject, check_stored
from mediamirror.lint.subject import format_of_extension, format_of_mime, split_extensions
from mediamirror.model import (
    Facts,
    Finding,
    Held,
    ItemError,
    ObjectEvent,
    OpaqueFacts,
    Outcome,
    Status,
    StoredObject,
    Suppressed,
    Variant,
)
from mediamirror.store.base import Store, bounded, summed

_BYTES_RULES = frozenset({"MM501", "MM502"})
"""Findings that the recorded bytes mend."""
_UNRECORDED_RULE = "MM507"
_TYPE_RULE = "MM503"
"""The finding that the object's own bytes mend, stored again under their type."""


@dataclass(frozen=True, slots=True)
class ScrubItem:
    """One key, by its number in the order of the keys: the object that the store lists, and all that is recorded of it."""

    number: int
    key: str
    listed: StoredObject | None
    expected: Expected | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found and what came of it. ``holding`` is what may be recorded of an object that was repaired."""

    number: int
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    off: tuple[Suppressed, ...] = ()
    repair: ObjectEvent | None = None
    holding: Held | None = None

    @property
    def bad(self) -> bool:
        """Whether the object is not as it should be, still."""
        return self.outcome.error is not None


class ObjectReader:
    """Reads one object whole, and judges it. Safe to call concurrently; ``bucket`` limits the rate of all together.

    ``place`` is the same store, for a second look at an image that was never decoded: with a ``pool`` all of its pixels.
    """

    def __init__(
        self,
        store: Store,
        place: Place,
        codes: frozenset[str],
        off: SwitchedOff,
        *,
        spool: Path,
        bucket: Bucket | None = None,
        pool: DecoderPool | None = None,
        repairer: Repairer | None = None,
    ) -> None:
        self._store = store
        self._place = place
        self._spool = spool
        self._pool = pool
        self._codes = codes
        self._off = off
        self._bucket = bucket
        self._repairer = repairer

    async def read(self, item: ScrubItem) -> Seen:
        """Return what became of the object; its failures are results."""
        try:
            subject, head, size = await self._subject(item)
        except (StoreError, FetchError) as error:
            return Seen(item.number, _failed(item, error))
        findings, off = self._off.in_mirror(check_stored(subject, self._codes))
        wrong = [finding for finding in findings if finding.severity == "error"]
        grave = any(finding.rule != _UNRECORDED_RULE for finding in wrong)
        sound = Status.UNRECORDED if subject.present and subject.recorded_sha256 is None else Status.CHECKED
        outcome = Outcome(
            Variant(item.key),
            Status.REJECTED if grave else sound,
            key=item.key,
            facts=subject.facts,
            size=size,
            sha256=subject.sha256,
            fetched_bytes=size or 0,
            error=ItemError(wrong[0].rule, wrong[0].message) if wrong else None,
        )
        seen = Seen(item.number, outcome, tuple(findings), tuple(off))
        damaged = _damage(item, subject, head, {finding.rule for finding in findings})
        if self._repairer is None or damaged is None:
            return seen
        rule = _TYPE_RULE if damaged.mislabelled else findings[0].rule
        try:
            return _mended(seen, rule, await self._repairer.repair(damaged))
        except (StoreError, FetchError) as error:
            return replace(seen, repair=_event(damaged.key, rule, None, error=ItemError(error.code, error.message)))

    async def _subject(self, item: ScrubItem) -> tuple[StoredSubject, StoredObject | None, int | None]:
        versions = item.expected.versions if item.expected else ()
        gone = StoredSubject(item.key, self._store.name, False, versions[0].sha256 if versions else None)
        if item.listed is None:
            return gone, None, None
        head = await self._store.head(item.key)
        now = head or item.listed
        try:
            seen = await summed(self._chunks(now))
        except ObjectMissing:
            return gone, None, None
        found = seen.sha256
        wanted = expected_sha256(versions, token=now.token, size=now.size, found=found)
        if wanted is None and head is not None:
            wanted = head.sha256
        served = head.content_type if head is not None else None
        subject = StoredSubject(item.key, self._store.name, True, wanted, found, served, _facts(seen.prefix))
        decoded = any(one.decoded and one.sha256 == found for one in versions)
        if not decoded and wanted in {None, found} and _should_show(subject):
            subject = replace(subject, unsound=await self._unsound(now))
        return subject, head, seen.size

    async def _unsound(self, found: StoredObject) -> str | None:
        """Why an object is no image that can be shown; None for one that is."""
        if self._bucket is not None:
            await self._bucket.take(found.size)
        body = (await self._place.load(found)).body
        try:
            await (self._pool.decode(body) if self._pool is not None else asyncio.to_thread(read_whole_body, body))
        except ImageError as error:
            return error.message
        finally:
            drop(body, spool=self._spool)
        return None

    async def _chunks(self, found: StoredObject) -> AsyncIterator[bytes]:
        async for chunk in bounded(self._store.get(found.key), found.size, f"{self._store.name}/{found.key}"):
            if self._bucket is not None:
                await self._bucket.take(len(chunk))
            yield chunk


def _damage(item: ScrubItem, subject: StoredSubject, head: StoredObject | None, rules: set[str]) -> Damaged | None:
    """What is to be repaired of an object in which these rules found something; None where nothing is, or it can't be."""
    expected = item.expected
    if rules & _BYTES_RULES and subject.recorded_sha256 is not None:
        url = (expected.url if expected else None) or (dict(head.metadata).get("source-url") if head else None)
        return Damaged(item.key, subject.recorded_sha256, head, url, expected.content_type if expected else None)
    if _TYPE_RULE in rules and subject.sha256 is not None and subject.facts is not None:
        return Damaged(item.key, subject.sha256, head, content_type=subject.facts.content_type, mislabelled=True)
    return None


def _mended(seen: Seen, rule: str, done: Repaired) -> Seen:
    key = seen.outcome.key or ""
    outcome = replace(seen.outcome, fetched_bytes=seen.outcome.fetched_bytes + done.bytes_in, sent_bytes=done.bytes_out)
    if done.source is None:
        why = "; ".join(done.notes) or "no place to take it from was given"
        error = ItemError("not-repaired", f"It could not be repaired: {why}.")
        return replace(seen, outcome=outcome, repair=_event(key, rule, None, error=error))
    event = replace(_event(key, rule, done.source), url=done.source)
    if done.stored is None:
        return replace(seen, outcome=outcome, repair=event)
    stored = done.stored
    outcome = replace(outcome, status=Status.REPAIRED, error=None, size=stored.size, sha256=stored.sha256)
    holding = stored.held(stored.sha256)
    return replace(seen, outcome=outcome, repair=replace(event, size=stored.size), holding=holding)


def _event(key: str, rule: str, source: str | None, *, error: ItemError | None = None) -> ObjectEvent:
    reason = f"{rule}, from {source}" if source else f"{rule}, no place has its bytes"
    return ObjectEvent("repair", key, reason, error=error)


def _failed(item: ScrubItem, error: StoreError | FetchError) -> Outcome:
    return Outcome(Variant(item.key), Status.FAILED, key=item.key, error=ItemError(error.code, error.message))


def _facts(prefix: bytes) -> Facts | None:
    try:
        return read_header(prefix)
    except NotAnImage as error:
        return OpaqueFacts() if error.kind == "svg" else None
    except ImageError:
        return None


def _should_show(subject: StoredSubject) -> bool:
    """Whether it is an image of a format that is read here: by its bytes, its name or its type."""
    if isinstance(subject.facts, OpaqueFacts):
        return False
    named = format_of_extension(split_extensions(subject.key.rpartition("/")[2])[1])
    return subject.facts is not None or named in FORMATS or format_of_mime(subject.content_type or "") in FORMATS
