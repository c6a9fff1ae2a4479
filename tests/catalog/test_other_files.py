"""``--catalog`` that names something else than a catalog: refused by every command, and left as it is, with nothing beside it."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mediamirror import mirror, sync
from mediamirror.catalog.listing import Query
from mediamirror.errors import CatalogError
from mediamirror.jobs.catalog.adopt import import_, rebuild
from mediamirror.jobs.catalog.catalogs import list_rows, locate
from mediamirror.jobs.catalog.gc import collect_garbage
from mediamirror.settings import AdoptOptions

PAGE = b"<!doctype html><p>My own page, not a catalog.</p>"


def database(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.execute("CREATE TABLE cookies (name TEXT)")
        db.commit()


@contextmanager
def other(kind: str, path: Path) -> Iterator[None]:
    ears = socket.socket(socket.AF_UNIX)
    with ears:
        match kind:
            case "page":
                path.write_bytes(PAGE)
            case "short":
                path.write_bytes(b"mine")
            case "pipe":
                os.mkfifo(path)
            case "socket":
                ears.bind(str(path))
            case "folder":
                path.mkdir()
            case _:
                database(path, kind)
        yield


def told(path: Path) -> tuple[list[str], bytes]:
    return sorted(os.listdir(path.parent)), path.read_bytes() if path.is_file() else b""


def commands(folder: Path, catalog: Path) -> dict[str, Callable[[], Awaitable[object]]]:
    (folder / "src").mkdir()
    (folder / "src/a").write_text("a")
    (folder / "none.txt").write_text("no picture")
    source, dest, force = str(folder / "src"), str(folder / "m"), AdoptOptions(force=True)

    async def ls() -> object:
        return [row async for row in list_rows(locate(dest, catalog, None), Query())]

    return {
        "mirror": lambda: mirror([str(folder / "none.txt")], to=dest, catalog=catalog),
        "sync": lambda: sync(source, dest, catalog=catalog),
        "gc": lambda: collect_garbage(source, catalog=catalog),
        "import": lambda: import_(source, catalog=catalog),
        "rebuild": lambda: rebuild(source, options=force, catalog=catalog),
        "ls": ls,
    }


@pytest.mark.parametrize("kind", ["page", "short", "pipe", "socket", "folder", "WAL", "DELETE"])
@pytest.mark.parametrize("command", ["mirror", "sync", "gc", "import", "rebuild", "ls"])
async def test_a_file_that_is_no_catalog_is_refused_and_nothing_of_it_or_beside_it_changes(
    kind: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    mine = tmp_path / "mine"
    mine.mkdir()
    path = mine / "page.html"
    with other(kind, path):
        before = told(path)
        with pytest.raises(CatalogError, match=r"page\.html (is|can't)"):
            await commands(tmp_path, path)[command]()
        assert told(path) == before
    assert not (tmp_path / "state/locks").exists(), "nothing is held for what is refused"


async def test_a_catalog_whose_first_bytes_are_lost_is_damaged_and_can_be_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    catalog = tmp_path / "c.sqlite"
    jobs = commands(tmp_path, catalog)
    await jobs["sync"]()
    lost = bytes(4096) + catalog.read_bytes()[4096:]
    catalog.write_bytes(lost)
    with pytest.raises(CatalogError, match=r"The catalog .* is damaged .*mediamirror catalog rebuild"):
        await jobs["sync"]()
    await rebuild(str(tmp_path / "m"), options=AdoptOptions(), catalog=catalog)
    (kept,) = [tmp_path / name for name in os.listdir(tmp_path) if name.startswith("c.sqlite.old-")]
    assert kept.read_bytes() == lost
    await jobs["sync"]()
