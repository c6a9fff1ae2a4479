"""The short cut of ``make torture``: kills at moments that once lost something, and one of each way to kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from torture.kills import Kill, strace_works
from torture.sweep import Ready, one, open_benches

KINDS = ("mirror-directory", "mirror-bucket", "sync-directory", "sync-bucket", "gc-directory", "gc-bucket")

CALLS = [
    Kill("mirror-directory", "call", "fsync", 3),
    Kill("mirror-directory", "call", "renameat", 5),
    Kill("mirror-directory", "call", "pwrite64", 250),
]
POINTS = [
    Kill("mirror-directory", "point", "half-written", 4),
    Kill("mirror-directory", "point", "body-spilled", 1),
    Kill("mirror-directory", "point", "inside-record", 2),
    Kill("mirror-bucket", "point", "after-put", 3),
    Kill("mirror-bucket", "point", "after-segment", 1),
    Kill("sync-directory", "point", "after-forget", 1),
    Kill("sync-bucket", "point", "after-bucket-delete", 2),
    Kill("gc-directory", "point", "after-forget", 1),
    Kill("gc-bucket", "point", "after-bucket-delete", 4),  # an object each, then the first of the old segments
    Kill("gc-bucket", "point", "after-put", 2),
]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    folder = tmp_path_factory.mktemp("torture")
    with pytest.MonkeyPatch.context() as patch, open_benches(folder, 1, KINDS) as benches:
        for name, value in benches[0].bench.server.environment().items():
            patch.setenv(name, value)
        yield benches[0]


@pytest.mark.parametrize("kill", POINTS, ids=lambda kill: f"{kill.kind}-{kill.where}")
def test_a_run_killed_at_a_named_point_converges_when_it_is_run_again(ready: Ready, kill: Kill) -> None:
    counts = one(ready, kill)
    assert (counts.kills, counts.faults, counts.told) == (1, 0, [])


@pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace")
@pytest.mark.parametrize("kill", CALLS, ids=lambda kill: f"{kill.kind}-{kill.where}")
def test_a_run_killed_at_a_system_call_converges_when_it_is_run_again(ready: Ready, kill: Kill) -> None:
    counts = one(ready, kill)
    assert (counts.kills, counts.faults, counts.told) == (1, 0, [])


def test_what_was_stored_before_its_row_is_told_by_its_hash_and_not_downloaded_again(ready: Ready) -> None:
    counts = one(ready, Kill("mirror-directory", "point", "after-file", 3))
    assert (counts.kills, counts.faults, counts.told, counts.adopted >= 1) == (1, 0, [], True)
