from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.extract import choose_kind, extract_document
from mediamirror.markup.json.records import records
from mediamirror.markup.places.json_text import read_json, whole_json
from mediamirror.markup.places.spelling import json_string
from mediamirror.markup.records import structured
from mediamirror.markup.records.structured import Row, find_json, table_rows
from mediamirror.model import Extraction, Severity
from tests.growth import is_linear

CRAWLS = Path(__file__).parents[2] / "fixtures" / "crawls"
BASE = "https://base.example/"


def find(value: object, **options: object) -> Extraction:
    data = value if isinstance(value, bytes) else json.dumps(value, indent=1).encode()
    return find_json(data, document="x.json", base_url=BASE, **options)  # type: ignore[arg-type]


def urls(found: Extraction) -> list[list[str]]:
    return [[c.url.replace(BASE, "/") for c in row.candidates] for row in found.sets]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"html": "<img src=/a.jpg srcset='/b.jpg 2x'>"}, [["/a.jpg", "/b.jpg"]]),
        ({"content": {"rendered": "<p style='background:url(/a.jpg)'>"}}, [["/a.jpg"]]),
        ({"html": "&lt;img src=&quot;/a.jpg&quot;&gt;"}, [["/a.jpg"]]),
        (
            {"text": "x https://c.example/a.jpg 480w, https://c.example/b.jpg 960w y"},
            [["https://c.example/a.jpg", "https://c.example/b.jpg"]],
        ),
        ({"md": "text ![a](/a.jpg)"}, [["/a.jpg"]]),
        ({"image": "/a"}, [["/a"]]),
        ({"imageUrl": "https://c.example/a?id=1"}, [["https://c.example/a?id=1"]]),
        ({"Image Src": "a.jpg"}, [["/a.jpg"]]),
        ({"images": ["/a.jpg", "/b.jpg"]}, [["/a.jpg"], ["/b.jpg"]]),
        ({"images": "/a.jpg, /b.jpg"}, [["/a.jpg"], ["/b.jpg"]]),
        ({"anything": "https://c.example/a.webp"}, [["https://c.example/a.webp"]]),
        ({"srcSet": "a.jpg 480w, b.jpg 960w"}, [["/a.jpg", "/b.jpg"]]),
        ({"src": "/a", "srcset": "/b 2x", "alt": "x"}, [["/a", "/b"]]),
        ({"url": "/get?1", "mime_type": "image/png"}, [["/get?1"]]),
        (
            {"sizes": {"s": {"url": "/a.jpg", "width": 300}, "m": {"url": "/b.jpg", "width": "600"}}},
            [["/a.jpg", "/b.jpg"]],
        ),
        ({"thumbnails": [{"url": "/a.jpg", "width": 1}, {"url": "/b.jpg", "width": 2}]}, [["/a.jpg", "/b.jpg"]]),
        ("https://c.example/a.jpg", [["https://c.example/a.jpg"]]),
        (["https://c.example/a.jpg", 5, None, {"logo": "/l.svg"}], [["https://c.example/a.jpg"], ["/l.svg"]]),
        ([[{"icon": "/i.png"}]], [["/i.png"]]),
    ],
)
def test_images_are_found_by_how_a_value_looks_and_by_its_fields_name(value: object, expected: list[list[str]]) -> None:
    assert urls(find(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"image_id": "12", "image_alt": "/x", "image": "no url", "icon": "home", "src": "/app.js", "logo": "/a.html"},
        {"file": "2024/01/a.jpg", "name": "a.jpg", "url": "https://site.example/"},
        {"text": "a camera with 5x zoom, 10w"},
        {"sizes": "(max-width: 600px) 100vw, 50vw", "width": 300},
        [1, 2.5, True, None, "words"],
        {},
        [],
    ],
)
def test_what_is_no_image_is_left(value: object) -> None:
    assert find(value) == Extraction(())


@pytest.mark.parametrize(
    "about",
    [
        {"url": "https://site.example/p/"},
        {"link": "https://site.example/p/"},
        {"metadata": {"sourceURL": "https://site.example/p/"}},
        {"WARC-Target-URI": "https://site.example/p/"},
        {"url": "https://site.example/i.jpg", "link": "https://site.example/p/"},
    ],
)
def test_relative_urls_are_those_of_the_page_that_the_record_is_about(about: dict[str, object]) -> None:
    found = find([{**about, "content": {"html": "<img src=a.jpg>"}}, {"html": "<img src=b.jpg>"}])
    assert [u for u in urls(found) if "i.jpg" not in u[0]] == [["https://site.example/p/a.jpg"], ["/b.jpg"]]


