"""A link below a mirror's root is never followed: whatever it leads to, wherever it stands, and whenever it was planted."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mediamirror.errors import BadKey, StoreError, StoreRefused
from mediamirror.model import Body
from mediamirror.store.base import ObjectAttributes
from mediamirror.store.directory import DirectoryStore
from mediamirror.store.tree import walk


def body_of(data: bytes) -> Body:
    return Body(size=len(data), sha256=hashlib.sha256(data).hexdigest(), data=data)


WEBP = ObjectAttributes("image/webp")
FOR_EVER = datetime.max.replace(tzinfo=UTC)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with a file's bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Somebody's folder, with names that a mirror has too."""
    folder = tmp_path / "outside"
    for name in ("k.webp", "b/k.webp", "tmp/old.part", "old.part", "holiday.jpg", "tmp/holiday.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"theirs")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "mirror").mkdir()
    return tmp_path / "mirror"


def plant(place: Path, kind: str, outside: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    leads_to = {
        "folder": outside,
        "file": outside / "k.webp",
        "dangling": outside / "nothing",
        "loop": place,
        "mirror": place.parent,
    }
    place.symlink_to(leads_to[kind])


@pytest.mark.parametrize("kind", ["folder", "file", "dangling", "loop", "mirror"])
@pytest.mark.parametrize("name", ["_mediamirror", "_mediamirror/tmp"])
async def test_a_link_in_the_reserved_area_is_refused_before_the_first_item(
    root: Path, outside: Path, name: str, kind: str
) -> None:
    plant(root / name, kind, outside)
    before = contents(outside)
    async with DirectoryStore(root) as store:
        with pytest.raises(StoreRefused, match=f"{name} is a symbolic link.*Remove the link"):
            await store.check(create=True)
        for refused in (
            store.put("k.webp", body_of(b"x"), WEBP),
            store.sweep(before=FOR_EVER),
            store.leftovers(before=FOR_EVER),
        ):
            with pytest.raises(BadKey, match="symbolic link"):
                await refused
    assert contents(outside) == before
    assert (root / name).is_symlink()


@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("name", ["_mediamirror", "_mediamirror/tmp"])
async def test_something_else_under_the_name_of_the_reserved_area_is_named_and_left(
    root: Path, name: str, kind: str
) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    if kind == "file":
        (root / name).write_bytes(b"theirs")
    else:
        os.mkfifo(root / name)
    async with DirectoryStore(root) as store:
        with pytest.raises(StoreRefused, match=r"_mediamirror/tmp/ can't be a directory.*Move that away"):
            await store.check(create=True)
    assert (root / name).exists()


def test_a_reserved_area_that_may_not_be_written_to_is_named() -> None:
    """By a process that is not the superuser, who may write anywhere."""
    code = (
        "import asyncio, os, sys; from pathlib import Path; from mediamirror.store.directory import DirectoryStore;"
        "os.getuid() or os.setuid(65534); asyncio.run(DirectoryStore(Path(sys.argv[1])).check())"
    )
    with tempfile.TemporaryDirectory() as root:
        area = Path(root, "_mediamirror/tmp")
        area.mkdir(parents=True)
        for folder in (Path(root), area.parent, area):
            folder.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", code, root], check=False, capture_output=True, text=True)
    assert "_mediamirror/tmp may not be written or read (Permission denied)" in done.stderr


async def test_a_sweep_removes_our_own_files_alone(root: Path, outside: Path) -> None:
    area = root / "_mediamirror/tmp"
    area.mkdir(parents=True)
    for name in ("1-ab.part", "holiday.jpg", "part", "x.part.jpg"):
        (area / name).write_bytes(b"x")
    (area / "link.part").symlink_to(outside / "k.webp")
    (area / "folder.part").mkdir()
    os.mkfifo(area / "pipe.part")
    async with DirectoryStore(root) as store:
        assert await store.leftovers(before=FOR_EVER) == [str(area / "1-ab.part")]
        assert await store.sweep(before=FOR_EVER) == 1
    assert sorted(path.name for path in area.iterdir()) == [
        *("folder.part", "holiday.jpg", "link.part", "part", "pipe.part", "x.part.jpg")
    ]
    assert (outside / "k.webp").read_bytes() == b"theirs"


async def test_closing_takes_away_no_empty_folder_behind_a_link(root: Path, outside: Path) -> None:
    (outside / "tmp/old.part").unlink()
    (outside / "tmp/holiday.jpg").unlink()
    (root / "_mediamirror").symlink_to(outside)
    await DirectoryStore(root).aclose()
    assert (outside / "tmp").is_dir()


Act = Callable[[DirectoryStore], Awaitable[object]]


async def _read(store: DirectoryStore) -> bytes:
    return b"".join([chunk async for chunk in store.get("a/b/k.webp")])


async def _list(store: DirectoryStore) -> list[str]:
    return [row.key async for row in store.list()] + [row.key async for row in store.list("_mediamirror/")]


ACTS: dict[str, Act] = {
    "check": lambda store: store.check(create=True),
    "put": lambda store: store.put("a/b/k.webp", body_of(b"new"), WEBP),
    "put beside": lambda store: store.put("a/b/c/d.webp", body_of(b"new"), WEBP),
    "get": _read,
    "head": lambda store: store.head("a/b/k.webp"),
    "list": _list,
    "delete": lambda store: store.delete("a/b/k.webp"),
    "make_durable": lambda store: store.make_durable("a/b/k.webp"),
    "sweep": lambda store: store.sweep(before=FOR_EVER),
    "close": lambda store: store.aclose(),
}
CALLS = ("open", "mkdir", "rename", "unlink", "rmdir", "stat", "scandir", "close", "fsync")


class Planter:
    """Puts a link in a directory's place before the system call number ``moment`` that the store makes."""

    def __init__(self, place: Path, outside: Path, moment: int) -> None:
        self._place, self._outside, self._left = place, outside, moment
        self.has_planted = False

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.has_planted = True
            self._place.rename(self._place.with_name("aside"))
            self._place.symlink_to(self._outside)


def watch(patch: pytest.MonkeyPatch, planter: Planter) -> None:
    for name in CALLS:
        real = getattr(os, name)

        def call(*args: object, real: Callable[..., object] = real, **kwargs: object) -> object:
            with pytest.MonkeyPatch.context() as unwatched:
                for other, function in REAL.items():
                    unwatched.setattr(os, other, function)
                planter()
            return real(*args, **kwargs)

        patch.setattr(os, name, call)


REAL = {name: getattr(os, name) for name in CALLS}


@pytest.mark.parametrize("name", ["a", "a/b", "_mediamirror", "_mediamirror/tmp"])
@pytest.mark.parametrize("act", ACTS)
async def test_a_link_planted_at_any_moment_leads_nowhere(tmp_path: Path, outside: Path, act: str, name: str) -> None:
    before, moment, planted = contents(outside), 0, True
    while planted:
        moment += 1
        root = tmp_path / f"mirror{moment}"
        for path in ("a/b/k.webp", "_mediamirror/tmp/old.part"):
            (root / path).parent.mkdir(parents=True)
            (root / path).write_bytes(b"ours")
        store, planter = DirectoryStore(root, threads=1), Planter(root / name, outside, moment)
        seen: object = None
        with pytest.MonkeyPatch.context() as patch:
            watch(patch, planter)
            with suppress(StoreError, StoreRefused):
                seen = await ACTS[act](store)
        await store.aclose()
        planted = planter.has_planted
        assert contents(outside) == before, f"before call {moment}"
        assert b"theirs" not in (seen if isinstance(seen, bytes) else b"")
        assert not isinstance(seen, list) or not any("holiday" in key for key in seen)
    assert moment > 3


async def test_a_listing_goes_no_deeper_than_a_key_can_say(root: Path) -> None:
    deep = os.open(root, os.O_RDONLY)
    for _ in range(700):
        os.mkdir("dd", dir_fd=deep)
        below = os.open("dd", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("k", os.O_CREAT | os.O_WRONLY, dir_fd=deep))
    os.close(deep)
    (root / "z").write_bytes(b"x")
    told: list[str] = []
    found = [key for key, _ in walk(root, notice=lambda path, why: told.append(why))]
    assert (found, told) == (["z"], ["it lies deeper than a key of 1,024 bytes can say"])
