from __future__ import annotations

import gzip
import io
import json
import os
import re
import zipfile
from pathlib import Path
from shlex import quote
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import commands
from fixtures.images import make_image
from mediamirror.documents.carried import Carried
from mediamirror.documents.document import Document, Stored
from mediamirror.documents.parquet import parquet_rows
from mediamirror.documents.read import read_inputs
from mediamirror.documents.rows import Rows, json_lines, table
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.markup.extract import extract_document
from mediamirror.model import Extraction, Problem
from mediamirror.settings import MAX_DOCUMENT_MEMORY

CRAWLS = Path(__file__).parents[2] / "fixtures" / "crawls"


async def read(path: Path, **options: object) -> list[Document | Problem]:
    return [item async for item in read_inputs([str(path)], **options)]  # type: ignore[arg-type]


def looked_through(document: Document) -> Extraction:
    return extract_document(document.data, base_url=document.base_url, document=document.name, as_=document.kind)


def urls(item: Document | Problem) -> list[list[str]]:
    assert isinstance(item, Document)
    return [[c.url for c in each.candidates] for each in looked_through(item).sets]


async def test_every_line_of_json_lines_is_a_document_named_by_its_line() -> None:
    items = await read(CRAWLS / "pages.jsonl")
    assert [(Path(i.name).name, i.kind) for i in items if isinstance(i, Document)] == [
        (f"pages.jsonl:{n}", "json") for n in (1, 2, 4, 5, 6, 7)
    ]
    assert [urls(item) for item in items] == [
        [[f"https://site.example/marsh/marsh{name}.jpg" for name in ("", "-480", "-960")]],
        [["https://cdn.example/reeds-480.webp", "https://cdn.example/reeds-960.webp"]],
        [["https://site.example/md/owl.jpg"]],
        [],
        [
            ["https://cdn.example/full.jpg"],
            ["https://cdn.example/full-300x200.jpg", "https://cdn.example/full-1024x683.jpg"],
        ],
        [["https://cdn.example/p.png", "https://cdn.example/p.png", "https://cdn.example/p@2x.png"]],
    ]
    broken = items[3]
    assert isinstance(broken, Document)
    assert [p.code for p in looked_through(broken).problems] == ["malformed-json"]


async def test_a_field_is_read_alone_under_its_rows_address() -> None:
    items = await read(CRAWLS / "pages.jsonl", field="html")
    documents = [item for item in items if isinstance(item, Document)]
    assert [(Path(d.name).name, d.kind, d.base_url) for d in documents] == [
        ("pages.jsonl:1", "html", "https://site.example/marsh/")
    ]
    assert documents[0].data.startswith(b"<html>")
    problems = {item.code: item for item in items if isinstance(item, Problem)}
    assert list(problems) == ["malformed-json", "field-missing"]
    assert "5 rows have no text in the field 'html', the first in line 2." in problems["field-missing"].message


@pytest.mark.parametrize(
    ("field", "row", "kind", "data"),
    [
        ("text", {"text": "a.jpg 1x"}, "text", b"a.jpg 1x"),
        ("text", {"text": "<p><img src=a>"}, "html", b"<p><img src=a>"),
        ("a.b", {"a": {"b": "x"}}, "text", b"x"),
        ("a.b", {"a.b": "y", "a": {"b": "x"}}, "text", b"y"),
        ("raw_html", {"raw_html": "x"}, "html", b"x"),
        ("srcset", {"srcset": "a 1x"}, "srcset", b"a 1x"),
        ("img", {"img": "https://x.example/a"}, "urls", b"https://x.example/a"),
        ("markdown", {"markdown": "![](a)"}, "markdown", b"![](a)"),
    ],
)
def test_a_fields_name_and_text_say_how_it_is_read(field: str, row: dict[str, object], kind: str, data: bytes) -> None:
    (item,) = json_lines(io.BytesIO(json.dumps(row).encode()), Rows("x.jsonl", field=field))
    assert isinstance(item, Document)
    assert (item.kind, item.data) == (kind, data)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_lines_with_a_byte_order_mark_are_read_line_by_line(encoding: str) -> None:
    rows = '{"image": "https://h.example/é.jpg"}\r\n' * 3000
    items = list(json_lines(io.BytesIO(rows.encode(encoding)), Rows("f")))
    assert [urls(item) for item in items] == [[["https://h.example/%C3%A9.jpg"]]] * 3000


