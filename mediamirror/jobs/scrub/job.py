"""``verify --mirror``: re-read what is stored, compare it with what was recorded, and repair it where that is asked.

    listing (sorted) ── beside ── recorded objects (sorted) ──> one row a key ──> window: read, hash, judge, repair ──> findings

Both sides are streamed: memory does not grow with the mirror. An interrupted run goes on where it was: how far it came
lies in a small file beside the catalog, replaced whole every few seconds, that no lock or migration has to guard.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.stored_sets import (
    Expected,
    MirroredSource,
    is_new_here,
    put_repaired,
    read_expected,
    read_mirrored,
    read_sources,
)
from mediamirror.errors import FetchError, HTTPStatus, ObjectCorrupt, UsageError
from mediamirror.fetch.body import Bucket
from mediamirror.fetch.late import LateFetcher
from mediamirror.fetch.request import Fetcher, Request, discard
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.jobs.run.manifest import partial_sets
from mediamirror.jobs.run.pipeline import beside, run_window
from mediamirror.jobs.run.session import Access, Needs, Session, open_run, place_name, previewed
from mediamirror.jobs.run.switched_off import SwitchedOff, as_finding
from mediamirror.jobs.run.tally import Emit, Tally, nobody_listens
from mediamirror.jobs.scrub.read import ObjectReader, ScrubItem, Seen
from mediamirror.jobs.scrub.repair import Repairer
from mediamirror.jobs.sync.places import Place, place_of
from mediamirror.lint import choose_checks, choose_problems, refuse_unable
from mediamirror.lint.stored import SourceSubject, check_mirrored, check_source
from mediamirror.model import (
    Finding,
    Planned,
    Problem,
    SetResult,
    SetRow,
    Severity,
    Status,
    StoredObject,
    Summary,
)
from mediamirror.scratch import replace_file, scratch_folder
from mediamirror.settings import FetchOptions, ScrubOptions
from mediamirror.store.base import Store

_EVERY = 2.0
"""Seconds between two writes of the file: what a kill may cost."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything up to the key ``after`` was read: how many objects, and how many of them are bad still."""

    seed: int
    sample: float
    after: str = ""
    read: int = 0
    bad: int = 0


