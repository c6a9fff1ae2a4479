"""What a directory does beyond the contract: links, faults, permissions, leftovers."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mediamirror.errors import (
    BadKey,
    DestinationMissing,
    NameTaken,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
)
from mediamirror.model import Body, StoredObject
from mediamirror.store import files
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.tree import mapped, walk

WEBP = ObjectAttributes("image/webp")


def body_of(data: bytes) -> Body:
    return Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data)


def names(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.fixture
async def store(tmp_path: Path) -> DirectoryStore:
    made = DirectoryStore(tmp_path / "mirror")
    await made.check(create=True)
    return made


async def test_a_mirror_holds_files_and_nothing_else_once_closed(store: DirectoryStore, tmp_path: Path) -> None:
    await store.put("a/b.webp", body_of(b"x"), WEBP)
    await store.aclose()
    assert names(tmp_path / "mirror") == ["a", "a/b.webp"]


async def test_a_missing_directory_is_refused_unless_it_may_be_made(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "deep" / "mirror")
    with pytest.raises(DestinationMissing, match="not a directory"):
        await store.check()
    await store.check(create=True)
    assert (tmp_path / "deep" / "mirror").is_dir()


async def test_a_directory_that_cannot_be_made_is_refused_before_the_first_item(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreRefused, match="file"):
        await DirectoryStore(tmp_path / "file" / "mirror").check(create=True)


async def test_no_link_leads_out_of_the_mirror(store: DirectoryStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "mirror" / "way").symlink_to(outside)
    for refused in (
        store.put("way/new", body_of(b"x"), WEBP),
        store.head("way/secret"),
        store.delete("way/secret"),
        anext(aiter(store.get("way/secret"))),
    ):
        with pytest.raises(BadKey, match="symbolic link"):
            await refused
    assert [row.key async for row in store.list()] == []
    assert names(outside) == ["secret"]


async def test_a_link_in_the_place_of_a_file_is_replaced_and_never_written_through(
    store: DirectoryStore, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_text("keep me")
    (tmp_path / "mirror" / "k.webp").symlink_to(tmp_path / "victim")
    assert await store.head("k.webp") is None
    with pytest.raises(ObjectMissing):
        await anext(aiter(store.get("k.webp")))
    await store.put("k.webp", body_of(b"new"), WEBP)
    assert (tmp_path / "victim").read_text() == "keep me"
    assert not (tmp_path / "mirror" / "k.webp").is_symlink()


async def test_many_files_are_looked_at_as_each_would_be(store: DirectoryStore, tmp_path: Path) -> None:
    keys = ("k", "a/1", "a/2", "a/b/3", "a/link", "way/1", "a/b", "a/1/2", "none", "x" * 300)
    for key in keys[:4]:
        await store.put(key, body_of(key.encode()), WEBP)
    (tmp_path / "mirror/a/link").symlink_to(tmp_path / "mirror/k")
    (tmp_path / "mirror/way").symlink_to(tmp_path / "mirror/a")
    assert await store.heads(keys) == {key: await store.head(key) for key in keys[:4]}
    assert await store.heads([]) == {}


async def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = DirectoryStore(tmp_path / "link")
    await store.put("a/b", body_of(b"x"), WEBP)
    assert (tmp_path / "real/a/b").read_bytes() == b"x"


async def test_files_get_the_permissions_of_the_umask(store: DirectoryStore, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        await store.put("k", body_of(b"x"), WEBP)
    finally:
        os.umask(before)
    assert (tmp_path / "mirror/k").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("call", "number", "kind"), [("write", errno.ENOSPC, StoreFull), ("fsync", errno.EIO, StoreError)]
)
async def test_a_disk_that_fails_leaves_the_old_file_and_no_temporary_one(
    store: DirectoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    kind: type[StoreError],
) -> None:
    await store.put("k", body_of(b"old"), WEBP)

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(kind):
            await store.put("k", body_of(b"new"), WEBP)
    assert (tmp_path / "mirror/k").read_bytes() == b"old"
    assert list((tmp_path / "mirror/_mediamirror/tmp").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EACCES, StoreDenied),
        (errno.EROFS, StoreDenied),
        (errno.EISDIR, NameTaken),
        (errno.ENAMETOOLONG, BadKey),
        (errno.EMFILE, StoreUnavailable),
        (errno.ENOENT, ObjectMissing),
    ],
)
def test_each_fault_of_the_system_has_its_own_error(number: int, kind: type[StoreError]) -> None:
    error = mapped(OSError(number, os.strerror(number)), "/mirror", "a.webp")
    assert type(error) is kind
    assert "/mirror/a.webp" in error.message


async def test_a_name_too_long_for_the_file_system_is_a_bad_key(store: DirectoryStore) -> None:
    with pytest.raises(BadKey, match="file name"):
        await store.put("x" * 300, body_of(b"x"), WEBP)


async def test_a_tree_does_not_replace_a_file_of_its_name(store: DirectoryStore) -> None:
    await store.put("a", body_of(b"first"), WEBP)
    with pytest.raises(BadKey, match="can't be a file"):
        await store.put("a/b", body_of(b"second"), WEBP)
    assert [row.key async for row in store.list()] == ["a"]


async def test_sweep_removes_only_what_was_left_before_that_moment(store: DirectoryStore, tmp_path: Path) -> None:
    await store.put("kept.webp", body_of(b"x"), WEBP)
    area = tmp_path / "mirror/_mediamirror/tmp"
    for name, age in (("old.part", 1_000_000_000), ("new.part", 2_000_000_000)):
        (area / name).write_bytes(b"half")
        os.utime(area / name, (age, age))
    assert await store.sweep(before=datetime.fromtimestamp(1_500_000_000, UTC)) == 1
    assert [path.name for path in area.iterdir()] == ["new.part"]
    assert [row.key async for row in store.list()] == ["kept.webp"]


async def test_puts_and_deletes_in_one_directory_at_once_never_fail(store: DirectoryStore) -> None:
    async def there_and_back(number: int) -> None:
        for _ in range(10):
            await store.put(f"dir/sub/{number}", body_of(b"x"), WEBP)
            await store.delete(f"dir/sub/{number}")

    await asyncio.gather(*(there_and_back(number) for number in range(8)))
    assert [row.key async for row in store.list()] == []


async def test_a_later_put_wins_over_a_cancelled_one(store: DirectoryStore, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(8 * 1024 * 1024))
    body = Body(size=8 * 1024 * 1024, sha256=hashlib.sha256(bytes(8 * 1024 * 1024)).hexdigest(), path=large)
    for _ in range(5):
        task = asyncio.create_task(store.put("k", body, WEBP))
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert list((tmp_path / "mirror/_mediamirror/tmp").iterdir()) == []
        await store.put("k", body_of(b"later"), WEBP)
        assert (tmp_path / "mirror/k").read_bytes() == b"later"


async def test_the_token_tells_a_change_of_the_same_size(store: DirectoryStore, tmp_path: Path) -> None:
    stored = await store.put("k", body_of(b"one"), WEBP)
    (tmp_path / "mirror/k").write_bytes(b"two")
    found = await store.head("k")
    assert found is not None
    assert (found.size, found.token != stored.token) == (stored.size, True)


def test_a_process_killed_in_the_middle_leaves_no_part_under_a_final_name(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal, hashlib; from pathlib import Path; from mediamirror.store import files;"
        "from mediamirror.model import Body; root = Path(sys.argv[1]); body = Body(3, hashlib.sha256(b'new').hexdigest(), b'new');"
        "os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL);"
        "files.write_together(root, [files.Writing('k', body)])"
    )
    (tmp_path / "k").write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    assert (tmp_path / "k").read_bytes() == b"old"
    assert files.sweep(tmp_path, before=1e12) == 1


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_a_walk_in_small_batches_gives_the_same_order(tmp_path: Path, batch: int) -> None:
    keys = ["a b", "a!", "a-b/x", "a.b", "a/b", "a/b!c", "a/c/d", "a0", "b/é", "B/c"]
    for key in keys:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_text(key)
    assert [key for key, _ in walk(tmp_path, batch=batch)] == sorted(keys, key=str.encode)


def test_a_walk_leaves_out_links_and_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to(tmp_path)
    with open(os.fsencode(tmp_path) + b"/\xff", "wb"):
        pass
    os.mkfifo(tmp_path / "pipe")
    assert [key for key, _ in walk(tmp_path)] == ["real"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked of the disk, in order: each sync with the path of what it is for, renames and removals."""
    asked: list[tuple[str, str]] = []

    def watch(name: str, subject: Callable[..., str]) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            asked.append((name, subject(*args)))
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    watch("fsync", lambda descriptor: os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")).rpartition(".")[2])
    watch("rename", lambda _, target: target)
    watch("unlink", lambda path: path)
    return asked


async def test_bytes_are_durable_before_they_have_a_name_and_the_name_before_put_returns(
    store: DirectoryStore, told: list[tuple[str, str]]
) -> None:
    await store.put("k", body_of(b"x"), WEBP)
    assert told[:3] == [("fsync", "part"), ("rename", "k"), ("fsync", "mirror")]
    told.clear()
    await store.put("a/b/k", body_of(b"x"), WEBP)
    assert told[:5] == [("fsync", "part"), ("fsync", "mirror"), ("fsync", "a"), ("rename", "k"), ("fsync", "b")]


async def test_a_removal_is_durable_before_delete_returns(store: DirectoryStore, told: list[tuple[str, str]]) -> None:
    await store.put("a/k", body_of(b"x"), WEBP)
    told.clear()
    await store.delete("a/k")
    assert told == [("unlink", "k"), ("fsync", "a")]


async def test_a_file_that_another_program_wrote_is_made_durable_with_its_name(
    store: DirectoryStore, tmp_path: Path, told: list[tuple[str, str]]
) -> None:
    (tmp_path / "mirror/a").mkdir()
    (tmp_path / "mirror/a/k").write_bytes(b"x")
    await store.make_durable("a/k")
    assert told == [("fsync", "k"), ("fsync", "a")]


async def test_files_put_at_once_share_the_syncs_of_their_directories_and_each_is_whole_before_it_has_its_name(
    store: DirectoryStore, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    bodies = {f"a/b/{number}": body_of(bytes([number]) * 100) for number in range(40)}
    await asyncio.gather(*(store.put(key, body, WEBP) for key, body in bodies.items()))
    assert {key: (tmp_path / "mirror" / key).read_bytes() for key in bodies} == {k: b.data for k, b in bodies.items()}
    assert told.count(("fsync", "part")) == 40
    assert told.count(("fsync", "b")) < 20, "a sync of the directory for each file"
    for place, (call, _) in enumerate(told):
        done = [name for name, _ in told[:place]]
        assert call != "rename" or done.count("fsync") > done.count("rename")


async def test_a_file_that_fails_among_others_fails_alone(store: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "mirror/taken").write_bytes(b"theirs")
    false = Body(3, "0" * 64, data=b"bad")
    bodies = {"a/1": body_of(b"1"), "taken/2": body_of(b"2"), "a/3": false, "a/4": body_of(b"4"), "5": body_of(b"5")}
    done = await asyncio.gather(*(store.put(key, body, WEBP) for key, body in bodies.items()), return_exceptions=True)
    assert [type(each).__name__ for each in done] == [
        *("StoredObject", "NameTaken", "ObjectCorrupt", "StoredObject", "StoredObject")
    ]
    assert names(tmp_path / "mirror/_mediamirror/tmp") == []
    assert [row.key async for row in store.list()] == ["5", "a/1", "a/4", "taken"]


async def test_a_put_that_is_called_off_while_it_waits_leaves_nothing_and_the_others_go_on(
    store: DirectoryStore, tmp_path: Path
) -> None:
    tasks = [asyncio.create_task(store.put(f"k{number}", body_of(b"x"), WEBP)) for number in range(60)]
    await asyncio.sleep(0)
    for task in tasks[1::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, StoredObject) for each in done[::2])
    assert all(isinstance(each, asyncio.CancelledError) for each in done[1::2])
    there = {row.key async for row in store.list()}
    assert there >= {f"k{number}" for number in range(0, 60, 2)}
    assert names(tmp_path / "mirror/_mediamirror/tmp") == []


async def test_a_directory_that_cannot_be_synced_fails_what_was_put_into_it(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fail(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="Check the disk"):
        await store.put("k", body_of(b"x"), WEBP)
