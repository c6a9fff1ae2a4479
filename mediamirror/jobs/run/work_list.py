"""From documents to the plan: the image sets of each, and the work list.

Of a document whose image URLs are relative to an address that nobody gave, one line is told, with what to give.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import time
from urllib.parse import unquote, urlsplit

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import DocumentRow, Planned, PlanRows, Run, put_plan
from mediamirror.catalog.work import WorkItem, read_lanes, read_places
from mediamirror.documents.document import Document
from mediamirror.documents.reader import Reader
from mediamirror.first_use import pattern, replace
from mediamirror.jobs.run.tally import CUT_SHORT
from mediamirror.model import Extraction, ImageSet, Listed, Problem


class WorkByHost:
    """The work list of a run as `jobs.lanes` wants it."""

    def __init__(self, catalog: Catalog, run: Run) -> None:
        self._catalog = catalog
        self._run = run

    def lanes(self) -> AsyncIterator[tuple[str, int, int]]:
        """Yield each host with its first and last place."""
        return self._catalog.rows(read_lanes, self._run)

    async def read(self, after: int, last: int, limit: int) -> list[tuple[int, WorkItem]]:
        """Return up to ``limit`` items from the places after ``after`` up to ``last``, each with its place."""
        return await self._catalog.read(read_places, self._run, after=after, last=last, limit=limit)


Wanted = Callable[[ImageSet], frozenset[str]]
"""Which URLs of a set are wanted."""


def _everything(image_set: ImageSet) -> frozenset[str]:
    return frozenset(candidate.url for candidate in image_set.candidates)


class Plan:
    """The plan of a run while its inputs are read. What is added is in the catalog after `write`, or as soon as it is much.

    ``wanted`` says which URLs of a set are; all of them without it. Without ``promises`` only URLs are kept: nobody will ask what a
    document says about them. With ``on_passed`` only sets with problems are told; of the others it gets the number.
    """

    def __init__(
        self,
        catalog: Catalog,
        run: Run,
        reader: Reader,
        wanted: Wanted | None,
        *,
        promises: bool = True,
        on_passed: Callable[[int], None] | None = None,
    ) -> None:
        self._catalog = catalog
        self._run = run
        self._reader = reader
        self._wanted = wanted
        self._on_passed = on_passed
        self._rows = PlanRows(promises=promises)

    async def add(
        self, document: Document, on_found: Callable[[ImageSet | Problem], None], *, takes_root: bool = False
    ) -> None:
        """Add a document and its sets, telling each set and each problem that belongs to none.

        A few of the sets are in memory at a time, whatever their number. What is relative to an address that the document lacks is
        told once; ``takes_root`` says that --root would help.
        """
        unplaced, whole = Unplaced(), True
        if not self._rows.takes(document.name):
            await self.write()
        planned = self._rows.begin(_row(document))
        async for part in self._reader.look(document):
            told = part.sets if self._on_passed is None else _troubled(part)
            found: list[ImageSet | Problem] = [*part.problems, *told]
            for each in map(unplaced.sift, sorted(found, key=lambda event: event.line)):
                if each is not None:
                    on_found(each)
            if self._on_passed is not None and len(told) < len(part.sets):
                self._on_passed(len(part.sets) - len(told))
            whole = whole and not any(each.code in CUT_SHORT for each in problems_in(part))
            self._add_sets(planned, part.sets)
            if self._rows.full:
                await self.write()
        self._rows.end(planned, whole=whole)
        if (problem := unplaced.problem(document, takes_root=takes_root)) is not None:
            on_found(problem)

    def _add_sets(self, planned: Planned, sets: Sequence[ImageSet]) -> None:
        if isinstance(sets, Listed) and self._wanted is None and not self._rows.promises:
            for row in sets.rows:
                if isinstance(row, tuple):
                    self._rows.add_lone(row[0])
                else:
                    self._rows.add(planned, row, _everything(row))
            return
        wanted = self._wanted or _everything
        for image_set in sets:
            if image_set.candidates:
                self._rows.add(planned, image_set, wanted(image_set))

    async def write(self) -> None:
        """Write what was added."""
        await self._catalog.write(put_plan, self._run, self._rows)
        self._rows.clear()


def problems_in(part: Extraction) -> tuple[Problem, ...]:
    """Every problem that was found, those of its sets too."""
    return (*part.problems, *(problem for each in _troubled(part) for problem in each.problems))


def _troubled(part: Extraction) -> list[ImageSet]:
    """Those of the sets that have problems; a bare URL has none."""
    rows = part.sets.rows if isinstance(part.sets, Listed) else part.sets
    return [row for row in rows if isinstance(row, ImageSet) and row.problems]


def _row(document: Document) -> DocumentRow:
    return DocumentRow(
        document.name,
        document.media_type,
        document.base_url,
        document.sha256,
        document.size,
        _told(int(time())),
        document.columns or None,
    )


@lru_cache(maxsize=1)
def _told(second: int) -> str:
    """Say a time, in seconds since 1970. A table has thousands of documents in each."""
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds")


CODE = "relative-url-without-base"
_LOOK = 64 * 1024
_CANONICAL = pattern(rb"""<link\b[^>]{0,500}?\brel=["']?canonical\b[^>]{0,500}>""", re.IGNORECASE)
_HREF = pattern(rb"""\bhref=["']?(https?://[^"'\s>]{1,500})""", re.IGNORECASE)
_MOST_LEVELS = 8