async def test_compressed_json_lines_are_read_and_a_cut_is_a_problem_after_the_rows_before_it(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps({"image": f"https://x.example/{n * 7919 % 10**6}.jpg"}).encode() + b"\n" for n in range(5000)
    )
    whole, cut = tmp_path / "whole.jsonl.gz", tmp_path / "cut.jsonl.gz"
    whole.write_bytes(gzip.compress(lines))
    cut.write_bytes(gzip.compress(lines)[:-5000])
    assert len(await read(whole)) == 5000
    items = await read(cut)
    assert 1000 < len(items) < 5000
    assert [(i.code) for i in items if isinstance(i, Problem)] == ["document-damaged"]
    assert isinstance(items[-1], Problem)
    assert "ends too early, after line" in items[-1].message


def test_a_line_over_the_limit_is_a_problem_and_the_next_is_read() -> None:
    data = b'{"a": "' + b"x" * 300_000 + b'"}\n{"image": "https://x.example/a.jpg"}\n'
    items = list(json_lines(io.BytesIO(data), Rows("x.jsonl", limit=1000)))
    assert [(i.code, i.line) if isinstance(i, Problem) else i.name for i in items] == [
        ("row-too-large", 1),
        "x.jsonl:2",
    ]


def test_bad_rows_are_reported_a_hundred_times_and_then_counted() -> None:
    items = list(json_lines(io.BytesIO(b"nothing\n" * 250), Rows("x.jsonl", field="text")))
    codes = [item.code for item in items if isinstance(item, Problem)]
    assert (codes.count("malformed-json"), codes[-2:]) == (100, ["bad-rows", "field-missing"])


