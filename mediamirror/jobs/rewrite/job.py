"""The rewrite job: pages that load their images from the mirror.

    files -> window of pages: read, find, look up, decide, splice, record, write -> events, catalog
             then style sheets, as no page may demand another hash of one than it has

Only pages are held in memory, a few at a time.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mediamirror.documents.reader import Reader
from mediamirror.errors import UsageError
from mediamirror.jobs.rewrite.files import Item, files_of
from mediamirror.jobs.rewrite.page import Done, Pages, Show
from mediamirror.jobs.rewrite.targets import Targets, open_targets
from mediamirror.jobs.rewrite.undo import undo
from mediamirror.jobs.run.pipeline import as_they_come, run_window
from mediamirror.jobs.run.session import INTERRUPTED, Needs, open_run
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
    writes = show is None and not options.dry_run
    run = _Run(options, on_event, changes=writes)
    async with open_run(Needs(command="rewrite"), conclude=run.summary, emit=on_event) as session:
        targets = await open_targets(options, catalog, session.stack, writes=writes)
        number = _workers(options, [item.path for item in items if item.is_page], shows=show is not None)
        readers = [
            await session.stack.enter_async_context(Reader(options.read, apart=number > 1)) for _ in range(number)
        ]
        on_event(Workload(len(items), len(items), 0))
        await run.all(items, targets, Pages(options, targets, readers, show), width=2 * number if number > 1 else 1)
    return session.summary


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

    def __init__(self, options: RewriteOptions, emit: Emit, *, changes: bool) -> None:
        self._options = options
        self._emit = emit
        self._changes = changes
        self._counts: Counter[str] = Counter()
        self._failed = False
        self._started = time.monotonic()

    async def all(self, items: Sequence[Item], targets: Targets, pages: Pages, *, width: int) -> None:
        """Rewrite everything, style sheets last."""

        async def record(batch: Sequence[Done]) -> None:
            rewritten = [done.rewritten for done in batch if done.rewritten is not None]
            if rewritten:
                await targets.note(rewritten)
            for event in (event for done in batch for event in self._told(done)):
                self._emit(event)

        for sheets in (False, True):
            some = (item for item in items if item.name.lower().endswith(_SHEET) is sheets)
            await run_window(as_they_come(some), pages.handle, record, width=width)
        if targets.host is not None and self._counts["pages rewritten"]:
            message = f"If your server sends a Content-Security-Policy, its img-src must allow {targets.host} now."
            self._emit(Problem("content-security-policy", message))

    def summary(self, interrupted: bool) -> MendSummary:
        """Say how it ended."""
        place = str(self._options.to) if self._options.to is not None else "rewrite"
        seconds = time.monotonic() - self._started
        code = INTERRUPTED if interrupted else int(self._failed)
        return MendSummary("rewrite", place, dict(self._counts), 0, seconds, not self._changes, code)

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
