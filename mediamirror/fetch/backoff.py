"""How long to wait before the same thing is tried again. Pure."""

from __future__ import annotations

from random import Random

BASE = 0.5
LONGEST = 30.0


def jitter(attempt: int, random: Random) -> float:
    """Seconds, by exponential back-off with full jitter: uniform between 0 and 0.5 s doubled with every failure, at most 30 s.

    ``attempt`` counts the failures so far, from 1.
    """
    return random.uniform(0.0, min(LONGEST, BASE * 2.0 ** min(attempt - 1, 16)))
