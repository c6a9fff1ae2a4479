"""``verify --mirror``: re-read what is stored, and compare it with what was recorded.

    listing (sorted) ── beside ── recorded objects (sorted) ──> one row a key ──> window: read, hash, look ──> findings

Both sides are streamed: memory does not grow with the mirror.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.rows import RecordedObject
from mediamirror.errors import ImageError, ObjectMissing, StoreError
from mediamirror.fetch.endpoint import open_transport
from mediamirror.imaging.header import read_header
from mediamirror.jobs.common import Emit, nobody_listens
from mediamirror.jobs.names import identity_of
from mediamirror.jobs.pipeline import run_window
from mediamirror.jobs.tally import Tally
from mediamirror.lint import choose_codes
from mediamirror.lint.stored import StoredSubject, check_stored
from mediamirror.model import (
    Finding,
    ImageFacts,
    ItemError,
    Outcome,
    Planned,
    SetResult,
    SetRow,
    Status,
    StoredObject,
    Summary,
    Variant,
)
from mediamirror.settings import ScrubOptions, default_catalog
from mediamirror.store.base import Store
from mediamirror.store.open import open_store

_PREFIX = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Pair:
    """One key: the object that the store lists, and what the catalog recorded; one of them may be missing."""

    key: str
    listed: StoredObject | None
    recorded: RecordedObject | None


@dataclass(frozen=True, slots=True)
class _Seen:
    outcome: Outcome
    findings: tuple[Finding, ...]


async def scrub(
    mirror: str, *, options: ScrubOptions | None = None, catalog: Path | None = None, on_event: Emit = nobody_listens
) -> Summary:
    """Re-read every object of a mirror (or a sample) and compare it with its recorded sha256.

    The sha256 comes from the catalog, else from the object's own metadata; an object with neither is only counted. Emits an
    `Outcome` and the `Finding`s of each object, then the `Summary`. Raises `UsageError`, `CatalogError`, `StoreRefused`.
    """
    options = options or ScrubOptions()
    codes = choose_codes(options.select, options.ignore)
    tally, started = Tally(counts_items=False), time.monotonic()
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(open_transport(options.store.cacert, limit=2 * options.concurrency))
        store = await stack.enter_async_context(open_store(mirror, options.store, transport=transport))
        await store.check()
        identity = identity_of(store.name, options.store.endpoint_url)
        path = catalog or default_catalog(identity)
        # Read only: the dry run is rolled back, and makes no file where there is none.
        known = await stack.enter_async_context(await Catalog.open(path, dry_run=True))
        reader = _Reader(store, codes)

        async def record(batch: Sequence[_Seen]) -> None:
            for seen in batch:
                tally.add(seen.outcome)
                on_event(seen.outcome)
                for finding in seen.findings:
                    tally.add_finding(finding)
                    on_event(finding)
                if seen.findings or seen.outcome.error is not None:
                    on_event(_shown(store.name, seen))

        pairs = _sampled(_pairs(store, known, identity), options.sample, random.Random(options.seed))  # noqa: S311
        await run_window(pairs, reader.read, record, width=options.concurrency)
    total = tally.statuses.total()
    tally.planned = Planned(1 if total else 0, 0, total, total)
    failed = tally.statuses.get(Status.FAILED.value, 0)
    summary = tally.summary(seconds=time.monotonic() - started, options=options.job)
    if failed and summary.exit_code == 0:
        tally.failed_inputs = failed
        summary = tally.summary(seconds=time.monotonic() - started, options=options.job)
    on_event(summary)
    return summary


async def _pairs(store: Store, catalog: Catalog, identity: str) -> AsyncIterator[_Pair]:
    """Merge the sorted listing with the sorted records, key by key, in the order of the keys' bytes."""
    records = catalog.recorded(identity)
    record = await anext(records, None)
    async for listed in store.list():
        while record is not None and record.key.encode() < listed.key.encode():
            yield _Pair(record.key, None, record)
            record = await anext(records, None)
        if record is not None and record.key == listed.key:
            yield _Pair(listed.key, listed, record)
            record = await anext(records, None)
        else:
            yield _Pair(listed.key, listed, None)
    while record is not None:
        yield _Pair(record.key, None, record)
        record = await anext(records, None)


async def _sampled(pairs: AsyncIterator[_Pair], share: float, chance: random.Random) -> AsyncIterator[_Pair]:
    async for pair in pairs:
        if share >= 1 or chance.random() < share:
            yield pair


def _shown(mirror: str, seen: _Seen) -> SetResult:
    """Return one object in the shape of the reports: a set of one file."""
    outcome, facts = seen.outcome, seen.outcome.facts
    told = {finding.rule for finding in seen.findings}
    row = SetRow(
        url=outcome.key or "",
        carrier="object",
        status=outcome.status,
        key=outcome.key,
        format=facts.format if facts else None,
        width=facts.width if facts else None,
        height=facts.height if facts else None,
        size=outcome.size,
        findings=seen.findings,
        error=None if outcome.error is None or outcome.error.code in told else outcome.error,
    )
    return SetResult(mirror, 0, (row,))


class _Reader:
    """Reads one object whole, and judges it."""

    def __init__(self, store: Store, codes: frozenset[str]) -> None:
        self._store = store
        self._codes = codes

    async def read(self, pair: _Pair) -> _Seen:
        variant = Variant(pair.key)
        try:
            subject, size = await self._subject(pair)
        except StoreError as error:
            failed = Outcome(variant, Status.FAILED, key=pair.key, error=ItemError(error.code, error.message))
            return _Seen(failed, ())
        findings = check_stored(subject, self._codes)
        wrong = any(finding.severity == "error" for finding in findings)
        outcome = Outcome(
            variant,
            Status.REJECTED if wrong else Status.CHECKED,
            key=pair.key,
            facts=subject.facts,
            size=size,
            sha256=subject.sha256,
            fetched_bytes=size or 0,
            error=ItemError(findings[0].rule, findings[0].message) if wrong else None,
        )
        return _Seen(outcome, findings)

    async def _subject(self, pair: _Pair) -> tuple[StoredSubject, int | None]:
        recorded = pair.recorded.sha256 if pair.recorded else None
        gone = StoredSubject(pair.key, self._store.name, False, recorded)
        if pair.listed is None:
            return gone, None
        head = await self._store.head(pair.key)
        digest, prefix, size = hashlib.sha256(), b"", 0
        try:
            async for chunk in self._store.get(pair.key):
                digest.update(chunk)
                size += len(chunk)
                if len(prefix) < _PREFIX:
                    prefix += chunk[: _PREFIX - len(prefix)]
        except ObjectMissing:
            return gone, None
        if recorded is None and head is not None:
            recorded = head.sha256
        served = head.content_type if head is not None else None
        subject = StoredSubject(pair.key, self._store.name, True, recorded, digest.hexdigest(), served, _facts(prefix))
        return subject, size


def _facts(prefix: bytes) -> ImageFacts | None:
    try:
        return read_header(prefix)
    except ImageError:
        return None
