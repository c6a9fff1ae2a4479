"""A file that a command writes appears whole or not at all, and a folder in its place is named before anything is done."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from mediamirror.cli.files import Files, whole_file
from mediamirror.errors import UsageError


@pytest.mark.parametrize("word", [".", "..", "/", "folder", "folder/"])
def test_a_folder_in_the_place_of_a_file_is_named(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a folder: give the name of a file in it"), whole_file(Path(word)):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_a_block_that_fails_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("older")
    writing = whole_file(tmp_path / "out")
    writing.__enter__().write(b"newer")
    assert not writing.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out": "older"}


def test_a_link_stays_and_the_file_that_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("older")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with whole_file(tmp_path / "link") as file:
        file.write(b"newer")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "real").read_text()) == (True, "newer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    with whole_file(tmp_path / "pipe") as file:
        file.write(b"rows")
    reader.join()
    assert (got, (tmp_path / "pipe").is_fifo()) == ([b"rows"], True)


def test_what_a_killed_run_left_of_a_file_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left, other, mine = (tmp_path / name for name in (".out.0123abcd.part", ".outer.0123abcd.part", ".out.mine.part"))
    for path in (left, other, mine):
        path.write_bytes(b"half")
    os.mkfifo(tmp_path / ".out.0123abce.part")
    with whole_file(tmp_path / "out"), whole_file(tmp_path / "out") as second:
        second.write(b"whole")
    assert not left.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"out", other.name, mine.name, ".out.0123abce.part"}


def test_what_a_killed_run_left_of_numbered_files_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".site-00007.warc.0123abcd.part").write_bytes(b"half")
    Files(tmp_path / "site-%05d.warc").check()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a-%05i.tar", "a-%s.tar", "a-%d-%d.tar", "a-%010d.tar", "%03d/b-%x"])
def test_a_place_that_is_none_for_a_number_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a number pattern: write %05d or %d"):
        Files(Path(name)).check()


@pytest.mark.parametrize("name", ["a%20day.wacz", "100%.tar", "50%off.tar", "a-%d.tar", "a-%05d.tar", "%D0%B1.wacz"])
def test_a_percent_sign_may_stand_in_a_name(name: str) -> None:
    Files(Path(name)).check()
