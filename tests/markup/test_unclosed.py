"""A quote that is never closed: the page that it swallows is told of, with the line where it opens."""

from __future__ import annotations

import pytest

from mediamirror.markup.extract import extract_document

BEFORE = '<!doctype html>\n<img src="/a.jpg">\n'
AFTER = "<p>text\n<img src='/s.jpg'>\n"


def _problems(page: str) -> list[tuple[str, int]]:
    found = extract_document(page.encode(), as_="html", base_url="https://x.example/")
    assert found.sets[0].candidates[0].url == "https://x.example/a.jpg"
    return [(problem.code, problem.line) for problem in found.problems]


@pytest.mark.parametrize(
    "tag",
    [
        '<img alt="no end src=/b.jpg>\n<p>text\n<img src="/c.jpg">\n',
        '<a title="no end>\n<p>text\n<img src="/c.jpg">\n<p>text',
        "<img alt='no end src=/b.jpg>\n<p>text\n<img class='c' src=/c.jpg>\n",
        '<img src="/b.jpg>\n<img src=/c.jpg>\n',
        '<img alt=x src="/b.jpg>\n' + AFTER,
        "<img width=1 alt = 'it>\n<p>and no more quotes of that kind\n",
    ],
)
def test_a_quote_that_swallows_markup_is_a_problem_on_the_line_where_it_opens(tag: str) -> None:
    assert _problems(BEFORE + tag) == [("unclosed-quote", 3)]


def test_the_line_is_that_of_the_attribute_in_pages_with_crlf_and_in_frames() -> None:
    tag = "<img\n alt=x\n title='no end>\n<p>text\n<img class='c'>\n"
    assert _problems((BEFORE + tag).replace("\n", "\r\n")) == [("unclosed-quote", 5)]
    assert _problems(BEFORE + f'<iframe srcdoc="\n{tag}">') == [("unclosed-quote", 6)]


def test_a_page_that_ends_within_a_tag_says_so() -> None:
    assert _problems(BEFORE + "<!-- <b --> <p>\n<img src=/b.jp") == [("unclosed-quote", 4)]


@pytest.mark.parametrize(
    "tag",
    [
        "<img alt='it's'>\n",
        '<img alt="a"b" src=/b.jpg>\n',
        '<a title="a > b" x=">" href=/>text</a>\n',
        "<a data-html=\"<img src='/b.jpg'>\">text</a>\n",
        '<a data-x="<b class=" c" >text</a>\n',
        "<p>1 <2 and a<",
    ],
)
def test_odd_quotes_that_swallow_nothing_are_no_problem(tag: str) -> None:
    assert _problems(BEFORE + tag) == []


def test_the_time_for_a_page_that_ends_in_a_tag_is_linear() -> None:
    assert _problems(BEFORE + "<img " + "a=b " * 200_000)[-1][0] == "unclosed-quote"
    assert _problems(BEFORE + "<img " + "a" * 1_000_000 + '="') == [("unclosed-quote", 3)]
    assert _problems(BEFORE + "<!--" * 300_000 + "--><img a='") == [("unclosed-quote", 3)]