async def test_a_deeply_nested_line_is_a_problem_of_its_document(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_bytes(b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b'\n{"image": "https://x.example/a.jpg"}\n')
    deep, sound = await read(path)
    assert isinstance(deep, Document)
    assert [p.code for p in looked_through(deep).problems] == ["json-too-deep"]
    assert urls(sound) == [["https://x.example/a.jpg"]]


async def test_one_field_of_the_records_in_a_json_list_is_read(tmp_path: Path) -> None:
    path = tmp_path / "crawl.json"
    path.write_text('[\n {"url": "https://x.example/", "html": "<img src=a.jpg>"},\n {"html": "<img src=/b.jpg>"}\n]')
    items = await read(path, field="html", base_url="https://y.example/")
    assert [(Path(i.name).name, urls(i)) for i in items if isinstance(i, Document)] == [
        ("crawl.json:2", [["https://x.example/a.jpg"]]),
        ("crawl.json:3", [["https://y.example/b.jpg"]]),
    ]


async def test_every_row_of_a_table_is_a_document_by_the_line_it_starts_on() -> None:
    items = await read(CRAWLS / "products.csv")
    assert [(Path(i.name).name, urls(i)) for i in items if isinstance(i, Document)] == [
        (
            "products.csv:2",
            [
                [
                    "https://cdn.example/boots.jpg",
                    "https://shop.example/i/boots-480.jpg",
                    "https://shop.example/i/boots-960.jpg",
                ]
            ],
        ),
        ("products.csv:3", []),
        ("products.csv:5", [["https://cdn.example/hat.png"]]),
    ]


async def test_a_column_is_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffurl\tbody\nhttps://x.example/p/\t<img src=a.jpg>\n".encode("utf-16-le"))
    (item,) = await read(path, field="body")
    assert isinstance(item, Document)
    assert (item.kind, item.base_url, urls(item)) == ("html", "https://x.example/p/", [["https://x.example/p/a.jpg"]])


def test_a_table_whose_lines_end_with_a_carriage_return_alone_is_read_and_an_unclosed_quote_told() -> None:
    data = b'id,image\r1,/1.jpg\r"2,/2.jpg\r3,/3.jpg'
    *found, told = table(io.BytesIO(data), Rows("t.csv"))
    assert [json.loads(item.data)["image"] for item in found if isinstance(item, Document)] == [
        "/1.jpg",
        "/2.jpg",
        "/3.jpg",
    ]
    assert isinstance(told, Problem)
    assert told.code == "read-as"
    assert "is never closed in a value in line 3" in told.message


def test_a_table_line_over_the_limit_is_a_problem_and_the_next_is_read() -> None:
    data = b"image\n" + b"x" * 5000 + b"\nhttps://x.example/a.jpg\n"
    items = list(table(io.BytesIO(data), Rows("x.csv", limit=1000)))
    assert [i.code if isinstance(i, Problem) else urls(i) for i in items] == [
        "malformed-table",
        [["https://x.example/a.jpg"]],
    ]


def parquet(path: Path) -> Path:
    rows = {
        "url": ["https://x.example/p/", "https://y.example/"],
        "content": ["<img src=a.jpg>", None],
        "images": [[{"src": "https://cdn.example/b.jpg", "width": 300}], []],
        "jpg": [b"\xff\xd8", b"\xff\xd8"],
    }
    pq.write_table(pa.table(rows), path)
    return path


async def test_parquet_rows_are_documents_and_binary_columns_are_left(tmp_path: Path) -> None:
    first, second = await read(parquet(tmp_path / "a.parquet"))
    assert urls(first) == [["https://x.example/p/a.jpg"], ["https://cdn.example/b.jpg"]]
    assert urls(second) == []
    assert isinstance(first, Document)
    assert (Path(first.name).name, list(json.loads(first.data))) == ("a.parquet:1", ["url", "content", "images"])


async def test_files_in_a_parquet_table_are_told_in_one_sentence_and_the_urls_beside_them_are_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hf.parquet"
    rows = {"image": [{"bytes": b"\x89PNG" * 100, "path": "a.png"}], "src": ["https://a.example/a.jpg"]}
    pq.write_table(pa.table(rows), path)
    told, row = await read(path)
    assert isinstance(told, Problem)
    assert (told.code, "image" in told.message) == ("parquet-bytes", True)
    assert urls(row) == [["https://a.example/a.jpg"]]


PNG, JPEG = make_image(8, 4, "png"), make_image(6, 4, "jpeg")
WITH_PICTURES: list[tuple[dict[str, list[Any]], list[list[str]], list[dict[str, Any]]]] = [
    (
        # As Hugging Face's datasets write them.
        {
            "image": [
                {"bytes": None, "path": "n.png"},
                {"bytes": PNG, "path": "a.png"},
                {"bytes": b"broken", "path": None},
            ],
            "label": [0, 1, 2],
        },
        [["2.png"], ["3"]],
        [{"image.path": "a.png", "label": 1}, {"label": 2}],
    ),
    (
        # As img2dataset writes them: the width is that of the smaller picture, the address that of the larger.
        {
            "url": ["https://origin.example/a.jpg", "https://origin.example/b.jpg"],
            "key": ["000000000", "000000001"],
            "width": [6, 6],
            "jpg": [JPEG, JPEG],
            "sha": [b"\1\2", b"\3\4"],
        },
        [["1.jpg"], ["2.jpg"]],
        [
            {"url": "https://origin.example/a.jpg", "key": "000000000", "width": 6},
            {"url": "https://origin.example/b.jpg", "key": "000000001", "width": 6},
        ],
    ),
    (
        {"images": [[{"bytes": PNG, "path": None}, {"bytes": JPEG, "path": None}]], "large": [PNG]},
        [["1-images-0.png", "1-images-1.jpg", "1-large.png"]],
        [{}],
    ),
    (
        {
            "item": [
                {"cover": {"bytes": PNG, "path": "c.png"}, "pages": [{"bytes": JPEG, "path": None}], "title": "A"}
            ],
            "id": [1],
        },
        [["1-item.cover.png", "1-item.pages.jpg"]],
        [{"id": 1, "item.cover.path": "c.png", "item.title": "A"}],
    ),
]


@pytest.mark.parametrize(("rows", "names", "told"), WITH_PICTURES)
async def test_pictures_in_a_parquet_table_are_kept_with_the_values_of_their_rows(
    tmp_path: Path, rows: dict[str, list[Any]], names: list[list[str]], told: list[dict[str, Any]]
) -> None:
    path = tmp_path / "hf.parquet"
    pq.write_table(pa.table(rows), path)
    with WarcArchive(tmp_path) as archive:
        items = [item async for item in read_inputs([str(path)], archive=archive)]
        found = [item for item in items if isinstance(item, Document) and "file.invalid" in str(item.data)]
        base = f"https://file.invalid{path}/"
        images = [[url for row in urls(item) for url in row] for item in found]
        assert images == [[base + name for name in row] for row in names]
        assert [json.loads(item.columns or "{}") for item in found] == told
        held = [await archive.lookup(url) for row in images for url in row]
        kinds = {".png": PNG, ".jpg": JPEG, "": b"broken"}
        assert [answer.body and answer.body.data for answer in held] == [
            kinds[Path(name).suffix] for row in names for name in row
        ]
    assert len(await read(path)) == len(items)


@pytest.mark.parametrize(
    ("rows", "size", "group"), [(100, 400_000, None), (150, 150_000, 75), (30, 1_000_000, 10), (150, 60_000, 20)]
)
async def test_a_table_of_many_pictures_is_read_however_they_are_grouped(
    tmp_path: Path, rows: int, size: int, group: int | None
) -> None:
    """pyarrow decodes groups at once: what that may take goes by the bytes that are there in the file."""
    pictures = [JPEG + os.urandom(size) for _ in range(rows)]
    pq.write_table(pa.table({"jpg": pictures}), tmp_path / "a.parquet", row_group_size=group)
    assert len(await read(tmp_path / "a.parquet")) == rows


async def test_a_table_of_long_texts_is_read_though_a_thousand_of_them_are_one_page_of_it(tmp_path: Path) -> None:
    pages = [f"<img src=/{number}.jpg>{os.urandom(12_000).hex()}" for number in range(1_200)]
    pq.write_table(pa.table({"html": pages}), tmp_path / "a.parquet")
    assert len(await read(tmp_path / "a.parquet")) == 1_200


async def test_a_group_of_rows_that_inflates_is_not_read(tmp_path: Path) -> None:
    bomb = [JPEG + bytes(30_000_000 + number) for number in range(6)]
    pq.write_table(pa.table({"jpg": bomb}), tmp_path / "b.parquet", compression="zstd")
    del bomb
    (problem,) = await read(tmp_path / "b.parquet")
    assert isinstance(problem, Problem)
    assert problem.code == "document-over-memory"


async def test_a_picture_in_a_table_that_is_over_the_limit_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"jpg": [JPEG, JPEG + b"x" * 3_000_000, JPEG]}), tmp_path / "a.parquet")
    with WarcArchive(tmp_path) as archive:
        items = [item async for item in read_inputs([str(tmp_path / "a.parquet")], archive=archive, limit=2_000_000)]
        assert [i.code if isinstance(i, Problem) else Path(i.name).name for i in items] == [
            "a.parquet:1",
            "row-too-large",
            "a.parquet:3",
        ]
        assert archive.count == 2


