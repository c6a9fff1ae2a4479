"""What must hold right after a kill, and after the same command was run again."""

from __future__ import annotations

import asyncio
import sqlite3
import urllib.parse
from dataclasses import dataclass, field, fields
from typing import Any

from mediamirror import scrub
from mediamirror.settings import ScrubOptions, StoreOptions
from torture.jobs import BUCKET, GONE, Bench, Case, new_case
from torture.kills import Kill, rerun, run, strike
from torture.places import BucketPlace, DirectoryPlace, Recorded, read_catalog

_NOTHING = Recorded(frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run that nobody killed leaves."""

    held: dict[str, str]
    recorded: Recorded
    manifest: dict[str, str]


@dataclass(slots=True)
class Counts:
    """What was found over any number of kills; only the first three may be more than nought."""

    kills: int = 0
    refetched: int = 0
    adopted: int = 0
    dangling: int = 0
    partial: int = 0
    lost: int = 0
    double_puts: int = 0
    not_needed: int = 0
    leftovers: int = 0
    damaged_catalogs: int = 0
    unverified: int = 0
    different: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Add another's counts."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def faults(self) -> int:
        """How many promises were broken."""
        names = ("dangling", "partial", "lost", "double_puts", "not_needed", "leftovers")
        return sum(getattr(self, name) for name in (*names, "damaged_catalogs", "unverified", "different"))


def undisturbed(bench: Bench, kind: str) -> Undisturbed:
    """Run a job of a kind without a kill."""
    case = new_case(bench, kind)
    done = rerun(bench, case)
    if done.returncode != 0 or case.place.held() != dict(case.expected):
        raise RuntimeError(f"An undisturbed {kind} ended with {done.returncode}: {done.output[-1000:]}")
    return Undisturbed(case.place.held(), read_catalog(case.catalog), case.place.manifest())


def survive(bench: Bench, case: Case, kill: Kill, truth: Undisturbed) -> Counts:
    """Kill, look, restart, look again. An empty count means that the run was over before the kill."""
    counts = Counts()
    bench.site.reset_requests()
    if not strike(bench, case, kill):
        return counts
    counts.kills = 1
    fetched_before = {request.path for request in bench.site.bodies()}
    recorded, held = _after_the_kill(case, counts)
    bench.site.reset_requests()
    bench.relay.reset()
    again = rerun(bench, case)
    if again.returncode != 0:
        counts.lost += 1
        counts.told.append(f"the restart ended with {again.returncode}: {again.output[-500:]}")
    _requests(bench, case, counts, recorded, held, fetched_before)
    _at_the_end(case, counts, truth)
    said = _verify_by_command(bench, case) if kill.number % 10 == 0 else _verify(bench, case)
    if said is not None:
        counts.unverified += 1
        counts.told.append(f"verify --mirror: {said}")
    counts.told = [f"{kill}: {line}" for line in counts.told]
    return counts


def _after_the_kill(case: Case, counts: Counts) -> tuple[Recorded, dict[str, str]]:
    held = case.place.held()
    try:
        recorded = read_catalog(case.catalog)
    except sqlite3.DatabaseError as error:
        counts.damaged_catalogs += 1
        counts.told.append(f"the catalog is not whole: {error}")
        recorded = _NOTHING
    for key in case.expected.keys() - held.keys() if case.kind.startswith("gc") else ():
        counts.lost += 1
        counts.told.append(f"{key} was lost, and a row names it")
    for key, sha256 in recorded.of(case.place.dest):
        if case.kind.startswith("gc") and key == GONE:
            continue  # that row is what a gc is for
        # A sync's row goes with a token: one of older bytes claims nothing. A mirror's row claims the bytes.
        if key not in held or (case.kind.startswith("mirror") and held[key] != sha256):
            counts.dangling += 1
            counts.told.append(f"a row says that {key} is stored, and it is not")
    for key, sha256 in held.items():
        if sha256 not in case.allowed.get(key, frozenset()):
            counts.partial += 1
            counts.told.append(f"{key} holds bytes that were never meant for it")
    return recorded, held


def _requests(
    bench: Bench, case: Case, counts: Counts, recorded: Recorded, held: dict[str, str], before: set[str]
) -> None:
    """What the restart asked for that it need not have asked for."""
    rows = {key for key, _ in recorded.of(case.place.dest)}
    noted = {url.partition("://")[2] for url, *_ in recorded.fetched}
    whole = {key for key, sha256 in held.items() if case.expected.get(key) == sha256}
    for request in bench.site.bodies():
        key = f"{request.host}{request.path}"
        counts.refetched += request.path in before
        if key in rows or (key in noted and key in whole):
            counts.not_needed += 1
            counts.told.append(f"{key} was downloaded again, although it was stored and known")
    if case.kind.startswith("mirror"):
        counts.adopted += len((whole & noted) - rows)
    if isinstance(case.place, BucketPlace):
        start = f"/{BUCKET}/{case.place.prefix}/"
        puts = [urllib.parse.unquote(p.target.partition("?")[0]) for p in bench.relay.passed() if p.method == "PUT"]
        twice = {target.removeprefix(start) for target in puts} & whole
        counts.double_puts += len(twice)
        counts.told += [f"{key} was put again, although it was there" for key in twice]


def _at_the_end(case: Case, counts: Counts, truth: Undisturbed) -> None:
    held = case.place.held()
    for key in truth.held.keys() - held.keys():
        counts.lost += 1
        counts.told.append(f"{key} is lost")
    if held != truth.held:
        counts.different += 1
        counts.told.append(f"the place differs: {sorted(held.items() ^ truth.held.items())[:3]}")
    _compare_catalogs(case, counts, truth)
    if case.place.manifest() != truth.manifest:
        counts.different += 1
        counts.told.append("the manifest differs")
    # Python tries the temporary folder with a file of its own: a kill in between leaves that, empty or of four bytes.
    in_temporary = [
        path.name for path in case.temporary.iterdir() if not (path.is_file() and path.read_bytes() in {b"", b"blat"})
    ]
    left = [*case.place.leftovers(), *in_temporary]
    counts.leftovers += len(left)
    counts.told += [f"{name} was left behind" for name in left]


def _compare_catalogs(case: Case, counts: Counts, truth: Undisturbed) -> None:
    if case.kind.startswith("sync"):
        return  # what a sync may record depends on how old a file's time stamp is
    try:
        recorded = read_catalog(case.catalog)
    except sqlite3.DatabaseError as error:
        counts.damaged_catalogs += 1
        counts.told.append(f"the catalog is not whole after the restart: {error}")
        return
    same = (
        {row[1:] for row in recorded.objects} == {row[1:] for row in truth.recorded.objects}
        and recorded.fetched == truth.recorded.fetched
        and recorded.planned == truth.recorded.planned
    )
    if not same:
        counts.different += 1
        counts.told.append("the catalog's rows differ")


def _verify(bench: Bench, case: Case) -> str | None:
    """What ``verify --mirror`` has to complain of; its job is run here, which spares a start of Python."""
    bucket = isinstance(case.place, BucketPlace)
    store = StoreOptions(endpoint_url=bench.relay.url, region=bench.server.region) if bucket else StoreOptions()
    events: list[Any] = []
    summary = asyncio.run(
        scrub(case.place.dest, options=ScrubOptions(store=store), catalog=case.catalog, on_event=events.append)
    )
    return None if summary.exit_code == 0 else f"exit {summary.exit_code}, {summary.statuses}"


def _verify_by_command(bench: Bench, case: Case) -> str | None:
    """What ``verify --mirror`` says when it is run as people do."""
    words = ["verify", "--mirror", case.place.dest, "--catalog", str(case.catalog), "--format", "json"]
    if not isinstance(case.place, DirectoryPlace):
        words += ["--endpoint-url", bench.relay.url]
    done = run(case, case.command(*words))
    return None if done.returncode == 0 else f"exit {done.returncode}: {done.output[-500:]}"
