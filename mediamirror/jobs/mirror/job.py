"""The main job: read the inputs, fetch and check every variant that is wanted, store it, record it.

    inputs ──> plan ──> catalog: documents, image sets, the work list
    work list ──> window of workers: ask the origin, check the bytes, publish ──> catalog: outcomes

Bytes are durable in the store before the catalog says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import (
    Run,
    continued_from,
    leave_out,
    order_turn,
    order_work,
    plan_retry,
    put_lanes,
    put_rejected,
    put_turn,
)
from mediamirror.catalog.results import Record, put_fetches, read_sets
from mediamirror.catalog.work import read_work
from mediamirror.documents.document import Document
from mediamirror.documents.plan import plan_inputs
from mediamirror.documents.reader import Reader
from mediamirror.errors import UsageError
from mediamirror.first_use import replace
from mediamirror.jobs.mirror.handle import Handler, Recorder, open_inspector, policy_for, preview
from mediamirror.jobs.mirror.plan import (
    GOES_ON_FOR,
    SHORT,
    Widths,
    best_rows,
    check_rungs,
    goes_by_widths,
    next_best,
    told,
    told_nothing,
    told_widths,
    wanted_urls,
    wants_all,
    widths_of,
)
from mediamirror.jobs.mirror.publish import Publisher, Stripper
from mediamirror.jobs.mirror.spread import Crew, Job
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.inputs import ArchiveFirst, documents, open_archive, own_origins
from mediamirror.jobs.run.lanes import PER_REQUEST, Later, run_lanes
from mediamirror.jobs.run.manifest import write_segment
from mediamirror.jobs.run.pipeline import Together, as_they_come
from mediamirror.jobs.run.session import Access, Needs, Session, open_run, place_name, previewed
from mediamirror.jobs.run.tally import Emit, Tally, nobody_listens
from mediamirror.jobs.run.work_list import Plan, WorkByHost
from mediamirror.lint import parse_tolerance
from mediamirror.model import ImageSet, Outcome, Planned, Problem, Status, Summary
from mediamirror.settings import MirrorOptions
from mediamirror.store.base import Store

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive
    from mediamirror.fetch.request import Fetcher
    from mediamirror.jobs.run.archive import ArchiveOut, Target
    from mediamirror.wire import Transport
MOST_TRIED = 8
"""Rungs that are tried in place of one that was refused."""
MAX_SETS_SHOWN = 1000
"""Above this many sets, only those with something to say are reported one by one."""

_LINGER = 0.01
"""Seconds for which notes gather at most. A hop to the catalog's thread costs as much for one as for twenty."""
_LINGER_EACH = 0.0003
"""The same for each request that may run: where few do, each image would wait for company that does not come."""

_RESUMED = (
    f"Resuming a run that was interrupted: what it has requested in the last {GOES_ON_FOR / 3600:.0f} hours is not "
    "requested again. The run after this one requests everything."
)


async def mirror(
    inputs: Sequence[str],
    *,
    to: str | Store,
    options: MirrorOptions | None = None,
    catalog: Path | None = None,
    transport: Transport | None = None,
    stdin: BinaryIO | None = None,
    on_event: Emit | None = None,
    archive: Target | None = None,
) -> Summary:
    """Mirror every wanted image variant of the inputs into a directory or bucket.

    ``to`` is a directory, ``s3://bucket/prefix``, or a store of your own, which stays open; ``catalog`` the SQLite file that
    remembers (default: one per destination in the user's state folder; for a store of your own that is no directory, one that
    goes with the run). ``transport`` carries the requests instead of the network. ``on_event`` is called with each `Event`, in order.
    ``archive`` is the web archive to write besides: every exchange, with the records of archives among the inputs.

    Returns the `Summary`. Raises `UsageError` for what stops the run before its first item, `CatalogError` when the
    catalog can't be used. A failed item is an `Outcome`. When cancelled, what is finished is recorded, a summary with
    exit code 130 is emitted, and the cancellation goes on; after ``options.job.max_time`` seconds that summary is returned.
    """
    run = _MirrorRun(options or MirrorOptions(), to, stdin, on_event or nobody_listens, archive)
    try:
        async with run.limit:
            return await run.run(inputs, catalog, transport)
    except TimeoutError:
        if not run.limit.expired() or run.ended is None:
            raise
        return run.ended