async def test_one_parquet_column_is_read_alone(tmp_path: Path) -> None:
    items = await read(parquet(tmp_path / "a.parquet"), field="content")
    assert [i.code if isinstance(i, Problem) else (i.kind, i.base_url) for i in items] == [
        ("html", "https://x.example/p/"),
        "field-missing",
    ]


async def test_a_column_that_a_parquet_file_does_not_have_is_told_with_those_that_it_has(tmp_path: Path) -> None:
    (problem,) = await read(parquet(tmp_path / "a.parquet"), field="picture")
    assert isinstance(problem, Problem)
    assert problem.code == "field-missing"
    assert re.search(r"a\.parquet has no column 'picture'\. Its columns: url, content, ", problem.message)
    pq.write_table(pa.table({f"c{n}": ["x"] for n in range(50)}), tmp_path / "b.parquet")
    (problem,) = await read(tmp_path / "b.parquet", field="picture")
    assert isinstance(problem, Problem)
    assert problem.message.endswith("c38, c39 and 10 more.")


async def test_a_damaged_parquet_file_is_a_problem(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20] + b"PAR1")
    (problem,) = await read(path)
    assert isinstance(problem, Problem)
    assert problem.code == "parquet-damaged"


async def test_a_parquet_row_that_is_too_large_to_be_held_is_kept_in_a_file(tmp_path: Path) -> None:
    page = "<p>é</p>" * 300_000
    pq.write_table(pa.table({"html": [page, "<img src=https://x.example/a.jpg>"]}), tmp_path / "a.parquet")
    first, second = await read(tmp_path / "a.parquet")
    assert isinstance(first, Document)
    assert isinstance(first.data, Stored)
    assert json.loads(b"".join(first.chunks())) == {"html": page}
    assert urls(second) == [["https://x.example/a.jpg"]]


