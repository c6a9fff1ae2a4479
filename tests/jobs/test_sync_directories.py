"""Sync and check between directories: real files, the library's own functions."""

# ruff: noqa: ASYNC240, ASYNC110 - the tests look at small files while nothing else runs

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mediamirror.errors import BadDestination, InputMissing, LockHeld, UsageError
from mediamirror.jobs.run.destination import hold, lock_name
from mediamirror.jobs.sync import transfer as sync_transfer
from mediamirror.jobs.sync.check import check
from mediamirror.jobs.sync.job import sync
from mediamirror.model import Compared, ObjectEvent, Problem, SyncEvent, SyncSummary, Workload
from mediamirror.settings import CompareOptions, SyncOptions, state_folder
from mediamirror.store.directory import DirectoryStore


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """Three files, old enough that their times vouch for their bytes."""
    for key, text in {"a/one.txt": "1", "a-b/two.txt": "22", "three.bin": "333"}.items():
        path = tmp_path / "src" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "src"


@pytest.fixture
def dst(tmp_path: Path) -> Path:
    return tmp_path / "dst"


class Told:
    """What a run said."""

    def __init__(self) -> None:
        self.events: list[SyncEvent] = []

    def __call__(self, event: SyncEvent) -> None:
        self.events.append(event)

    def of(self, op: str) -> dict[str, str]:
        return {e.key: e.reason for e in self.events if isinstance(e, ObjectEvent) and e.op == op and e.error is None}

    @property
    def marks(self) -> dict[str, str]:
        return {e.key: e.mark.value for e in self.events if isinstance(e, Compared)}

    @property
    def errors(self) -> dict[str, str]:
        return {e.key: e.error.code for e in self.events if isinstance(e, ObjectEvent) and e.error is not None}


async def run(src: Path, dst: Path, options: SyncOptions | None = None) -> tuple[SyncSummary, Told]:
    told = Told()
    return await sync(str(src), str(dst), options=options, on_event=told), told


async def compare(src: Path, dst: Path, **fields: bool) -> tuple[int, dict[str, str], int]:
    told = Told()
    summary = await check(str(src), str(dst), options=SyncOptions(compare=CompareOptions(**fields)), on_event=told)  # type: ignore[arg-type]
    return summary.exit_code, told.marks, summary.bytes_in


def contents(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


async def test_a_new_destination_gets_everything_and_a_second_run_touches_nothing(src: Path, dst: Path) -> None:
    first, told = await run(src, dst)
    assert (first.exit_code, contents(dst)) == (0, contents(src))
    assert set(told.of("copy").values()) == {"not in the destination"}
    await asyncio.sleep(0.1)
    await run(src, dst)
    times = {p: p.stat().st_ctime_ns for p in dst.rglob("*")}
    second, told = await run(src, dst)
    assert (second.statuses, second.bytes_in, second.bytes_out) == ({"skipped": 3}, 0, 0)
    assert set(told.of("skip").values()) == {"same sha256"}
    assert {p: p.stat().st_ctime_ns for p in dst.rglob("*")} == times


async def test_an_edit_of_the_same_size_and_time_is_seen(src: Path, dst: Path) -> None:
    await run(src, dst)
    await asyncio.sleep(0.1)
    await run(src, dst)
    path = src / "three.bin"
    before = path.stat()
    path.write_text("334")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (await compare(src, dst))[:2] == (1, {"a/one.txt": "=", "a-b/two.txt": "=", "three.bin": "*"})
    _, told = await run(src, dst)
    assert told.of("copy") == {"three.bin": "sha256 differs"}
    assert contents(dst) == contents(src)


async def test_an_edit_of_the_destination_is_seen_and_undone(src: Path, dst: Path) -> None:
    await run(src, dst)
    path = dst / "three.bin"
    before = path.stat()
    path.write_text("xxx")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    _, told = await run(src, dst)
    assert (told.of("copy"), contents(dst)) == ({"three.bin": "sha256 differs"}, contents(src))


async def test_checksum_reads_the_source_again_and_no_flag_does_not(src: Path, dst: Path) -> None:
    await run(src, dst)
    await asyncio.sleep(0.1)
    await run(src, dst)
    plain, _ = await run(src, dst)
    read, _ = await run(src, dst, SyncOptions(compare=CompareOptions(checksum=True)))
    assert (plain.bytes_in, read.bytes_in, read.statuses) == (0, 6, {"skipped": 3})


async def test_size_only_and_ignore_existing_have_reasons_of_their_own(src: Path, dst: Path) -> None:
    await run(src, dst)
    (dst / "three.bin").write_text("xxx")
    (dst / "a/one.txt").write_text("longer")
    _, told = await run(src, dst, SyncOptions(ignore_existing=True))
    assert set(told.of("skip").values()) == {"exists in the destination"}
    _, told = await run(src, dst, SyncOptions(compare=CompareOptions(size_only=True)))
    assert (told.of("copy"), set(told.of("skip").values())) == ({"a/one.txt": "size differs"}, {"same size"})


async def test_deletions_are_off_by_default_and_leave_excluded_keys_alone(src: Path, dst: Path) -> None:
    await run(src, dst)
    (dst / "extra.txt").write_text("x")
    (dst / "kept.tmp").write_text("x")
    await run(src, dst)
    assert (dst / "extra.txt").exists()
    options = SyncOptions(delete=True, compare=CompareOptions(exclude=("*.tmp",)))
    summary, told = await run(src, dst, options)
    assert (told.of("delete"), summary.statuses["deleted"]) == ({"extra.txt": "not in the source"}, 1)
    assert contents(dst) == {**contents(src), "kept.tmp": "x"}


async def test_too_many_deletions_change_nothing_at_all(src: Path, dst: Path) -> None:
    await run(src, dst)
    (dst / "x1").write_text("x")
    (dst / "x2").write_text("x")
    (src / "new.txt").write_text("new")
    before = contents(dst)
    with pytest.raises(UsageError, match="--max-delete allows 1"):
        await run(src, dst, SyncOptions(delete=True, max_delete=1))
    assert contents(dst) == before


async def test_an_empty_source_empties_a_destination_only_by_force(src: Path, dst: Path, tmp_path: Path) -> None:
    await run(src, dst)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="--force"):
        await run(tmp_path / "empty", dst, SyncOptions(delete=True, dry_run=True))
    assert contents(dst) == contents(src)
    await run(tmp_path / "empty", dst, SyncOptions(delete=True, force=True))
    assert contents(dst) == {}


