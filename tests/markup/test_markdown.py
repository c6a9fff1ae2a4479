from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mediamirror.markup.extract import extract_document
from mediamirror.markup.places.urls import resolve
from mediamirror.markup.records.markdown import without_code
from mediamirror.model import Extraction
from tests.growth import is_linear

DUMPS = Path(__file__).parents[2] / "fixtures" / "dumps"
BASE = "https://base.example/"


def find(text: str | bytes, **options: object) -> Extraction:
    data = text.encode() if isinstance(text, str) else text
    return extract_document(data, as_="markdown", base_url=BASE, **options)  # type: ignore[arg-type]


def urls(found: Extraction) -> list[str]:
    return [c.url.replace(BASE, "/") for row in found.sets for c in row.candidates]


def test_a_page_of_every_form_is_read_and_what_is_code_is_left() -> None:
    found = find((DUMPS / "guide.md").read_bytes())
    assert [(s.line, s.alt, [c.url.replace(BASE, "/") for c in s.candidates]) for s in found.sets] == [
        (4, "Inline *head*", ["/img/head.jpg"]),
        (9, "full", ["https://cdn.example/owl%20photo.jpg"]),
        (11, "E ] x", ["/img/a_b.jpg?x=1&y=2"]),
        (13, "Linked", ["/img/linked.png"]),
        (13, "Spaces", ["/img/a%20b.jpg"]),
        (13, "(p)", ["/img/p_(1).jpg"]),
        (19, "in list", ["/img/list.jpg"]),
        (21, "after tick", ["/img/tick.jpg"]),
        (31, "quoted", ["/img/quoted.jpg"]),
        (36, "Озеро", ["/img/p-480.webp", "/img/p-960.webp", "/img/p.jpg"]),
        (40, None, ["https://cdn.example/lake-480.webp", "https://cdn.example/lake-960.webp"]),
    ]
    assert found.problems == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_span_is_the_url_as_the_document_spells_it(encoding: str) -> None:
    data = (DUMPS / "guide.md").read_text("utf-8").encode(encoding)
    candidates = [c for row in find(data, merge=False).sets for c in row.candidates]
    assert len(candidates) > 15
    for candidate in candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        raw = data[slice(*candidate.reference.span)]
        assert raw.decode("utf-8" if encoding != "utf-16" else "utf-16-le") == candidate.raw_url


@pytest.mark.parametrize(
    "text",
    [
        "`![a](/x.jpg)`",
        "``` `\n![a](/x.jpg)`",
        "```\n![a](/x.jpg)\n<img src=/x.jpg>\n",
        "~~~~ md\n![a](/x.jpg)\n~~~\n![a](/x.jpg)\n~~~~",
        "    ![a](/x.jpg)\n\n    ![a](/x.jpg)",
        "text\n\n\t![a](/x.jpg)",
        "\\![a](/x.jpg)",
        "<!-- ![a](/x.jpg) -->",
        "![a] (/x.jpg)",
        "![a][b]",
        "`https://x.example/a.jpg 480w, https://x.example/b.jpg 960w`",
        "- item\n\n      ![code](/x.jpg)",
        "<div>\n![a](/x.jpg)\n</div>",
        "<p align=center>\n  ![a](/x.jpg)\n</p>",
        "<pre>\n\n![a](/x.jpg)\n</pre>",
        "![a](/x y.jpg)",
        "![a]\n\n[a]: /x y.jpg",
        "![a]\n\ntext\n[a]: /x.jpg",
        "<a title='![a](/x.jpg)'>",
        "<http://a.b/![a](/x.jpg)>",
    ],
)
def test_what_is_no_image_is_left(text: str) -> None:
    assert urls(find(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "` ![a](/x.jpg)",
        "`` ` ![a](/x.jpg)",
        "\\`![a](/x.jpg)\\`",
        "`a\n\nb ![a](/x.jpg)`",
        "```\ncode\n```\n![a](/x.jpg)",
        "- `a\n- ![a](/x.jpg)`",
        "# `a\n![a](/x.jpg)`",
        "`a\n## ![a](/x.jpg)`",
        "text\n    ![a](/x.jpg)",
        "- item\n\n    ![a](/x.jpg)",
        "1. item\n\n   text\n\n    ![a](/x.jpg)",
        "![a](\n/x.jpg\n'title')",
        "![a[b]c](/x.jpg)",
        "> ![a][b]\n\n> [b]: /x.jpg",
        "![a]\n\n[A]:\n  /x.jpg",
        "<div>\n\n![a](/x.jpg)\n\n</div>",
    ],
)
def test_an_image_beside_what_looks_like_code_is_found(text: str) -> None:
    assert urls(find(text)) == ["/x.jpg"]