async def test_whoever_stops_reading_parquet_leaves_no_process(tmp_path: Path) -> None:
    pq.write_table(pa.table({"html": ["<p>" * 100_000] * 100}), tmp_path / "a.parquet")
    with (tmp_path / "a.parquet").open("rb") as file:
        rows = parquet_rows(file, Rows("a.parquet"), MAX_DOCUMENT_MEMORY, Carried("a.parquet", None, 1))
        assert isinstance(await anext(rows), Document)
        assert [b"parquet_process" in each for each in commands(os.getpid())].count(True) == 1
        await rows.aclose()
    assert not any(b"parquet_process" in each for each in commands(os.getpid()))


async def test_without_pyarrow_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (problem,) = await read(path)
    assert isinstance(problem, Problem)
    assert problem.message == f"{path} is a Parquet file, which needs pyarrow: pip install 'mediamirror[parquet]'."


def test_a_cell_of_very_many_lines_is_read_and_a_row_of_very_many_values_is_one_problem() -> None:
    text = b'id,html\n1,"' + b"x\n" * 300_000 + b'<img src=https://a.example/a.jpg>"\n2,' + b"," * 200_001 + b"\n3,b\n"
    items = list(table(io.BytesIO(text), Rows("t.csv")))
    assert [each.name if isinstance(each, Document) else each.code for each in items] == [
        "t.csv:2",
        "malformed-table",
        "t.csv:300004",
    ]


def test_a_table_whose_names_of_columns_are_too_long_is_one_problem() -> None:
    text = b"a" * 5000 + b",b\n1,2\n"
    assert [each.code for each in table(io.BytesIO(text), Rows("t.csv", limit=1000)) if isinstance(each, Problem)] == [
        "malformed-table"
    ]


ROW = {
    "id": 7,
    "caption": "A harbour",
    "srcset": "https://a.example/1.webp 480w",
    "score": 0.5,
    "ok": True,
    "tags": ["x"],
}
BESIDE = {"id": 7, "caption": "A harbour", "score": 0.5, "ok": True}


def columns(items: list[Document | Problem]) -> list[dict[str, object]]:
    return [json.loads(item.columns) for item in items if isinstance(item, Document)]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
async def test_the_plain_values_beside_a_field_go_with_its_document(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([ROW]), path)
    else:
        path.write_text(json.dumps([ROW] if kind == "json" else ROW))
    assert columns(await read(path, field="srcset")) == [BESIDE]


