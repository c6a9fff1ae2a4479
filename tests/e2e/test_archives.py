"""A mirror made from a web archive, without touching the network."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.crawls.warcs import http, record
from fixtures.images import make_image

Command = Callable[..., CompletedProcess[str]]

PAGE = (
    b'<!doctype html><img alt="" srcset="/a-480.webp 480w, /a-960.webp 960w" sizes="100vw" src="/a-480.webp">'
    b'<img alt="" src="/missing.webp">'
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    page = http(PAGE, "text/html", more=[("Link", "</hero.png>; rel=preload; as=image")])
    records = [
        record("response", "https://site.example/", page),
        record("response", "https://site.example/hero.png", http(make_image(64, 48, "png"), "image/png")),
        *(
            record(
                "response",
                f"https://site.example/a-{width}.webp",
                http(make_image(width, width // 2, "webp"), "image/webp", more=[("ETag", f'"{width}"')]),
            )
            for width in (480, 960)
        ),
    ]
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(b"".join(gzip.compress(each) for each in records))
    return path


def statuses(done: CompletedProcess[str]) -> dict[str, str]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr
    return {row["url"].rsplit("/", 1)[1]: row["status"] for row in rows if row["type"] == "variant"}


def test_images_come_out_of_the_archive_and_the_rest_fails_offline(
    mediamirror: Command, archive: Path, tmp_path: Path
) -> None:
    words = ("mirror", str(archive), "--to", str(tmp_path / "m"), "--offline", "--format", "jsonl")
    done = mediamirror(*words)
    assert (done.returncode, statuses(done)) == (
        1,
        {"hero.png": "stored", "a-480.webp": "stored", "a-960.webp": "stored", "missing.webp": "failed"},
    ), done.stderr
    (lost,) = [row["error"]["code"] for row in map(json.loads, done.stdout.splitlines()) if row.get("error")]
    assert lost == "not-archived"
    assert (tmp_path / "m/site.example/a-960.webp").read_bytes() == make_image(960, 480, "webp")
    again = statuses(mediamirror(*words))
    assert again == {
        "hero.png": "unchanged",
        "a-480.webp": "unchanged",
        "a-960.webp": "unchanged",
        "missing.webp": "failed",
    }


def test_parse_finds_what_pages_and_their_link_headers_name(mediamirror: Command, archive: Path) -> None:
    done = mediamirror("parse", str(archive), "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    carriers = {c["carrier"] for row in rows if row["type"] == "image-set" for c in row["candidates"]}
    assert (done.returncode, carriers) == (0, {"img", "link-header"})