def of(tokens: list[Token]) -> list[str]:
    out = []
    for token in tokens:
        out += [str(token.attrs["src"])] if token.type == "image" else []
        # An image within an image's alt text is text there.
        out += of(token.children or []) if token.type != "image" else []
    return out


PIECES = st.sampled_from(
    [
        *(
            "![a](/1.jpg)",
            "![b](</2 x.jpg> 't')",
            '![c](/3_(1).jpg "t")',
            "![d][r]",
            "![r][]",
            "![R]",
            "![e\\]](/4.jpg)",
        ),
        *(
            "[![f](/5.jpg)](https://x.example)",
            "`",
            "``",
            "`x`",
            "text",
            "\\`",
            "\\",
            "\n",
            "\n\n",
            "\n\n```\n",
            "\n\n~~~\n",
        ),
        *("\n\n[r]: /6.jpg\n\n", "\n> ", "![g](/7.jpg?a=1&amp;b)", "&amp;", "(", ")", "]", "*"),
    ]
)


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_images_are_those_that_commonmark_has(text: str) -> None:
    theirs = [resolve(url, BASE) for url in of(MarkdownIt("commonmark").parse(text))]
    ours = [c.url for row in find(text, merge=False).sets for c in row.candidates]
    assert sorted(ours) == sorted(str(url) for url in theirs)


@pytest.mark.parametrize(
    "text",
    [
        ">```\n\n![r](/a.png)",
        "> ~~~ x\n> y\n\n![r](/a.png)\n\n~~~\n![x](/no.png)",
        "> > ```\n> ![r](/a.png)",
        "- ```\nx\n\n![r](/a.png)",
        "- a\n\n  ```\n  ![x](/no.png)\n![r](/a.png)",
        "1. > ```\n   > ![x](/no.png)\n\n![r](/a.png)",
        "* ```js\n\n  ![x](/no.png)\n\n  ```\n\n![r](/a.png)",
        "> <!--\n\n![r](/a.png)",
        "- <pre>\n![r](/a.png)",
        "- a\n\n\t```\n\t![x](/no.png)\n\t```\n![r](/a.png)",
        "```\n> ![x](/no.png)\n```\n![r](/a.png)",
        "    ~~~\n![r](/a.png)",
        "<script>\n</pre>\n![r](/a.png)",
        "```\n> ```\n![x](/no.png)\n```\n![r](/a.png)",
        "![r][ ]\n\n[r]: /a.png",
        "![r][\n]\n\n[r]: /a.png",
    ],
)
def test_code_ends_with_the_quote_or_item_that_it_stands_in_and_a_label_has_letters(text: str) -> None:
    assert urls(find(text)) == ["/a.png"]


INLINE = (
    *(
        "![",
        "[",
        "](",
        ")",
        "]",
        "a",
        "/b.png",
        " ",
        "(",
        "\\",
        "<",
        ">",
        "`",
        "``",
        '"t"',
        "'",
        "&amp;",
        "![x](/i.png)",
    ),
    *(
        "[r]",
        "![r]",
        "![r][]",
        "_",
        "\n",
        "!",
        "\\]",
        "\\[",
        "</p",
        "<a b='",
        "\n[r]: /d.png",
        "x:",
        "<http://a.b>",
        "é",
    ),
)
BLOCKS = (
    "\n\n",
    "\n\n> ",
    "\n> ```\n",
    "\n- ```\n",
    "\n- ",
    "\n  ",
    "\n\n# ",
    "\n\n```\n",
    "\n\n---\n",
    "\n\n[r]: /d.png\n\n",
    "\n\n[r]: <e f.png> 't'\n\n",
)


