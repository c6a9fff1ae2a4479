"""The catalog commands as people run them, on a mirror of a real site."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.site import MEDIA_HOST, NEWS_HOST, Site
from mediamirror.catalog.listing import Query
from mediamirror.jobs.catalog.catalogs import Where, list_rows

Command = Callable[..., CompletedProcess[str]]

SEED = "fixtures/seed/news-by.txt"
TOWER = "fixtures/demo/clock-tower.txt"
DEFECTS = "fixtures/demo/defects.txt"


@pytest.fixture
def mirror(mediamirror: Command, site: Site, tmp_path: Path) -> Path:
    """A mirror of the test's own, its catalog in the test's own state folder."""
    return mirrored(mediamirror, site, tmp_path)


def mirrored(mediamirror: Command, site: Site, folder: Path, **extra: str) -> Path:
    words = ("--to", str(folder / "m"), "--retries", "1", "--exclude", "*slow*", *site.arguments())
    mediamirror("mirror", SEED, TOWER, DEFECTS, *words, **extra)
    return folder / "m"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def ask(mediamirror: Command, site: Site, shared: Path) -> Command:
    """Run ``catalog`` with words that change nothing, on one mirror that these tests share."""
    state = {"XDG_STATE_HOME": str(shared / "state")}
    if not (shared / "m").exists():
        mirrored(mediamirror, site, shared, **state)

    def run(*words: str) -> CompletedProcess[str]:
        return mediamirror("catalog", *words, **state)

    return run


def variants(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "variant"]


def names(done: CompletedProcess[str]) -> list[str]:
    return [row["url"].rsplit("_", 1)[-1] for row in variants(done)]


def catalog_of(folder: Path) -> Path:
    (path,) = (folder / "state/mediamirror/catalogs").glob("*.sqlite")
    return path


def test_a_list_has_a_row_for_each_variant_sets_together_and_says_how_each_one_stands(
    ask: Command, shared: Path
) -> None:
    mirror = shared / "m"
    rows = variants(ask("ls", str(mirror), "--format", "jsonl"))
    numbers = [row["set_number"] for row in rows]
    assert (len(rows), numbers) == (17, sorted(numbers))
    counted = {
        status: sum(row["status"] == status for row in rows) for status in ("stored", "rejected", "failed", "skipped")
    }
    assert counted == {"stored": 9, "rejected": 4, "failed": 3, "skipped": 1}
    for row in rows:
        assert (row["key"] is not None) == (row["status"] == "stored")
        assert row["key"] is None or (mirror / row["key"]).stat().st_size == row["bytes"]
    assert ask("ls", "--to", str(mirror), "--format", "jsonl").stdout.count('"variant"') == 17
    array = json.loads(ask("ls", str(mirror), "--format", "json").stdout)
    assert (len(array), array[-1]["type"], array[-1]["variants"]) == (18, "summary", 17)


FILTERS: list[tuple[Query, int]] = [
    (Query(), 17),
    (Query(statuses=("failed",)), 3),
    (Query(statuses=("failed", "rejected")), 7),
    (Query(host="s3-*"), 4),
    (Query(host=MEDIA_HOST), 13),
    (Query(host=f"[{MEDIA_HOST[0]}]*"), 0),
    (Query(widths=(1920, 1920)), 2),
    (Query(widths=(1000, 2**63 - 1)), 3),
    (Query(widths=(700, 1279)), 3),
    (Query(widths=(0, 0)), 0),
    (Query(format="png"), 1),
    (Query(rules=("MM303",)), 1),
    (Query(rules=("MM301", "MM303")), 2),
    (Query(image_set="CLOCK-TOWER.txt"), 4),
    (Query(image_set="*news.by"), 4),
    (Query(image_set="1"), 4),
    (Query(image_set="no such thing"), 0),
    (Query(image_set="clock", widths=(1920, 2000)), 1),
    (Query(store="elsewhere"), 0),
]


async def test_every_filter_chooses(ask: Command, shared: Path) -> None:
    where = Where(catalog_of(shared), None)
    counts = [len([row async for row in list_rows(where, query)]) for query, _ in FILTERS]
    assert counts == [count for _, count in FILTERS]


def test_filters_are_typed_as_people_write_them(ask: Command, shared: Path) -> None:
    words = ("--width", ">=1000", "--image-format", "WebP", "--status", "stored", "--set", "clock", "--rule", "MM3")
    assert variants(ask("ls", str(shared / "m"), "--format", "jsonl", *words)) == []
    assert len(variants(ask("ls", str(shared / "m"), "--format", "jsonl", *words[:-2]))) == 1
    for bad in (("--width", "wide"), ("--rule", "MM999"), ("--status", "odd")):
        assert ask("ls", str(shared / "m"), *bad).returncode == 2


def test_a_missing_catalog_says_what_to_do_and_is_not_made(mediamirror: Command, tmp_path: Path) -> None:
    for words in (("ls",), ("export",), ("show", "x"), ("gc",)):
        done = mediamirror("catalog", *words, str(tmp_path))
        assert (done.returncode, done.stdout) == (2, "")
        assert "There is no catalog" in done.stderr
        assert "mediamirror catalog rebuild" in done.stderr
    done = mediamirror("mirror", "--retry-failed", "--to", str(tmp_path / "new"))
    assert (done.returncode, "There is no catalog" in done.stderr) == (2, True)
    assert mediamirror("catalog", "ls").returncode == 2
    assert list((tmp_path / "state").rglob("*.sqlite*")) == [
        path for path in (tmp_path / "state").rglob("*.sqlite*") if path.name.endswith(".lock")
    ]


def test_an_answer_that_was_a_refusal_is_told_with_its_status(ask: Command, shared: Path) -> None:
    mirror = str(shared / "m")
    rows = variants(ask("ls", mirror, "--status", "failed", "--format", "jsonl"))
    refused = [row for row in rows if row["error"]["code"] == "http-status"]
    assert refused
    for row in refused:
        assert f"(HTTP status {row['http_status']})" in row["error"]["message"]
        told = ask("show", row["url"], mirror).stdout
        assert (f"HTTP {row['http_status']}, http-status" in told, "no answer" in told) == (True, False)
        assert "redirects were not recorded" not in told


def test_the_story_of_a_picture_is_found_by_url_key_and_sha256(ask: Command, shared: Path) -> None:
    mirror = shared / "m"
    row = variants(ask("ls", str(mirror), "--rule", "MM301", "--format", "jsonl"))[0]
    told = ask("show", row["url"], str(mirror)).stdout
    for part in (
        "rejected in",
        f"{TOWER}:1  1280w (text",
        "HTTP 200",
        "content-type: image/webp",
        "error MM301",
        "960×540 webp",
    ):
        assert part in told
    stored = variants(ask("ls", str(mirror), "--status", "stored", "--format", "jsonl"))[0]
    for word in (stored["url"], stored["key"], stored["sha256"], stored["sha256"][:10]):
        story = json.loads(ask("show", word, "--to", str(mirror), "--format", "json").stdout)
        assert [(each["url"], each["fetches"][0]["http_status"]) for each in story["variants"]] == [
            (stored["url"], 200)
        ]
        assert [(each["key"], each["sha256"]) for each in story["objects"]] == [(stored["key"], stored["sha256"])]
    assert ask("show", "no/such/key", str(mirror)).returncode == 2


def test_secrets_are_not_shown(ask: Command, shared: Path, tmp_path: Path) -> None:
    copy = shutil.copy(catalog_of(shared), tmp_path / "c.sqlite")
    url = f"https://{MEDIA_HOST}/a.webp?token=hush"
    with sqlite3.connect(copy) as db:
        db.execute("INSERT INTO variants (id, url, host) VALUES (999, ?, 'h')", (url,))
        headers = json.dumps([["set-cookie", "id=hush"], ["location", url], ["x", "y"]])
        db.execute(
            "INSERT INTO fetches (variant_id, run_id, fetched_at, final_url, http_status, headers, received, redirects) "
            "VALUES (999, 1, '2026', ?, 200, ?, 1, ?)",
            (url, headers, json.dumps([[url, 302, [["location", url]]]])),
        )
    for style in ("table", "json"):
        done = ask("show", url, "--catalog", str(copy), "--format", style)
        assert (done.returncode, "hush" in done.stdout, "token=***" in done.stdout) == (0, False, True), done.stderr


def test_a_beginning_of_two_digests_says_which(ask: Command, shared: Path, tmp_path: Path) -> None:
    copy = shutil.copy(catalog_of(shared), tmp_path / "c.sqlite")
    with sqlite3.connect(copy) as db:
        for last in "12":
            db.execute("INSERT INTO blobs (sha256, size) VALUES (?, 1)", (f"abcdef{last}" + "0" * 57,))
    done = ask("show", "ABCDEF", "--catalog", str(copy))
    assert done.returncode == 2
    assert f"abcdef1{'0' * 57}, abcdef2{'0' * 57}" in done.stderr
    assert ask("show", "abcdef2", "--catalog", str(copy)).returncode == 0


def test_exports_have_one_row_a_variant_in_every_format(ask: Command, shared: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    mirror = shared / "m"

    for name in ("out.csv", "out.parquet", "out.jsonl"):
        assert ask("export", str(mirror), "-o", str(tmp_path / name)).returncode == 0
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    with (tmp_path / "out.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    columns = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["url"] for row in told] == [row["url"] for row in cells] == [row["url"] for row in columns]
    assert len(told) == 17
    for one, cell, row in zip(told, cells, columns, strict=True):
        assert cell["declared_width"] == " ".join(map(str, one["declared_width"]))
        assert (row["declared_width"], row["width"], row["set_id"]) == (
            one["declared_width"],
            one["width"],
            one["set_id"],
        )
        assert (row["error_code"] or None) == (one["error"] or {}).get("code") == (cell["error_code"] or None)
    printed = ask("export", str(mirror), "--format", "csv", "--status", "stored").stdout
    assert ask("export", str(mirror), "--format", "csv", "--status", "stored", "-o", "-").stdout == printed
    assert len(list(csv.reader(io.StringIO(printed)))) == 10
    assert list(tmp_path.glob("*.part")) == list(tmp_path.glob(".*")) == []


def test_without_pyarrow_the_sentence_says_what_to_install_and_no_file_is_left(
    ask: Command, shared: Path, tmp_path: Path
) -> None:
    mirror = shared / "m"
    code = (
        "import sys; sys.modules['pyarrow'] = None; from mediamirror.cli.app import main; "
        f"sys.argv = ['mediamirror', 'catalog', 'export', {str(mirror)!r}, '-o', {str(tmp_path / 'x.parquet')!r}]; main()"
    )
    state = {"XDG_STATE_HOME": str(shared / "state")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | state, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "pip install 'mediamirror[parquet]'" in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.glob("*x.parquet*")) == []


@pytest.mark.parametrize("name", ["out.warc.gz", "out.warc"])
def test_a_web_archive_is_sound_and_gives_the_same_mirror_back_offline(
    ask: Command, mediamirror: Command, shared: Path, tmp_path: Path, name: str
) -> None:
    from warcio.archiveiterator import ArchiveIterator
    from warcio.checker import Checker

    mirror, archive = shared / "m", tmp_path / name
    done = ask("export", str(mirror), "-o", str(archive))
    assert (done.returncode, "9 responses written" in done.stderr) == (0, True), done.stderr

    class Arguments:
        inputs = (str(archive),)
        verbose = False

    checker = Checker(Arguments())
    checker.process_one(str(archive))
    assert checker.exit_value == 0
    with archive.open("rb") as file:
        told = {
            record.rec_headers["WARC-Target-URI"]: (
                record.http_headers.get_statuscode(),
                record.http_headers["content-type"],
                record.rec_headers["WARC-Date"],
                record.content_stream().read(),
            )
            for record in ArchiveIterator(file)
            if record.rec_type == "response"
        }
    stored = variants(ask("ls", str(mirror), "--status", "stored", "--format", "jsonl"))
    assert set(told) == {row["url"] for row in stored}
    for row in stored:
        status, kind, date, data = told[row["url"]]
        assert (status, data) == ("200", (mirror / row["key"]).read_bytes())
        assert kind == ("image/jpeg" if row["key"].endswith(".jpg") else "image/webp")
        assert date == row["fetched_at"].replace("+00:00", "Z")
    again = mediamirror("mirror", str(archive), SEED, TOWER, "--offline", "--to", str(tmp_path / "m2"))
    assert again.stdout.count("stored") >= 7, again.stdout
    for path in (tmp_path / "m2").rglob("*.webp"):
        assert path.read_bytes() == (mirror / path.relative_to(tmp_path / "m2")).read_bytes()


def test_an_export_is_split_by_size_and_says_that_it_has_no_pages(ask: Command, shared: Path, tmp_path: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    done = ask("export", str(shared / "m"), "-o", str(tmp_path / "o-%02d.warc.gz"), "--shard-size", "1k")
    assert "9 responses written; no pages, which `mirror --archive` writes." in done.stderr
    parts = sorted(tmp_path.glob("o-*"))
    assert [part.name for part in parts] == [f"o-{number:02}.warc.gz" for number in range(len(parts))]
    kinds = [[record.rec_type for record in ArchiveIterator(part.open("rb"))] for part in parts]
    assert {each[0] for each in kinds} == {"warcinfo"}
    assert (len(parts) > 2, sum(each.count("response") for each in kinds)) == (True, 9)


def test_an_archive_leaves_out_what_is_not_what_was_recorded_and_says_so(
    mediamirror: Command, mirror: Path, tmp_path: Path
) -> None:
    path = next(mirror.rglob("*_768.webp"))
    path.write_bytes(b"x" + path.read_bytes()[1:])
    done = mediamirror("catalog", "export", str(mirror), "-o", str(tmp_path / "out.warc"))
    assert (done.returncode, "8 responses written" in done.stderr, path.name in done.stderr) == (1, True, True)


@pytest.fixture
def moved() -> Iterator[str]:
    """A server where ``/old.webp`` leads to ``/new.webp``; yields its address."""
    picture = make_image(480, 270, "webp")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/new.webp":
                self.send_response(200)
                self.send_header("Content-Type", "image/webp")
                self.send_header("Content-Length", str(len(picture)))
                self.end_headers()
                self.wfile.write(picture)
            else:
                self.send_response(302 if self.path == "/old.webp" else 404)
                self.send_header("Location", "/new.webp")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_redirects_are_recorded_and_come_out_of_the_archive_again(
    mediamirror: Command, moved: str, tmp_path: Path
) -> None:
    listing, archive = tmp_path / "urls.txt", tmp_path / "o.warc.gz"
    listing.write_text(f"{moved}/old.webp\n")
    urls = (str(listing), "--as", "urls")
    mediamirror("mirror", *urls, "--to", str(tmp_path / "m"), "--allow-private")
    told = mediamirror("catalog", "show", f"{moved}/old.webp", str(tmp_path / "m")).stdout
    assert f"302 {moved}/old.webp" in told
    done = mediamirror("catalog", "export", str(tmp_path / "m"), "-o", str(archive))
    assert "1 response, 1 redirect written" in done.stderr
    with sqlite3.connect(catalog_of(tmp_path)) as db:  # as an older release left it
        db.execute("UPDATE fetches SET redirects = NULL")
    done = mediamirror("catalog", "export", str(tmp_path / "m"), "-o", str(tmp_path / "older.warc"))
    assert "fetched before redirects were recorded" in done.stderr
    (tmp_path / "page.html").write_text(f'<img alt="" src="{moved}/old.webp">')
    again = mediamirror("mirror", str(archive), str(tmp_path / "page.html"), "--offline", "--to", str(tmp_path / "m2"))
    assert (again.returncode, "1 stored" in again.stdout) == (0, True), again.stdout
    port = moved.rpartition(":")[2]
    for host, count in (("127.0.0.1", 1), (f"127.0.0.1:{port}", 1), ("127.0.0.1:1", 0), ("127.0.0", 0)):
        asked = ("catalog", "ls", str(tmp_path / "m"), "--host", host, "--format", "jsonl")
        assert len(variants(mediamirror(*asked))) == count, host


def test_only_what_failed_is_asked_for_again_and_its_set_is_told_whole(
    mediamirror: Command, mirror: Path, site: Site
) -> None:
    site.reset_requests()
    done = mediamirror(
        "mirror", "--retry-failed", "--to", str(mirror), "--retries", "0", "--format", "jsonl", *site.arguments()
    )
    asked = {request.path for request in site.requests()} - {"/robots.txt"}
    assert asked == {f"/defects/{name}_480.webp" for name in ("cut", "empty", "missing")}
    assert (done.returncode, names(done) if done.returncode == 0 else None) == (1, None)
    site.reset_requests()
    mediamirror("mirror", SEED, "--retry-failed", "--to", str(mirror), *site.arguments())
    assert site.requests() == []


def test_what_failed_and_is_there_now_is_stored_and_no_longer_failed(
    mediamirror: Command, site: Site, tmp_path: Path
) -> None:
    to = ("--to", str(tmp_path / "m"))
    first = mediamirror(
        "mirror", TOWER, *to, "--retries", "0", "--connect-to", "::127.0.0.1:9", "--allow-private", "--ignore-robots"
    )
    assert "4 failed" in first.stdout, first.stdout
    again = mediamirror("mirror", "--retry-failed", *to, *site.arguments())
    assert "3 stored, 1 rejected" in again.stdout, again.stdout
    assert f"{TOWER}:1" in again.stdout
    nothing = mediamirror("mirror", "--retry-failed", *to, *site.arguments())
    assert (nothing.returncode, "nothing failed in" in nothing.stderr) == (0, True)


def test_the_error_file_names_what_failed_and_can_be_an_input(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    errors = tmp_path / "failed.txt"
    mediamirror(
        "mirror", DEFECTS, "--to", str(tmp_path / "m"), "--error-file", str(errors), "--retries", "0", *site.arguments()
    )
    rows = [line.split("\t# ") for line in errors.read_text().splitlines()]
    reasons = {url.rsplit("/", 1)[1]: why.partition(":")[0] for url, why in rows}
    expected = {"cut_480.webp": "transfer-truncated", "empty_480.webp": "empty-body", "missing_480.webp": "http-status"}
    assert {name: reasons[name] for name in expected} == expected
    parsed = mediamirror("parse", str(errors), "--as", "urls", "--format", "jsonl")
    found = [row for row in map(json.loads, parsed.stdout.splitlines()) if row["type"] == "image-set"]
    assert sorted(c["url"] for row in found for c in row["candidates"]) == sorted(url for url, _ in rows)
    mediamirror("mirror", SEED, "--to", "gopher://x", "--error-file", str(errors))
    assert errors.read_text().count("\n") == len(rows), "a run that was refused left the older file alone"


def test_a_run_that_was_killed_goes_on_where_it_stood(mediamirror: Command, site: Site, tmp_path: Path) -> None:
    words = (
        "mirror",
        f"https://{NEWS_HOST}/articles/harvest.html",
        TOWER,
        "--to",
        str(tmp_path / "m"),
        *site.arguments(),
    )
    mediamirror(*words)
    path = catalog_of(tmp_path)
    with sqlite3.connect(path) as db:  # as a kill leaves it: bytes durable, the last rows not written
        last = db.execute("SELECT variant_id FROM objects ORDER BY variant_id DESC LIMIT 2").fetchall()
        for table in ("objects", "fetches", "standings"):
            db.executemany(f"DELETE FROM {table} WHERE variant_id = ?", last)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "m").rglob("*.webp")}
    site.reset_requests()
    again = mediamirror(*words, "--format", "jsonl")
    assert {row["status"] for row in map(json.loads, again.stdout.splitlines()) if row["type"] == "variant"} <= {
        "unchanged",
        "rejected",
    }
    bodies = {request.path for request in site.bodies() if request.path.endswith(".webp")}
    assert len(bodies) <= 3
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "m").rglob("*.webp")} == before


def lost(mediamirror: Command, mirror: Path) -> list[tuple[Any, ...]]:
    rows = variants(mediamirror("catalog", "ls", str(mirror), "--status", "stored", "--format", "jsonl"))
    fields = ("key", "sha256", "bytes", "width", "height", "format", "url")
    return sorted(tuple(row[name] for name in fields) for row in rows)


def test_a_damaged_catalog_stops_every_command_and_is_rebuilt_from_the_directory(
    mediamirror: Command, mirror: Path, tmp_path: Path
) -> None:
    before = lost(mediamirror, mirror)
    path = catalog_of(tmp_path)
    assert mediamirror("catalog", "rebuild", str(mirror)).returncode == 2, "a sound one is left alone"
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    data = bytearray(path.read_bytes())
    data[8192:20480] = bytes(12288)
    path.write_bytes(data)
    to = ("--to", str(mirror))
    commands: list[tuple[str, ...]] = [
        ("catalog", "ls", str(mirror)), ("catalog", "gc", str(mirror)), ("mirror", SEED, *to), ("mirror", "--retry-failed", *to),
        ("sync", "fixtures/seed", str(mirror)), ("verify", "--mirror", str(mirror)), ("catalog", "import", str(mirror)),
    ]  # fmt: skip
    for words in commands:
        done = mediamirror(*words)
        assert (done.returncode, "mediamirror catalog rebuild" in done.stderr) == (2, True), (words, done.stderr)
    assert path.read_bytes() == bytes(data)
    for file in mirror.rglob("*.webp"):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    done = mediamirror("catalog", "rebuild", str(mirror))
    assert (done.returncode, "9 objects recorded" in done.stdout) == (0, True), done.stderr
    rows = variants(
        mediamirror("catalog", "ls", str(mirror), "--image-format", "webp", "--status", "stored", "--format", "jsonl")
    )
    assert {row["stored_at"] for row in rows} == {"2023-11-14T22:13:20Z"}, (
        "when they were written, not when that was seen"
    )
    assert lost(mediamirror, mirror) == before
    (kept,) = path.parent.glob("*.old-*Z")
    assert kept.read_bytes() == bytes(data)


def test_what_another_tool_stored_is_taken_in_with_the_urls_that_are_told(
    mediamirror: Command, mirror: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = next(mirror.rglob("*_480.webp")).read_bytes()
    (folder / "one.webp").write_bytes(picture)
    (folder / "two.webp").write_bytes(picture)
    (folder / "note.txt").write_text("no picture")
    assert mediamirror("catalog", "import", str(folder)).returncode == 0
    rows = variants(mediamirror("catalog", "ls", str(folder), "--format", "jsonl"))
    assert [(row["key"], row["width"], row["url"]) for row in rows] == [
        ("note.txt", None, None), ("one.webp", 480, None), ("two.webp", 480, None)
    ]  # fmt: skip
    listed = [
        {"url": "https://h.example/1.webp", "key": "one.webp", "sha256": rows[1]["sha256"]},
        {"url": "https://h.example/2.webp", "key": "two.webp", "sha256": "00"},
        {"url": "https://h.example/3.webp", "key": "three.webp"},
    ]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed))
    done = mediamirror("catalog", "import", str(folder), "--list", str(tmp_path / "l.jsonl"))
    assert (done.returncode, "2 failed, 1 known already, 1 object recorded" in done.stdout) == (1, True), done.stdout
    rows = variants(mediamirror("catalog", "ls", str(folder), "--host", "h.example", "--format", "jsonl"))
    assert [(row["key"], row["url"], row["width"]) for row in rows] == [("one.webp", "https://h.example/1.webp", 480)]
    (tmp_path / "l.jsonl").write_text("{}\n")
    assert mediamirror("catalog", "import", str(folder), "--list", str(tmp_path / "l.jsonl")).returncode == 2
