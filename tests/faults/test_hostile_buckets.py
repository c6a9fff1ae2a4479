"""A bucket that never ends and lies: every command ends with a sentence, takes little, and blames neither itself nor a catalog."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.servers.hostile_bucket import Bucket, entry, running_bucket
from tests.faults.conftest import Command

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)
SEGMENT = "_mediamirror/manifest/20260101T000000.000000Z-00.jsonl.gz"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running_bucket() as made:
        for name in ("h.example/a.png", "h.example/b.png"):
            made.put(name, PICTURE)
        yield made


Run = Callable[[str], CompletedProcess[str]]


@pytest.fixture
def run(mediamirror: Command, bucket: Bucket, tmp_path: Path) -> Run:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/one").write_text("one")
    (tmp_path / "src/h.example").mkdir()
    (tmp_path / "src/h.example/a.png").write_bytes(PICTURE)
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:9/a.png")
    (tmp_path / "m").mkdir()
    catalog = ("--catalog", str(tmp_path / "state/c.sqlite"))
    there = ("--endpoint-url", bucket.url)
    words = {
        "mirror": ("mirror", str(tmp_path / "urls.txt"), "--as", "urls", "--to", "s3://lies/", *catalog),
        "sync from": ("sync", "s3://lies/", str(tmp_path / "m"), *catalog),
        "sync to": ("sync", str(tmp_path / "src"), "s3://lies/", *catalog),
        "check": ("check", "s3://lies/", str(tmp_path / "src"), "--download"),
        "verify": ("verify", "--mirror", "s3://lies/", *catalog),
        "gc": ("catalog", "gc", "s3://lies/", *catalog),
        "rebuild": ("catalog", "rebuild", "s3://lies/", *catalog),
        "import": ("catalog", "import", "s3://lies/", *catalog),
    }

    def by_name(name: str) -> CompletedProcess[str]:
        done = mediamirror(*words[name], *there, **KEYS)
        said = done.stdout + done.stderr
        assert done.returncode in {0, 1, 2}, said
        assert "Traceback" not in said
        assert "unexpected" not in said.lower()
        assert "c.sqlite" not in said
        return done

    return by_name


def endless(token: str | None) -> tuple[list[str], str | None]:
    return [entry("h.example/a.png")], "again"


@pytest.mark.parametrize("command", ["sync from", "check", "verify", "rebuild"])
def test_a_body_without_an_end_costs_its_size_and_no_more(run: Run, bucket: Bucket, command: str) -> None:
    if command == "verify":
        assert run("import").returncode == 0
    bucket.put("h.example/a.png", PICTURE, endless=True)
    done = run(command)
    assert done.returncode == 1, done.stderr
    assert "gives more bytes than the 108" in done.stdout + done.stderr
    assert bucket.sent < 64 * 1024 * 1024


@pytest.mark.parametrize("command", ["sync from", "sync to", "check", "verify", "gc", "rebuild"])
def test_a_listing_without_an_end_ends_with_a_sentence(run: Run, bucket: Bucket, command: str) -> None:
    if command in {"gc", "verify"}:
        assert run("import").returncode == 0
    bucket.listing = endless
    done = run(command)
    assert done.returncode != 0
    assert "the same pages come again and again" in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["sync from", "verify", "gc", "rebuild"])
def test_dates_and_hashes_that_are_none_stop_nothing(run: Run, bucket: Bucket, command: str) -> None:
    if command in {"gc", "verify"}:
        assert run("import").returncode == 0
    for number, date in enumerate(("", "garbage", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00")):
        said = (("last-modified", date or "no date"), ("x-amz-meta-sha256", "none"), ("x-amz-meta-width", "\u00b2"))
        bucket.put(f"h.example/d{number}.png", PICTURE, listed_date=date, headers=said)
    done = run(command)
    assert done.returncode == 0 or command == "verify", done.stderr


@pytest.mark.parametrize(
    ("command", "code"), [("mirror", 2), ("verify", 2), ("sync to", 2), ("gc", 1), ("rebuild", 1), ("sync from", None)]
)
@pytest.mark.parametrize(
    "rows",
    [
        b'{"type":"object","key":"h.example/a.png","sha256":5,"size":-1,"token":[]}\n',
        b"[" * 100_000 + b"\n",
        bytes(10**8),
    ],
    ids=["types", "nested", "bomb"],
)
def test_a_manifest_that_is_damaged_is_named_and_to_be_removed(
    run: Run, bucket: Bucket, tmp_path: Path, command: str, code: int | None, rows: bytes
) -> None:
    if command == "gc":
        assert run("import").returncode == 0
    bucket.put(SEGMENT, gzip.compress(rows))
    before = dict(bucket.objects)
    done = run(command)
    if code is not None:  # None: it reads no manifest
        assert done.returncode == code, done.stderr
        assert f"{SEGMENT} is damaged (" in done.stdout + done.stderr
        assert "remove it" in done.stdout + done.stderr
    if code == 2:  # nothing was done: no object came or went, and no empty catalog is left that would be believed
        assert (bucket.objects, (tmp_path / "state/c.sqlite").exists()) == (before, False)
