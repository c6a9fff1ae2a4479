"""Say what image sets are in the inputs. Fetches nothing but the inputs that are URLs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import BinaryIO

from mediamirror.documents.plan import plan_inputs
from mediamirror.documents.reader import Reader
from mediamirror.fetch import open_fetcher
from mediamirror.jobs.run.inputs import Emit, documents, nobody_listens, own_origins
from mediamirror.jobs.run.tally import Tally
from mediamirror.model import ImageSet, Planned, Problem, Summary
from mediamirror.scratch import scratch_folder
from mediamirror.settings import ParseOptions


async def parse(
    inputs: Sequence[str],
    *,
    options: ParseOptions | None = None,
    stdin: BinaryIO | None = None,
    on_event: Emit = nobody_listens,
) -> Summary:
    """Emit an `ImageSet` or a `Problem` for everything found, then a `Summary`. Raises `UsageError`."""
    options, started, tally = options or ParseOptions(), time.monotonic(), Tally()
    read = options.read
    read_count = sets = variants = 0
    urls = set[str]()
    plan_inputs(inputs)
    with scratch_folder() as spool:
        opened = open_fetcher(options.fetch, spool_dir=spool, own_hosts=own_origins(inputs))
        async with opened as fetcher, Reader(read) as reader:
            async for found in documents(inputs, read, fetcher, reader, stdin):
                if isinstance(found, Problem):
                    tally.add_problem(found)
                    on_event(found)
                    continue
                read_count += 1
                async for part in reader.look(found):
                    sets += sum(1 for each in part.sets if each.candidates)
                    urls.update(c.url for each in part.sets for c in each.candidates)
                    if not part.goes_on:
                        variants += len(urls)
                        urls.clear()
                    events: list[ImageSet | Problem] = [*part.problems, *part.sets]
                    for event in events:
                        tally.note(event)
                        on_event(event)
    tally.planned = Planned(read_count, sets, variants, 0)
    summary = tally.summary(seconds=time.monotonic() - started, options=options.job)
    on_event(summary)
    return summary