@pytest.mark.parametrize("text", ["hello", "\x1f\x8b\x08rubbish", "]", "", "42", "null", '"words"', "[]"])
def test_what_is_no_json_at_all_is_told(text: str) -> None:
    told = [problem.code for problem in extract_document(text.encode(), as_="json").problems]
    assert told == (["malformed-json"] if text[:1] in {"h", "\x1f", "]"} else [])


async def test_a_row_that_is_read_as_a_whole_keeps_all_its_plain_values(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,caption,url\n7,A harbour,https://a.example/1.webp\n")
    assert columns(await read(tmp_path / "rows.csv")) == [
        {"id": "7", "caption": "A harbour", "url": "https://a.example/1.webp"}
    ]


async def test_long_values_and_those_beyond_the_room_are_not_kept(tmp_path: Path) -> None:
    many = {f"n{number:03}": "x" * 500 for number in range(30)}
    (tmp_path / "rows.jsonl").write_text(json.dumps({"srcset": "a 1x", "id": 1, "text": "x" * 2000, **many}))
    (kept,) = columns(await read(tmp_path / "rows.jsonl", field="srcset"))
    assert (kept["id"], "text" in kept, len(kept)) == (1, False, 1 + 8191 // 504)


@given(
    st.dictionaries(st.text(max_size=20), st.text(max_size=40) | st.integers() | st.floats() | st.none(), max_size=8)
)
def test_whatever_stands_in_a_row_its_values_are_json_that_can_be_stored(row: dict[str, object]) -> None:
    file = io.BytesIO(json.dumps(row).encode() + b"\n")
    for item in json_lines(file, Rows("rows.jsonl")):
        if isinstance(item, Document) and item.columns:
            assert set(json.loads(item.columns)) <= set(row)
            item.columns.encode()


async def test_a_parquet_table_that_comes_through_a_pipe_is_read_to_its_end() -> None:
    table_ = io.BytesIO()
    pq.write_table(pa.table({"image": ["https://a.example/a.jpg", "https://a.example/b.jpg"]}), table_)
    items = [item async for item in read_inputs(["-"], stdin=io.BytesIO(table_.getvalue()), as_="parquet")]
    assert [urls(item) for item in items] == [[["https://a.example/a.jpg"]], [["https://a.example/b.jpg"]]]


LAION = {"URL": "https://cdn.example/a?id=1", "TEXT": "A cat", "WIDTH": 640, "HEIGHT": 480.0, "punsafe": 0.1}


@pytest.mark.parametrize(
    "row",
    [
        LAION,
        {"url": "https://cdn.example/a", "caption": "x", "width": "640", "height": "480"},
        {"id": 7, "uid": "x", "url": "https://cdn.example/a", "text": "x", "original_width": 640, "original_height": 4},
    ],
)
def test_an_address_with_the_size_and_the_words_of_an_image_beside_it_is_one_whatever_it_ends_like(
    row: dict[str, object],
) -> None:
    (item,) = json_lines(io.BytesIO(json.dumps(row).encode()), Rows("x.jsonl"))
    assert isinstance(item, Document)
    (found,) = looked_through(item).sets
    address = next(value for value in row.values() if "://" in str(value))
    assert [(c.url, c.width) for c in found.candidates] == [(address, 640)]


@pytest.mark.parametrize(
    "others",
    [
        {"duration": 12},
        {"thumbnail_url": "https://cdn.example/t"},
        {"url": "https://v.example/film.mp4"},
        {"html": "<iframe>"},
    ],
)
def test_a_film_or_a_page_with_a_size_is_no_image(others: dict[str, object]) -> None:
    (item, *_) = json_lines(io.BytesIO(json.dumps(LAION | {"url": LAION["URL"]} | others).encode()), Rows("x.jsonl"))
    assert LAION["URL"] not in [url for row in urls(item) for url in row]


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("a.csv", "url,caption\nhttps://cdn.example/1,x\nhttps://cdn.example/2.jpg,y\nhttps://cdn.example/3,z", "url"),
        ("a.tsv", "https://cdn.example/1\tx\nhttps://cdn.example/2.jpg\ty\nhttps://cdn.example/3\tz", "column 1"),
        (
            "a.jsonl",
            '{"u": "https://cdn.example/1"}\n{"u": "https://cdn.example/3"}\n{"u": "https://cdn.example/4.jpg"}',
            "u",
        ),
    ],
)
async def test_a_column_of_addresses_that_nothing_says_are_images_is_told_with_the_option_that_reads_it(
    tmp_path: Path, name: str, data: str, field: str
) -> None:
    (tmp_path / name).write_text(data)
    *rows, told = await read(tmp_path / name)
    assert len([item for item in rows if urls(item)]) == 1
    assert isinstance(told, Problem)
    assert (told.code, told.message.partition(": ")[2]) == (
        "passed-over",
        f"2 records hold an address in the field {field!r} that nothing says is an image's, and no image: passed over. "
        f"--field {quote(field)} takes each for one.",
    )
    read_all = await read(tmp_path / name, field=field)
    assert sum(len(urls(item)) for item in read_all) == 3


