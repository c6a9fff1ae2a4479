"""The reader process: takes documents on stdin, answers on stdout with what is in them. Started by ``python -m``.

It may take so much memory and no more: whatever a document is filled with, the program that asked goes on without it.
"""

from __future__ import annotations

import gc
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from mediamirror.documents.document import Document
from mediamirror.documents.listings import Listing, listing_in
from mediamirror.documents.look import bounded, links_in, look_through, look_through_chunks
from mediamirror.first_use import dataclass
from mediamirror.model import Extraction, ImageSet, Listed, Rendered
from mediamirror.settings import ReadOptions

if TYPE_CHECKING:
    from mediamirror.rewrite.document import Places

PREFIX = struct.Struct("!Q")
OVER_MEMORY = 75
"""The exit status of a process whose document took more memory than it may."""
CPU_SECONDS = 600
"""Of CPU time for one document, or for one slice of a long text."""
MORE = "more"
"""An answer that asks for the next bytes."""
DONE = "done"
LAST = "last"
"""The same, from a process that takes no other document."""
_BATCH = 2_000
"""Candidates and problems in one answer, about."""
_KEPT = 24 * 1024 * 1024
"""Bytes that may stay taken after a document: with more the process ends, and the next document gets a fresh one."""
_SET_PDEATHSIG = 1
_SENDING = Lock()

Take = Callable[[], bytes]
Task = Literal["sets", "unmerged", "batch", "places", "links", "listing"]
Render = Callable[[Sequence[ImageSet]], str]
"""Makes of image sets the text that is printed of them."""


@dataclass(frozen=True, slots=True)
class Job:
    """One document to read: ``document`` without its bytes, of which ``size`` follow; or, ``in_slices``, as many as are asked for.

    Of a ``batch`` none follow: its documents hold theirs. ``render`` makes the text of its image sets.
    """

    task: Task
    document: Document
    size: int
    options: ReadOptions
    in_slices: bool = False
    batch: tuple[Document, ...] = ()
    render: Render | None = None


def main() -> None:
    """Serve jobs until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program that started us; it will end us.
    jobs, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    die_with_parent()
    most = int(sys.argv[1])
    allowed = bound_memory(most)
    before = resident()
    try:
        while (words := receive(jobs)) is not None:
            allow_cpu()
            job = Job(*words)
            if sys.platform == "linux":
                _limit(resource.RLIMIT_AS, allowed - most + job.document.share(most))
            _answer(job, jobs, answers)
            is_full = resident() > before + _KEPT
            send(answers, LAST if is_full else DONE)
            if is_full:
                break
    except MemoryError:
        os._exit(OVER_MEMORY)
    except BrokenPipeError:
        pass
    os._exit(0)  # No teardown: nothing here is worth the milliseconds.


def _answer(job: Job, jobs: BinaryIO, answers: BinaryIO) -> None:
    def more() -> bytes:
        send(answers, MORE)
        allow_cpu()
        chunk: bytes = receive(jobs)
        return chunk

    for each in _TASKS[job.task](job, (lambda: jobs.read(job.size)), more):
        send(answers, each)


def _sets(job: Job, whole: Take, more: Take) -> Iterator[Extraction]:
    document, links, merge = job.document, job.options.links, job.task == "sets"
    parts = (
        look_through_chunks(document, iter(more, b""), links=links, merge=merge)
        if job.in_slices
        else look_through(document, whole(), links=links, merge=merge)
    )
    for part in bounded(parts, job.options, document.name):
        yield from _batches(part)


def _batches(part: Extraction) -> Iterator[Extraction]:
    """The same in a few at a time, so that whoever takes them holds no more than that; the problems first."""
    for first in range(0, len(part.problems), _BATCH):
        yield Extraction((), part.problems[first : first + _BATCH], goes_on=True)
    first = size = 0
    for at, each in enumerate(part.sets.rows if isinstance(part.sets, Listed) else part.sets):
        size += 2 if isinstance(each, tuple) else _weight(each)
        if size >= _BATCH:
            yield Extraction(part.sets[first : at + 1], goes_on=True)
            first, size = at + 1, 0
    yield Extraction(part.sets[first:])


def _weight(image_set: ImageSet) -> int:
    candidates = sum(len(source.candidates) for source in image_set.sources)
    return 1 + candidates + len(image_set.problems) + len(image_set.places)


def _batch(job: Job, whole: Take, more: Take) -> Iterator[list[list[Extraction | Rendered]]]:
    del whole, more
    yield [
        [
            each
            for part in bounded(
                look_through(document, b"".join(document.chunks()), links=job.options.links), job.options, document.name
            )
            for each in _rendered(part, job.render)
        ]
        for document in job.batch
    ]


def _rendered(part: Extraction, render: Render | None) -> Iterator[Extraction | Rendered]:
    if render is None:
        yield part
        return
    if part.problems:
        yield Extraction((), part.problems, goes_on=True)
    urls = frozenset(candidate.url for each in part.sets for candidate in each.candidates)
    sets = sum(1 for each in part.sets if each.candidates)
    problems = tuple(problem for each in part.sets for problem in each.problems)
    yield Rendered(render(part.sets), sets, urls, problems, part.goes_on)


def _links(job: Job, whole: Take, more: Take) -> Iterator[Any]:
    del more
    yield links_in(job.document, whole())


def _listing(job: Job, whole: Take, more: Take) -> Iterator[Listing]:
    del more
    yield listing_in(job.document, whole())


def _places(job: Job, whole: Take, more: Take) -> Iterator[Places]:
    from mediamirror.rewrite.document import places_of  # noqa: PLC0415 -- for rewriting alone

    return map(places_of, _sets(job, whole, more))


_TASKS: dict[Task, Callable[[Job, Take, Take], Iterator[Any]]] = {
    "sets": _sets,
    "unmerged": _sets,
    "batch": _batch,
    "places": _places,
    "links": _links,
    "listing": _listing,
}


def send(stream: BinaryIO, what: object) -> None:
    """Write one frame, whole: several threads may do so at once."""
    data = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
    with _SENDING:
        stream.write(PREFIX.pack(len(data)))
        stream.write(data)
        stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one frame; None at the end."""
    prefix = stream.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    return pickle.loads(stream.read(PREFIX.unpack(prefix)[0]))  # noqa: S301 -- from the program that started us


def bound_memory(most: int) -> int:
    """Take no more than ``most`` bytes: what is resident now counts, what is only mapped does not. Returns the limit."""
    if sys.platform != "linux":
        return most
    mapped, resident = (int(word) * resource.getpagesize() for word in _statm()[:2])
    allowed = mapped + max(most - resident, 0)
    _limit(resource.RLIMIT_AS, allowed)
    return allowed


def _limit(what: int, soft: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def resident() -> int:
    """The bytes of memory that this process has."""
    return 0 if sys.platform != "linux" else int(_statm()[1]) * resource.getpagesize()


def _statm() -> list[str]:
    with open("/proc/self/statm") as file:  # noqa: PTH123 -- no more is loaded than has to be
        return file.read().split()


def die_with_parent() -> None:
    """End as soon as the program that started this process does (Linux)."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def allow_cpu() -> None:
    """Grant the CPU time of one more document. The kernel ends the process (SIGXCPU) when it is used up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + 1 + CPU_SECONDS)


if __name__ == "__main__":
    main()
