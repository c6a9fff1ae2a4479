"""A job as a stream of its events, for callers who would rather loop than hand in a callback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, ParamSpec, overload

from mediamirror.model import Event, Summary, SyncEvent, SyncSummary

P = ParamSpec("P")


@overload
def events(
    job: Callable[P, Coroutine[Any, Any, Summary]], *args: P.args, **options: P.kwargs
) -> AsyncGenerator[Event, None]: ...
@overload
def events(
    job: Callable[P, Coroutine[Any, Any, SyncSummary]], *args: P.args, **options: P.kwargs
) -> AsyncGenerator[SyncEvent, None]: ...
def events(job: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
    """Run a job (`parse`, `mirror`, `verify`, `scrub`, `sync`, `check`) and yield its events; the summary is the last.

    ``args`` and ``options`` are the job's own, without ``on_event``. What ends the job is raised here, after its events.
    Leaving the loop early and closing the generator (``contextlib.aclosing``) cancels the job, which records what is
    finished. The job does not wait for a slow reader: events that are not taken yet are kept in memory.
    """
    return _events(job, args, options)


async def _events(
    job: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...], options: dict[str, Any]
) -> AsyncGenerator[Any, None]:
    told: asyncio.Queue[Any] = asyncio.Queue()
    end = object()
    task = asyncio.create_task(job(*args, **options, on_event=told.put_nowait))
    task.add_done_callback(lambda _: told.put_nowait(end))
    try:
        while (event := await told.get()) is not end:
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