def in_sample(key: str, *, seed: int, share: float) -> bool:
    """Whether a key is in a sample: the same answer for the same seed, wherever the scrub begins."""
    if share >= 1:
        return True
    digest = hashlib.blake2b(f"{seed}/{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def load(path: Path, *, sample: float) -> Progress | None:
    """Return where an interrupted scrub of the same sample had come to; None where there is none."""
    try:
        found = Progress(**json.loads(path.read_text("utf-8")))
        same = found.sample == sample and isinstance(found.after, str) and bool(found.after)
        return found if same and min(found.read, found.bad) >= 0 else None
    except (OSError, ValueError, TypeError):
        return None


class Tracker:
    """Told of objects in the order in which they are finished, knows up to which key all are; writes that down.

    With ``path`` None nothing is written.
    """

    def __init__(self, path: Path | None, start: Progress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = start
        self._clock = clock
        self._written = clock()
        self._next = 0
        self._early: dict[int, tuple[str, bool]] = {}

    @property
    def progress(self) -> Progress:
        """Up to where everything is read."""
        return self._now

    def finished(self, number: int, key: str, *, bad: bool) -> None:
        """Take one object, by its number in the order of the keys."""
        self._early[number] = (key, bad)
        while (done := self._early.pop(self._next, None)) is not None:
            after, wrong = done
            self._now = replace(self._now, after=after, read=self._now.read + 1, bad=self._now.bad + wrong)
            self._next += 1
        if self._clock() - self._written >= _EVERY:
            self.save()

    def save(self) -> None:
        """Write it down, whole or not at all. A folder that can't be written costs only the resuming."""
        if self._path is None or not self._now.after:
            return
        self._written = self._clock()
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._path, json.dumps(asdict(self._now)).encode())

    def forget(self) -> None:
        """Everything is read: the next scrub begins anew."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


_MiB = 1024 * 1024


async def scrub(
    mirror: str | Store,
    *,
    options: ScrubOptions | None = None,
    catalog: Path | None = None,
    on_event: Emit = nobody_listens,
) -> Summary:
    """Re-read every object of a mirror (or a sample) and compare it with its recorded sha256.

    The sha256 comes from the catalog, else from the manifest, else from the object's own metadata; an object with none of
    them is `Status.UNRECORDED`, and a finding unless ``options.allow_unrecorded``. Images that were never decoded are. Emits an
    `Outcome` and the `Finding`s of each object, an `ObjectEvent` for each that is (or could not be) repaired, then the
    `Summary`. When cancelled, it notes how far it came, and the cancellation goes on; the next run of the same sample goes on
    there. Raises `UsageError` (also where there is no record at all), `CatalogError`, `StoreRefused`.
    """
    run = _Scrub(mirror, options or ScrubOptions(), on_event)
    return await run.run(catalog)


class _Scrub:
    """One run: its options, and its running totals."""

    def __init__(self, mirror: str | Store, options: ScrubOptions, emit: Emit) -> None:
        self._place = mirror
        self._mirror = place_name(mirror)
        self._options = options
        refuse_unable(options.select, source=options.source is not None)
        self._codes = choose_checks(options.select, options.ignore)
        if options.allow_unrecorded:
            self._codes -= {"MM507"}
        self._off = SwitchedOff(options.per_path)
        self._asked_for = choose_problems(options.select, options.ignore)
        self._tally = Tally(previewed(emit) if options.dry_run else emit, counts_items=False)
        self._bad = 0
        self._unknown = False
        if options.second is not None and not options.repair:
            raise UsageError("--from is the copy to repair from: give --repair too.")

    async def run(self, catalog_path: Path | None) -> Summary:
        options = self._options
        needs = Needs(
            command="verify --repair",
            access=_access(options),
            to=self._place,
            store=options.store,
            source=options.second,
            source_store=options.second_store,
            connections=2 * options.concurrency,
            catalog=catalog_path,
            adopts=True,
        )
        async with open_run(needs, conclude=self._summary, emit=self._tally.emit) as session:
            store, known = session.store, session.catalog
            await self._refuse_unknown(session)
            reader = await self._reader(session)
            state = session.path.with_name(session.path.name + ".scrub.json")
            await self._objects(session, reader, state)
            await self._sets(store, known, session.identity)
            if options.source is not None:
                await ask_origins(known, session.identity, self._codes, self._tell_answer, options=options)
        return session.summary

    async def _sets(self, store: Store, known: Catalog, identity: str) -> None:
        """Tell which image sets are not whole. A manifest that is damaged is told like a damaged file: the rest is checked."""
        try:
            async for result in _sets(store, known, identity):
                self._tell_set(result, check_mirrored(result, self._codes))
        except ObjectCorrupt as error:
            self._refused(Problem(error.code, error.message, document=self._mirror))
            self._bad += 1

    async def _refuse_unknown(self, session: Session[Summary]) -> None:
        """Raise `UsageError` where no record of the mirror is found. The objects of a bucket may have one each: they are asked."""
        if session.store.local_root is None or self._options.allow_unrecorded:
            return
        if await session.catalog.read(is_new_here, session.store_id):
            raise UsageError(_no_record(self._mirror, session.path))

    async def _reader(self, session: Session[Summary]) -> ObjectReader:
        options, spool, enter = self._options, session.scratch, session.stack.enter_async_context
        bucket = Bucket(options.limit_rate) if options.limit_rate else None
        pool = await enter(DecoderPool(options.check)) if options.check.check == "decode" else None
        own = self._place_of(session, session.store)
        repairer = None
        if options.repair:
            fetcher = await enter(LateFetcher(options.fetch, spool_dir=spool))
            second = self._place_of(session, session.source) if options.second is not None else None
            repairer = Repairer(session.store, own=own, second=second, fetcher=fetcher, spool=spool)
        return ObjectReader(
            session.store, own, self._codes, self._off, spool=spool, bucket=bucket, pool=pool, repairer=repairer
        )

    @staticmethod
    def _place_of(session: Session[Summary], store: Store) -> Place:
        place = place_of(store, spool=session.scratch, in_memory=_MiB, notice=lambda *_: None)
        session.stack.push_async_callback(place.aclose)
        return place

    async def _objects(self, session: Session[Summary], reader: ObjectReader, state: Path) -> None:
        store, known, store_id, path = session.store, session.catalog, session.store_id, session.path
        start = self._begin(state)
        tracker = Tracker(state, start)

        async def record(batch: Sequence[Seen]) -> None:
            for seen in batch:
                if seen.holding is not None:
                    await known.write(put_repaired, store_id, seen.holding)
                self._tell(store, seen)
                tracker.finished(seen.number, seen.outcome.key or "", bad=seen.bad)

        items = _sampled(beside(store.list(), known.rows(read_expected, store_id)), start)
        try:
            await run_window(items, reader.read, record, width=self._options.concurrency)
        except BaseException:
            tracker.save()
            raise
        tracker.forget()
        self._tell_what_was_compared(path, start)

    def _tell_what_was_compared(self, path: Path, start: Progress) -> None:
        """Say where a run that found nothing wrong looked at nothing, or had nothing to compare it with: that is no success."""
        statuses, options = self._tally.statuses, self._options
        if not statuses and not start.read:
            message = (
                "It holds no objects, and none is recorded. Check its path or prefix."
                if start.sample >= 1
                else "None of its objects is in the sample. Take a larger one, and check its path or prefix."
            )
            self._refused(Problem("no-objects", message, document=self._mirror))
            self._bad += 1
        elif set(statuses) == {Status.UNRECORDED} and not start.read and not options.allow_unrecorded:
            self._unknown = True
            self._refused(Problem("no-record", _no_record(self._mirror, path), document=self._mirror))

    def _refused(self, problem: Problem) -> None:
        """Tell what nobody can switch off: there was nothing to look at, or to compare with."""
        self._tally.problems += 1
        self._tally.emit(replace(problem, severity=Severity.ERROR))

    def _begin(self, state: Path) -> Progress:
        """Return where to begin: where an interrupted run of the same sample was, unless a new one or a repair is asked for."""
        options = self._options
        found = None if options.restart else load(state, sample=options.sample)
        if found is None:
            seed = options.seed if options.seed is not None else random.SystemRandom().getrandbits(48)
            return Progress(seed, options.sample)
        if found.bad and options.repair:
            # What is bad lies behind the place where the run would go on: it would never be repaired.
            read = f"An interrupted run read {found.read:,} objects, {found.bad:,} of them bad"
            message = f"{read}: starting over, to repair those too."
            self._tell_problem(Problem("restarted", message, document=self._mirror))
            return Progress(found.seed, options.sample)
        bad = f", {found.bad:,} of them bad" if found.bad else ""
        self._bad = found.bad
        message = f"Going on after {found.after}: {found.read:,} objects were read before{bad}. --restart starts over."
        self._tell_problem(Problem("resumed", message, document=self._mirror))
        return found

    def _tell(self, store: Store, seen: Seen) -> None:
        repaired = seen.outcome.status is Status.REPAIRED
        self._tally.tell(seen.outcome)
        self._bad += seen.bad
        self._tally.tell_all(seen.off)
        for finding in seen.findings:
            # What is mended counts for nothing any more, and is told all the same.
            (self._tally.emit if repaired else self._tally.tell)(finding)
        if seen.repair is not None:
            self._tally.emit(seen.repair)
        if seen.outcome.error is not None or seen.off or (seen.findings and not repaired):
            self._tally.emit(_shown(store.name, seen))

    def _tell_set(self, result: SetResult, findings: tuple[Finding, ...]) -> None:
        """What is held of an image set."""
        kept, off = self._off.in_mirror(findings, result.document)
        self._tally.tell_all((*off, *kept))
        if findings:
            rows = tuple(replace(row, findings=()) for row in result.rows)
            self._tally.emit(replace(result, findings=tuple(kept), suppressed=tuple(off), rows=rows))

    def _tell_answer(self, answer: Answer) -> None:
        """What an origin said of one object's source."""
        source, said, received = answer
        self._tally.bytes_in += received
        if isinstance(said, Problem):
            self._tell_problem(self._tally.weigh(said), source.url)
        elif said:
            kept, off = self._off.in_mirror(said)
            self._tally.tell_all((*off, *kept))
            row = SetRow(source.url, "source", key=source.key, findings=tuple(kept))
            self._tally.emit(SetResult(source.key, 0, (row,), suppressed=tuple(off)))

    def _tell_problem(self, problem: Problem, url: str = "") -> None:
        """Tell a problem, unless somebody switched it off: for its code, or for the key or URL that it is about."""
        if not self._asked_for(problem):
            return
        kept, off = self._off.in_mirror((replace(as_finding(problem), url=url),), problem.document)
        self._tally.tell_all(replace(each, of_set=False) for each in off)
        if kept:
            self._tally.tell(problem)

    def _summary(self, interrupted: bool) -> Summary:
        tally, total = self._tally, self._tally.statuses.total()
        tally.planned = Planned(1, 0, total, total)
        # A failed object has no finding, and what an interrupted run found is in that run's.
        unseen = self._bad - tally.statuses.get(Status.REJECTED.value, 0)
        tally.failed_inputs += max(0, unseen)
        summary = tally.summary(self._options.job, interrupted=interrupted)
        return replace(summary, exit_code=2) if self._unknown and not interrupted else summary


def _no_record(mirror: str, catalog: Path) -> str:
    there = "knows nothing of it" if catalog.exists() else "is not there"
    return (
        f"No record says what {mirror} should hold: the catalog {catalog} {there}, and it carries no manifest. Nothing could be "
        "compared. Name the catalog of the machine that made the mirror with --catalog FILE; or make one of what lies there now, "
        f"which proves it from now on, with `mediamirror catalog rebuild {mirror}`; or look at the images alone, with "
        "--allow-unrecorded."
    )


def _access(options: ScrubOptions) -> Access:
    """Where nothing is repaired the catalog is not changed either, and no file is made where there is none."""
    if not options.repair:
        return Access.NOTHING
    return Access.PREVIEW if options.dry_run else Access.STORE


async def _sets(store: Store, catalog: Catalog, identity: str) -> AsyncIterator[SetResult]:
    """What the catalog says that the mirror holds of each set; where it knows nothing, what the manifest says is partial."""
    known = False
    async for each in catalog.rows(read_mirrored, identity):
        known = True
        yield each.result
    if not known:
        async for result in partial_sets(store):
            yield result


async def _sampled(
    pairs: AsyncIterator[tuple[StoredObject | None, Expected | None]], start: Progress
) -> AsyncIterator[ScrubItem]:
    """Number what is in the sample and was not read before."""
    number = 0
    async for listed, expected in pairs:
        key = listed.key if listed is not None else expected.key if expected is not None else ""
        if key > start.after and in_sample(key, seed=start.seed, share=start.sample):
            yield ScrubItem(number, key, listed, expected)
            number += 1


def _shown(mirror: str, seen: Seen) -> SetResult:
    """Return one object in the shape of the reports: a set of one file."""
    outcome, facts = seen.outcome, seen.outcome.facts
    told = {finding.rule for finding in seen.findings}
    row = SetRow(
        url=outcome.key or "",
        carrier="object",
        status=outcome.status,
        key=outcome.key,
        format=facts.format if facts else None,
        width=facts.natural[0] if facts and facts.natural else None,
        height=facts.natural[1] if facts and facts.natural else None,
        size=outcome.size,
        findings=seen.findings,
        error=None if outcome.error is None or outcome.error.code in told else outcome.error,
    )
    return SetResult(mirror, 0, (row,), suppressed=seen.off)


Answer = tuple[MirroredSource, tuple[Finding, ...] | Problem, int]
"""A source, what is to be said of it (or why the origin could not be asked), and the body bytes received."""


async def ask_origins(
    catalog: Catalog, identity: str, codes: frozenset[str], tell: Callable[[Answer], None], *, options: ScrubOptions
) -> None:
    """Ask for each recorded source with the validators of its last fetch; ``tell`` is called with each answer.

    304 is trusted. Other bytes are compared by sha256, so that an origin that gives out new validators, or none, for the same
    bytes has changed nothing. 404 and 410 are answers; every other failure is a `Problem`.
    """
    chance, fetch = random.Random(options.seed), options.source or FetchOptions()  # noqa: S311 -- a sample
    with scratch_folder() as folder:
        async with LateFetcher(fetch, spool_dir=folder) as fetcher:

            async def record(answers: Sequence[Answer]) -> None:
                for answer in answers:
                    tell(answer)

            async def chosen() -> AsyncIterator[MirroredSource]:
                async for source in catalog.rows(read_sources, identity):
                    if options.sample >= 1 or chance.random() < options.sample:
                        yield source

            await run_window(chosen(), lambda source: _ask(fetcher, source, codes), record, width=fetch.concurrency)


async def _ask(fetcher: Fetcher, source: MirroredSource, codes: frozenset[str]) -> Answer:
    try:
        download = await fetcher.fetch(Request(source.url, etag=source.etag, last_modified=source.last_modified))
    except HTTPStatus as error:
        if error.status in {404, 410}:
            return source, check_source(_subject(source, error.status), codes), 0
        return source, _problem(source, error), 0
    except FetchError as error:
        return source, _problem(source, error), 0
    body = download.body
    discard(body)
    sha256 = body.sha256 if body is not None else None
    subject = _subject(source, download.http_status, sha256)
    return source, check_source(subject, codes), body.size if body is not None else 0


def _subject(source: MirroredSource, status: int, sha256: str | None = None) -> SourceSubject:
    return SourceSubject(source.url, source.key, source.sha256, source.fetched_at, status, sha256)


def _problem(source: MirroredSource, error: FetchError) -> Problem:
    return Problem(error.code, f"Its source can't be asked: {error.message}", document=source.key)
