"""A mirror made from a web archive, without touching the network."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.crawls.warcs import compressed, http, record, response, revisit, sha1
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


def test_offline_asks_nothing_for_an_input_that_is_a_url_either(
    mediamirror: Command, archive: Path, tmp_path: Path
) -> None:
    words = ("mirror", str(archive), "https://site.example/", "--offline", "--to", str(tmp_path / "m"))
    for more in ((), ("--depth", "1"), ("--follow-sitemap",)):
        done = mediamirror(*words, *more)
        assert "https://site.example/ was not requested: --offline asks nothing of the network." in done.stderr
        assert ("host name" in done.stderr, done.returncode) == (False, 1)


def test_no_style_sheet_is_asked_for_that_a_page_of_an_archive_loads(mediamirror: Command, tmp_path: Path) -> None:
    page = b'<!doctype html><link rel="stylesheet" href="/s.css"><img alt="" src="/a.png">'
    one, two = "https://site.example/", "https://site.example/two"
    records = [
        response(one, page, "text/html", more=[("WARC-Payload-Digest", sha1(page))]),
        revisit(two, page, "text/html", of=one),  # read last, when all that it may be a revisit of is known
        response(f"{one}a.png", make_image(64, 48, "png"), "image/png"),
    ]
    (tmp_path / "a.warc.gz").write_bytes(compressed(records))
    words = ("mirror", f"{tmp_path}/a.warc.gz", "--offline", "--to", f"{tmp_path}/m", "--archive", f"{tmp_path}/b.wacz")
    done = mediamirror(*words)
    assert (done.returncode, "1 stored" in done.stdout, "s.css" in done.stderr) == (0, True, False), done.stderr


def test_parse_finds_what_pages_and_their_link_headers_name(mediamirror: Command, archive: Path) -> None:
    done = mediamirror("parse", str(archive), "--format", "jsonl")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    carriers = {c["carrier"] for row in rows if row["type"] == "image-set" for c in row["candidates"]}
    assert (done.returncode, carriers) == (0, {"img", "link-header"})
