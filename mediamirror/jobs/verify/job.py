"""The linter's job: read the inputs, look at every variant's bytes, judge each image set. Stores nothing.

inputs ──> plan ──> a temporary catalog (work list) and a spool of image sets
work list ──> window of workers: bring the bytes, look at them ──> notes
image sets, one by one, beside their notes ──> rules ──> findings

The rooms `lint` and `markup` do not know each other: `StandardBrowser` is where they meet.
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import Run, begin_run, order_work
from mediamirror.catalog.work import WorkItem, get_notes, put_notes
from mediamirror.documents.document import Document
from mediamirror.documents.plan import plan_inputs
from mediamirror.documents.reader import Reader
from mediamirror.errors import FetchError
from mediamirror.fetch.late import LateFetcher
from mediamirror.fetch.request import Request
from mediamirror.first_use import dataclass, replace
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.jobs.run.inputs import ArchiveFirst, documents, open_archive, own_origins
from mediamirror.jobs.run.lanes import Later, run_lanes
from mediamirror.jobs.run.session import Needs, open_run
from mediamirror.jobs.run.switched_off import SwitchedOff, as_finding
from mediamirror.jobs.run.tally import Emit, Tally, nobody_listens
from mediamirror.jobs.run.work_list import Plan, WorkByHost
from mediamirror.jobs.verify.baseline import check_place, fingerprint, read_baseline, write_baseline
from mediamirror.jobs.verify.look import Looked, Looker, outcome_of, set_result, without_body
from mediamirror.jobs.verify.site_root import OtherOrigin, SiteRoot, own_root
from mediamirror.lint import (
    DEVICES,
    LintOptions,
    Screen,
    VariantFacts,
    check_set,
    choose_checks,
    choose_problems,
    lint_options,
    lone,
    refuse_unable,
    told_by_a_rule,
)
from mediamirror.lint.simulate import Choice, simulate
from mediamirror.markup.standard.media import matches_media, may_match_media
from mediamirror.markup.standard.screen import COMMON
from mediamirror.markup.standard.select import select, source_size, supported_image_type, written_sizes
from mediamirror.markup.standard.sizes import parse_sizes
from mediamirror.model import Candidate, Download, Finding, ImageSet, Planned, Problem, Severity, Source, Summary
from mediamirror.settings import VerifyOptions

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive
    from mediamirror.wire import Transport


@dataclass(frozen=True, slots=True)
class StandardBrowser:
    """A browser that does as the standard says, and where that leaves a choice, or browsers differ, as `markup.select` does.

    The width attribute of an img stands for its layout width where ``sizes=auto`` asks for that.
    """

    name: str = COMMON

    def select(self, image_set: ImageSet, screen: Screen) -> Candidate | None:
        """The candidate that a screen would load."""
        layout = _layout_width(image_set, screen)
        viewport = (screen.width, screen.height)
        return select(image_set, viewport=viewport, dpr=screen.dpr, auto_width=layout, browser=self.name)

    def source_size(self, image_set: ImageSet, source: Source, screen: Screen) -> float:
        """The width in CSS pixels that a source's ``sizes`` gives."""
        return source_size(
            source,
            _img(image_set),
            viewport=(screen.width, screen.height),
            dpr=screen.dpr,
            auto_width=_layout_width(image_set, screen),
            browser=self.name,
        )

    def sizes_of(self, image_set: ImageSet, source: Source) -> str | None:
        """The ``sizes`` that count for a source."""
        return written_sizes(source, _img(image_set))

    def matches(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches a screen."""
        return matches_media(media, viewport=(screen.width, screen.height), dpr=screen.dpr, browser=self.name)

    def may_match(self, media: str, screen: Screen) -> bool:
        """Whether a media query list matches some device with such a screen."""
        return may_match_media(media, viewport=(screen.width, screen.height), dpr=screen.dpr)

    def supports(self, mime: str) -> bool:
        """Whether a ``type`` lets a browser use the source."""
        return supported_image_type(mime, self.name)

    def sizes_problems(self, sizes: str) -> Sequence[Problem]:
        """What is wrong with a ``sizes`` value."""
        return parse_sizes(sizes).problems

    def sizes_conditions(self, sizes: str) -> Sequence[str]:
        """The media conditions of a ``sizes`` value that a browser keeps."""
        return [entry.condition for entry in parse_sizes(sizes).entries if entry.condition is not None]


def _img(image_set: ImageSet) -> Source | None:
    return next((s for s in image_set.sources if s.carrier == "img" and s.ignored is None), None)


def _layout_width(image_set: ImageSet, screen: Screen) -> float | None:
    img = _img(image_set)
    return float(min(img.width, screen.width)) if img is not None and img.width else None


@dataclass(frozen=True, slots=True)
class Note:
    """What was looked at: a variant's outcome, and the facts that the rules judge."""

    item: WorkItem
    looked: Looked


_MARKUP = "MM1"
"""How the codes of rules about what stands in the page begin."""

OnSimulated = Callable[[ImageSet, Sequence[Choice]], None]
"""Called with each set, and what each screen would load of it."""


async def verify(
    inputs: Sequence[str],
    *,
    options: VerifyOptions | None = None,
    stdin: BinaryIO | None = None,
    transport: Transport | None = None,
    on_event: Emit = nobody_listens,
) -> Summary:
    """Check every image variant of the inputs against what is promised about it, and every set against good practice.

    ``on_event`` is called with image sets and problems, the plan, an `Outcome` per variant, each `Finding`, a `SetResult`
    per set, and the `Summary`, which is returned too. ``transport`` carries the requests instead of the network. Raises
    `UsageError` for what stops the run before its first item.
    """
    run = _VerifyRun(options or VerifyOptions(), stdin, on_event)
    return await run.run(inputs, transport)


async def simulate_screens(
    inputs: Sequence[str],
    *,
    screens: Sequence[Screen] = DEVICES,
    options: VerifyOptions | None = None,
    stdin: BinaryIO | None = None,
    on_event: Emit = nobody_listens,
    on_set: OnSimulated,
) -> Summary:
    """Say which file each screen would load of each set: ``on_set`` is called with the set and a `Choice` per screen.

    The files are looked at as ``options.check`` says, so that their real bytes and pixels can be told.
    """
    run = _VerifyRun(options or VerifyOptions(), stdin, on_event, screens=screens, on_simulated=on_set)
    return await run.run(inputs)


class _VerifyRun:
    """One run: its options, and its running totals. With ``on_simulated`` sets are simulated instead of judged."""

    def __init__(
        self,
        options: VerifyOptions,
        stdin: BinaryIO | None,
        emit: Emit,
        *,
        screens: Sequence[Screen] = DEVICES,
        on_simulated: OnSimulated | None = None,
    ) -> None:
        self._screens = screens
        self._on_simulated = on_simulated
        self._options = options
        self._stdin = stdin
        # Where no rule runs there is no finding for what failed.
        self._tally = Tally(emit, counts_items=on_simulated is not None)
        self._rules = _lint_options(options)
        self._asked_for = choose_problems(options.select, options.ignore)
        self._baseline = read_baseline(options.baseline) if options.baseline else frozenset()
        if options.write_baseline is not None:
            check_place(options.write_baseline)
        self._root: SiteRoot | None = None
        self._off = SwitchedOff(options.per_path)
        if options.root is not None:
            self._open_site(options.root)
        self._told: set[bytes] = set()
        self._accepted: list[Finding] = []
        self._sets = 0
        self._others = 0
        """Images of another site than that of ``--root``."""

    async def run(self, inputs: Sequence[str], transport: Transport | None = None) -> Summary:
        plan_inputs(inputs)
        options = self._options
        if options.root is None and options.read.base_url is None and (own := own_root(inputs)) is not None:
            self._open_site(own)
        needs = Needs(command="verify", fetch=options.fetch, own_hosts=own_origins(inputs), transport=transport)
        async with open_run(needs, conclude=self._summary, emit=self._tally.emit) as session:
            catalog = await session.stack.enter_async_context(await Catalog.open(session.scratch / "verify.sqlite"))
            spool = session.stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 -- closed by the stack
            archive = session.stack.enter_context(open_archive(session.scratch, options.fetch, options.read))
            run = await catalog.write(begin_run, "verify", "nowhere", datetime.now(UTC).isoformat(timespec="seconds"))
            await self._plan(inputs, catalog, run, session.fetcher, spool, archive)
            await self._look(catalog, run, session.fetcher, archive)
            for problem in archive.problems():
                self._tell_problem(problem)
            await self._judge(catalog, spool)
            self._tell_what_was_looked_at()
            if options.write_baseline is not None:
                write_baseline(options.write_baseline, self._accepted)
        return session.summary

    def _tell_what_was_looked_at(self) -> None:
        """Say where every image is of another site than the folder's, so that not one was looked at: that is no success."""
        statuses = self._tally.statuses
        if self._on_simulated is not None or not self._others or self._others < statuses.total():
            return
        message = (
            f"No image was checked: {self._others:,} of {statuses.total():,} are of another site, and with --root nothing is "
            "fetched. Give the URL of the pages with --base-url URL; or omit --root."
        )
        severity = Severity.WARNING if self._options.job.fail_on == "never" else Severity.ERROR
        self._tally.tell(Problem("nothing-checked", message, severity=severity))

    def _open_site(self, folder: Path) -> None:
        base_url = self._options.read.base_url
        site = self._root = SiteRoot(folder, base_url, most=self._options.fetch.max_size)
        self._off = SwitchedOff(self._options.per_path, root=folder)
        if base_url is not None:
            return
        emit, on_simulated = self._tally.emit, self._on_simulated
        self._tally.emit = lambda event: emit(site.with_paths(event))
        if on_simulated is not None:
            self._on_simulated = lambda *told: on_simulated(*site.with_paths(told))

    def _summary(self, interrupted: bool) -> Summary:
        summary = self._tally.summary(self._options.job, interrupted=interrupted)
        if self._options.write_baseline is not None and summary.exit_code == 1 and not self._tally.failed_inputs:
            # Writing a baseline accepts what was found.
            return replace(summary, exit_code=0)
        return summary

    async def _plan(
        self,
        inputs: Sequence[str],
        catalog: Catalog,
        run: Run,
        fetcher: LateFetcher,
        spool: IO[bytes],
        archive: WarcArchive,
    ) -> None:
        async with Reader(self._options.read) as reader:
            plan = Plan(catalog, run, reader, lambda image_set: frozenset(c.url for c in image_set.candidates))
            async for found in documents(inputs, self._options.read, fetcher, reader, self._stdin, archive):
                if isinstance(found, Problem):
                    self._tell_problem(self._tally.weigh(found))
                    continue
                self._tally.kinds[found.way] += 1
                await plan.add(self._placed(found), lambda event: self._found(event, spool), takes_root=True)
            await plan.write()
            for problem in reader.sheets.left():
                self._found(problem, spool)
        _, variants, wanted = await catalog.write(order_work, run)
        # As many as are told one by one: a set that several pages have is judged on each.
        self._tally.tell(Planned(self._tally.kinds.total(), self._sets, variants, wanted))

    def _placed(self, document: Document) -> Document:
        """Give a document of a built site the URL that it would have there."""
        url = self._root.url_of(document.name) if self._root else None
        return document if url is None else replace(document, base_url=url)

    def _found(self, event: ImageSet | Problem, spool: IO[bytes]) -> None:
        judged = event if isinstance(event, ImageSet) else lone(event)
        if judged is not None:
            # Each by itself: a pickle of the set would hold the others too.
            pickle.dump((replace(judged, others=()), False), spool)
            for other in judged.others:
                pickle.dump((other, True), spool)
        if isinstance(event, ImageSet):
            # An element that repeats another in other words is an image of its own, and judged as one.
            self._sets += 1 + len(event.others)
            told = tuple(each for each in map(self._tally.weigh_inside, event.problems) if self._is_told(each, event))
            self._tally.tell_set(event, told)
            for other in event.others:
                self._tally.emit(other)
        else:
            self._tell_problem(self._tally.weigh_inside(event), judged)

    def _tell_problem(self, problem: Problem, judged: ImageSet | None = None) -> None:
        if self._is_told(problem, judged):
            self._tally.tell(problem)

    def _is_told(self, problem: Problem, judged: ImageSet | None) -> bool:
        """Say whether a problem is told as one. ``judged`` is the set that the rules see it in: theirs come as findings alone.

        What is left is switched off, known and told once like a finding.
        """
        if self._on_simulated is not None:
            return True  # no rule runs
        if judged is not None and told_by_a_rule(problem, judged):
            return False
        if not self._asked_for(problem):
            return False
        place = judged or ImageSet(problem.document, problem.line, ())
        found = as_finding(replace(problem, document=problem.document or place.document))
        off = self._off.problem(place, found)
        if off is not None:
            self._tally.tell(off)
            return False
        self._accepted.extend((found,) if self._options.write_baseline is not None else ())
        return self._is_new(found, again=False)

    async def _look(self, catalog: Catalog, run: Run, fetcher: LateFetcher, archive: WarcArchive) -> None:
        check = self._options.check
        async with AsyncExitStack() as stack:
            pool = None
            if check.check == "decode":
                pool = await stack.enter_async_context(DecoderPool(check))
            site, strict = self._root, self._options.root is not None
            first = ArchiveFirst(archive, fetcher, offline=self._options.read.offline)

            def is_file(url: str) -> bool:
                # A folder that is its own root has pages which name images of the web too: those are fetched.
                return site is not None and (strict or site.holds(url))

            async def bring(request: Request) -> Download:
                return await (
                    site.bring(request) if site is not None and is_file(request.url) else first.fetch(request)
                )

            looker = Looker(
                bring,
                pool,
                check,
                estimate=self._options.estimate,
                thumbnails=self._options.thumbnails,
                from_disk=is_file,
            )

            async def handle(item: WorkItem) -> Note | Later[Note]:
                note = Note(item, await looker.look(item.variant.url, item.sibling_widths, item.variant.documents))
                error = note.looked.known.result
                return Later(note) if isinstance(error, FetchError) and error.deferred else note

            async def record(notes: Sequence[Note]) -> None:
                kept = [(n.item.variant.url, pickle.dumps(_kept(n.looked.known))) for n in notes]
                await catalog.write(put_notes, kept)
                for note in notes:
                    self._tell(note)

            await run_lanes(
                WorkByHost(catalog, run),
                handle,
                record,
                width=self._options.fetch.concurrency,
                host_width=self._options.fetch.host_concurrency,
                outlook=fetcher.outlook,
            )

    def _tell(self, note: Note) -> None:
        self._others += isinstance(note.looked.known.result, OtherOrigin)
        self._tally.bytes_saved += note.looked.saved
        self._tally.tell(outcome_of(note.item.variant, note.looked))

    async def _judge(self, catalog: Catalog, spool: IO[bytes]) -> None:
        browser = StandardBrowser(self._options.browser)
        async for image_set, again, notes in _with_notes(catalog, spool):
            facts = {url: known for url, known in notes.items() if not isinstance(known.result, OtherOrigin)}
            if self._on_simulated is not None:
                self._on_simulated(image_set, simulate(image_set, facts, browser=browser, screens=self._screens))
                continue
            found = await asyncio.to_thread(check_set, image_set, facts, self._rules, browser=browser)
            kept, off = self._off.in_page(image_set, found)
            self._tally.tell_all(off)
            known_before = self._tally.known
            fresh = [finding for finding in kept if self._is_new(finding, again=again)]
            known = self._tally.known - known_before
            self._tally.tell_all(fresh)
            # What an older baseline knows is accepted again as long as it is still found.
            self._accepted.extend(kept if self._options.write_baseline is not None else ())
            if (image_set.candidates and not again) or fresh or off:
                self._tally.emit(replace(set_result(image_set, notes, fresh), suppressed=tuple(off), known=known))

    def _is_new(self, finding: Finding, *, again: bool) -> bool:
        """Say whether a finding is told: not in the baseline, and not told before for the same file.

        ``again``: of a set that the page has elsewhere too, only what this place says is told, and not the same of its files.
        """
        mark = fingerprint(finding)
        if mark in self._baseline:
            self._tally.known += 1
            return False
        where = finding.reference
        document, line = (where.document, where.line) if where else ("", 0)
        here = _digest(finding, f"{document}:{line}")
        anywhere = _digest(finding, document)
        repeats = again and not finding.rule.startswith(_MARKUP) and anywhere in self._told
        told = repeats or here in self._told
        self._told |= {here, anywhere}
        return not told


def _kept(known: VariantFacts) -> VariantFacts:
    return replace(known, download=without_body(known.download))


def _digest(finding: Finding, place: str) -> bytes:
    once = "\0".join((finding.rule, finding.url, finding.message, place))
    return hashlib.blake2b(once.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _lint_options(options: VerifyOptions) -> LintOptions:
    decode = options.check.check == "decode"
    refuse_unable(
        options.select, pages=True, decode=decode, ladder=bool(options.ladder), estimate=options.estimate and decode
    )
    codes = choose_checks(options.select, options.ignore)
    return lint_options(options.check.tolerance, ladder=options.ladder, codes=codes)


async def _with_notes(
    catalog: Catalog, spool: IO[bytes]
) -> AsyncIterator[tuple[ImageSet, bool, dict[str, VariantFacts]]]:
    for image_set, again in _read_sets(spool):
        urls = list({c.url: None for c in image_set.candidates})
        notes = await catalog.read(get_notes, urls)
        yield image_set, again, {url: pickle.loads(note) for url, note in notes.items()}  # noqa: S301 -- ours


def _read_sets(spool: IO[bytes]) -> Iterator[tuple[ImageSet, bool]]:
    """The sets, and whether the one before is the same in another place, written in another way."""
    spool.seek(0)
    while True:
        try:
            judged: tuple[ImageSet, bool] = pickle.load(spool)  # noqa: S301 -- written by this very run into a nameless file
        except EOFError:
            return
        yield judged
