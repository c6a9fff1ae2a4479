"""``verify --mirror --source``: ask the origins whether they still give out what was mirrored."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence

from mediamirror.catalog.catalog import Catalog
from mediamirror.catalog.stored_sets import MirroredSource, read_sources
from mediamirror.errors import FetchError, HTTPStatus
from mediamirror.fetch import Fetcher, Request, discard
from mediamirror.fetch.late import LateFetcher
from mediamirror.jobs.run.pipeline import run_window
from mediamirror.lint.stored import SourceSubject, check_source
from mediamirror.model import Finding, Problem
from mediamirror.scratch import scratch_folder
from mediamirror.settings import FetchOptions, ScrubOptions

Answer = tuple[MirroredSource, tuple[Finding, ...] | Problem, int]
"""A source, what is to be said of it (or why the origin could not be asked), and the body bytes received."""


async def ask_origins(
    catalog: Catalog, identity: str, codes: frozenset[str], tell: Callable[[Answer], None], *, options: ScrubOptions
) -> None:
    """Ask for each recorded source with the validators of its last fetch; ``tell`` is called with each answer.

    304 is trusted. Other bytes are compared by sha256, so that an origin that gives out new validators, or none, for the same
    bytes has changed nothing. 404 and 410 are answers; every other failure is a `Problem`.
    """
    chance, fetch = random.Random(options.seed), options.source or FetchOptions()  # noqa: S311 -- a sample
    with scratch_folder() as folder:
        async with LateFetcher(fetch, spool_dir=folder) as fetcher:

            async def record(answers: Sequence[Answer]) -> None:
                for answer in answers:
                    tell(answer)

            async def chosen() -> AsyncIterator[MirroredSource]:
                async for source in catalog.rows(read_sources, identity):
                    if options.sample >= 1 or chance.random() < options.sample:
                        yield source

            await run_window(chosen(), lambda source: _ask(fetcher, source, codes), record, width=fetch.concurrency)


async def _ask(fetcher: Fetcher, source: MirroredSource, codes: frozenset[str]) -> Answer:
    try:
        download = await fetcher.fetch(Request(source.url, etag=source.etag, last_modified=source.last_modified))
    except HTTPStatus as error:
        if error.status in {404, 410}:
            return source, check_source(_subject(source, error.status), codes), 0
        return source, _problem(source, error), 0
    except FetchError as error:
        return source, _problem(source, error), 0
    body = download.body
    discard(body)
    sha256 = body.sha256 if body is not None else None
    subject = _subject(source, download.http_status, sha256)
    return source, check_source(subject, codes), body.size if body is not None else 0


def _subject(source: MirroredSource, status: int, sha256: str | None = None) -> SourceSubject:
    return SourceSubject(source.url, source.key, source.sha256, source.fetched_at, status, sha256)


def _problem(source: MirroredSource, error: FetchError) -> Problem:
    return Problem(error.code, f"Its source can't be asked: {error.message}", document=source.key)
