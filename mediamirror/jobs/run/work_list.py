"""From documents to the plan: the image sets of each, and the work list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import lru_cache
from time import time

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import Run
from mediamirror.catalog.planned import DocumentRow, PlanRows, put_plan
from mediamirror.catalog.work import WorkItem, read_lanes, read_places
from mediamirror.documents.document import Document
from mediamirror.documents.reader import Reader
from mediamirror.jobs.run.tally import CUT_SHORT
from mediamirror.jobs.run.unplaced import Unplaced
from mediamirror.model import Extraction, ImageSet, Problem


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


class Plan:
    """The plan of a run while its inputs are read. What is added is in the catalog after `write`, or as soon as it is much."""

    def __init__(self, catalog: Catalog, run: Run, reader: Reader, wanted: Wanted) -> None:
        self._catalog = catalog
        self._run = run
        self._reader = reader
        self._wanted = wanted
        self._rows = PlanRows()

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
            found: list[ImageSet | Problem] = [*part.problems, *part.sets]
            for each in map(unplaced.sift, sorted(found, key=lambda event: event.line)):
                if each is not None:
                    on_found(each)
            whole = whole and not any(each.code in CUT_SHORT for each in problems_in(part))
            for image_set in part.sets:
                if image_set.candidates:
                    self._rows.add(planned, image_set, self._wanted(image_set))
            if self._rows.full:
                await self.write()
        self._rows.end(planned, whole=whole)
        if (problem := unplaced.problem(document, takes_root=takes_root)) is not None:
            on_found(problem)

    async def write(self) -> None:
        """Write what was added."""
        await self._catalog.write(put_plan, self._run, self._rows)
        self._rows.clear()


def problems_in(part: Extraction) -> tuple[Problem, ...]:
    """Every problem that was found, those of its sets too."""
    return (*part.problems, *(problem for each in part.sets for problem in each.problems))


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