def test_the_records_of_a_list_are_counted_as_rows_are() -> None:
    rows = [{"url": f"https://cdn.example/{n}", "caption": "x", "size": None} for n in range(3)]
    (told,) = extract_document(json.dumps(rows).encode(), document="a.json").problems
    assert (told.code, "3 records hold" in told.message) == ("passed-over", True)


@pytest.mark.parametrize(
    "row",
    [
        {"url": "https://x.example/page", "text": "long " * 200},
        {"url": "https://x.example/page", "text": "one <b>word</b>"},
        {"url": "https://x.example/page", "text": "a https://x.example/a-480.jpg 480w, https://x.example/a.jpg 960w"},
        {"url": "https://x.example/page", "image": "https://x.example/a"},
        {"permalink": "https://x.example/page"},
        {"url": "https://x.example/page", "images": []},
        {"name": "x"},
        LAION,
    ],
)
def test_a_page_s_address_and_a_row_with_an_image_are_not_told_as_passed_over(row: dict[str, object]) -> None:
    items = list(json_lines(io.BytesIO(json.dumps(row).encode()), Rows("x.jsonl")))
    assert [item for item in items if isinstance(item, Problem)] == []


async def test_markup_beside_a_picture_in_a_table_is_read_and_the_address_it_came_from_is_not(tmp_path: Path) -> None:
    rows = {
        "image": [{"bytes": PNG, "path": None}],
        "url": ["https://origin.example/a.jpg"],
        "markdown": ["![k](https://x.example/k.png)"],
        "turns": [[{"value": "a <img src=https://x.example/t.png>"}]],
        "caption": ["words"],
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    (item,) = await read(tmp_path / "a.parquet")
    assert [Path(url).name for row in urls(item) for url in row] == ["1.png", "k.png", "t.png"]


@pytest.mark.parametrize("name", ["a.parquet.gz", "a.zip.gz"])
async def test_a_container_that_is_read_from_its_end_may_be_compressed(tmp_path: Path, name: str) -> None:
    plain = tmp_path / name.removesuffix(".gz")
    if "zip" in name:
        with zipfile.ZipFile(plain, "w") as packed:
            packed.writestr("a.html", "<img src=https://x.example/a.jpg>")
    else:
        pq.write_table(pa.table({"image": ["https://x.example/a.jpg"]}), plain)
    whole = gzip.compress(plain.read_bytes())
    (tmp_path / name).write_bytes(whole)
    (item,) = await read(tmp_path / name)
    assert urls(item) == [["https://x.example/a.jpg"]]
    (tmp_path / name).write_bytes(whole[:-40])
    (problem,) = await read(tmp_path / name)
    assert isinstance(problem, Problem)
    assert problem.message == f"{tmp_path / name} can't be read: the compressed data ends too early."
