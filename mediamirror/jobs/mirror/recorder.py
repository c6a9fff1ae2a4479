"""What became of images: written into the catalog, told, and counted; and what would become of them, for a dry run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import Run, continued_from
from mediamirror.catalog.results import Record, put_outcomes
from mediamirror.catalog.work import read_work
from mediamirror.fetch.request import certain_refusal
from mediamirror.jobs.mirror.best import SHORT
from mediamirror.jobs.mirror.handle import Handler, header_only, policy_for
from mediamirror.jobs.mirror.publish import Publisher
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.inputs import Emit
from mediamirror.jobs.run.session import Session
from mediamirror.jobs.run.tally import Tally
from mediamirror.model import ItemError, ObjectEvent, Outcome, Problem, Status, Summary
from mediamirror.settings import MirrorOptions

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive
    from mediamirror.jobs.mirror.results import Results


class Recorder:
    """Writes outcomes down and tells them. What may be kept as the best there is gets its last word later: ``short`` counts those.

    ``results`` takes them too where several workers share the run, ``keep_stored`` where a web archive is written.
    """

    def __init__(self, catalog: Catalog, run: Run, tally: Tally, emit: Emit) -> None:
        self._catalog = catalog
        self._run = run
        self._tally = tally
        self._emit = emit
        self.short = 0
        self.results: Results | None = None
        self.keep_stored: Callable[[Sequence[Outcome]], AsyncIterator[Problem]] | None = None

    async def record(self, records: Sequence[Record], *, last: bool) -> None:
        """Record some; ``last`` says that they are the last word on each."""
        await self._catalog.write(put_outcomes, self._run, records)
        if self.keep_stored is not None:
            async for problem in self.keep_stored([record.outcome for record in records]):
                self._tally.add_problem(problem)
                self._emit(problem)
        settled: list[Record] = []
        for record in records:
            outcome = record.outcome
            if last or outcome.error is None or outcome.error.code not in SHORT:
                self._tally.add(outcome)
                self._emit(outcome)
                settled.append(record)
            else:
                self.short += 1
                self._tally.bytes_in += outcome.fetched_bytes
        if self.results is not None:
            await self.results.add(settled)


async def preview(
    session: Session[Summary],
    archive: WarcArchive,
    publisher: Publisher,
    options: MirrorOptions,
    tally: Tally,
    emit: Emit,
) -> None:
    """Tell what would be done. What the guard refuses for its URL alone fails here too; nothing is asked of anybody."""
    catalog, run = session.catalog, session.run
    policy = policy_for(options, await catalog.read(continued_from, run))
    handler = Handler(session.fetcher, partial(header_only, options=options.check), publisher, policy, now=now)
    refused = certain_refusal(options.fetch)
    unknown = "(named by its hash)" if options.store.layout == "hash" else "(its extension is not known)"
    async for page in catalog.pages(read_work, run):
        for item, kept in zip(page, await publisher.confirm_all(page), strict=True):
            url = item.variant.url
            error = None if options.read.offline else refused(url)
            if error is not None and not archive.knows(url) and not handler.may_ask_nothing(item):
                key = kept.key if kept is not None else publisher.key(url) or unknown
                tally.statuses[Status.FAILED] += 1
                said = ItemError(error.code, error.message)
                emit(ObjectEvent("upload", key, "failed", url=url, error=said))
            elif kept is not None:
                emit(ObjectEvent("skip", kept.key, "would check whether it changed", kept.size, url=url))
            else:
                key = publisher.key(url) or unknown
                emit(ObjectEvent("upload", key, "not in the store", url=url))