class _MirrorRun:
    """One run: its options, its parts as they are session, and its running totals."""

    def __init__(
        self,
        options: MirrorOptions,
        to: str | Store,
        stdin: BinaryIO | None,
        emit: Emit,
        archive: Target | None,
    ) -> None:
        self._options = options
        self._place = to
        self._to = place_name(to)
        self._stdin = stdin
        self._tally = Tally(previewed(emit) if options.job.dry_run else emit)
        self._target = archive
        self._out: ArchiveOut | None = None
        self._recorder: Recorder
        self._crew: Crew | None = None
        self._own_origins: frozenset[str] = frozenset()
        self._widths: Counter[Widths] = Counter()
        self.limit = asyncio.timeout(options.job.max_time)
        self.ended: Summary | None = None
        parse_tolerance(options.check.tolerance)  # what can't be read is said before anything is opened
        check_rungs(options.select.rungs)

    async def run(self, inputs: Sequence[str], catalog_path: Path | None, transport: Transport | None) -> Summary:
        options = self._options
        if options.engine.engine != "in-process" and (transport is not None or not isinstance(self._place, str)):
            raise UsageError("Workers open DEST and connections themselves: give DEST by its name, and no transport.")
        self._own_origins = own_origins(inputs)
        if inputs or not options.select.retry_failed:
            plan_inputs(inputs)
        needs = Needs(
            command=options.job.command,
            access=Access.PREVIEW if options.job.dry_run else Access.STORE,
            to=self._place,
            transport=transport,
            store=options.store,
            connections=options.fetch.concurrency + 16,
            fetch=options.fetch,
            own_hosts=self._own_origins,
            makes=True,
            catalog=catalog_path,
            # What failed is known from a catalog alone: none is made then.
            existing=options.select.retry_failed,
            begins=True,
            adopts=True,
        )
        async with open_run(needs, conclude=self._summary, emit=self._tally.emit) as session:
            self._recorder = Recorder(session.catalog, session.run, self._tally)
            archive = session.stack.enter_context(open_archive(session.scratch, options.fetch, options.read))
            with ExitStack() as stack:
                if self._target is not None:
                    self._out = stack.enter_context(self._target.open(session.scratch))
                    archive.copy_to = self._out.copy
                await self._all(inputs, session, archive)
        return session.summary

    def _summary(self, interrupted: bool) -> Summary:
        if interrupted and self.limit.expired():
            message = (
                f"The run ended after {self._tally.seconds:,.0f} s, by --max-time. Run the same command again to go on."
            )
            self._tally.tell(Problem("out-of-time", message, document=self._to))
        self.ended = self._tally.summary(self._options.job, interrupted=interrupted)
        return self.ended

    async def _all(self, inputs: Sequence[str], session: Session[Summary], archive: WarcArchive) -> None:
        await self._plan(inputs, session, archive)
        if not self._options.select.retry_failed:
            await self._skip_unwanted(session.catalog, session.run)
        publisher = Publisher(
            session.store,
            self._options.store,
            was_empty=await session.store.is_empty(),
            case_insensitive=session.store.folds_case,
            stripper=Stripper() if self._options.store.strip_metadata else None,
        )
        if session.store.previews:
            await preview(session, archive, publisher, self._options, self._tally)
            return
        await self._work(session, archive, publisher)
        if self._tally.planned.variants and set(+self._tally.statuses) == {Status.SKIPPED}:
            message = told_nothing(self._options.select, self._tally.planned.variants)
            self._tally.tell(Problem("nothing-wanted", message, document=self._to))
        for problem in publisher.stripper.problems() if publisher.stripper else ():
            self._tally.tell(replace(problem, document=session.store.name))
        for problem in archive.problems():
            self._tally.tell(problem)
        await self._tell_manifest(session.catalog, session.run, session.store)
        await self._show_sets(session.catalog, session.run)

    async def _plan(self, inputs: Sequence[str], session: Session[Summary], archive: WarcArchive) -> None:
        catalog, run = session.catalog, session.run
        async with Reader(self._options.read) as reader:
            found_in = (
                documents(
                    inputs,
                    self._options.read,
                    session.fetcher,
                    reader,
                    self._stdin,
                    archive,
                    None if self._out is None else self._out.recorded,
                )
                if inputs
                else as_they_come(())
            )
            await self._plan_documents(found_in, self._opened_plan(catalog, run, reader), reader)
        if self._options.select.retry_failed:
            await catalog.write(plan_retry, run, planned=bool(inputs))
        sets, variants, wanted = await catalog.write(order_work, run)
        if self._options.select.retry_failed and not wanted:
            self._tally.tell(
                Problem("nothing-failed", f"Nothing to try again: nothing failed in {self._to}.", document=self._to)
            )
        if self._out is not None and wanted < variants and not self._options.select.retry_failed:
            message = (
                f"{variants - wanted:,} of {variants:,} images are not wanted by the options given, so the archive lacks them: "
                "where a screen chooses one of these, a player shows nothing."
            )
            self._tally.tell(Problem("archive-incomplete", message, document=self._to))
        self._tally.tell(Planned(self._tally.kinds.total(), sets, variants, wanted))

    def _opened_plan(self, catalog: Catalog, run: Run, reader: Reader) -> Plan:
        job, select = self._options.job, self._options.select
        return Plan(
            catalog,
            run,
            reader,
            None if wants_all(select) else self._wanted,
            # What is not wanted is told with its promises, and what failed is known by its places.
            promises=not job.dry_run or not wants_all(select) or select.retry_failed,
            on_passed=None if job.tell_found else self._tally.tell_passed,
        )

    async def _plan_documents(self, found_in: AsyncIterator[Document | Problem], plan: Plan, reader: Reader) -> None:
        """Put the documents into the plan."""
        async for found in found_in:
            if isinstance(found, Problem):
                self._tally.tell(self._tally.weigh(found))
                continue
            self._tally.kinds[found.way] += 1
            await plan.add(found, self._tally.tell_found)
        await plan.write()
        for problem in reader.sheets.left():
            self._tally.tell_found(problem)
        for message in told_widths(self._widths, self._options.select):
            self._tally.tell(Problem("widths-from-names", message))

    def _wanted(self, image_set: ImageSet) -> frozenset[str]:
        if goes_by_widths(self._options.select):
            self._widths[widths_of(image_set)[0]] += 1
        return wanted_urls(image_set, self._options.select)

    async def _skip_unwanted(self, catalog: Catalog, run: Run) -> None:
        async for page in catalog.pages(read_work, run, wanted=False):
            skipped = [Record(item.variant_id, Outcome(item.variant, Status.SKIPPED), None) for item in page]
            await self._recorder.record(skipped, last=True)

    async def _work(self, session: Session[Summary], archive: WarcArchive, publisher: Publisher) -> None:
        catalog, run = session.catalog, session.run
        first = await catalog.read(continued_from, run)
        if first < run.id:
            self._tally.tell(Problem("resumed", _RESUMED, document=self._to))
        fetcher = self._picture_fetcher(session, archive)
        policy = policy_for(self._options, first)
        if self._out is not None:
            policy = replace(policy, archives=True)
            if self._options.store.strip_metadata:  # the store has not the bytes that came
                policy = replace(policy, select=replace(policy.select, refetch=True), goes_on_from=run.id)
        async with (
            open_inspector(self._options.check) as inspect,
            self._open_crew(session, archive, publisher, first) as self._crew,
        ):
            note = Together[Record](
                lambda records: catalog.write(put_fetches, run, records),
                linger=min(_LINGER, _LINGER_EACH * self._options.fetch.concurrency),
            )
            strict = Handler(fetcher, inspect, publisher, policy, now=now, note=note)
            # In a bucket each object is a request, of which many are made at once with those for images.
            if session.store.local_root is not None and (first < run.id or self._options.select.fresh_for > 0):
                await self._settle(catalog, run, strict)
            await self._turn(session, strict)
            await self._next_best(session, strict)
            short = Handler(fetcher, inspect, publisher, replace(policy, keep_short=True), now=now, note=note)
            await self._keep_best(session, strict, short)

    @asynccontextmanager
    async def _open_crew(
        self, session: Session[Summary], archive: WarcArchive, publisher: Publisher, first: int
    ) -> AsyncIterator[Crew | None]:
        """Open the workers that share the run; None where this process does it all."""
        if self._options.engine.engine == "in-process":
            yield None
            return
        from mediamirror.jobs.mirror.engines import open_crew  # noqa: PLC0415 -- start-up time

        if archive.count:
            raise UsageError(
                "Workers can't take pictures from the web archives among the INPUTs: omit --engine, or give URLs and pages."
            )
        level, folds = logging.getLogger().level, session.store.folds_case
        job = Job(
            self._to, self._options, self._own_origins, publisher.was_empty, folds, first, first < session.run.id, level
        )
        async with open_crew(job, session.store, self._tally.tell, publisher.stripper) as (
            crew,
            self._recorder.results,
        ):
            yield crew
        if self._recorder.results.problem is not None:
            self._tally.tell(self._tally.weigh(self._recorder.results.problem))

    def _picture_fetcher(self, session: Session[Summary], archive: WarcArchive) -> Fetcher:
        fetcher = ArchiveFirst(archive, session.fetcher, offline=self._options.read.offline)
        if self._out is None:
            return fetcher
        recorded = self._out.recorded(fetcher, asks_again=True)
        self._recorder.keep_stored = partial(
            recorded.keep_stored, catalog=session.catalog, store=session.store, known=archive.knows
        )
        return recorded

    async def _settle(self, catalog: Catalog, run: Run, handler: Handler) -> None:
        """Record what is unchanged without a question to its origin, and leave the rest in the work list."""
        async for page in catalog.pages(read_work, run):
            records = await handler.settle(page)
            await self._recorder.record(records, last=True)
            await catalog.write(leave_out, run, [record.variant_id for record in records])
        await catalog.write(put_lanes, run)

    async def _turn(self, session: Session[Summary], handler: Handler, *, last: bool = False) -> None:
        """Handle what is in the work list. A `CatalogError` alone ends it: what can't be recorded must not be stored."""
        source = WorkByHost(session.catalog, session.run)

        async def record(records: Sequence[Record]) -> None:
            await self._recorder.record(records, last=last)

        if self._crew is not None:
            await self._crew.share(source, record, keep_short=last)
            return
        await run_lanes(
            source,
            handler.handle,
            record,
            width=PER_REQUEST * self._options.fetch.concurrency,
            host_width=self._options.fetch.host_concurrency,
            outlook=session.fetcher.outlook,
        )

    async def _next_best(self, session: Session[Summary], handler: Handler) -> None:
        """Where every rung that was chosen of a source was refused, try the next best, a few times over."""
        catalog, run = session.catalog, session.run
        for _ in range(0 if self._options.select.rungs == "all" else MOST_TRIED):
            if not self._recorder.short and not self._tally.statuses[Status.REJECTED]:
                return
            async for page in catalog.pages(read_sets, run, troubled=True):
                await catalog.write(put_turn, [url for found in page for url in next_best(found, self._options.select)])
            _, count = await catalog.write(order_turn, run)
            if not count:
                return
            self._tally.statuses[Status.SKIPPED] -= count
            await self._turn(session, handler)

    async def _keep_best(self, session: Session[Summary], strict: Handler, short: Handler) -> None:
        """Publish the best of what has fewer pixels than promised, and tell of the rest what was found."""
        catalog, run = session.catalog, session.run
        if not self._recorder.short:
            return
        async for page in catalog.pages(read_sets, run, troubled=True):
            for found in page:
                kept = list(best_rows(found, self._options.select.min_width))
                await catalog.write(put_turn, [row.url for row in kept])
                for row in kept:
                    self._tally.tell(Problem("ladder-ends", told(found, row), found.line, document=found.document))
        beyond, count = await catalog.write(order_turn, run)
        if count:
            await self._turn(session, short, last=True)
        await catalog.write(put_rejected, run, sorted(SHORT), beyond)
        after, _ = await catalog.write(order_turn, run)
        async for items in catalog.pages(read_work, run, after=after):
            done = [await strict.handle(item) for item in items]  # asks for nothing: this very run has
            records = [each.result if isinstance(each, Later) else each for each in done]
            await self._recorder.record(records, last=True)

    async def _tell_manifest(self, catalog: Catalog, run: Run, store: Store) -> None:
        """Say in the store itself what it holds now."""
        sets = catalog.rows(read_sets, run) if self._options.store.atomic_sets else None
        problem = await write_segment(catalog, store, run.store_id, at=now(), sets=sets)
        if problem is not None:
            self._tally.tell(self._tally.weigh(problem))

    async def _show_sets(self, catalog: Catalog, run: Run) -> None:
        if not self._options.job.tell_sets:
            return
        async for result in catalog.rows(read_sets, run, troubled=self._tally.planned.sets > MAX_SETS_SHOWN):
            self._tally.emit(result)
