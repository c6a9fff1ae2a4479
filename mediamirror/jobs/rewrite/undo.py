"""``rewrite --undo``: the bytes that pages had before they were rewritten, by the records beside them."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mediamirror.catalog.catalog import Catalog, lock_beside
from mediamirror.catalog.rewriting import forget_rewritten
from mediamirror.documents.plan import Via, plan_inputs, walk
from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.jobs.rewrite.files import LeftAlone, Record, put, read, sha256_of, steps_back, without
from mediamirror.jobs.run.destination import hold
from mediamirror.jobs.run.session import INTERRUPTED, Needs, open_run
from mediamirror.model import MendEvent, MendSummary, ObjectEvent, Problem
from mediamirror.rewrite.document import fits, spliced
from mediamirror.settings import RewriteOptions


async def undo(inputs: Sequence[str], *, options: RewriteOptions, on_event: Callable[[MendEvent], None]) -> MendSummary:
    """Give every rewritten page below the INPUTs its own bytes again; one that changed since is left alone, and told of.

    When it is interrupted, the records of what was brought back stay until the next time.
    """
    run = _Undo(inputs[0], options, on_event)
    async with open_run(Needs(command="rewrite --undo"), conclude=run.summary, emit=on_event) as session:
        for page in _pages(inputs):
            if (event := await asyncio.to_thread(run.page, page)) is not None:
                on_event(event)
        if not options.dry_run:
            await run.forget()
    return session.summary


def _pages(inputs: Sequence[str]) -> Iterator[Path]:
    for place in plan_inputs(inputs):
        if place.via not in {Via.FILE, Via.DIRECTORY}:
            raise UsageError(f"{place.word} is no file or folder: give what was rewritten.")
        path = Path(place.word)
        yield from walk(path) if place.via is Via.DIRECTORY else (path,)


class _Undo:
    """One run, and its running totals."""

    def __init__(self, place: str, options: RewriteOptions, emit: Callable[[MendEvent], None]) -> None:
        self._place = place
        self._options = options
        self._emit = emit
        self._counts: Counter[str] = Counter()
        self._failed = False
        self._known: dict[Path, dict[str, list[Record]]] = {}
        self._done: dict[Path, list[str]] = defaultdict(list)
        self._outputs: dict[str, list[str]] = defaultdict(list)
        self._started = time.monotonic()

    def page(self, page: Path) -> ObjectEvent | None:
        """Bring one page back, if it was rewritten."""
        root, records = self._records_of(page)
        if root is None:
            return None
        try:
            restored = self._restored(page, records)
        except LeftAlone as left:
            self._failed = True
            self._counts["pages left alone"] += 1
            return ObjectEvent("restore", str(page), "", error=left.error)
        if not self._options.dry_run:
            self._done[root].append(os.path.relpath(page, root))
            for record in records:
                if record.catalog is not None:
                    self._outputs[record.catalog].append(os.path.realpath(page))
        self._counts["pages restored" if restored else "pages unchanged"] += 1
        reason = "as before it was rewritten" if restored else "it has its own bytes"
        return ObjectEvent("restore" if restored else "skip", str(page), reason, dry_run=self._options.dry_run)

    def _records_of(self, page: Path) -> tuple[Path | None, list[Record]]:
        """The nearest folder above a page that keeps records of it, and these."""
        absolute = Path(os.path.abspath(page))  # noqa: PTH100 - without resolving links: the records name paths as given
        for folder in absolute.parents:
            if folder not in self._known:
                self._known[folder] = read(folder)
            found = self._known[folder].get(os.path.relpath(absolute, folder))
            if found:
                return folder, found
        return None, []

    def _restored(self, page: Path, records: Sequence[Record]) -> bool:
        """Write the first bytes of a page; False where it has them. Raises `LeftAlone`."""
        try:
            data = page.read_bytes()
        except OSError as error:
            raise LeftAlone("input-unreadable", f"{page} can't be read: {error.strerror or error}.") from error
        digest = sha256_of(data)
        steps = list(steps_back(records, digest))
        if not steps:
            if any(record.before == digest for record in records):
                return False
            raise LeftAlone("page-changed", f"{page} changed since it was rewritten: undo that change first.")
        for record in steps:
            before = spliced(data, record.back) if fits(record.back, len(data)) else b""
            if sha256_of(before) != record.before:
                raise LeftAlone(
                    "record-damaged", f"The record of {page} is damaged: the original bytes can't be restored from it."
                )
            data = before
        if not self._options.dry_run:
            put(page, data, page)
        return True

    async def forget(self) -> None:
        """Drop the records of pages that have their own bytes again, here and in the catalogs that told of them."""
        for root, pages in self._done.items():
            try:
                without(root, pages)
            except OSError as error:
                self._emit(
                    Problem(
                        "record-kept", f"The records in {root} can't be removed ({error.strerror}).", document=str(root)
                    )
                )
        there = {name: outputs for name, outputs in self._outputs.items() if os.path.exists(name)}  # noqa: ASYNC240, PTH110
        for name, outputs in there.items():
            path = Path(name)
            try:
                with hold(lock_beside(path), thing=f"The catalog {path}", command="rewrite --undo"):
                    async with await Catalog.open_existing(path) as catalog:
                        await catalog.write(forget_rewritten, outputs)
            except MediamirrorError as error:
                self._emit(
                    Problem(error.code, f"The catalog still lists the rewritten pages: {error.message}", document=name)
                )

    def summary(self, interrupted: bool) -> MendSummary:
        """Say how it ended."""
        seconds = time.monotonic() - self._started
        code = INTERRUPTED if interrupted else int(self._failed)
        return MendSummary("rewrite", self._place, dict(self._counts), 0, seconds, self._options.dry_run, code)
