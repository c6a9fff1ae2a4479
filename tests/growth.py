"""Whether the time of some work grows with its input, or with the input's square: what a pathological pattern shows as.

No figure is asserted: the two are so far apart at these factors that the noise of a busy machine does not reach from one to the
other, and a measurement that looks like a square is taken again before it counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_TRIES = 4
_TICK = 2e-3
"""Seconds; what takes less is measured as this."""


def is_linear(work: Callable[[int], object], small: int, large: int) -> bool:
    """Say whether ``work(large)`` takes nearer to ``large / small`` times as long as ``work(small)`` than to the square of that."""
    # Halfway between the two, as factors go.
    limit = (large / small) ** 1.5
    return any(_seconds(work, large) < limit * _best(work, small) for _ in range(_TRIES))


def _best(work: Callable[[int], object], size: int) -> float:
    return max(_TICK, min(_seconds(work, size) for _ in range(3)))


def _seconds(work: Callable[[int], object], size: int) -> float:
    started = time.process_time()
    work(size)
    return time.process_time() - started
