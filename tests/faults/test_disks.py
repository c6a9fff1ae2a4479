"""Disks that are full, that fail, or that hold something else than was written; clocks that jump."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.site import Site, running_site
from mediamirror import mirror
from mediamirror.jobs.run import destination
from mediamirror.settings import FetchOptions, MirrorOptions, ReadOptions, Rewired, SelectOptions
from tests.faults.conftest import Command
from torture.jobs import pictures
from torture.kills import strace_works
from torture.places import DirectoryPlace, read_catalog

needs_strace = pytest.mark.skipif(not strace_works(), reason="strace is missing or may not trace")
LARGE = "b-720.png"
"""The one picture that does not fit on a disk of 1 MiB, and is spooled."""


@pytest.fixture(scope="module")
def pictures_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("pictures"), pictures()) as site:
        yield site


@pytest.fixture
def urls(pictures_site: Site, tmp_path: Path) -> Path:
    pictures_site.reset_requests()
    path = tmp_path / "urls.txt"
    path.write_text("\n".join(resource.url for resource in pictures_site.library))
    return path


@pytest.fixture
def words(urls: Path, pictures_site: Site, tmp_path: Path) -> tuple[str, ...]:
    return (
        *(
            "mirror",
            str(urls),
            "--as",
            "urls",
            "--to",
            str(tmp_path / "m"),
            "--catalog",
            str(tmp_path / "state/c.sqlite"),
        ),
        *("--check", "header", "--format", "jsonl", *pictures_site.arguments()),
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=False).returncode:
        pytest.skip("a small file system can't be mounted here: needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def outcomes(done: CompletedProcess[str]) -> dict[str, Any]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["url"].rsplit("/", 1)[1]: row for row in rows if row["type"] == "variant"}


def failures(done: CompletedProcess[str]) -> dict[str, str]:
    return {name: row["error"]["code"] for name, row in outcomes(done).items() if row["status"] == "failed"}


def test_a_full_destination_fails_the_items_that_do_not_fit_and_stores_the_others(
    mediamirror: Command, words: tuple[str, ...], small_disk: Path, tmp_path: Path
) -> None:
    place = DirectoryPlace(small_disk / "m")
    done = mediamirror(*words, "--to", str(place.root))
    assert (done.returncode, failures(done), len(place.held())) == (1, {LARGE: "store-full"}, 11), done.stderr
    assert (place.leftovers(), len(read_catalog(tmp_path / "state/c.sqlite").of(str(place.root)))) == ([], 11)


def test_a_full_temporary_folder_fails_the_items_that_need_it_and_stores_the_others(
    mediamirror: Command, words: tuple[str, ...], small_disk: Path, tmp_path: Path
) -> None:
    done = mediamirror(*words, TMPDIR=str(small_disk))
    told = outcomes(done)[LARGE]["error"]
    assert (done.returncode, failures(done), len(DirectoryPlace(tmp_path / "m").held())) == (
        1,
        {LARGE: "spool-failed"},
        11,
    )
    assert (str(small_disk) in told["message"], list(small_disk.iterdir())) == (True, [])


def test_a_full_disk_under_the_catalog_ends_the_run_with_a_sentence_and_leaves_it_whole(
    mediamirror: Command, words: tuple[str, ...], small_disk: Path, tmp_path: Path
) -> None:
    place, catalog = DirectoryPlace(tmp_path / "m"), small_disk / "c.sqlite"
    mediamirror(*words, "--catalog", str(catalog), "--include", "*a-40.webp")
    with (small_disk / "filler").open("wb") as filler:
        filler.write(bytes(shutil.disk_usage(small_disk).free - 65536))
    done = mediamirror(*words, "--catalog", str(catalog))
    assert (done.returncode, "No space left for the catalog" in done.stderr, "Traceback" in done.stderr) == (
        2,
        True,
        False,
    )
    held = place.held()
    assert dict(read_catalog(catalog).of(str(place.root))).items() <= held.items()
    (small_disk / "filler").unlink()
    again = mediamirror(*words, "--catalog", str(catalog))
    assert (again.returncode, len(place.held())) == (0, 12), again.stderr


@needs_strace
def test_an_fsync_that_fails_is_fatal_for_its_file_and_never_tried_again_on_it(
    words: tuple[str, ...], start_under: Any, tmp_path: Path
) -> None:
    for name in "ab":  # so that every put is two calls: the third of a thread is that of a file, not of a directory
        (tmp_path / "m/img.example" / name).mkdir(parents=True)
    log = tmp_path / "strace.log"
    inject = ("-y", "-e", "trace=fsync,renameat", "-e", "inject=fsync:error=EIO:when=3")
    done = start_under(("strace", "-f", "-qqq", "-o", str(log), *inject), *words, "--concurrency", "1")
    lines = log.read_text("utf-8", "replace").splitlines()
    failed = [line for line in lines if "EIO" in line]
    parts = [match for line in failed for match in re.findall(r"<([^>]+\.part)>", line)]
    place = DirectoryPlace(tmp_path / "m")
    assert (done.returncode, len(parts) >= 1, list(failures(done).values())) == (1, True, ["store"] * len(parts))
    assert [line for line in lines if any(part in line for part in parts)] == failed
    assert (len(place.held()), place.leftovers()) == (12 - len(parts), [])


@needs_strace
def test_no_file_gets_its_name_before_its_bytes_are_synced(
    words: tuple[str, ...], start_under: Any, tmp_path: Path
) -> None:
    log = tmp_path / "strace.log"
    start_under(
        ("strace", "-f", "-qqq", "-y", "-o", str(log), "-e", "trace=write,fsync,renameat"), *words, "--concurrency", "1"
    )
    synced: set[str] = set()
    renamed = []
    for line in log.read_text("utf-8", "replace").splitlines():
        if match := re.search(r"\b(write|fsync)\(\d+<([^>]+\.part)>", line):
            (synced.add if match[1] == "fsync" else synced.discard)(match[2])
        elif (match := re.search(r'\brenameat\(\d+<([^>]+)>, "([^"]+\.part)"', line)) and "ENOENT" not in line:
            renamed.append(f"{match[1]}/{match[2]}" in synced)
    # Twelve images, and the directory's record.
    assert (renamed.count(True), renamed.count(False)) == (13, 0)


@needs_strace
def test_rows_of_what_is_deleted_are_durable_before_the_bytes_go(start_under: Any, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/kept").write_text("kept")
    words = ("sync", str(tmp_path / "src"), str(tmp_path / "m"), "--catalog", str(tmp_path / "c.sqlite"))
    (tmp_path / "src/gone").write_text("gone")
    start_under((), *words)
    (tmp_path / "src/gone").unlink()
    log = tmp_path / "strace.log"
    trace = ("strace", "-f", "-qqq", "-y", "-o", str(log), "-e", "trace=pwrite64,fdatasync,fsync,unlinkat")
    assert start_under(trace, *words, "--delete").returncode == 0
    lines = log.read_text("utf-8", "replace").splitlines()
    deleted = next(n for n, line in enumerate(lines) if f'<{tmp_path}/m>, "gone"' in line)
    to_wal = [line for line in lines[:deleted] if "c.sqlite-wal>" in line]
    assert re.search(r"\b(fdatasync|fsync)\(", to_wal[-1]), to_wal[-3:]


@pytest.mark.parametrize("damage", ["text", "half", "middle"])
def test_a_damaged_catalog_is_refused_with_a_sentence_and_nothing_is_touched(
    mediamirror: Command, words: tuple[str, ...], tmp_path: Path, damage: str
) -> None:
    mediamirror(*words)
    catalog, place = tmp_path / "state/c.sqlite", DirectoryPlace(tmp_path / "m")
    data, held = catalog.read_bytes(), place.held()
    spoilt = {
        "text": b"not a database" * 100,
        "half": data[: len(data) // 2],
        "middle": data[:8192] + b"\xff" * 8192 + data[16384:],
    }[damage]
    catalog.write_bytes(spoilt)
    done = mediamirror(*words)
    assert (done.returncode, "is damaged" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert (catalog.read_bytes(), place.held()) == (spoilt, held)


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(days=1)], ids=["a day back", "a day on"])
@pytest.mark.parametrize("fresh_for", [0.0, 3600.0])
async def test_a_clock_that_jumps_costs_no_download_and_drops_nothing(
    urls: Path, pictures_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: timedelta, fresh_for: float
) -> None:
    host, port = pictures_site.library.hosts[0], pictures_site.port
    fetch = FetchOptions(connect_to=(Rewired(host, 443, "127.0.0.1", port),), cacert=pictures_site.cacert)
    options = MirrorOptions(read=ReadOptions(as_="urls"), fetch=fetch, select=SelectOptions(fresh_for=fresh_for))

    async def run() -> dict[str, int]:
        summary = await mirror([str(urls)], to=str(tmp_path / "m"), options=options, catalog=tmp_path / "c.sqlite")
        return summary.statuses

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert await run() == {"stored": 12}
    real, held = destination.now, DirectoryPlace(tmp_path / "m").held()
    for module in ("mediamirror.jobs.mirror.job", "mediamirror.jobs.run.destination"):
        monkeypatch.setattr(sys.modules[module], "now", lambda: real() + jump)
    pictures_site.reset_requests()
    assert (await run(), pictures_site.bodies(), DirectoryPlace(tmp_path / "m").held()) == ({"unchanged": 12}, [], held)


@pytest.mark.parametrize("fresh_for", [0.0, 3600.0, 1e9])
async def test_after_a_clock_that_was_ahead_once_the_origin_is_asked_again(
    urls: Path, pictures_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_for: float
) -> None:
    host, port = pictures_site.library.hosts[0], pictures_site.port
    fetch = FetchOptions(connect_to=(Rewired(host, 443, "127.0.0.1", port),), cacert=pictures_site.cacert)
    options = MirrorOptions(read=ReadOptions(as_="urls"), fetch=fetch, select=SelectOptions(fresh_for=fresh_for))

    async def run() -> dict[str, int]:
        summary = await mirror([str(urls)], to=str(tmp_path / "m"), options=options, catalog=tmp_path / "c.sqlite")
        return summary.statuses

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert await run() == {"stored": 12}
    with sqlite3.connect(tmp_path / "c.sqlite") as db:
        db.execute(
            "UPDATE fetches SET fetched_at = '2999' || substr(fetched_at, 5), seen_at = '2999' || substr(seen_at, 5)"
        )
        db.execute("UPDATE objects SET stored_at = '2999' || substr(stored_at, 5)")
    for asked in (12, 0 if fresh_for else 12):
        pictures_site.reset_requests()
        assert await run() == {"unchanged": 12}
        pictures = [request for request in pictures_site.requests() if request.path != "/robots.txt"]
        assert (len(pictures), pictures_site.bodies()) == (asked, [])
