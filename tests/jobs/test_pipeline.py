"""The sliding window."""

import asyncio
import gc

import pytest

from fixtures.patience import PATIENCE
from mediamirror.errors import CatalogError, StoreError
from mediamirror.jobs.run.pipeline import Together, WorkList, run_window
from mediamirror.settings import MiB
from tests.virtual_time import run


async def numbers(count: int):
    for number in range(count):
        yield number


class Recorder:
    def __init__(self) -> None:
        self.rows: list[int] = []
        self._more = asyncio.Condition()

    async def __call__(self, batch) -> None:
        async with self._more:
            self.rows.extend(batch)
            self._more.notify_all()

    async def has(self, count: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: len(self.rows) >= count)


async def test_every_item_is_handled_and_recorded_once() -> None:
    recorder = Recorder()

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    await run_window(numbers(1000), double, recorder, width=7)
    assert sorted(recorder.rows) == [2 * n for n in range(1000)]


async def test_no_more_items_are_under_way_than_the_width() -> None:
    under_way = most = 0

    async def watch(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return number

    await run_window(numbers(200), watch, Recorder(), width=5)
    assert most == 5


async def test_items_are_pulled_only_as_workers_get_free() -> None:
    pulled = 0
    gate = asyncio.Event()

    async def source():
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield number

    async def wait(number: int) -> int:
        await gate.wait()
        return number

    task = asyncio.create_task(run_window(source(), wait, Recorder(), width=4))
    for _ in range(50):
        await asyncio.sleep(0)
    assert pulled == 4
    gate.set()
    await task


async def test_cancelling_records_what_is_finished_and_goes_on() -> None:
    recorder = Recorder()
    never = asyncio.Event()

    async def handle(number: int) -> int:
        if number >= 10:
            await never.wait()
        return number

    task = asyncio.create_task(run_window(numbers(1000), handle, recorder, width=3))
    await asyncio.wait_for(recorder.has(10), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(recorder.rows) == list(range(10))


async def test_what_is_finished_is_recorded_even_when_the_queue_is_full_as_the_run_is_cancelled() -> None:
    handled: list[int] = []
    recorded: list[int] = []
    busy, go_on = asyncio.Event(), asyncio.Event()

    async def handle(number: int) -> int:
        handled.append(number)
        return number

    async def slow(batch) -> None:
        busy.set()
        await go_on.wait()
        recorded.extend(batch)

    task = asyncio.create_task(run_window(numbers(1000), handle, slow, width=3))
    await busy.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (sorted(recorded), len(handled) > 12) == (handled, True)


async def test_what_many_note_at_once_is_written_in_few_batches_and_before_any_of_them_goes_on() -> None:
    batches: list[list[int]] = []

    async def write(batch) -> None:
        await asyncio.sleep(0)
        batches.append(list(batch))

    note = Together[int](write)

    async def one(number: int) -> bool:
        await note(number)
        return any(number in batch for batch in batches)

    assert all(await asyncio.gather(*map(one, range(50))))
    assert (sorted(n for batch in batches for n in batch), len(batches)) == (list(range(50)), 1)


def test_notes_and_results_that_come_one_by_one_gather_into_few_batches() -> None:
    noted: list[int] = []
    recorded: list[int] = []

    async def write(batch) -> None:
        noted.append(len(batch))

    async def record(batch) -> None:
        recorded.append(len(batch))

    async def numbers():
        for number in range(100):
            await asyncio.sleep(0.001)
            yield number

    async def go() -> None:
        note = Together[int](write, linger=0.01)

        async def noting(number: int) -> int:
            await note(number)
            return number

        await run_window(numbers(), noting, record, width=64)

    run(go())
    assert (sum(noted), sum(recorded)) == (100, 100)
    assert len(noted) < 20
    assert len(recorded) < 20


async def test_a_note_that_can_not_be_written_fails_for_everyone_who_waits_for_it() -> None:
    async def full(batch) -> None:
        await asyncio.sleep(0)
        raise OSError("disk full")

    note = Together[int](full)
    told = await asyncio.gather(*(note(n) for n in range(5)), return_exceptions=True)
    assert [str(error) for error in told] == ["disk full"] * 5


async def test_a_recorder_that_fails_ends_the_run_with_its_error() -> None:
    async def full(batch) -> None:
        raise OSError("disk full")

    async def same(number: int) -> int:
        return number

    with pytest.raises(OSError, match="disk full"):
        await run_window(numbers(100_000), same, full, width=3)


async def test_what_a_handler_raises_ends_the_run() -> None:
    async def broken(number: int) -> int:
        raise ValueError(number)

    with pytest.raises(ExceptionGroup):
        await run_window(numbers(3), broken, Recorder(), width=1)


async def test_a_handler_and_a_recorder_that_fail_at_once_are_one_error_and_nothing_is_printed_of_the_other() -> None:
    unseen = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context["message"]))

    async def full(_: object) -> None:
        raise CatalogError("No space left.")

    async def handle(number: int) -> int:
        if number > 1:
            await full(number)
        return number

    with pytest.raises(CatalogError, match="No space left"):
        await run_window(numbers(100), handle, full, width=3)
    gc.collect()
    await asyncio.sleep(0)
    assert unseen == []


async def test_an_error_of_ours_that_ends_the_run_comes_alone_though_many_handlers_raise_it() -> None:
    async def refused(_: int) -> int:
        raise CatalogError("No space left.")

    with pytest.raises(CatalogError, match="No space left"):
        await run_window(numbers(9), refused, Recorder(), width=3)


def test_a_run_ends_though_its_recorder_fails_while_a_full_queue_waits_for_it() -> None:
    async def full(_: object) -> None:
        await asyncio.sleep(1)
        raise CatalogError("No space left.")

    async def handle(number: int) -> int:
        if number == 20:  # later than the queue holds
            await asyncio.sleep(0.5)
            raise CatalogError("No space left.")
        return number

    with pytest.raises(CatalogError, match="No space left"):
        run(run_window(numbers(100), handle, full, width=4))


def test_a_list_of_work_without_an_end_stops_with_a_sentence() -> None:
    def fill(work: WorkList[str]) -> None:
        for number in range(100_000):
            work.append(f"{number:0100}")

    with WorkList[str](page=100, most=MiB) as work, pytest.raises(StoreError, match=r"more than 1 MiB after .* no end"):
        fill(work)
