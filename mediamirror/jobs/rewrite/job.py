"""The rewrite job: pages that load their images from the mirror.

    files -> window of pages: read, find, look up, decide, splice, record, write -> events, catalog
             then style sheets, as no page may demand another hash of one than it has

Only pages are held in memory, a few at a time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from mediamirror.documents.reader import Reader
from mediamirror.errors import UsageError
from mediamirror.jobs.rewrite.files import Item, files_of
from mediamirror.jobs.rewrite.page import Done, Pages, Show
from mediamirror.jobs.rewrite.targets import Targets, open_targets
from mediamirror.jobs.rewrite.undo import undo
from mediamirror.jobs.run.pipeline import as_they_come, run_window
from mediamirror.model import MendEvent, MendSummary, ObjectEvent, Problem, Workload
from mediamirror.settings import MiB, RewriteOptions

Emit = Callable[[MendEvent | Workload], None]

_MUCH = 24 * MiB
"""From so many bytes of pages on they are read in processes of their own: starting one takes as long as to read 4 MiB."""
_MOST_WORKERS = 32
_SHEET = ".css"


async def rewrite(
    inputs: Sequence[str],
    *,
    options: RewriteOptions | None = None,
    catalog: Path | None = None,
    show: Show | None = None,
    on_event: Emit = lambda _: None,
) -> MendSummary:
    """Make pages point at the mirror, byte by byte as they were but for the URLs that move.

    With ``show`` nothing is written: it is handed each page with what it would become. Emits an `ObjectEvent` for each page, a
    `Problem` for each image set that keeps its addresses, then the summary. Raises `UsageError` and `CatalogError`.
    """
    options = options or RewriteOptions()
    ways = [options.to is not None, options.in_place, options.undo, show is not None]
    if sum(ways) != 1:
        raise UsageError(
            "Where shall the pages go? Give one of --to OUT, --in-place, --stdout and --diff; --undo brings them back."
        )
    if options.undo:
        return await undo(inputs, options=options, on_event=on_event)
    items = list(files_of(inputs, options.to))
    async with AsyncExitStack() as stack:
        writes = show is None and not options.dry_run
        targets = await open_targets(options, catalog, stack, writes=writes)
        number = _workers(options, [item.path for item in items if item.is_page], shows=show is not None)
        readers = [await stack.enter_async_context(Reader(options.read, apart=number > 1)) for _ in range(number)]
        run = _Run(options, targets, Pages(options, targets, readers, show), on_event, changes=writes)
        on_event(Workload(len(items), len(items), 0))
        return await run.run(items, width=2 * number if number > 1 else 1)


def _workers(options: RewriteOptions, pages: Sequence[Path], *, shows: bool) -> int:
    """How many readers there is work for; what is shown comes in order."""
    if shows:
        return 1
    asked = options.workers or (len(os.sched_getaffinity(0)) if sum(map(_size, pages)) >= _MUCH else 1)
    return max(1, min(asked, len(pages), _MOST_WORKERS))


def _size(page: Path) -> int:
    try:
        return page.stat().st_size
    except OSError:
        return 0  # told of when it is to be read


class _Run:
    """One run, and its running totals."""

    def __init__(self, options: RewriteOptions, targets: Targets, pages: Pages, emit: Emit, *, changes: bool) -> None:
        self._options = options
        self._targets = targets
        self._pages = pages
        self._emit = emit
        self._changes = changes
        self._counts: Counter[str] = Counter()
        self._failed = False
        self._started = time.monotonic()

    async def run(self, items: Sequence[Item], *, width: int) -> MendSummary:
        """Rewrite everything, style sheets last. An interruption is told of, and goes on."""
        try:
            for sheets in (False, True):
                some = (item for item in items if item.name.lower().endswith(_SHEET) is sheets)
                await run_window(as_they_come(some), self._pages.handle, self._record, width=width)
        except asyncio.CancelledError:
            self._emit(self._summary(130))
            raise
        if self._targets.host is not None and self._counts["pages rewritten"]:
            message = f"Where a Content-Security-Policy is sent, its img-src has to allow {self._targets.host} now."
            self._emit(Problem("content-security-policy", message))
        summary = self._summary(int(self._failed))
        self._emit(summary)
        return summary

    def _summary(self, code: int) -> MendSummary:
        place = str(self._options.to) if self._options.to is not None else "rewrite"
        seconds = time.monotonic() - self._started
        return MendSummary("rewrite", place, dict(self._counts), 0, seconds, not self._changes, code)

    async def _record(self, batch: Sequence[Done]) -> None:
        pages = [done.rewritten for done in batch if done.rewritten is not None]
        if pages:
            await self._targets.note(pages)
        for done in batch:
            for event in self._told(done):
                self._emit(event)

    def _told(self, done: Done) -> Iterator[MendEvent]:
        yield from done.problems
        if done.error is not None:
            self._failed = True
            self._counts["pages left alone"] += 1
        elif done.item.is_page:
            self._counts["pages rewritten" if done.op == "rewrite" else "pages unchanged"] += 1
        else:
            self._counts["files copied" if done.op == "copy" else "files unchanged"] += 1
        kept = sum(len(each.blamed) for each in done.kept)
        for name, number in (("URLs moved", done.moved), ("URLs kept", kept), ("faults fixed", done.mended)):
            if number:
                self._counts[name] += number
        yield ObjectEvent(done.op, str(done.item.path), done.reason, dry_run=not self._changes, error=done.error)