class Shown(HTMLParser):
    """The addresses of the images in HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [url or "" for name, url in attrs if tag == "img" and name == "src"]


@settings(max_examples=400, derandomize=True)
@given(st.lists(st.sampled_from([*INLINE, *BLOCKS]), min_size=2, max_size=14).map("".join))
def test_images_are_those_that_cmark_shows(text: str) -> None:
    page = Shown()
    page.feed(cmarkgfm.markdown_to_html(text))
    theirs = [url for url in (resolve(url, BASE) for url in page.urls) if isinstance(url, str)]
    ours = [c.url for row in find(text, merge=False).sets for c in row.candidates]
    # What may stand in a path as it is, cmark escapes.
    assert sorted(map(unquote, ours)) == sorted(map(unquote, theirs))


def test_an_image_whose_file_name_has_a_blank_is_told_with_what_to_write() -> None:
    (problem,) = find("a\n\n![1](photos/my cat.jpg)").problems
    assert (problem.code, problem.line) == ("markdown-blank", 3)
    assert "write it between < and >" in problem.message


@given(st.text(st.sampled_from("`~ \n\t>-1.![](x<>"), max_size=80))
def test_code_is_taken_out_in_place(text: str) -> None:
    masked = without_code(text)
    assert len(masked) == len(text)
    assert all(new == old or (new == " " and old not in "\r\n") for new, old in zip(masked, text, strict=True))
    find(text)


@pytest.mark.parametrize(
    "unit",
    [
        "`",
        "`` ",
        "![",
        "![a][",
        "[a]: ",
        "<!--",
        "- ",
        "> ",
        "![a](",
        "[",
        "\\",
        "!",
        "~~~\n",
        "1. - > ",
        "]",
        "![a",
        "<a b=",
        "<div>\n",
        "(((",
        "[a]: b\n",
        "![a](b 'c",
    ],
)
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    assert is_linear(lambda count: find(unit * count), 2_000, 16_000)


def test_the_images_of_front_matter_shortcodes_and_wiki_links_are_found() -> None:
    yaml = '---\ntitle: a.png of b\ncover: /cover.jpg # first\nhero:\n  src: "hero.webp"\nimages:\n  - /i/1.png\nslug: a.jpg\n---\n'
    body = '{{< figure src="/fig.jpg" alt="F" >}} {{% video src=v.mp4 %}} ![[obs.png|300]] ![[note]] `{{< img src="no.png" >}}`\n'
    assert urls(find(yaml + body)) == ["/cover.jpg", "/hero.webp", "/i/1.png", "/fig.jpg", "/obs.png"]
    assert urls(find('+++\r\n[params]\r\nimage = "/t.png"\r\n+++\r\nText')) == ["/t.png"]
    assert urls(find("Text\n---\ncover: /cover.jpg\n---\n")) == []


@pytest.mark.parametrize("unit", ["{{< a ", "![[", "---\na: '", "---\n - "])
def test_extras_take_linear_time(unit: str) -> None:
    assert is_linear(lambda count: find(f"---\n{unit * count}\n---"), 4_000, 32_000)


def test_a_list_item_in_a_quote_ends_the_paragraph_and_its_code_spans() -> None:
    assert urls(find("> ` ![a](/1.jpg)\n> * `\n")) == ["/1.jpg"]


@pytest.mark.parametrize(
    "text",
    [
        "<![CDATA[ a\n\n![x](no.png)\n]]>\n\n![a](yes.png)",
        "a <![CDATA[ > ![x](no.png) ]]> ![a](yes.png)",
        "<?php >\n\n![x](no.png)\n?>\n\n![a](yes.png)",
        "\n      \u3000 ![x](no.png)\n\n![a](yes.png)",
        "words\n    <div>\n![a](yes.png)",
        "words\n10. <textarea>\n![a](yes.png)",
        "> words\n>\n      ![x](no.png)\n\n![a](yes.png)",
        "1.     ![x](no.png)\n\n![a](yes.png)",
        ">     ![x](no.png)\n\n![a](yes.png)",
        ">    ![a](yes.png)",
        "words\n- </b>\n  `![x](no.png)`\n\n![a](yes.png)",
        "<pre></pre>\n      ![x](no.png)\n\n![a](yes.png)",
    ],
)
def test_what_is_no_image_by_its_block_is_none(text: str) -> None:
    """As cmark-gfm has them; the raw HTML of the last but one is a block of the item."""
    rendered = cmarkgfm.markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
    expected = re.findall(r'<img src="([^"]*)" alt="', rendered)
    found = extract_document(text.encode(), as_="markdown", base_url="https://b.example/")
    marks = [c for row in found.sets for s in row.sources if s.carrier == "markdown" for c in s.candidates]
    assert [c.url.removeprefix("https://b.example/") for c in marks] == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("![a [b]](/a b/my_pic_(1).jpg)", "/a b/my_pic_(1).jpg"),
        ('![a](my pic.jpg "T")', "my pic.jpg"),
        ("![](https://c.example/k-\n___webp_480.webp) and", "https://c.example/k- ___webp_480.webp"),
        ("![a](my (pic.jpg", None),
    ],
)
def test_a_blank_in_a_destination_is_told_whatever_stands_around_it(text: str, told: str | None) -> None:
    problems = find(text).problems
    assert [each.code for each in problems] == ["markdown-blank"] * (told is not None)
    assert [each.message.startswith(f"{told} has a blank in it") for each in problems] == [True] * len(problems)
