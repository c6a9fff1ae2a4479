"""From documents to the plan: the image sets of each, and the work list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.ingest import DocumentRow, Run, put_document, put_sets
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


async def plan_document(
    document: Document,
    catalog: Catalog,
    run: Run,
    *,
    reader: Reader,
    wanted: Wanted,
    on_found: Callable[[ImageSet | Problem], None],
    takes_root: bool = False,
) -> None:
    """Add a document and its sets to the plan, telling each set and each problem that belongs to none.

    A few of the sets are in memory at a time, whatever their number. What is relative to an address that the document lacks is
    told once; ``takes_root`` says that --root would help.
    """
    unplaced, whole = Unplaced(), True
    sets: Sequence[tuple[ImageSet, frozenset[str]]] = ()
    document_id = await catalog.write(put_document, _row(document))
    async for part in reader.look(document):
        found: list[ImageSet | Problem] = [*part.problems, *part.sets]
        for each in map(unplaced.sift, sorted(found, key=lambda event: event.line)):
            if each is not None:
                on_found(each)
        whole = whole and not any(each.code in CUT_SHORT for each in problems_in(part))
        if sets:
            await catalog.write(put_sets, run, document_id, sets, whole=False)
        sets = [(s, wanted(s)) for s in part.sets if s.candidates]
    await catalog.write(put_sets, run, document_id, sets, whole=whole)
    if (problem := unplaced.problem(document, takes_root=takes_root)) is not None:
        on_found(problem)


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
        datetime.now(UTC).isoformat(timespec="seconds"),
        document.columns or None,
    )
