"""Pages are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediamirror.documents.plan import walk
from mediamirror.jobs.rewrite import files


def test_what_replaces_a_page_is_on_the_disk_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave neither of the two."""
    page = tmp_path / "page.html"
    page.write_bytes(b"old")
    seen: list[bytes] = []
    monkeypatch.setattr(
        os, "fsync", lambda _: seen.append(page.read_bytes() + next(tmp_path.glob(".page.html.*")).read_bytes())
    )
    files.put(page, b"new", page)
    assert (seen, page.read_bytes(), [each.name for each in tmp_path.iterdir()]) == ([b"oldnew"], b"new", ["page.html"])


def test_a_page_that_can_not_be_written_leaves_the_old_one_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.html"
    page.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(files.LeftAlone, match="No space left"):
        files.put(page, b"new", page)
    assert (page.read_bytes(), [each.name for each in tmp_path.iterdir()]) == (b"old", ["page.html"])


def test_what_a_killed_run_left_of_a_page_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"old")
    (tmp_path / ".page.html.0123abcd.part").write_bytes(b"half")
    files.put(tmp_path / "page.html", b"new", tmp_path / "page.html")
    files.copy(tmp_path / "page.html", tmp_path / "out" / "page.html")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out", "page.html", "page.html"]


def test_a_folder_is_walked_as_when_it_is_read(tmp_path: Path) -> None:
    page, out = b"<!doctype html><img src=https://a.example/a.jpg>", tmp_path / "out"
    site = tmp_path / "site"
    site.mkdir()
    for name, data in {
        "index.html": page,
        "about": page,
        "a.php?id=3": page,
        "LICENSE": b"words",
        "a.js": page,
    }.items():
        (site / name).write_bytes(data)
    pages = ["a.php?id=3", "about", "index.html"]
    assert [item.path.name for item in files.files_of([str(site)], out) if item.is_page] == pages
    assert [item.path.name for item in files.files_of([str(site)], None)] == pages
    assert [path.name for path in walk(site)] == pages
