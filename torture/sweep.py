"""Every kill that a sweep is made of, and the workers that go through them."""

from __future__ import annotations

import random
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.seaweed import running_seaweed
from torture.jobs import BUCKET, KINDS, Bench, new_case, open_bench
from torture.kills import ONE_AFTER_THE_OTHER, SYSTEM_CALLS, Kill, count_calls, strace_works
from torture.points import BUCKET_POINTS, DIRECTORY_POINTS, EVERY_RUN, GC_POINTS, MIRROR_POINTS
from torture.survival import Counts, Undisturbed, survive, undisturbed

TURNS = 6
"""How often each named point is passed before the kill, at most."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A bench, and what each kind of job leaves when nobody disturbs it."""

    bench: Bench
    truths: dict[str, Undisturbed]


@dataclass(slots=True)
class Report:
    """What a sweep found: counts by way of killing, and how many planned kills were not reached in the time."""

    by_way: dict[str, Counts] = field(default_factory=dict)
    planned: int = 0
    over_before: int = 0
    not_reached: int = 0
    seconds: float = 0.0

    def total(self) -> Counts:
        """All counts together."""
        total = Counts()
        for counts in self.by_way.values():
            total.add(counts)
        return total


@contextmanager
def open_benches(folder: Path, workers: int, kinds: Sequence[str] = KINDS) -> Iterator[list[Ready]]:
    """Start one S3 server and as many benches as there are workers."""
    with ExitStack() as stack:
        server = stack.enter_context(running_seaweed(folder / "seaweed"))
        yield _benches(stack, folder, server, workers, kinds)


def _benches(stack: ExitStack, folder: Path, server: S3Endpoint, workers: int, kinds: Sequence[str]) -> list[Ready]:
    server.create_bucket(BUCKET)
    benches = [stack.enter_context(open_bench(folder / f"bench-{n}", server)) for n in range(workers)]
    return [Ready(bench, {kind: undisturbed(bench, kind) for kind in kinds}) for bench in benches]


