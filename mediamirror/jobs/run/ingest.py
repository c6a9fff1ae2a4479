"""Putting one document into the catalog's plan: its image sets, a slice at a time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator

from mediamirror.catalog.catalog import Catalog, Run
from mediamirror.catalog.ingest import DocumentRow
from mediamirror.documents.document import Document
from mediamirror.jobs.run.bounds import bounded
from mediamirror.jobs.run.inputs import look_through
from mediamirror.jobs.run.names import now
from mediamirror.model import Extraction, ImageSet, Problem
from mediamirror.settings import ReadOptions

Wanted = Callable[[ImageSet], frozenset[str]]
"""Which URLs of a set are wanted."""


async def plan_document(
    document: Document,
    catalog: Catalog,
    run: Run,
    *,
    read: ReadOptions,
    wanted: Wanted,
    on_found: Callable[[ImageSet | Problem], None],
) -> None:
    """Add a document and its sets to the plan, telling each set and each problem that belongs to none.

    Of a long text one slice is in memory at a time, whatever the number of sets in it.
    """
    document_id = await catalog.add_document(_row(document))
    parts = bounded(look_through(document, links=read.links), read, document.name)
    while (part := await asyncio.to_thread(_next, parts)) is not None:
        found: list[ImageSet | Problem] = [*part.problems, *part.sets]
        for each in found:
            on_found(each)
        await catalog.add_sets(run, document_id, [(s, wanted(s)) for s in part.sets if s.candidates])


def _next(parts: Iterator[Extraction]) -> Extraction | None:
    return next(parts, None)


def _row(document: Document) -> DocumentRow:
    return DocumentRow(
        document.name,
        document.media_type,
        document.base_url,
        hashlib.sha256(document.data).hexdigest(),
        len(document.data),
        now().isoformat(timespec="seconds"),
    )
