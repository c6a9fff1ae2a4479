"""A source that is a mirror of ours: what its own catalog recorded is used, and counts for nothing else."""

# ruff: noqa: ASYNC240 - the tests look at small files while nothing else runs

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mediamirror.jobs.sync import local as sync_local
from mediamirror.jobs.sync.check import check
from mediamirror.jobs.sync.job import sync
from mediamirror.model import Compared, ObjectEvent, Problem, SyncEvent, SyncSummary
from mediamirror.settings import CompareOptions, SyncOptions, default_catalog
from mediamirror.store.tree import token_of

SIZE = 300


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
async def mirror(tmp_path: Path) -> Path:
    """Three files of 100 bytes, put there by us, so that a catalog of the place knows them."""
    origin = tmp_path / "origin"
    for number in range(3):
        path = origin / f"part-{number}" / "picture.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes([number]) * 100)
    await sync(str(origin), str(tmp_path / "mirror"))
    shutil.rmtree(origin)
    return tmp_path / "mirror"


@pytest.fixture
def copy(mirror: Path, tmp_path: Path) -> Path:
    """The same files, put there by another tool: nothing is recorded of them."""
    return Path(shutil.copytree(mirror, tmp_path / "copy"))


async def compare(source: Path, destination: Path, **fields: bool) -> tuple[SyncSummary, list[SyncEvent]]:
    told: list[SyncEvent] = []
    options = SyncOptions(compare=CompareOptions(**fields))  # type: ignore[arg-type]
    return await check(str(source), str(destination), options=options, on_event=told.append), told


async def test_a_mirror_as_source_is_not_hashed_again(mirror: Path, copy: Path) -> None:
    summary, _ = await compare(mirror, copy)
    assert (summary.statuses, summary.bytes_in) == ({"same": 3}, SIZE)
    summary = await sync(str(mirror), str(copy))
    assert (summary.statuses, summary.bytes_in) == ({"skipped": 3}, SIZE)


async def test_a_mirror_as_destination_of_a_check_is_not_hashed_again(mirror: Path, copy: Path) -> None:
    summary, _ = await compare(copy, mirror)
    assert (summary.statuses, summary.bytes_in) == ({"same": 3}, SIZE)


async def test_checksum_reads_it_nevertheless(mirror: Path, copy: Path) -> None:
    summary, _ = await compare(mirror, copy, checksum=True)
    assert summary.bytes_in == 2 * SIZE


async def test_a_source_without_a_catalog_is_read(copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy, tmp_path / "third")
    summary, _ = await compare(copy, tmp_path / "third")
    assert (summary.statuses, summary.bytes_in) == ({"same": 3}, 2 * SIZE)


@pytest.mark.parametrize("change", ["times", "inode"])
async def test_a_file_that_is_not_in_the_recorded_state_is_hashed(mirror: Path, copy: Path, change: str) -> None:
    path = mirror / "part-1" / "picture.bin"
    seen = path.stat()
    if change == "inode":
        path.rename(path.with_name("old"))
        path.write_bytes(b"\x07" * 100)
        path.with_name("old").unlink()
    else:
        with path.open("r+b") as file:
            file.write(b"\x07" * 100)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # the size and the time of a change that nobody should see
    summary, told = await compare(mirror, copy)
    assert [e.key for e in told if isinstance(e, Compared) and e.mark == "*"] == ["part-1/picture.bin"]
    assert summary.bytes_in == SIZE + 100


async def test_a_catalog_that_can_not_be_read_is_told_of_once_and_costs_only_time(mirror: Path, copy: Path) -> None:
    default_catalog(str(mirror.resolve())).write_bytes(b"no database at all" * 100)
    told: list[SyncEvent] = []
    summary = await sync(str(mirror), str(copy), on_event=told.append)
    assert (summary.statuses, summary.bytes_in, summary.exit_code) == ({"skipped": 3}, 2 * SIZE, 0)
    assert [e.code for e in told if isinstance(e, Problem)] == ["catalog-not-used"]


async def test_bytes_that_rotted_under_an_unchanged_file_are_not_copied(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mirror / "part-2" / "picture.bin"
    before = path.stat()
    path.write_bytes(b"\x09" * 100)

    # A disk that gives out other bytes can't be had: the file's state is told as it was before.
    def token_then(seen: os.stat_result) -> str:
        return token_of(before if seen.st_ino == before.st_ino else seen)

    monkeypatch.setattr(sync_local, "token_of", token_then)
    monkeypatch.setattr(sync_local, "_FINE_NS", -1)
    told: list[SyncEvent] = []
    summary = await sync(str(mirror), str(tmp_path / "new"), on_event=told.append)
    assert (summary.statuses, summary.exit_code) == ({"copied": 2, "failed": 1}, 1)
    failed = [e for e in told if isinstance(e, ObjectEvent) and e.error is not None]
    assert [(e.key, e.error.code) for e in failed if e.error] == [("part-2/picture.bin", "object-corrupt")]
    assert not (tmp_path / "new" / "part-2").exists()
    options = SyncOptions(compare=CompareOptions(checksum=True))
    assert (await sync(str(mirror), str(tmp_path / "new"), options=options)).exit_code == 0