def plan(bench: Bench, seed: int, kills: int, kinds: Sequence[str] = KINDS) -> list[Kill]:
    """Return at least ``kills`` kills: every system call and every named point in turn, and moments for the rest, shuffled."""
    planned = [*_calls(bench, kinds), *_points(kinds)]
    rest = max(kills - len(planned), kills // 4)
    planned += [Kill(kinds[n % len(kinds)], "time", f"seed {seed}", n) for n in range(rest)]
    random.Random(seed).shuffle(planned)
    return planned


def _calls(bench: Bench, kinds: Sequence[str]) -> Iterator[Kill]:
    if not strace_works():
        print("strace is missing or may not trace: no kill at a system call. Named points and moments remain.")
        return
    for kind in kinds:
        calls = SYSTEM_CALLS[kind.partition("-")[2]]
        for call, most in count_calls(bench, new_case(bench, kind, *_extra(kind)), calls).items():
            yield from (Kill(kind, "call", call, number) for number in range(1, most + 1))


def _extra(kind: str) -> tuple[str, ...]:
    if kind.startswith("gc"):
        return ()  # one after the other as it is
    return ONE_AFTER_THE_OTHER if kind.startswith("mirror") else ONE_AFTER_THE_OTHER[:2]


def _points(kinds: Sequence[str]) -> Iterator[Kill]:
    for kind in kinds:
        job, _, place = kind.partition("-")
        if job == "gc":
            names = GC_POINTS + (("after-delete",) if place == "directory" else ("after-bucket-delete", *BUCKET_POINTS))
            yield from (Kill(kind, "point", name, number) for name in names for number in range(1, TURNS + 1))
            continue
        names = EVERY_RUN + (DIRECTORY_POINTS if place == "directory" else BUCKET_POINTS)
        names += (
            (*MIRROR_POINTS, "inside-plan")
            if job == "mirror"
            else ("before-remember", "after-remember", "after-forget")
        )
        if job == "mirror" and place == "bucket":
            names += ("before-segment",)
        if job == "sync":
            names += ("after-delete",) if place == "directory" else ("after-bucket-delete",)
        yield from (Kill(kind, "point", name, number) for name in names for number in range(1, TURNS + 1))


def sweep(benches: Sequence[Ready], kills: Sequence[Kill], *, most: int, until: float) -> Report:
    """Go through the kills until ``most`` have hit or the clock (`time.monotonic`) says ``until``."""
    waiting: SimpleQueue[Kill] = SimpleQueue()
    for kill in kills:
        waiting.put(kill)
    report, lock, started = Report(planned=len(kills)), threading.Lock(), time.monotonic()
    # Points and calls beyond a run's last one end without a kill: such a run proves nothing and is not counted.
    threads = [threading.Thread(target=_work, args=(each, waiting, report, lock, most, until)) for each in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.seconds, report.not_reached = time.monotonic() - started, waiting.qsize()
    return report


def _work(
    ready: Ready, waiting: SimpleQueue[Kill], report: Report, lock: threading.Lock, most: int, until: float
) -> None:
    while time.monotonic() < until and report.total().kills < most:
        try:
            kill = waiting.get_nowait()
        except Empty:
            return
        counts = one(ready, kill)
        with lock:
            report.by_way.setdefault(f"{kill.kind}, {_way(kill)}", Counts()).add(counts)
            report.over_before += not counts.kills
            if (done := report.total().kills) % 50 == 0 and counts.kills:
                print(f"{done:,} kills, {report.total().faults} faults", file=sys.stderr, flush=True)


def one(ready: Ready, kill: Kill) -> Counts:
    """Do one kill on a fresh case."""
    extra = _extra(kill.kind) if kill.how == "call" else ()
    if kill.how != "call" and kill.kind.startswith("mirror") and kill.number % 4:
        extra = ("--check", "header")  # every fourth one decodes, in worker processes
    case = new_case(ready.bench, kill.kind, *extra)
    try:
        return survive(ready.bench, case, kill, ready.truths[kill.kind])
    except RuntimeError as error:
        return Counts(different=1, told=[str(error)])
    finally:
        shutil.rmtree(case.folder, ignore_errors=True)


def _way(kill: Kill) -> str:
    return {"call": "at a system call", "point": "at a named point", "time": "at a random time"}[kill.how]


def table(report: Report) -> str:
    """Return the report as people read it."""
    names = (
        "kills",
        "dangling",
        "partial",
        "lost",
        "double_puts",
        "not_needed",
        "leftovers",
        "unverified",
        "different",
    )
    head = (
        "kills",
        "dangling rows",
        "partial files",
        "lost items",
        "double PUTs",
        "needless",
        "left behind",
        "verify",
        "differs",
    )
    rows = [(way, *(getattr(counts, name) for name in names)) for way, counts in sorted(report.by_way.items())]
    rows.append(("together", *(getattr(report.total(), name) for name in names)))
    width = max(len(row[0]) for row in rows)
    lines = [f"{'':{width}} " + " ".join(f"{word:>13}" for word in head)]
    lines += [f"{row[0]:{width}} " + " ".join(f"{value:>13}" for value in row[1:]) for row in rows]
    total = report.total()
    lines.append(
        f"{total.kills:,} kills in {report.seconds:,.0f} s; {report.over_before:,} runs were over before their kill; "
        f"{report.not_reached:,} of {report.planned:,} planned kills not reached; images that were under way and downloaded "
        f"again: {total.refetched:,}; stored ones told for ours without a row: {total.adopted:,}; damaged catalogs: "
        f"{total.damaged_catalogs:,}"
    )
    return "\n".join([*lines, *_most_frequent(total.told)])


def _most_frequent(told: Sequence[str]) -> list[str]:
    return [f"  {count} x {line}" for line, count in Counter(told).most_common(40)]