def test_sizes_are_statements_about_the_file() -> None:
    (found,) = find({"image": {"url": "/a.jpg", "width": 1200, "height": "800px", "alt": "Owl"}}).sets
    candidate = found.candidates[0]
    assert (found.alt, candidate.width, candidate.height, candidate.flags) == ("Owl", 1200, 800, ("stated-size",))


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.floats(),
            st.text(max_size=8),
            st.sampled_from(["<img src='/ü/a.jpg'>", '/b"\\/é.png', "x 1x, /😀.jpg 2x"]),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.sampled_from(["image", "html", "srcset", "url", "sizes", ""]), inner, max_size=4),
        ),
        max_leaves=12,
    ),
    st.booleans(),
)
def test_every_span_is_the_url_as_the_document_spells_it(value: object, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "replace")
    for row in find(data, merge=False).sets:
        for candidate in row.candidates:
            assert candidate.reference is not None
            assert candidate.reference.span is not None
            assert data[slice(*candidate.reference.span)].decode() == candidate.raw_url


@given(st.binary(max_size=200) | st.text(st.sampled_from('{}[]",:\\ ua0\n<img src=/>'), max_size=80).map(str.encode))
def test_anything_is_read(data: bytes) -> None:
    find(data)


@given(
    st.lists(
        st.recursive(
            st.integers() | st.text(max_size=5),
            lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
            max_leaves=6,
        ),
        max_size=5,
    )
)
def test_the_records_of_a_list_are_its_elements(values: list[object]) -> None:
    text = json.dumps(values)
    wanted = [value for value in values if isinstance(value, str | list | dict)]
    assert [json.loads(text[start:end]) for start, end in records(text)] == wanted
    lines = "\n".join(json.dumps(value) for value in wanted if isinstance(value, dict))
    assert [json.loads(lines[start:end]) for start, end in records(lines)] == [v for v in wanted if isinstance(v, dict)]


def test_json_nested_a_hundred_thousand_deep_is_a_problem_and_the_next_record_is_read() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    found = find(b'[{"a": ' + deep + b'},\n{"image": "/a.jpg"}]')
    assert [(p.code, p.line) for p in found.problems] == [("json-too-deep", 1)]
    assert urls(found) == [["/a.jpg"]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'[{"image": "/a.jpg"},\n{"image": "/b.jpg", "html": "<img src=/c.jp', [["/a.jpg"], ["/b.jpg"]]),
        (b'[{"image": "/a.jpg"},\n', [["/a.jpg"]]),
        (b'{"image": "/a.jpg",\n"b": [', [["/a.jpg"]]),
    ],
)
def test_json_cut_in_the_middle_gives_what_is_there_and_an_error(data: bytes, expected: list[list[str]]) -> None:
    found = find(data)
    assert urls(found) == expected
    assert [(p.code, p.line, p.severity) for p in found.problems] == [("malformed-json", 2, Severity.ERROR)]


def test_a_bad_record_costs_no_other() -> None:
    found = find(b'{"image": "/a.jpg"}\n{"image": /x.jpg"}\n{"image": "/b.jpg"}')
    assert urls(found)[0] == ["/a.jpg"]
    assert ("malformed-json", 2) in [(p.code, p.line) for p in found.problems]


def test_a_string_of_however_many_escapes_is_read_and_its_places_cost_little_memory() -> None:
    text = "\u0436\n" * 200_000 + "<img src=/a.jpg>"  # 400,000 escapes
    data = json.dumps({"html": text, "image": "/b.jpg"}).encode()
    tracemalloc.start()
    found = find(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert urls(found) == [["/a.jpg"], ["/b.jpg"]]
    assert found.problems == ()
    spans = [c.reference.span for row in found.sets for c in row.candidates if c.reference is not None]
    assert [data[slice(*span)] for span in spans if span is not None] == [b"/a.jpg", b"/b.jpg"]
    assert peak < 30 * len(data)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet="a '{}[],:/\u0436\"\n", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet="ab:{", max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_VALUES, st.sampled_from(["", " ", "\n", "\ufeff", "x", ",", "[", "}", "null"]), st.sampled_from([None, 1]))
