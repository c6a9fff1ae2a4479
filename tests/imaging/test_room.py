from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from mediamirror.imaging.decoder.pool import Room


async def hold(room: Room, size: int, inside: list[int], leave: asyncio.Event) -> None:
    async with room.taken(size):
        inside.append(size)
        await leave.wait()
        inside.remove(size)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_fits_goes_in_at_once_and_who_asked_first_is_served_first() -> None:
    room, inside, leave, later = Room(10), list[int](), asyncio.Event(), asyncio.Event()
    first = [asyncio.create_task(hold(room, size, inside, leave)) for size in (4, 5)]
    await settle()
    rest = [asyncio.create_task(hold(room, size, inside, later)) for size in (6, 1)]
    await settle()
    assert inside == [4, 5]  # 1 would fit, and would let 6 wait for ever
    leave.set()
    await settle()
    assert inside == [6, 1]
    later.set()
    await asyncio.gather(*first, *rest)


async def test_more_than_there_is_goes_in_alone() -> None:
    room, inside, leave = Room(10), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(hold(room, size, inside, leave)) for size in (10_000, 1)]
    await settle()
    assert inside == [10_000]
    leave.set()
    await asyncio.gather(*tasks)


@given(steps=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=20))
async def test_whoever_is_cancelled_takes_no_room_along(steps: list[tuple[int, bool]]) -> None:
    room, inside, leave = Room(10), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(hold(room, size, inside, leave)) for size, _ in steps]
    await asyncio.sleep(0)
    for task, (_, cancelled) in zip(tasks, steps, strict=True):
        if cancelled:
            task.cancel()
            await asyncio.sleep(0)
    leave.set()
    async with asyncio.timeout(5):
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        async with room.taken(10):
            pass


@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=20), data=st.data())
async def test_many_that_are_cancelled_in_one_moment_end_as_cancelled(sizes: list[int], data: st.DataObject) -> None:
    room, inside, leave = Room(10), list[int](), asyncio.Event()
    tasks = [asyncio.create_task(hold(room, size, inside, leave)) for size in sizes]
    await settle()
    cancelled = [task for task in tasks if data.draw(st.booleans())]
    for task in cancelled:
        task.cancel()
    await settle()
    leave.set()
    async with asyncio.timeout(5):
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ended if end is not None] == [asyncio.CancelledError] * len(cancelled)
    async with asyncio.timeout(5), room.taken(10):
        pass
