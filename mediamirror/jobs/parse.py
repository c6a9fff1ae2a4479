"""Say what image sets are in the inputs. Fetches nothing but the inputs that are URLs."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mediamirror.documents import read_inputs
from mediamirror.fetch import open_fetcher
from mediamirror.jobs.common import Emit, document_fetcher, nobody_listens, own_hosts
from mediamirror.jobs.tally import Tally
from mediamirror.markup.extract import extract_document
from mediamirror.model import Planned, Problem, Summary
from mediamirror.settings import FetchOptions, JobOptions, ReadOptions


async def parse(
    inputs: Sequence[str],
    *,
    read: ReadOptions | None = None,
    fetch: FetchOptions | None = None,
    job: JobOptions | None = None,
    on_event: Emit = nobody_listens,
) -> Summary:
    """Emit an `ImageSet` or a `Problem` for everything found, then a `Summary`. Raises `UsageError`."""
    read, job, started, tally = read or ReadOptions(), job or JobOptions(), time.monotonic(), Tally()
    documents = sets = variants = 0
    with tempfile.TemporaryDirectory(prefix="mediamirror-") as spool:
        async with open_fetcher(fetch or FetchOptions(), spool_dir=Path(spool), own_hosts=own_hosts(inputs)) as fetcher:
            ask = document_fetcher(fetcher, read.max_document)
            async for found in read_inputs(inputs, as_=read.as_, base_url=read.base_url, fetch=ask):
                if isinstance(found, Problem):
                    tally.add_problem(found)
                    on_event(found)
                    continue
                documents += 1
                extraction = await asyncio.to_thread(extract_document, found)
                sets += sum(1 for each in extraction.sets if each.candidates)
                variants += len({c.url for each in extraction.sets for c in each.candidates})
                for event in (*extraction.problems, *extraction.sets):
                    tally.note(event)
                    on_event(event)
    tally.planned = Planned(documents, sets, variants, 0)
    summary = tally.summary(seconds=time.monotonic() - started, options=job)
    on_event(summary)
    return summary
