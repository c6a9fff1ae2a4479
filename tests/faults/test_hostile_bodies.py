"""The installed command against a server that lies, floods and stalls: each body ends as it should, in little memory."""

from __future__ import annotations

from bench.hostile_bodies import LARGEST, MOST, measure
from fixtures.hostile.replies import BODIES

SLOW = {"jpeg-scans", "png-flood-of-chunks", "png-trailing-inflated", "png-text-bomb", "png-pixel-flood"}
SLOW |= {"avif-understates", "avif-understates-moving", "avif-overrides"}
"""Seconds of CPU time each; `python -m bench.hostile_bodies` has them."""

QUICK_LARGE = {"webp-largest", "png-largest-palette"}
"""Sound, as large as the limits allow, and quickly decoded."""


def test_each_hostile_body_ends_in_its_own_code_and_all_of_them_in_little_memory() -> None:
    names = [name for name in BODIES if name not in SLOW and (name not in LARGEST or name in QUICK_LARGE)]
    figures = measure(names, "--timeout", "30", "--retries", "0", "--max-size", "8M")
    assert figures.wrong == {}
    assert figures.left == ()
    assert figures.asked > 160
    assert figures.peak < MOST, f"{figures}"
