"""What happens to one variant: ask (an archive first), look at the bytes, check, publish. Every failure becomes its Outcome.

Outcomes are written into the catalog, told and counted here too; and for a dry run what would become of each.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import Run, continued_from
from mediamirror.catalog.results import Record, put_outcomes
from mediamirror.catalog.work import KnownFetch, KnownObject, WorkItem, read_work
from mediamirror.errors import ArchiveError, CatalogError, FetchError, HTTPStatus, ImageError, StoreError
from mediamirror.fetch.request import Fetcher, Request, certain_refusal, discard
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.header import check_budget, read_body, read_whole_body
from mediamirror.jobs.mirror.plan import (
    SHORT,
    Ask,
    Conditional,
    Fresh,
    Situation,
    Verdict,
    decide_ask,
    is_short,
    judge,
    question,
    recorded_download,
)
from mediamirror.jobs.mirror.publish import Published, Publisher
from mediamirror.jobs.run.destination import now
from mediamirror.jobs.run.lanes import Later
from mediamirror.jobs.run.session import Session
from mediamirror.jobs.run.tally import Tally
from mediamirror.lint import Tolerance, check_variant, parse_tolerance, rejects, unread_kind
from mediamirror.model import (
    Body,
    Download,
    Facts,
    Finding,
    ImageFacts,
    ItemError,
    ObjectEvent,
    OpaqueFacts,
    Outcome,
    Problem,
    SourceBytes,
    Status,
    Summary,
)
from mediamirror.redact import redact_url
from mediamirror.settings import CheckOptions, MirrorOptions, SelectOptions

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive
    from mediamirror.jobs.mirror.results import Results

Inspect = Callable[[Body], Awaitable[ImageFacts]]
"""Body to facts; raises `ImageError`."""


@asynccontextmanager
async def open_inspector(options: CheckOptions) -> AsyncIterator[Inspect]:
    """Open what ``--check`` asks for; decoder processes end with the block."""
    if options.check == "header":
        yield lambda body: header_only(body, options)
        return
    async with DecoderPool(options) as pool:
        yield pool.decode


async def header_only(body: Body, options: CheckOptions) -> ImageFacts:
    """Facts without decoding. A body that its connection's end alone ended is walked through to its own end."""
    facts = read_body(body) if body.framed else await asyncio.to_thread(read_whole_body, body)
    check_budget(facts, options)
    return facts


log = logging.getLogger("mediamirror")


_STANDING = {Verdict.PUBLISH: Status.UNCHANGED, Verdict.REJECT: Status.REJECTED, Verdict.TOO_SMALL: Status.SKIPPED}
"""What bytes that did not change are called."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How this run judges: what counts as sound, and how often to ask."""

    tolerance: Tolerance
    keep_rejected: bool
    keep_svg: bool
    decode: bool
    select: SelectOptions
    goes_on_from: float = math.inf
    """The id of the first of the runs that this one goes on with; without any, no run has it."""
    headers: tuple[tuple[str, str], ...] = ()
    """The request headers that the user chose."""
    archives: bool = False
    """Whether bytes are wanted that are not published: they go into an archive, too."""
    stores_at_once: int = 64
    """How many objects are written at the same time."""
    keep_short: bool = False
    """Whether a file is published whose one fault is to have fewer pixels than promised."""


def policy_for(options: MirrorOptions, goes_on_from: int) -> Policy:
    """Return how a run with these options judges."""
    check, fetch = options.check, options.fetch
    agent = [("user-agent", fetch.user_agent)] if fetch.user_agent else []
    return Policy(
        parse_tolerance(check.tolerance),
        check.keep_rejected,
        check.keep_svg,
        check.check == "decode",
        options.select,
        goes_on_from,
        (*fetch.headers, *agent),
        stores_at_once=fetch.concurrency,
    )


async def _unnoted(record: Record) -> None:
    """Write nothing down before the bytes are stored."""


