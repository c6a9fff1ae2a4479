"""What a Jupyter notebook shows: its Markdown and raw cells, and what its code put out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediamirror.markup.extract import choose_kind, extract_document
from mediamirror.model import Extraction
from tests.growth import is_linear

BASE = "https://nb.example/d/"
PRINTED = ["https://h.example/e.png 480w, https://h.example/f.png 960w"]
BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAHgAAABQCAIAAABd" * 20


def cell(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True), **more}


def put_out(**data: Any) -> dict[str, Any]:
    named = {name.replace("__", "/"): value for name, value in data.items()}
    return cell("code", "", outputs=[{"output_type": "display_data", "data": named, "metadata": {}}])


def written(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()


def find(data: bytes, *, merge: bool = True) -> Extraction:
    return extract_document(data, document="a.ipynb", base_url=BASE, merge=merge)


def urls(found: Extraction) -> list[str]:
    return [c.url.replace(BASE, "") for row in found.sets for c in row.candidates]


def line_of(data: bytes, words: str) -> int:
    return data[: data.index(words.encode())].count(b"\n") + 1


def told(found: Extraction) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.line) for problem in found.problems]


def test_markup_that_spans_the_lines_of_a_cell_is_read_whole() -> None:
    text = (
        '![chart](images/chart.png "t")\n\n<img srcset="c-480.webp 480w,\n  c-960.webp 960w" src=c.webp>\n\n'
        "```\n![no](no.png)\n```\n![by name][ref]\n\n[ref]: ref.png\n"
    )
    data = written(cell("markdown", text))
    found = find(data)
    assert [[c.url.replace(BASE, "") for c in row.candidates] for row in found.sets] == [
        ["images/chart.png"],
        ["c-480.webp", "c-960.webp", "c.webp"],
        ["ref.png"],
    ]
    places = [c.reference for row in found.sets for c in row.candidates]
    assert [data[slice(*place.span)].decode() for place in places if place and place.span] == urls(found)
    words = ("images/chart", "c-480", "c-960", "c.webp", "ref.png")
    assert [place.line for place in places if place] == [line_of(data, each) for each in words]


def test_code_is_left_and_what_it_put_out_is_read_by_its_type() -> None:
    found = find(
        written(
            cell("code", "Image(url='https://h.example/code.png') # ![x](y.png)", outputs=[]),
            put_out(text__html=["<p>\n", "<img src=a.png>"], text__plain="<Image>"),
            put_out(text__markdown="![b](b.png)", text__latex="![x](no.png)"),
            put_out(**{"image/svg+xml": "<svg><image href='c.png'/></svg>"}),
            put_out(application__json={"image": "https://h.example/d.png"}),
            cell("code", "", outputs=[{"output_type": "stream", "name": "stdout", "text": PRINTED}]),
            cell("raw", "<img src=f.png>"),
        )
    )  # fmt: skip
    assert urls(found) == [
        "a.png",
        "b.png",
        "c.png",
        "https://h.example/d.png",
        "https://h.example/e.png",
        "https://h.example/f.png",
        "f.png",
    ]
    assert told(found) == []


def test_a_picture_in_base64_is_told_as_the_data_url_that_it_is() -> None:
    data = written(put_out(image__png=BASE64, text__plain="x"), put_out(image__jpeg="/9j/4AAQSkZJRg" * 30))
    found = find(data)
    assert urls(found) == []
    assert told(found) == [("scheme-not-fetched", line_of(data, f"image/{kind}")) for kind in ("png", "jpeg")]
    assert "data:image/jpeg;base64,/9j/4AAQ" in found.problems[1].message


def test_a_picture_attached_to_a_cell_stands_where_the_cell_shows_it() -> None:
    attached = {"my shot.png": {"image/png": "https://file.invalid/a.png"}, "b.png": {"image/png": BASE64}}
    data = written(cell("markdown", "one\n\n![alt](attachment:my%20shot.png)\n", attachments=attached))
    found = find(data)
    assert [(row.alt, row.line, urls(found)) for row in found.sets] == [
        ("alt", line_of(data, "![alt]"), ["https://file.invalid/a.png"])
    ]
    assert told(found) == [("scheme-not-fetched", line_of(data, '"image/png": "iVB'))]
    lost = find(written(cell("markdown", "![alt](attachment:gone.png)")))
    assert told(lost) == [("scheme-not-loaded", 7)]


def test_a_notebook_of_the_third_format_is_read() -> None:
    output = {"output_type": "display_data", "png": BASE64, "html": ["<img src=a.png>"], "metadata": {}}
    cells = [
        {"cell_type": "code", "input": ["'b.png'"], "outputs": [output]},
        {"cell_type": "markdown", "source": "![](c.png)"},
    ]
    data = json.dumps({"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]})
    found = find(data.encode())
    assert (urls(found), [code for code, _ in told(found)]) == (["a.png", "c.png"], ["scheme-not-fetched"])


@pytest.mark.parametrize(
    ("data", "media_type", "name"),
    [
        (written(cell("markdown", "x")), None, "a.ipynb"),
        (written(cell("markdown", "x")), "text/plain; charset=utf-8", "https://raw.gh.example/o/a.ipynb"),
        (written(cell("markdown", "x")), "application/json", "https://nb.example/api/contents"),
        (b'{"nbformat": 4, "nbformat_minor": 0, "metadata": {"colab": {}}, "cells": []}', None, "export.json"),
        (b'{"metadata": {"kernelspec": {}}, "cells": []}', "application/x-ipynb+json", "x"),
    ],
)
def test_a_notebook_is_known_by_its_name_its_type_and_its_first_fields(
    data: bytes, media_type: str | None, name: str
) -> None:
    assert choose_kind(data, media_type=media_type, document=name) == "notebook"


def test_what_only_bears_a_notebook_s_name_is_read_as_json() -> None:
    assert urls(find(b'{"image": "a.png"}')) == ["a.png"]
    assert choose_kind(b'{"cells": ["a.png"]}', media_type=None, document="x.json") == "json"


def test_a_damaged_notebook_gives_what_could_be_read_of_it() -> None:
    whole = written(cell("markdown", "![](a.png)"), cell("markdown", "![](b.png)"))
    found = find(whole[: whole.index(b"b.png")])
    assert (urls(found), [code for code, _ in told(found)]) == (["a.png"], ["malformed-json"])


def test_one_picture_shown_twice_has_two_places_to_rewrite() -> None:
    found = find(written(cell("markdown", "![](a.png)\n\n![](a.png)")), merge=False)
    assert urls(found) == ["a.png", "a.png"]


def test_a_long_notebook_takes_time_in_proportion() -> None:
    def read(many: int) -> None:
        find(written(*[cell("markdown", "![](a.png)\n" * 9)] * many))

    assert is_linear(read, 40, 320)