class Unplaced:
    """Collects the problems of one document that come from the address it lacks."""

    def __init__(self) -> None:
        self._count = 0
        self._urls: list[str] = []

    def sift(self, event: ImageSet | Problem) -> ImageSet | Problem | None:
        """Return what is left to tell of an event."""
        if isinstance(event, Problem):
            return None if self._takes(event) else event
        if not any(problem.code == CODE for problem in event.problems):
            return event
        return replace(event, problems=tuple(problem for problem in event.problems if not self._takes(problem)))

    def _takes(self, problem: Problem) -> bool:
        if problem.code != CODE:
            return False
        self._count += 1
        if len(self._urls) < _MOST_LEVELS:
            self._urls += problem.words[:1]
        return True

    def problem(self, document: Document, *, takes_root: bool) -> Problem | None:
        """Say it, if there is anything to say. ``takes_root``: the command can read the files of a built site."""
        if not self._count:
            return None
        many = f"{self._count:,} image URLs are" if self._count > 1 else "1 image URL is"
        advice = f"for a page of the web, its URL: --base-url {_address(document) or 'https://example.org/'}"
        if takes_root and (root := _root(document.name, self._urls)) is not None:
            advice = f"for a built site, its folder: --root {root}; {advice}"
        message = f"{many} relative and can't be used, since the URL of the page is not known. Give it: {advice}."
        return Problem(CODE, message, document=document.name)


def _address(document: Document) -> str | None:
    """The address that the page gives itself (``link rel=canonical``)."""
    if not isinstance(document.data, bytes):
        return None
    link = _CANONICAL.search(document.data[:_LOOK])
    href = _HREF.search(link[0]) if link is not None else None
    return None if href is None else href[1].decode("utf-8", "replace")


def _root(name: str, urls: Sequence[str]) -> Path | None:
    """The folder that a file's addresses fit: for one that begins with a slash, that above which its file lies."""
    page = Path(name)
    if not page.is_file():
        return None
    absolute = [url for url in urls if url.startswith("/") and not url.startswith("//")]
    for url in absolute:
        path = unquote(urlsplit(url).path).lstrip("/")
        for folder in (page.parent, *page.absolute().parents)[:_MOST_LEVELS]:
            if path and "\0" not in path and (folder / path).is_file():
                return folder
    return page.parent
