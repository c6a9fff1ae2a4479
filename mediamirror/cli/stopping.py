"""Ctrl-C and SIGTERM: the first one stops a run with its state saved, a second one stops the process at once.

Stopping has a bound, since a thread in a system call or an upload may not end by itself. Going without waiting is safe: what
a run leaves at any moment is what a kill leaves, and the next run goes on from there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

PATIENCE = 4.0
"""Seconds between the first signal and the end of the process, at most."""

_AT_ONCE = "stopped at once"
_TOO_LONG = f"stopped after {PATIENCE:g} s, with work under way"


async def until_stopped(job: Coroutine[Any, Any, T]) -> T:
    """Await a job; a signal cancels it."""
    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        stopper = _Stopper(asyncio.get_running_loop(), task)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stopper)
    return await job


class _Stopper:
    """A signal handler that stays until the process ends: also closing down must not take for ever."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop = loop
        self._task = task
        self._asked = False

    def __call__(self, number: int, frame: object) -> None:
        del number, frame
        if self._asked:
            _leave(_AT_ONCE)
        self._asked = True
        timer = threading.Timer(PATIENCE, _leave, (_TOO_LONG,))
        timer.daemon = True
        timer.start()
        if self._loop.is_closed():
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(self._task.cancel)


def _leave(how: str) -> NoReturn:
    """End the process, whatever its threads are doing."""
    message = f"mediamirror: {how}: what was stored is kept; run the same command again to go on.\n"
    try:
        os.write(sys.stderr.fileno(), message.encode())
    finally:
        os._exit(130)
