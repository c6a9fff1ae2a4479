"""For tests that compare the time of a small input with that of a large one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _only_new_objects_are_collected() -> Iterator[None]:
    """Set aside what thousands of tests before have made, or every collection of a large input would walk through it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
