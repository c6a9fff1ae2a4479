"""A link in the folders that a command writes to: what it leads to stays as it is, and the command ends with a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import Command

PHOTOS = ("holiday.jpg", "tmp/holiday.jpg", "tmp/1-ab.part", "old.part", "img.example/a.jpg")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Somebody's folder."""
    for name in PHOTOS:
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"theirs")
    return tmp_path / "photos"


def is_whole(folder: Path) -> bool:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == dict.fromkeys(
        PHOTOS, b"theirs"
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/one").write_text("one")
    return tmp_path / "src"


def jobs(tmp_path: Path, source: Path) -> dict[str, tuple[str, ...]]:
    (tmp_path / "urls.txt").write_text("https://img.example/a.jpg")
    dest, catalog = str(tmp_path / "m"), ("--catalog", str(tmp_path / "state/c.sqlite"))
    return {
        "mirror": ("mirror", str(tmp_path / "urls.txt"), "--as", "urls", "--to", dest, *catalog),
        "sync": ("sync", str(source), dest, *catalog),
        "sync, deleting": ("sync", str(source), dest, "--delete", "--force", *catalog),
        "catalog gc": ("catalog", "gc", dest, "--delete", "--force", *catalog),
        "verify": ("verify", "--mirror", dest, "--repair", *catalog),
    }


@pytest.mark.parametrize("place", ["_mediamirror", "_mediamirror/tmp"])
@pytest.mark.parametrize("job", ["mirror", "sync", "sync, deleting", "catalog gc", "verify"])
def test_no_job_follows_a_link_in_the_reserved_area(
    mediamirror: Command, tmp_path: Path, source: Path, photos: Path, job: str, place: str
) -> None:
    words = jobs(tmp_path, source)
    assert mediamirror(*words["sync"]).returncode == 0
    link = tmp_path / "m" / place
    link.parent.mkdir(exist_ok=True)
    shutil.rmtree(link, ignore_errors=True)  # the directory's own record
    link.symlink_to(photos)
    done = mediamirror(*words[job])
    assert (done.returncode, is_whole(photos)) == (2, True), done.stderr
    assert f"{place} is a symbolic link, which is not followed. Remove the link." in done.stderr
    assert (tmp_path / "m/one").read_text() == "one"


def test_a_sync_neither_writes_nor_deletes_through_a_link_among_the_content(
    mediamirror: Command, tmp_path: Path, source: Path, photos: Path
) -> None:
    (source / "img.example").mkdir()
    (source / "img.example/a.jpg").write_text("ours")
    words = jobs(tmp_path, source)["sync, deleting"]
    (tmp_path / "m").mkdir()
    (tmp_path / "m/img.example").symlink_to(photos / "img.example")
    done = mediamirror(*words, "--format", "jsonl")
    assert (done.returncode, is_whole(photos)) == (1, True), done.stderr
    assert "img.example is a symbolic link, which is not followed" in done.stdout
    assert (tmp_path / "m/one").read_text() == "one"


@pytest.mark.parametrize("to", ["folder", "loop", "dangling"])
def test_a_report_neither_writes_nor_deletes_through_a_link_at_its_thumbs(
    mediamirror: Command, tmp_path: Path, source: Path, photos: Path, to: str
) -> None:
    (photos / "0123456789abcdef01234567.png").write_bytes(b"theirs")
    (tmp_path / "urls.txt").write_text("https://img.example/a.jpg")
    report = tmp_path / "report"
    report.mkdir()
    (report / "thumbs").symlink_to({"folder": photos, "loop": report / "thumbs", "dangling": tmp_path / "no"}[to])
    words = ("verify", str(tmp_path / "urls.txt"), "--as", "urls", "--allow-private", "--report", str(report))
    done = mediamirror(*words)
    assert (done.returncode, (photos / "0123456789abcdef01234567.png").exists()) == (2, True), done.stderr
    assert "thumbs is a symbolic link, which is not followed. Remove the link." in done.stderr


def test_a_lock_file_that_is_a_link_is_refused_and_what_it_leads_to_is_not_emptied(
    mediamirror: Command, tmp_path: Path, source: Path, photos: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/c.sqlite.lock").symlink_to(photos / "holiday.jpg")
    done = mediamirror(*jobs(tmp_path, source)["sync"])
    assert (done.returncode, is_whole(photos)) == (2, True), done.stderr
    assert "c.sqlite.lock can't be opened (it is a symbolic link)" in done.stderr


def test_small_files_that_are_replaced_are_not_written_through_a_link(tmp_path: Path, photos: Path) -> None:
    from mediamirror.scratch import replace_file

    (tmp_path / "progress.json").symlink_to(photos / "holiday.jpg")
    replace_file(tmp_path / "progress.json", json.dumps({}).encode())
    assert is_whole(photos)
    assert (tmp_path / "progress.json").read_text() == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "progress.json"]


@pytest.mark.parametrize("job", ["mirror", "sync", "catalog gc", "verify"])
def test_a_destination_that_is_a_link_to_itself_is_named(
    mediamirror: Command, tmp_path: Path, source: Path, job: str
) -> None:
    (tmp_path / "m").symlink_to("m")
    done = mediamirror(*jobs(tmp_path, source)[job])
    assert (done.returncode, "unexpected" in done.stderr, str(tmp_path) in done.stderr) == (2, False, True), done.stderr


def test_the_root_of_a_site_that_is_a_link_to_itself_is_named(mediamirror: Command, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<img src=a.png>")
    (tmp_path / "site").symlink_to("site")
    done = mediamirror("verify", str(tmp_path / "page.html"), "--root", str(tmp_path / "site"))
    assert (done.returncode, "site is not a directory" in done.stderr) == (2, True), done.stderr
