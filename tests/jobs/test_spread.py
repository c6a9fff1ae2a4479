"""A crew shares its work list among workers that die, lie and fall silent: each item gets one result, and what failed is named."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from mediamirror.catalog.results import Record
from mediamirror.catalog.work import WorkItem
from mediamirror.errors import WorkerLost
from mediamirror.jobs.mirror import spread
from mediamirror.jobs.mirror.spread import Crew, Finished, Told, Work, pause
from mediamirror.model import Outcome, Problem, Status, Variant
from mediamirror.settings import FetchOptions, MirrorOptions

HOSTS = 5
EACH = 40


class List:
    """A work list of a few hosts."""

    async def lanes(self) -> AsyncIterator[tuple[str, int, int]]:
        for host in range(HOSTS):
            yield f"h{host}.example", host * EACH + 1, (host + 1) * EACH

    async def read(self, after: int, last: int, limit: int) -> Sequence[tuple[int, WorkItem]]:
        places = range(after + 1, min(after + limit, last) + 1)
        return [(n, WorkItem(n, Variant(f"https://h{(n - 1) // EACH}.example/{n}"))) for n in places]


def stored(item: WorkItem) -> Record:
    return Record(item.variant_id, Outcome(item.variant, Status.STORED), None)


class Workers:
    """An engine whose workers do what ``behave`` says with each item: None is a good answer."""

    workers = 3

    def __init__(self, behave: Callable[[WorkItem], Exception | None]) -> None:
        self.behave = behave
        self.handled = Counter[int]()
        self.at_once = Counter[str]()
        self.most: dict[str, int] = {}

    async def run(self, work: Work) -> Told:
        hosts = {item.variant.url.split("/")[2] for item in work.items}
        for host in hosts:
            self.at_once[host] += 1
            self.most[host] = max(self.most.get(host, 0), self.at_once[host])
        try:
            for item in work.items:
                await asyncio.sleep(0)
                self.handled[item.variant_id] += 1
                if (problem := self.behave(item)) is not None:
                    raise problem
                yield [stored(item)]
            yield Finished(dict.fromkeys(hosts, 0.1), None, {})
        finally:
            for host in hosts:
                self.at_once[host] -= 1


async def shared(engine: spread.Engine, **fetch: float) -> tuple[dict[int, Outcome], list[Problem]]:
    results: dict[int, Outcome] = {}
    told: list[Problem] = []

    async def record(records: Sequence[Record]) -> None:
        for each in records:
            assert each.variant_id not in results, "told twice"
            results[each.variant_id] = each.outcome

    crew = Crew(engine, MirrorOptions(fetch=FetchOptions(**fetch)), told.append, None)  # type: ignore[arg-type]
    await crew.share(List(), record)
    crew.conclude()
    return results, told


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "pause", lambda attempt: 0.0)


async def test_every_item_gets_a_result_and_a_host_is_with_one_worker_at_a_time() -> None:
    engine = Workers(lambda item: None)
    results, told = await shared(engine)
    assert len(results) == HOSTS * EACH
    assert set(engine.most.values()) == {1}
    assert [problem.code for problem in told] == ["work-shared"]


async def test_a_worker_that_dies_once_costs_only_what_has_no_result_yet() -> None:
    died = []

    def behave(item: WorkItem) -> Exception | None:
        if item.variant_id == 77 and not died:
            died.append(item)
            return WorkerLost("killed")
        return None

    engine = Workers(behave)
    results, told = await shared(engine)
    assert {outcome.status for outcome in results.values()} == {Status.STORED}
    assert {item for item, count in engine.handled.items() if count > 1} == {77}
    assert "lost its worker (killed)" in told[0].message
    assert "workers lost: 1, images that failed because of that: 0" in told[-1].message


async def test_what_kills_every_worker_fails_by_name_and_nothing_else_does() -> None:
    engine = Workers(lambda item: WorkerLost("killed") if item.variant_id == 77 else None)
    results, told = await shared(engine)
    failed = {n: outcome for n, outcome in results.items() if outcome.status is Status.FAILED}
    assert engine.handled[77] == spread.TRIES
    assert len(results) == HOSTS * EACH
    assert set(failed) == {77}
    assert failed[77].error is not None
    assert failed[77].error.code == "worker-lost"
    assert re.search(r"took shard \d+ was lost \(the last: killed\)", failed[77].error.message)
    assert "with 1 of " in told[-2].message
    assert "workers lost: 8, images that failed because of that: 1" in told[-1].message


async def test_a_worker_that_says_nothing_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "SILENCE", 0.01)

    class Silent(Workers):
        async def run(self, work: Work) -> Told:
            if any(item.variant_id == 77 for item in work.items):
                await asyncio.Event().wait()
            yield [stored(item) for item in work.items]
            yield Finished({}, None, {})

    results, told = await shared(Silent(lambda item: None))
    assert {n for n, outcome in results.items() if outcome.status is Status.FAILED} == {77}
    assert "no result in 0 s" in told[0].message


async def test_a_run_whose_workers_all_die_ends_with_the_reason() -> None:
    engine = Workers(lambda item: WorkerLost("no memory left"))
    with pytest.raises(WorkerLost, match=r"40 workers were lost one after another.*no memory left"):
        await shared(engine)


async def test_a_shard_that_ends_with_some_items_left_out_is_run_again() -> None:
    class Forgetful(Workers):
        async def run(self, work: Work) -> Told:
            yield [stored(item) for item in work.items[::2]]
            yield Finished({}, None, {})

    results, told = await shared(Forgetful(lambda item: None))
    assert len(results) == HOSTS * EACH
    assert "it gave no result for some of them" in told[0].message


async def test_a_cancelled_run_closes_what_its_workers_do() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    class Endless(Workers):
        async def run(self, work: Work) -> Told:
            try:
                begun.set()
                await asyncio.Event().wait()
                yield []
            finally:
                closed.set()

    task = asyncio.create_task(shared(Endless(lambda item: None)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 3), (3, 7), (9, 10)])
def test_the_pause_before_a_shard_is_run_again_grows(attempt: int, seconds: int) -> None:
    assert pause(attempt) == seconds