async def test_a_dry_run_says_everything_and_changes_nothing(src: Path, dst: Path, tmp_path: Path) -> None:
    summary, told = await run(src, dst, SyncOptions(dry_run=True))
    assert (len(told.of("copy")), dst.exists(), (tmp_path / "state").exists()) == (3, False, False)
    assert (summary.exit_code, summary.dry_run) == (0, True)


async def test_a_failed_item_leaves_the_rest_done_and_nothing_deleted(src: Path, dst: Path) -> None:
    dst.mkdir()
    (dst / "extra.txt").write_text("x")
    (dst / "elsewhere").mkdir()
    (dst / "a").symlink_to(dst / "elsewhere")
    summary, told = await run(src, dst, SyncOptions(delete=True, force=True))
    assert (summary.exit_code, told.errors) == (1, {"a/one.txt": "bad-key"})
    (dst / "a").unlink()
    assert contents(dst) == {"three.bin": "333", "a-b/two.txt": "22", "extra.txt": "x"}


async def test_a_name_that_can_not_be_a_key_fails_the_run_and_the_rest_is_done(src: Path, dst: Path) -> None:
    (src / "line\nbreak").write_text("x")
    summary, _ = await run(src, dst)
    (src / "line\nbreak").unlink()
    assert (summary.exit_code, contents(dst)) == (1, contents(src))


@pytest.mark.parametrize(
    ("one", "other"), [("p", "p"), ("p", "p/q"), ("p/q", "p"), ("p", "p/../p/q/.."), ("p", "link")]
)
async def test_one_place_in_the_other_is_refused(tmp_path: Path, one: str, other: str) -> None:
    (tmp_path / "p/q").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "p")
    with pytest.raises(UsageError, match="two places"):
        await run(tmp_path / one, tmp_path / other)


@pytest.mark.parametrize("inside", ["_mediamirror", "_mediamirror/quarantine/x"])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_destination_inside_what_is_ours_is_refused(src: Path, dst: Path, inside: str, dry_run: bool) -> None:
    with pytest.raises(BadDestination, match=r"lies inside _mediamirror/"):
        await run(src, dst / inside, SyncOptions(dry_run=dry_run))
    assert not dst.exists()


async def test_places_with_a_common_beginning_of_their_names_are_apart(src: Path) -> None:
    assert (await run(src, src.with_name("src2")))[0].exit_code == 0


async def test_a_source_that_is_not_there_is_no_empty_source(tmp_path: Path, dst: Path) -> None:
    with pytest.raises(InputMissing, match="not there"):
        await run(tmp_path / "typo", dst, SyncOptions(delete=True, force=True))