def test_what_is_read_at_once_has_the_values_and_places_that_are_read_token_by_token(
    value: object, more: str, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    for each in (text, more + text, text + more):
        found = whole_json(each)
        if found is not None:
            assert (read_json(each).values, read_json(each).error) == ([found], None)
    assert ("\\" in text or not isinstance(value, dict | list)) is (whole_json(text) is None)


def test_a_row_that_is_nested_deeper_than_the_standard_library_reads_is_left_to_the_other() -> None:
    assert whole_json("[" * 30_000 + "]" * 30_000) is None


@given(st.text(alphabet='a"\\\n\u0436\U0001f600\ud800 /', max_size=30), st.data())
def test_each_part_of_a_json_string_has_the_place_of_its_spelling(text: str, data: st.DataObject) -> None:
    document = f"[{json.dumps(text)}]"
    value = read_json(document).values[0].items[0]  # type: ignore[union-attr]
    start = data.draw(st.integers(0, len(value.value)))
    end = data.draw(st.integers(start, len(value.value)))
    first, last = json_string(value, document).raw_span(start, end)
    assert read_json(f'"{document[first:last]}"').values[0].value == value.value[start:end]  # type: ignore[union-attr]


def test_more_images_than_one_document_may_name_are_left_out_with_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediamirror.markup.records.placing.MAX_PER_DOCUMENT", 10)
    found = find([f"https://c.example/{n}.jpg" for n in range(20)])
    assert (len(found.sets), [p.code for p in found.problems]) == (10, ["too-many-candidates"])


def test_data_urls_are_problems_with_their_line() -> None:
    found = find({"a": 1, "image": "data:image/png;base64,AA"})
    assert [(p.code, p.line) for p in found.problems] == [("scheme-not-fetched", 3)]


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "dump", "jsonl"),
        (b'{"a": 1,\n "b": 2}', "dump", "json"),
        (b'[{"a": 1}]', "dump", "json"),
        (b"{}", "a.json.gz", "json"),
        (b"a,b", "a.csv", "csv"),
        (b"a\tb", "a.tsv", "tsv"),
        (b"PAR1", "dump", "parquet"),
        (b"WARC/1.0\r\n", "dump", "warc"),
        (b'{"a": 1}', "-", "text"),
        (b'{"a": 1}', "a.txt", "text"),
    ],
)
def test_the_kind_of_structured_documents_is_known(data: bytes, name: str, kind: str) -> None:
    assert choose_kind(data, media_type=None, document=name) == kind


def test_json_lines_are_read_as_one_document_by_the_library() -> None:
    data = (CRAWLS / "pages.jsonl").read_bytes()
    found = extract_document(data, document="pages.jsonl")
    assert [(s.line, len(s.candidates)) for s in found.sets] == [(1, 3), (2, 2), (4, 1), (6, 1), (6, 2), (7, 3)]
    assert [(p.code, p.line) for p in found.problems] == [("malformed-json", 5)]


def test_a_table_is_read_by_the_library_with_the_lines_of_its_rows() -> None:
    data = (CRAWLS / "products.csv").read_bytes()
    found = extract_document(data, document="products.csv")
    assert [(s.line, [c.url.rpartition("/")[2] for c in s.candidates]) for s in found.sets] == [
        (2, ["boots-480.jpg", "boots-960.jpg", "boots.jpg"]),
        (5, ["hat.png"]),
    ]


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        (["a,b\n", "1,2\n"], [(2, {"a": "1", "b": "2"})]),
        (["a;b;c,d\n", "1;2;3,4\n"], [(2, {"a": "1", "b": "2", "c,d": "3,4"})]),
        (["\ufeffa\tb\r\n", '"1\r\n', 'x"\t2\r\n', "\r\n", "3\r\n"], [(2, {"a": "1\r\nx", "b": "2"}), (5, {"a": "3"})]),
        (["a,\n", "1,2,3\n"], [(2, {"a": "1", "column 2": "2"})]),
        (["a,b\n"], []),
        ([], []),
    ],
)
def test_a_tables_first_row_names_the_columns_and_its_delimiter(
    lines: list[str], rows: list[tuple[int, dict[str, str]]]
) -> None:
    assert [(row.line, row.values) for row in table_rows(lines) if isinstance(row, Row)] == rows


def rows_of(text: str, delimiter: str | None = None) -> list[tuple[int, list[str], bool]]:
    found = list(table_rows(io.StringIO(text, newline=""), delimiter=delimiter))
    return [(row.line, [*row.values.values()], row.is_misquoted) for row in found if isinstance(row, Row)]


def test_a_quote_that_is_never_closed_costs_no_other_row() -> None:
    assert rows_of('a\n"never\nclosed\n') == [(2, ['"never'], True), (3, ["closed"], False)]


@pytest.mark.parametrize("mark", ["\t", "|", ",", ";"])
def test_a_quote_at_the_start_of_a_value_that_quotes_nothing_swallows_no_row(mark: str) -> None:
    lines = ["id,text,url", '1,"Big" lamp,x', '2,"unclosed,x', "3,c,x", '"4 ""b"" c\nd",e,x', '5,"', "6,f,x"]
    assert rows_of("\n".join(lines).replace(",", mark)) == [
        (2, ["1", "Big lamp", "x"], False),
        (3, ["2", '"unclosed', "x"], True),
        (4, ["3", "c", "x"], False),
        (5, ['4 "b" c\nd', "e", "x"], False),
        (7, ["5", '"'], True),
        (8, ["6", "f", "x"], False),
    ]