class Handler:
    """Takes one work item through ask, check and publish. Safe to call concurrently.

    ``note`` is awaited with what was fetched before it is stored.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        inspect: Inspect,
        publisher: Publisher,
        policy: Policy,
        *,
        now: Callable[[], datetime],
        note: Callable[[Record], Awaitable[None]] = _unnoted,
    ) -> None:
        self._fetcher = fetcher
        self._inspector = inspect
        self._publisher = publisher
        self._policy = policy
        self._now = now
        self._note = note
        self._storing = asyncio.Semaphore(policy.stores_at_once)

    async def handle(self, item: WorkItem) -> Record | Later[Record]:
        """Return what became of the item; only cancellation leaves this function as an exception."""
        try:
            return await self._handle(self._seen_today(item))
        except FetchError as error:
            status = error.status if isinstance(error, HTTPStatus) else None
            failed = _failed(item, error.code, error.message, http_status=status)
            return Later(failed) if error.deferred else failed
        except (StoreError, ImageError) as error:
            return _failed(item, error.code, error.message)
        except (CatalogError, ArchiveError):
            raise
        except Exception as error:
            # A defect of ours in one item must not end the run for the others.
            log.exception("unexpected error for %s", redact_url(item.variant.url))
            return _failed(
                item, "internal", f"An unexpected {type(error).__name__} stopped this item; please report it."
            )

    async def settle(self, items: Sequence[WorkItem]) -> list[Record]:
        """Return what became of those items that are unchanged without a question to their origin; the store is asked once for all.

        The others are left to `handle`.
        """
        fresh = [self._seen_today(item) for item in items if self.may_ask_nothing(item)]
        confirmed = zip(fresh, await self._publisher.confirm_all(fresh), strict=True)
        records = [
            self._unchanged(item, kept, self._lint_recorded(item), None) for item, kept in confirmed if kept is not None
        ]
        return [record for record in records if record.outcome.status is Status.UNCHANGED]

    def may_ask_nothing(self, item: WorkItem) -> bool:
        """Whether an item was checked recently enough, so that its origin is asked for nothing if the store holds it."""
        return isinstance(self._ask(self._seen_today(item), in_store=True), Fresh)

    def _ask(self, item: WorkItem, *, in_store: bool, unpublished: bool = False) -> Ask:
        situation = Situation(
            item.fetch,
            in_store,
            unpublished and not self._policy.archives,
            self._policy.decode,
            item.fetch is not None and item.fetch.run_id >= self._policy.goes_on_from,
            self._question(item.fetch.headers) if item.fetch is not None else None,
        )
        select = self._policy.select
        return decide_ask(situation, now=self._now(), fresh_for=select.fresh_for, refetch=select.refetch)

    def _seen_today(self, item: WorkItem) -> WorkItem:
        """The item as this run sees it: a drawing that an earlier one kept is nothing sound where none is asked for."""
        fetch = item.fetch
        if fetch is None or self._policy.keep_svg or not isinstance(fetch.facts, OpaqueFacts):
            return item
        return replace(item, fetch=replace(fetch, facts=None))

    async def _handle(self, item: WorkItem) -> Record:
        kept = await self._publisher.confirm(item)
        recorded = self._lint_recorded(item)
        unpublished = self._verdict(item, item.fetch.facts if item.fetch else None, recorded) is not Verdict.PUBLISH
        adopted = None if kept is not None or unpublished else await self._publisher.adopt(item)
        if adopted is not None and (told := self._publisher.told(item)) is not None:
            kept = replace(told, size=adopted.size, content_type=adopted.content_type, token=adopted.token)
        ask = self._ask(item, in_store=kept is not None, unpublished=unpublished)
        if isinstance(ask, Fresh):
            return replace(self._unchanged(item, kept, recorded, None), stored=adopted)
        request = Request(item.variant.url, pages=item.variant.documents)
        if isinstance(ask, Conditional):
            request = replace(request, etag=ask.etag, last_modified=ask.last_modified)
        download = await self._fetcher.fetch(request)
        download = replace(download, asked=self._question(download.headers)) if self._policy.headers else download
        if download.body is None:
            return replace(self._unchanged(item, kept, recorded, download), stored=adopted)
        try:
            return await self._take(item, kept, download, download.body)
        finally:
            discard(download.body)

    def _question(self, answered: Iterable[tuple[str, str]]) -> str | None:
        return question(self._policy.headers, ",".join(value for name, value in answered if name == "vary"))

    def _lint_recorded(self, item: WorkItem) -> tuple[Finding, ...]:
        if item.fetch is None or item.fetch.facts is None:
            return ()
        return self._lint(item, recorded_download(item, item.fetch), item.fetch.facts)

    def _lint(self, item: WorkItem, download: Download, result: Facts | ImageError) -> tuple[Finding, ...]:
        return check_variant(
            item.variant,
            download,
            result,
            tolerance=self._policy.tolerance,
            known_widths=item.sibling_widths,
            true_ending=self._publisher.names_by_content,
        )

    def _verdict(self, item: WorkItem, facts: Facts | None, findings: tuple[Finding, ...]) -> Verdict:
        rejected = any(rejects(finding) for finding in findings) and not (
            self._policy.keep_short and is_short(findings)
        )
        return judge(
            facts,
            rejected=rejected,
            keep_rejected=self._policy.keep_rejected,
            min_width=self._policy.select.min_width,
            declared=bool(item.variant.declared_widths),
        )

    def _unchanged(
        self, item: WorkItem, kept: KnownObject | None, findings: tuple[Finding, ...], answer: Download | None
    ) -> Record:
        fetch = item.fetch
        if fetch is None:
            return _failed(item, "unasked-304", "The server answered 304 Not Modified to a request without conditions.")
        verdict = self._verdict(item, fetch.facts, findings)
        rejection = _rejection(findings) if verdict is Verdict.REJECT else None
        outcome = Outcome(
            variant=item.variant,
            status=_STANDING[verdict],
            final_url=fetch.final_url if answer is None else answer.final_url,
            facts=fetch.facts,
            size=fetch.size,
            sha256=fetch.sha256,
            findings=findings,
            error=rejection,
            download=None if answer is None else recorded_download(item, fetch, answer),
        )
        if kept is not None and verdict is Verdict.PUBLISH:
            outcome = _still_kept(outcome, kept, fetch)
        return Record(item.variant_id, outcome, None)

    async def _take(self, item: WorkItem, kept: KnownObject | None, download: Download, body: Body) -> Record:
        result = await self._inspect(item, download, body)
        facts = None if isinstance(result, ImageError) else result
        findings = self._lint(item, download, result)
        base = Outcome(
            variant=item.variant,
            status=Status.REJECTED,
            final_url=download.final_url,
            facts=facts,
            size=body.size,
            sha256=body.sha256,
            findings=findings,
            download=download,
            fetched_bytes=body.size,
        )
        verdict = self._verdict(item, facts, findings)
        if verdict is Verdict.REJECT or facts is None:
            error = _rejection(findings) or _image_error(result)
            return Record(item.variant_id, replace(base, error=error), None)
        if verdict is Verdict.TOO_SMALL:
            return Record(item.variant_id, replace(base, status=Status.SKIPPED), None)
        await self._note(Record(item.variant_id, base, None))
        try:
            async with self._storing:
                published = await self._publisher.publish(item, kept, body, facts)
        except StoreError as error:
            # The bytes arrived; what failed is storing them. The catalog keeps the exchange, not an object.
            failed = replace(base, status=Status.FAILED, error=ItemError(error.code, error.message))
            return Record(item.variant_id, failed, None)
        return Record(item.variant_id, _published(base, published), published.stored)

    async def _inspect(self, item: WorkItem, download: Download, body: Body) -> Facts | ImageError:
        try:
            return await self._inspector(body)
        except ImageError as error:
            drawing = self._policy.keep_svg and unread_kind(item.variant, error, download) == "svg"
            return OpaqueFacts() if drawing else error


def _published(base: Outcome, published: Published) -> Outcome:
    return replace(
        base,
        status=published.status,
        key=published.stored.key,
        facts=published.facts,
        size=published.stored.size,
        sha256=published.sha256,
        sent_bytes=published.sent_bytes,
        source=published.source,
    )


def _still_kept(outcome: Outcome, kept: KnownObject, fetch: KnownFetch) -> Outcome:
    """The outcome of bytes that did not change at the origin and are still stored, stripped or as they came."""
    if kept.source_sha256 is None:
        return replace(outcome, key=kept.key)
    source = SourceBytes(fetch.sha256, fetch.size, fetch.facts)
    stripped = kept.sha256 != kept.source_sha256 and fetch.facts is not None
    facts = replace(fetch.facts, has_gps=False) if stripped and isinstance(fetch.facts, ImageFacts) else fetch.facts
    return replace(outcome, key=kept.key, facts=facts, size=kept.size, sha256=kept.sha256, source=source)


def _rejection(findings: tuple[Finding, ...]) -> ItemError | None:
    return next((ItemError(f.rule, f.message) for f in findings if rejects(f)), None)


def _image_error(result: Facts | ImageError) -> ItemError | None:
    return ItemError(result.code, result.message) if isinstance(result, ImageError) else None


def _failed(item: WorkItem, code: str, message: str, *, http_status: int | None = None) -> Record:
    error = ItemError(code, message, http_status)
    return Record(item.variant_id, Outcome(item.variant, Status.FAILED, error=error), None)


class Recorder:
    """Writes outcomes down and tells them. What may be kept as the best there is gets its last word later: ``short`` counts those.

    ``results`` takes them too where several workers share the run, ``keep_stored`` where a web archive is written.
    """

    def __init__(self, catalog: Catalog, run: Run, tally: Tally) -> None:
        self._catalog = catalog
        self._run = run
        self._tally = tally
        self.short = 0
        self.results: Results | None = None
        self.keep_stored: Callable[[Sequence[Outcome]], AsyncIterator[Problem]] | None = None

    async def record(self, records: Sequence[Record], *, last: bool) -> None:
        """Record some; ``last`` says that they are the last word on each."""
        await self._catalog.write(put_outcomes, self._run, records)
        if self.keep_stored is not None:
            async for problem in self.keep_stored([record.outcome for record in records]):
                self._tally.tell(problem)
        settled: list[Record] = []
        for record in records:
            outcome = record.outcome
            if last or outcome.error is None or outcome.error.code not in SHORT:
                self._tally.tell(outcome)
                settled.append(record)
            else:
                self.short += 1
                self._tally.bytes_in += outcome.fetched_bytes
        if self.results is not None:
            await self.results.add(settled)


_PREVIEWED = 1024
"""Items that a dry run reads at once, with little beside each."""


async def preview(
    session: Session[Summary],
    archive: WarcArchive,
    publisher: Publisher,
    options: MirrorOptions,
    tally: Tally,
) -> None:
    """Tell what would be done. What the guard refuses for its URL alone fails here too; nothing is asked of anybody."""
    catalog, run = session.catalog, session.run
    policy = policy_for(options, await catalog.read(continued_from, run))
    handler = Handler(session.fetcher, partial(header_only, options=options.check), publisher, policy, now=now)
    refused = certain_refusal(options.fetch)
    unknown = "(named by its hash)" if options.store.layout == "hash" else "(its extension is not known)"
    async for page in catalog.pages(read_work, run, promises=False, limit=_PREVIEWED):
        for item, kept in zip(page, await publisher.confirm_all(page), strict=True):
            url = item.variant.url
            error = None if options.read.offline else refused(url)
            if error is not None and not archive.knows(url) and not handler.may_ask_nothing(item):
                key = kept.key if kept is not None else publisher.key(url) or unknown
                tally.statuses[Status.FAILED] += 1
                said = ItemError(error.code, error.message)
                tally.emit(ObjectEvent("upload", key, "failed", url=url, error=said))
            elif kept is not None:
                tally.emit(
                    ObjectEvent("skip", kept.key, "would check whether it changed", kept.size, url=url, dry_run=True)
                )
            else:
                key = publisher.key(url) or unknown
                tally.emit(ObjectEvent("upload", key, "not in the store", url=url, dry_run=True))
