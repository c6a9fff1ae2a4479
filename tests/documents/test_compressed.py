from __future__ import annotations

import gzip
import io
import os
import zlib
from pathlib import Path

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from fixtures.crawls.warcs import compressed as compressed_warc
from fixtures.crawls.warcs import response
from mediamirror.documents.compressed import STEP, Undecodable, decoded, inflate, inflated_stream
from mediamirror.documents.document import Document
from mediamirror.documents.read import read_inputs
from mediamirror.model import Problem

BODY = b"<!doctype html><img src=a.jpg>" * 10_000
FEEDS = Path(__file__).parents[2] / "fixtures" / "feeds"
CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=2),
    "zstd": zstd.compress,
}


def in_chunks(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("coding", CODINGS)
@given(st.binary(max_size=2000), st.integers(1, 50))
def test_every_coding_is_undone_however_it_is_cut(coding: str, body: bytes, size: int) -> None:
    assert b"".join(decoded(in_chunks(CODINGS[coding](body), size), coding)) == body


def test_codings_are_undone_in_turn() -> None:
    assert b"".join(decoded([brotli.compress(gzip.compress(BODY))], "gzip, br")) == BODY


def test_raw_deflate_and_several_members_and_padding_are_read() -> None:
    raw = zlib.compressobj(wbits=-15)
    assert b"".join(decoded([raw.compress(BODY) + raw.flush()], "deflate")) == BODY
    members = gzip.compress(BODY) + gzip.compress(b"more") + b"\0" * 99 + b"rubbish"
    for size in (1, 2, 1000, 10**6):
        assert b"".join(decoded(in_chunks(members, size), "gzip")) == BODY + b"more"


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 16 * STEP])
def test_a_member_that_ends_with_a_step_is_followed_by_the_next_once(size: int) -> None:
    members = [b"a" * size, b"b" * 10, b"c" * size]
    assert b"".join(decoded([b"".join(map(gzip.compress, members))], "gzip")) == b"".join(members)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_given_out_in_small_steps(coding: str) -> None:
    pieces = decoded([CODINGS[coding](bytes(20_000_000))], coding)
    assert all(len(next(pieces)) <= 2 * STEP for _ in range(5))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(("start", "end"), [(0, -5), (3, None)], ids=["cut", "no start"])
def test_damage_is_an_error_of_its_own(coding: str, start: int, end: int | None) -> None:
    with pytest.raises(Undecodable):
        list(decoded([CODINGS[coding](BODY)[start:end]], coding))


def test_a_missing_decoder_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "brotli", None)
    with pytest.raises(Undecodable, match=r"brotli, which needs pip install 'mediamirror\[warc\]'"):
        list(decoded([b"x"], "br"))


def test_a_stream_that_is_made_of_next_to_nothing_ends_as_a_bomb() -> None:
    piece = gzip.compress(bytes(1_000_000))
    with pytest.raises(Undecodable, match="inflates without end"):
        for _ in inflated_stream([piece] * 100):
            pass


def test_inflating_stops_at_the_limit() -> None:
    assert inflate(gzip.compress(bytes(10_000_000)), 1000) == (bytes(1001), None)


async def read(*inputs: Path, **options: object) -> list[Document | Problem]:
    return [item async for item in read_inputs([str(path) for path in inputs], **options)]  # type: ignore[arg-type]


async def test_any_document_may_be_compressed_and_its_inner_name_says_what_it_is(tmp_path: Path) -> None:
    for name, data in {
        "a.html.gz": BODY,
        "b.xml.gz": (FEEDS / "sitemap.xml").read_bytes(),
        "c.gz": (FEEDS / "news.rss").read_bytes(),
        "d.md.gz": b"# d",
    }.items():
        (tmp_path / name).write_bytes(gzip.compress(data))
    (tmp_path / "e.gz").write_bytes(compressed_warc([response("https://x.example/", BODY, "text/html")]))
    items = await read(*(tmp_path / name for name in sorted(os.listdir(tmp_path))))
    assert [(Path(i.name).name, i.kind) for i in items if isinstance(i, Document)] == [
        ("a.html.gz", "html"),
        ("b.xml.gz", "sitemap"),
        ("c.gz", "feed"),
        ("d.md.gz", "markdown"),
        ("x.example", "html"),
    ]


async def test_a_compressed_document_that_is_cut_gives_what_is_there_and_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.html.gz"
    path.write_bytes(gzip.compress(BODY)[:-9])
    items = await read(path)
    assert [i.code if isinstance(i, Problem) else i.kind for i in items] == ["html", "document-damaged"]


async def test_a_gzip_bomb_meets_the_limit_of_documents(tmp_path: Path) -> None:
    path = tmp_path / "sitemap.xml.gz"
    path.write_bytes(gzip.compress(b"<urlset>" + b" " * 50_000_000))
    (problem,) = await read(path, limit=1_000_000)
    assert isinstance(problem, Problem)
    assert problem.code == "document-too-large"


async def test_a_container_on_standard_input_is_read_when_it_is_named() -> None:
    data = io.BytesIO(compressed_warc([response("https://x.example/", BODY, "text/html")]))
    items = [item async for item in read_inputs(["-"], as_="warc", stdin=data)]
    assert [item.name for item in items if isinstance(item, Document)] == ["https://x.example/"]
