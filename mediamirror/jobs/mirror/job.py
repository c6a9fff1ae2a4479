"""The main job: read the inputs, fetch and check every variant that is wanted, store it, record it.

    inputs ──> plan ──> catalog: documents, image sets, the work list
    work list ──> window of workers: ask the origin, check the bytes, publish ──> catalog: outcomes

Bytes are durable in the store before the catalog says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import Run, begin_run, finish_run, order_work, plan_retry
from mediamirror.catalog.results import Record, put_fetches, put_outcomes, read_sets
from mediamirror.catalog.work import read_work
from mediamirror.documents.document import Document
from mediamirror.documents.plan import plan_inputs
from mediamirror.documents.reader import Reader
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.fetch import OpenFetcher, open_fetcher
from mediamirror.fetch.endpoint import open_transport
from mediamirror.jobs.mirror.handle import ArchiveFirst, Handler, Policy, open_inspector
from mediamirror.jobs.mirror.plan import check_rungs, wanted_urls
from mediamirror.jobs.mirror.publish import Publisher
from mediamirror.jobs.mirror.strip import Stripper
from mediamirror.jobs.run.destination import check_destination, hold_places, identity_of, now, take_over
from mediamirror.jobs.run.inputs import Emit, WorkByHost, documents, nobody_listens, own_origins, plan_document
from mediamirror.jobs.run.lanes import run_lanes
from mediamirror.jobs.run.manifest import write_segment
from mediamirror.jobs.run.pipeline import BATCH, Together
from mediamirror.jobs.run.tally import Tally
from mediamirror.lint import parse_tolerance
from mediamirror.model import ImageSet, ObjectEvent, Outcome, Planned, Problem, Status, Summary
from mediamirror.scratch import scratch_folder
from mediamirror.settings import MirrorOptions, default_catalog
from mediamirror.store.base import Store
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.open import open_store

MAX_SETS_SHOWN = 1000
"""Above this many sets, only those with something to say are reported one by one."""


async def mirror(
    inputs: Sequence[str],
    *,
    to: str,
    options: MirrorOptions | None = None,
    catalog: Path | None = None,
    stdin: BinaryIO | None = None,
    on_event: Emit | None = None,
) -> Summary:
    """Mirror every wanted image variant of the inputs into a directory or bucket.

    ``to`` is a directory or ``s3://bucket/prefix``; ``catalog`` the SQLite file that remembers (default: one per
    destination in the user's state folder). ``on_event`` is called with each `Event`, in order.

    Returns the `Summary`. Raises `UsageError` for what stops the run before its first item, `CatalogError` when the
    catalog can't be used. A failed item is an `Outcome`. When cancelled, what is finished is recorded, a summary with
    exit code 130 is emitted, and the cancellation goes on.
    """
    run = _MirrorRun(options or MirrorOptions(), to, stdin, on_event or nobody_listens)
    return await run.run(inputs, catalog)


class _MirrorRun:
    """One run: its options, its parts as they are opened, and its running totals."""

    def __init__(self, options: MirrorOptions, to: str, stdin: BinaryIO | None, emit: Emit) -> None:
        self._options = options
        self._to = to
        self._stdin = stdin
        self._emit = emit
        self._tally = Tally()
        self._started = time.monotonic()
        self._tolerance = parse_tolerance(options.check.tolerance)
        check_rungs(options.select.rungs)

    async def run(self, inputs: Sequence[str], catalog_path: Path | None) -> Summary:
        options = self._options
        if inputs or not options.select.retry_failed:
            plan_inputs(inputs)
        async with AsyncExitStack() as stack:
            spool = stack.enter_context(scratch_folder())
            fetching = await stack.enter_async_context(
                open_fetcher(options.fetch, spool_dir=spool, own_hosts=own_origins(inputs))
            )
            store = await stack.enter_async_context(await self._open_store(stack))
            identity = identity_of(store.name, options.store.endpoint_url)
            path = catalog_path or default_catalog(identity)
            job = options.job
            hold_places(stack, to=self._to, identity=identity, catalog=path, command=job.command, dry_run=job.dry_run)
            await check_destination(store, dry_run=job.dry_run)
            if not job.dry_run:
                await take_over(stack, store, to=self._to)
            catalog = await stack.enter_async_context(await self._open(path))
            run = await catalog.write(begin_run, options.job.command, identity, now().isoformat(timespec="seconds"))
            archive = stack.enter_context(WarcArchive(spool, max_size=options.fetch.max_size))
            return await self._all(inputs, catalog, run, fetching, store, archive)

    async def _open(self, path: Path) -> Catalog:
        dry_run = self._options.job.dry_run
        if not self._options.select.retry_failed:
            return await Catalog.open(path, dry_run=dry_run)
        # What failed is known from a catalog alone: none is made here.
        return await Catalog.open_existing(path, read_only=False, dry_run=dry_run)

    async def _open_store(self, stack: AsyncExitStack) -> Store:
        fetch = self._options.fetch
        endpoint = open_transport(
            self._options.store.cacert or fetch.cacert,
            limit=fetch.concurrency + 16,
            connect_to=fetch.connect_to,
            proxy=fetch.proxy,
        )
        return open_store(self._to, self._options.store, transport=await stack.enter_async_context(endpoint))

    async def _all(
        self,
        inputs: Sequence[str],
        catalog: Catalog,
        run: Run,
        fetching: OpenFetcher,
        store: Store,
        archive: WarcArchive,
    ) -> Summary:
        interrupted = False
        try:
            await self._plan(inputs, catalog, run, fetching, archive)
            if not self._options.select.retry_failed:
                await self._skip_unwanted(catalog, run)
            stripper = Stripper() if self._options.store.strip_metadata else None
            publisher = Publisher(
                store,
                self._options.store,
                was_empty=await store.is_empty(),
                case_insensitive=store.folds_case,
                stripper=stripper,
            )
            if self._options.job.dry_run:
                await self._preview(catalog, run, publisher)
            else:
                await self._work(catalog, run, fetching, archive, publisher)
                for problem in stripper.problems() if stripper else ():
                    self._found(replace(problem, document=store.name))
                await self._tell_manifest(catalog, run, store)
                await self._show_sets(catalog, run)
        except asyncio.CancelledError:
            interrupted = True
            raise
        finally:
            summary = self._tally.summary(
                seconds=time.monotonic() - self._started, options=self._options.job, interrupted=interrupted
            )
            await catalog.write(finish_run, run, now().isoformat(timespec="seconds"), summary.exit_code)
            if interrupted:
                self._emit(summary)
        self._emit(summary)
        return summary

    async def _plan(
        self, inputs: Sequence[str], catalog: Catalog, run: Run, fetching: OpenFetcher, archive: WarcArchive
    ) -> None:
        async with Reader(self._options.read) as reader:
            found_in = (
                documents(inputs, self._options.read, fetching, reader, self._stdin, archive) if inputs else _nothing()
            )
            count = await self._plan_documents(found_in, catalog, run, reader)
        if self._options.select.retry_failed:
            await catalog.write(plan_retry, run, planned=bool(inputs))
        sets, variants, wanted = await catalog.write(order_work, run)
        if self._options.select.retry_failed and not wanted:
            self._emit(
                Problem("nothing-failed", f"Nothing to try again: nothing failed in {self._to}.", document=self._to)
            )
        self._tally.planned = Planned(count, sets, variants, wanted)
        self._emit(self._tally.planned)

    async def _plan_documents(
        self, found_in: AsyncIterator[Document | Problem], catalog: Catalog, run: Run, reader: Reader
    ) -> int:
        """Put the documents into the plan; returns how many."""
        count = 0
        async for found in found_in:
            if isinstance(found, Problem):
                self._tally.add_problem(found)
                self._emit(found)
                continue
            count += 1
            await plan_document(
                found,
                catalog,
                run,
                reader=reader,
                wanted=lambda image_set: wanted_urls(image_set, self._options.select),
                on_found=self._found,
            )
        return count

    def _found(self, event: ImageSet | Problem) -> None:
        self._tally.note(event)
        self._emit(event)

    async def _skip_unwanted(self, catalog: Catalog, run: Run) -> None:
        batch: list[Record] = []
        async for item in catalog.rows(read_work, run, wanted=False):
            batch.append(Record(item.variant_id, Outcome(item.variant, Status.SKIPPED), None))
            if len(batch) >= BATCH:
                await self._record(catalog, run, batch)
                batch = []
        await self._record(catalog, run, batch)

    async def _work(
        self, catalog: Catalog, run: Run, fetching: OpenFetcher, archive: WarcArchive, publisher: Publisher
    ) -> None:
        check = self._options.check
        policy = Policy(
            self._tolerance, check.keep_rejected, check.keep_svg, check.check == "decode", self._options.select
        )
        fetcher = ArchiveFirst(archive, fetching, offline=self._options.read.offline)
        async with open_inspector(check) as inspect:
            note = Together[Record](lambda records: catalog.write(put_fetches, run, records))
            handler = Handler(fetcher, inspect, publisher, policy, now=now, note=note)
            # A `CatalogError` is the one thing that ends a run for all items: what can't be recorded must not be stored.
            await run_lanes(
                WorkByHost(catalog, run),
                handler.handle,
                lambda records: self._record(catalog, run, records),
                width=self._options.fetch.concurrency,
                host_width=self._options.fetch.host_concurrency,
                outlook=fetching.outlook,
            )

    async def _record(self, catalog: Catalog, run: Run, records: Sequence[Record]) -> None:
        await catalog.write(put_outcomes, run, records)
        for record in records:
            self._tally.add(record.outcome)
            self._emit(record.outcome)

    async def _preview(self, catalog: Catalog, run: Run, publisher: Publisher) -> None:
        async for item in catalog.rows(read_work, run):
            kept = await publisher.confirm(item)
            key = publisher.key(item.variant.url) or "(named by its hash)"
            if kept is not None:
                self._emit(
                    ObjectEvent("skip", kept.key, "would ask whether it changed", kept.size, True, item.variant.url)
                )
            else:
                self._emit(ObjectEvent("upload", key, "not in the store", None, True, item.variant.url))

    async def _tell_manifest(self, catalog: Catalog, run: Run, store: Store) -> None:
        """Say in a bucket itself what it holds now; a directory keeps nothing but its files."""
        if isinstance(store, DirectoryStore):
            return
        sets_of = run if self._options.store.atomic_sets else None
        problem = await write_segment(catalog, store, run.store_id, at=now(), run=sets_of)
        if problem is not None:
            self._tally.add_problem(problem)
            self._emit(problem)

    async def _show_sets(self, catalog: Catalog, run: Run) -> None:
        if not self._options.job.tell_sets:
            return
        async for result in catalog.rows(read_sets, run, troubled=self._tally.planned.sets > MAX_SETS_SHOWN):
            self._emit(result)


async def _nothing() -> AsyncIterator[Document | Problem]:
    """No input: what is tried again is in the catalog."""
    nothing: tuple[Document, ...] = ()
    for found in nothing:
        yield found
