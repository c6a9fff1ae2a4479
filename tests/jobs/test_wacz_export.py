"""What is stored as a WACZ: as the format's own tools have it, and read back with equal bytes, dates, headers and redirects."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import surt
from cdxj_indexer.main import CDXJIndexer
from warcio.archiveiterator import ArchiveIterator

from fixtures.crawls.warcs import compressed, http, record, response, sha1
from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.catalog.listing import Query
from mediamirror.documents import wacz_write
from mediamirror.documents.wacz_write import sort_key
from mediamirror.jobs.catalog.catalogs import locate
from mediamirror.jobs.catalog.warc_export import export_warc
from mediamirror.jobs.run.archive import Target
from mediamirror.settings import CheckOptions, MirrorOptions, ReadOptions, StoreOptions

SITE = "https://site.example"
NAMES = [f"{name}.jpg" for name in ("b/two", "a", "Zebra", "q?w=2&a=1", "again", "é")]
PICTURES = {name: make_image(40 + number, 20, "jpeg") for number, name in enumerate(NAMES)}


def crawl(path: Path) -> Path:
    page = "".join(f'<img src="/{name}">' for name in ("moved.jpg", *PICTURES))
    moved = http(b"", "text/html", status="302 Found", more=[("Location", "/a.jpg")])
    records = [
        response(f"{SITE}/", f"<!doctype html><meta charset=utf-8>{page}".encode(), "text/html"),
        record("response", f"{SITE}/moved.jpg", moved, date="2025-12-07T09:08:07Z"),
        *(
            response(
                f"{SITE}/{name}",
                body,
                "image/jpeg",
                http_more=[("ETag", f'"{len(body)}"')],
                more=[("WARC-Payload-Digest", sha1(body))],
            )
            for name, body in PICTURES.items()
        ),
    ]
    path.write_bytes(compressed(records))
    return path


async def exported(folder: Path, *inputs: Path, **read: bool) -> Path:
    """Mirror the inputs without the network, and write what is stored as a WACZ."""
    folder.mkdir()  # noqa: ASYNC240 - a test
    to, catalog = str(folder / "mirror"), folder / "catalog.sqlite"
    options = MirrorOptions(read=ReadOptions(**{"offline": True, **read}), check=CheckOptions(check="header"))
    summary = await mirror([str(each) for each in inputs], to=to, options=options, catalog=catalog)
    assert (summary.exit_code, summary.statuses.get("failed")) == (0, None)
    path = folder / "site.wacz"
    target = Target("wacz", lambda _: path.open("wb"), "test", only_pictures=True)
    await export_warc(to, locate(to, catalog, None), Query(), target, options=StoreOptions())
    return path


def archive_of(wacz: Path) -> bytes:
    with zipfile.ZipFile(wacz) as box:
        return box.read("archive/data.warc.gz")


def index_of(wacz: Path) -> list[str]:
    with zipfile.ZipFile(wacz) as box:
        return gzip.decompress(box.read("indexes/index.cdx.gz")).decode().splitlines()


def answers(wacz: Path) -> set[tuple[str, str, str, bytes]]:
    found = set()
    for each in ArchiveIterator(io.BytesIO(archive_of(wacz)), check_digests="raise"):
        if each.rec_type == "response":
            told = each.rec_headers
            headers = f"{each.http_headers.get_statuscode()} {sorted(each.http_headers.headers)}"
            url, date = told.get_header("WARC-Target-URI"), told.get_header("WARC-Date")
            found.add((url, date, headers, each.raw_stream.read()))
    return found


@pytest.mark.parametrize("lines", [3_000, 2])
async def test_the_format_s_own_tools_accept_it_and_make_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    monkeypatch.setattr(wacz_write, "_LINES_A_BLOCK", lines)
    monkeypatch.setattr(wacz_write, "_SORTED_AT_ONCE", lines)
    path = await exported(tmp_path / "run", crawl(tmp_path / "crawl.warc.gz"))
    words = [sys.executable, "-m", "wacz.main", "validate", "-f", str(path)]
    said = subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)  # noqa: ASYNC221 - a test
    assert (said.returncode, "the passed WACZ is valid" in said.stdout) == (0, True), said.stdout
    warc, theirs = tmp_path / "data.warc.gz", io.StringIO()
    warc.write_bytes(archive_of(path))
    CDXJIndexer(theirs, inputs=[str(warc)], sort=True).process_all()
    assert index_of(path) == theirs.getvalue().splitlines()
    assert len(index_of(path)) == len(PICTURES) + 2  # the redirect, and what it leads to once more


async def test_the_index_of_blocks_leads_to_each_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wacz_write, "_LINES_A_BLOCK", 2)
    path = await exported(tmp_path / "run", crawl(tmp_path / "crawl.warc.gz"))
    with zipfile.ZipFile(path) as box:
        blocks = box.read("indexes/index.cdx.gz")
        rows = box.read("indexes/index.idx").decode().splitlines()[1:]
    found = []
    for row in rows:
        key, _, about = row.partition(" {")
        place = json.loads("{" + about)
        lines = gzip.decompress(blocks[place["offset"] : place["offset"] + place["length"]]).decode().splitlines()
        assert lines[0].startswith(f"{key} {{")
        found += lines
    assert found == index_of(path)


async def test_three_round_trips_keep_bytes_dates_headers_and_redirects(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    names = "".join(f'<img src="/{name}">' for name in ("moved.jpg", *PICTURES))
    page.write_text(f'<meta charset=utf-8><base href="{SITE}/">{names}')
    first = await exported(tmp_path / "1", crawl(tmp_path / "crawl.warc.gz"))
    second = await exported(tmp_path / "2", page, first)
    third = await exported(tmp_path / "3", page, second, check_hashes=True)
    assert answers(first) == answers(second) == answers(third)
    assert {body for *_, body in answers(third)} == {b"", *PICTURES.values()}
    assert {date for url, date, *_ in answers(third) if url == f"{SITE}/moved.jpg"} == {"2025-12-07T09:08:07Z"}


async def test_its_own_list_of_pages_is_of_what_it_holds_and_all_of_it_can_be_mirrored(tmp_path: Path) -> None:
    first = await exported(tmp_path / "1", crawl(tmp_path / "crawl.warc.gz"))
    again = await exported(tmp_path / "2", first, all_images=True)
    assert answers(again) == answers(first)
    assert {body for *_, body in answers(again)} == {*PICTURES.values(), b""}  # a redirect has none


@pytest.mark.parametrize(
    "url",
    [
        "https://www.Example.org/A/b.jpg",
        "http://www2.example.org:8080/a//b/?b=2&a=1&a",
        "https://example.org/a%7Cb%20c|d.jpg?q=%C3%A9&Q",
        "https://user:secret@example.org/",
        "https://192.0.2.1/a.jpg",
        "https://example.org/%2541.jpg?w=1,2;3",
        "https://example.org/a/",
        "https://example.org/é'(1)[2].jpg?",
    ],
)
def test_a_key_is_the_one_that_the_ecosystem_s_library_makes(url: str) -> None:
    assert sort_key(url) == surt.surt(url)