@pytest.mark.parametrize("header", ["text\turl", "https://a.example/1\tx"])
def test_two_inches_in_two_rows_of_a_table_without_quotes_are_two_rows(header: str) -> None:
    found = rows_of(f'{header}\n"12 inch\tx\n7"\ty\n"two\nlines"\tz\n', "\t")
    assert found[-3:] == [(2, ['"12 inch', "x"], True), (3, ['7"', "y"], False), (4, ["two\nlines", "z"], False)]


def test_the_names_of_a_table_stand_behind_blank_lines_and_behind_what_tells_excel_the_delimiter() -> None:
    assert rows_of("\n\nsep=;\na;b\n1;2\n") == [(5, ["1", "2"], False)]


def test_quotes_that_nothing_closes_in_every_line_take_time_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structured, "MAX_ROW", 20_000)
    assert is_linear(lambda lines: rows_of('x",y,"z\n' * lines), 2_000, 16_000)


@pytest.mark.parametrize(
    "unit",
    ["[", "{", '{"a":', '"', '\\"', '"\\', '["<img src=a.jpg>",', '{"html":"<a ', '{"x":"![', '{"x":"1x /', "]", "}"],
)
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    assert is_linear(lambda count: find((unit * count).encode()), 2_000, 16_000)


def test_a_height_beside_the_width_is_a_descriptor_wherever_a_srcset_may_stand() -> None:
    rungs = "/u/a.jpg 480w 320h, /u/b.jpg 960w 640h"
    for found in (
        extract_document(json.dumps({"rungs": rungs}).encode(), as_="json", base_url="https://b.example/"),
        extract_document(f'<div data-x="{rungs}"></div>'.encode(), as_="html", base_url="https://b.example/"),
        extract_document(
            b"https://b.example/u/a.jpg 480w 320h\nhttps://b.example/u/b.jpg 960w 640h\n", as_="urls", base_url=None
        ),
    ):
        rows = [(c.url, c.width, c.height) for row in found.sets for c in row.candidates]
        assert rows == [("https://b.example/u/a.jpg", 480, 320), ("https://b.example/u/b.jpg", 960, 640)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('https://a.example/b.jpg,kite.jpg\n"https://a.example/c,d.jpg",x.jpg\n', ["b.jpg", "c,d.jpg"]),
        ("https://a.example/w_300,c_fill/g.jpg\nhttps://a.example/b.jpg\n", ["w_300,c_fill/g.jpg", "b.jpg"]),
        ("https://a.example/b.jpg\t1\nhttps://a.example/d.jpg\t2\n", ["b.jpg", "d.jpg"]),
        ("url,name\nhttps://a.example/b.jpg,kite\n", ["b.jpg"]),
        ("\ufeffhttps://a.example/b.jpg\r\n", ["b.jpg"]),
    ],
)
def test_a_table_whose_first_line_holds_a_url_has_no_line_of_names(table: str, expected: list[str]) -> None:
    found = extract_document(table.encode(), as_="csv")
    assert [c.url.removeprefix("https://a.example/") for row in found.sets for c in row.candidates] == expected


def test_the_size_that_img2dataset_made_is_not_that_of_the_file_at_the_url() -> None:
    record = {
        "url": "https://a.example/a.jpg",
        "width": 256,
        "height": 256,
        "original_width": 1024,
        "original_height": 683,
    }
    (row,) = find(record).sets
    assert [(c.width, c.height) for c in row.candidates] == [(1024, 683)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {"image_url": {"0": "https://c.example/1", "1": None}, "srcset": {"0": "/a.jpg 1x, /b.jpg 2x"}},
            ["1", "a.jpg", "b.jpg"],
        ),
        ({"imgs": "['https://c.example/1.jpg', 'https://c.example/2.jpg']"}, ["1.jpg", "2.jpg"]),
        ({"img": "{'url': 'https://c.example/1.jpg', 'ok': True, 'n': None}"}, ["1.jpg"]),
    ],
)
def test_tables_as_pandas_writes_them_are_read(table: dict[str, object], expected: list[str]) -> None:
    """By columns in JSON, and lists of a column as Python prints them in CSV."""
    found = extract_document(json.dumps(table).encode(), as_="json", base_url="https://b.example/")
    assert sorted(c.url.rpartition("/")[2] for row in found.sets for c in row.candidates) == expected


def test_a_name_that_ends_like_a_descriptor_is_no_srcset() -> None:
    found = extract_document(b'{"l": ["https://e.example/p1x.jpg", "https://e.example/2w.png"]}', document="a.json")
    assert [c.url for row in found.sets for c in row.candidates] == [
        "https://e.example/p1x.jpg",
        "https://e.example/2w.png",
    ]
