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
from dataclasses import dataclass, replace
from pathlib import Path

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.rows import RecordedObject
from mediamirror.errors import ImageError, ObjectMissing, StoreError
from mediamirror.fetch.endpoint import open_transport
from mediamirror.imaging.header import read_header
from mediamirror.jobs.common import Emit, nobody_listens
from mediamirror.jobs.manifest import partial_sets
from mediamirror.jobs.names import identity_of
from mediamirror.jobs.origins import Answer, ask_origins
from mediamirror.jobs.pipeline import run_window
from mediamirror.jobs.tally import Tally
from mediamirror.lint import choose_codes
from mediamirror.lint.mirrored import check_mirrored
from mediamirror.lint.stored import StoredSubject, check_stored
from mediamirror.model import (
    Finding,
    ImageFacts,
    ItemError,
    Outcome,
    Planned,
    Problem,
    SetResult,
    SetRow,
    Status,
    StoredObject,
    Summary,
    Variant,
)
from mediamirror.settings import JobOptions, ScrubOptions, default_catalog
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
    mirror: str
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
    told, started = _Told(on_event), time.monotonic()
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(open_transport(options.store.cacert, limit=2 * options.concurrency))
        store = await stack.enter_async_context(open_store(mirror, options.store, transport=transport))
        await store.check()
        identity = identity_of(store.name, options.store.endpoint_url)
        path = catalog or default_catalog(identity)
        # Read only: the dry run is rolled back, and makes no file where there is none.
        known = await stack.enter_async_context(await Catalog.open(path, dry_run=True))
        reader = _Reader(store, codes)
        pairs = _sampled(_pairs(store, known, identity), options.sample, random.Random(options.seed))  # noqa: S311
        await run_window(pairs, reader.read, told.objects, width=options.concurrency)
        async for result in _sets(store, known, identity):
            told.set(result, check_mirrored(result, codes))
        if options.source is not None:
            await ask_origins(known, identity, codes, told.answer, options=options)
    summary = told.summary(time.monotonic() - started, options.job)
    on_event(summary)
    return summary


class _Told:
    """Counts and tells what was seen."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._tally = Tally(counts_items=False)

    async def objects(self, batch: Sequence[_Seen]) -> None:
        """Objects that were read."""
        for seen in batch:
            self._tally.add(seen.outcome)
            self._emit(seen.outcome)
            self._findings(seen.findings)
            if seen.findings or seen.outcome.error is not None:
                self._emit(_shown(seen))

    def set(self, result: SetResult, findings: tuple[Finding, ...]) -> None:
        """What is held of an image set."""
        if findings:
            self._findings(findings)
            rows = tuple(replace(row, findings=()) for row in result.rows)
            self._emit(replace(result, findings=findings, rows=rows))

    def answer(self, answer: Answer) -> None:
        """What an origin said of one object's source."""
        source, said, received = answer
        self._tally.bytes_in += received
        if isinstance(said, Problem):
            self._tally.add_problem(said)
            self._emit(said)
        elif said:
            self._findings(said)
            self._emit(SetResult(source.key, 0, (SetRow(source.url, "source", key=source.key, findings=said),)))

    def _findings(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._tally.add_finding(finding)
            self._emit(finding)

    def summary(self, seconds: float, options: JobOptions) -> Summary:
        """Freeze the totals; an object that could not be read fails the run."""
        total = self._tally.statuses.total()
        self._tally.planned = Planned(1 if total else 0, 0, total, total)
        self._tally.failed_inputs += self._tally.statuses.get(Status.FAILED.value, 0)
        return self._tally.summary(seconds=seconds, options=options)


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


async def _sets(store: Store, catalog: Catalog, identity: str) -> AsyncIterator[SetResult]:
    """What the catalog says that the mirror holds of each set; where it knows nothing, what the manifest says is partial."""
    known = False
    async for page in catalog.mirrored(identity):
        for each in page:
            known = True
            yield each.result
    if not known:
        async for result in partial_sets(store):
            yield result


async def _sampled(pairs: AsyncIterator[_Pair], share: float, chance: random.Random) -> AsyncIterator[_Pair]:
    async for pair in pairs:
        if share >= 1 or chance.random() < share:
            yield pair


def _shown(seen: _Seen) -> SetResult:
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
    return SetResult(seen.mirror, 0, (row,))


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
            return _Seen(self._store.name, failed, ())
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
        return _Seen(self._store.name, outcome, findings)

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