async def test_a_read_only_source_is_enough(src: Path, dst: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (src, *src.rglob("*"))}
    await run(src, dst)
    assert {p: p.stat().st_mtime_ns for p in (src, *src.rglob("*"))} == before


async def test_a_second_run_on_one_destination_is_told_who_is_first(src: Path, dst: Path) -> None:
    path = state_folder() / "locks" / lock_name(os.path.realpath(dst))
    with hold(path, thing="it", command="mirror"), pytest.raises(LockHeld, match="is in use by process"):
        await run(src, dst)


async def test_check_marks_every_key_as_rclone_does_and_writes_nothing(src: Path, dst: Path, tmp_path: Path) -> None:
    dst.mkdir()
    for key, text in {"a/one.txt": "1", "three.bin": "3333", "only here": "x"}.items():
        (dst / key).parent.mkdir(exist_ok=True)
        (dst / key).write_text(text)
    code, marks, _ = await compare(src, dst)
    assert (code, marks) == (1, {"a/one.txt": "=", "a-b/two.txt": "+", "three.bin": "*", "only here": "-"})
    assert not (tmp_path / "state").exists()
    assert not (dst / "_mediamirror").exists()


async def test_check_reads_no_bytes_where_all_is_recorded_and_all_of_them_with_download(src: Path, dst: Path) -> None:
    await asyncio.sleep(0.1)
    await run(src, dst)
    assert await compare(src, dst) == (0, dict.fromkeys(contents(src), "="), 0)
    assert await compare(src, dst, download=True) == (0, dict.fromkeys(contents(src), "="), 12)


async def test_what_only_the_destination_has_is_no_difference_one_way(src: Path, dst: Path) -> None:
    await run(src, dst)
    (dst / "extra").write_text("x")
    assert (await compare(src, dst, one_way=True))[0] == 0


async def test_an_unreadable_file_is_marked_and_the_rest_compared(
    src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(src, dst)
    (src / "three.bin").write_text("999")
    real = os.open

    def refuse(path: object, *rest: object, **named: object) -> int:
        # Opened beside the descriptor of its directory.
        if path == "three.bin" and os.readlink(f"/proc/self/fd/{named['dir_fd']}") == str(src):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    code, marks, _ = await compare(src, dst)
    assert (code, marks["three.bin"], marks["a/one.txt"]) == (1, "!", "=")


async def test_an_interrupted_run_says_what_is_left_and_the_next_one_finishes(
    src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (src / f"more-{number}").write_text("x")
    told, real, puts = Told(), DirectoryStore.put, 0

    async def slow(self: DirectoryStore, *arguments: object) -> object:
        nonlocal puts
        puts += 1
        if puts > 5:
            await asyncio.sleep(60)
        return await real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(DirectoryStore, "put", slow)
    task = asyncio.create_task(sync(str(src), str(dst), options=SyncOptions(concurrency=2), on_event=told))
    while puts < 7:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.setattr(DirectoryStore, "put", real)
    summary = told.events[-1]
    assert isinstance(summary, SyncSummary)
    assert (summary.exit_code, summary.left) == (130, 28)
    again, _ = await run(src, dst)
    assert (again.statuses, contents(dst)) == ({"copied": 28, "skipped": 5}, contents(src))


async def test_a_defect_in_one_item_does_not_end_the_run(src: Path, dst: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sync_transfer.Transfer._copy

    async def broken(self: sync_transfer.Transfer, source: object, reason: str, **more: object) -> object:
        if source.row.key == "three.bin":  # type: ignore[attr-defined]
            raise ZeroDivisionError
        return await real(self, source, reason, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sync_transfer.Transfer, "_copy", broken)
    summary, told = await run(src, dst)
    assert (summary.exit_code, told.errors, len(contents(dst))) == (1, {"three.bin": "internal"}, 2)


async def test_the_workload_is_known_before_the_first_copy(src: Path, dst: Path) -> None:
    _, told = await run(src, dst)
    assert told.events[0] == Workload(seen=3, objects=3, bytes=6)


async def test_an_empty_source_is_said(src: Path, dst: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, options, said in (
        (tmp_path / "empty", SyncOptions(), "SRC holds no objects. Check its path or prefix."),
        (
            src,
            SyncOptions(compare=CompareOptions(include=("*.none",))),
            "No object of SRC is chosen by --include and --exclude.",
        ),
    ):
        told = Told()
        summary = await sync(str(source), str(dst), options=options, on_event=told)
        problems = [event.message for event in told.events if isinstance(event, Problem)]
        assert (summary.exit_code, problems) == (0, [said])
