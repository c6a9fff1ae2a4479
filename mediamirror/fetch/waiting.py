"""Telling whoever runs many downloads at once that one of them only waits, so that another may run meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar

Aside = Callable[[], AbstractAsyncContextManager[None]]
"""Makes the context in which a task waits: left out of what is under way, and let in again at its end."""

_aside: ContextVar[Aside | None] = ContextVar("aside", default=None)


def step_aside_by(aside: Aside) -> None:
    """From now on, waits of the current task happen inside ``aside()``."""
    _aside.set(aside)


def waiting() -> AbstractAsyncContextManager[None]:
    """Use as ``async with`` around a wait for a host: for its turn, its pause, its robots.txt, the next try."""
    aside = _aside.get()
    return nullcontext() if aside is None else aside()
