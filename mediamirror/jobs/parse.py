"""Say what image sets are in the inputs. Fetches nothing but the inputs that are URLs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from mediamirror.documents.document import Document
from mediamirror.documents.plan import plan_inputs
from mediamirror.documents.reader import Reader
from mediamirror.documents.readers import Readers
from mediamirror.first_use import replace
from mediamirror.jobs.run.inputs import documents, own_origins
from mediamirror.jobs.run.session import Needs, open_run
from mediamirror.jobs.run.tally import Emit, Tally, nobody_listens
from mediamirror.model import ImageSet, Planned, Problem, Rendered, Summary
from mediamirror.settings import ParseOptions

if TYPE_CHECKING:
    from mediamirror.documents.reader_process import Render
    from mediamirror.wire import Transport


async def parse(
    inputs: Sequence[str],
    *,
    options: ParseOptions | None = None,
    stdin: BinaryIO | None = None,
    transport: Transport | None = None,
    on_event: Emit = nobody_listens,
    render: Render | None = None,
) -> Summary:
    """Emit an `ImageSet` or a `Problem` for everything found, then a `Summary`. Raises `UsageError`.

    ``transport`` carries requests for INPUTs that are URLs instead of the network. ``render`` makes the text of image sets in the
    processes of ``options.workers``: then most come as `Rendered`. It has to be picklable.
    """
    options, tally = options or ParseOptions(), Tally(on_event)
    read = options.read
    urls = set[str]()
    plan_inputs(inputs)

    def conclude(interrupted: bool) -> Summary:
        return replace(tally.summary(options.job, interrupted=interrupted), left=0, reads_alone=True)

    def count(documents: int = 0, sets: int = 0, variants: int = 0) -> None:
        so_far = tally.planned
        tally.planned = Planned(so_far.documents + documents, so_far.sets + sets, so_far.variants + variants, 0)

    needs = Needs(command="parse", fetch=options.fetch, own_hosts=own_origins(inputs), transport=transport)
    async with (
        open_run(needs, conclude=conclude, emit=on_event) as session,
        Reader(read) as reader,
        Readers(read, reader, options.workers, render) as readers,
    ):
        async for found, parts in readers.look(documents(inputs, read, session.fetcher, reader, stdin)):
            if isinstance(found, Problem):
                tally.tell(tally.weigh(found))
                continue
            count(documents=1)
            tally.kinds[found.way] += 1
            async for part in parts:
                if isinstance(part, Rendered):
                    count(sets=part.sets)
                    urls.update(part.urls)
                    tally.tell_rendered(part)
                else:
                    count(sets=sum(1 for each in part.sets if each.candidates))
                    urls.update(c.url for each in part.sets for c in each.candidates)
                    sets = [_explained(each, found) for each in part.sets] if options.explain else part.sets
                    events: tuple[ImageSet | Problem, ...] = (*part.problems, *sets)
                    for event in events:
                        tally.tell_found(event)
                if not part.goes_on:
                    count(variants=len(urls))
                    urls.clear()
        for problem in reader.sheets.left():
            tally.tell_found(problem)
    return session.summary


def _explained(image_set: ImageSet, document: Document) -> ImageSet:
    """The same with how its document is read: its kind, the container that it is from, and which member of it."""
    way = image_set.read_as or document.kind
    if document.origin is not None:
        kind, name = document.origin
        member = document.name.removeprefix(name).lstrip("/:") if document.name.startswith(name) else document.name
        way += f", member {member} of the {kind} {name}"
    return replace(image_set, read_as=way)
