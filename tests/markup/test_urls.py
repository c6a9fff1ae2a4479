from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediamirror.markup.places import urls
from mediamirror.markup.places.urls import Skip, base_of, resolve, shown

PAGE = "https://site.example/dir/page.html?q=1"


@pytest.mark.parametrize(
    ("written", "requested"),
    [
        ("a.jpg", "https://site.example/dir/a.jpg"),
        ("//CDN.example:443/a b.jpg#top", "https://cdn.example/a%20b.jpg"),
        ("HTTP:\\\\x.example\\y", "http://x.example/y"),
        (" \t/a\n.jpg ", "https://site.example/a.jpg"),
        ("?w=480", "https://site.example/dir/page.html?w=480"),
        ("https://x.example/s:100/aHR0cHM6Ly9h%3A%2F%2fb?sig=%3d&u=a%20b", None),
        ("https://x.example/a,b_(1)/f_auto,q_80/a|b.jpg", None),
        ("https://пример.бел/й.jpg", "https://xn--e1afmkfd.xn--90ais/%D0%B9.jpg"),
    ],
)
def test_the_request_is_the_serialised_url_without_its_fragment(written: str, requested: str | None) -> None:
    assert resolve(written, PAGE) == (requested or written)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "empty-url"),
        ("  ", "empty-url"),
        ("#top", "fragment-only"),
        ("data:image/png;base64,AA", "scheme-not-fetched"),
        ("JavaScript:void(0)", "scheme-not-fetched"),
        ("java\nscript:void(0)", "scheme-not-fetched"),
        ("cid:part1", "scheme-not-fetched"),
        ("file:///etc/passwd", "scheme-not-loaded"),
        ("FILE:\\\\host\\share\\a.jpg", "scheme-not-loaded"),
        ("ftp://h.example/a.jpg", "scheme-not-loaded"),
        ("chrome-extension://abc/a.jpg", "scheme-not-loaded"),
        ("x-thumb:a.jpg", "scheme-not-loaded"),
        ("https://x.example/{width}/a.jpg", "unfilled-template"),
        ("https://x.example/%7Bwidth%7D.jpg", "unfilled-template"),
        ("{{ image }}", "unfilled-template"),
        ("<%= image %>", "unfilled-template"),
        ("[%= image %]", "unfilled-template"),
        ("/a/${size}.jpg", "unfilled-template"),
        ("https://a b/", "invalid-url"),
        ("https://x.example:99999/", "invalid-url"),
        ("a\ud800.jpg", "invalid-url"),
    ],
)
def test_what_is_not_fetched_has_a_named_reason(written: str, code: str) -> None:
    skip = resolve(written, PAGE)
    assert isinstance(skip, Skip)
    assert skip.code == code


@pytest.mark.parametrize("written", ["a.jpg", "/a.jpg", "//cdn.example/a.jpg", "?w=1"])
def test_a_relative_url_without_a_base_says_what_to_do(written: str) -> None:
    skip = resolve(written, None)
    assert isinstance(skip, Skip)
    assert (skip.code, "--base-url" in skip.message) == ("relative-url-without-base", True)


def test_braces_of_an_identifier_are_no_placeholder() -> None:
    url = "https://x.example/{3F2504E0-4F89-11D3-9A0C-0305E82C3301}/a.jpg"
    assert isinstance(resolve(url, None), str)


def test_a_legacy_page_encodes_its_queries_in_its_own_encoding_and_paths_in_utf_8() -> None:
    assert resolve("/й?п=й&€=☃#й", PAGE, encoding="cp1251") == ("https://site.example/%D0%B9?%EF=%E9&%88=%26%239731%3B")


@pytest.mark.parametrize(
    ("href", "base"),
    [
        ("/media/", "https://site.example/media/"),
        ("", PAGE),
        ("data:text/plain,x", PAGE),
        ("javascript:0", PAGE),
        ("https://a b/", PAGE),
        ("//cdn.example/x", "https://cdn.example/x"),
    ],
)
def test_a_base_that_the_standard_ignores_leaves_the_document_url(href: str, base: str) -> None:
    assert base_of(href, PAGE) == base


def test_a_shown_url_is_short_and_printable() -> None:
    assert shown("a\x1b[31m" + "b" * 500).startswith("a\\u001b[31mb")
    assert len(shown("b" * 500)) == 120


@given(st.text(), st.none() | st.just(PAGE))
def test_no_text_makes_it_raise_and_a_result_is_stable(written: str, base: str | None) -> None:
    once = resolve(written, base)
    assert isinstance(once, Skip) or resolve(once, None) in {once} or isinstance(resolve(once, None), Skip)


PLAIN_OR_NOT = st.lists(
    st.sampled_from(
        [
            "/",
            "//",
            ".",
            "..",
            "a",
            "B-1",
            "~",
            "?",
            "&x=1",
            "#",
            "%2e",
            "%7B",
            "{w}",
            "$",
            "'",
            "\\",
            ":",
            "@",
            " ",
            "ж",
        ]
    ),
    max_size=8,
).map("".join)
PREFIXES = st.sampled_from(
    [
        "",
        "https://h.example",
        "http://h.example:80",
        "HTTP://h",
        "https://0x7f.1",
        "https://u@h",
        "//h",
        "https://h:99999",
    ]
) | st.text("ab-.x0n19_", max_size=9).map("https://{}".format)
BASES = st.sampled_from(
    [None, "https://b.example/dir/", "http://u:p@b.example:8080/x?y", "file:///c/d", "data:,x", "relative"]
)


@given(PREFIXES, PLAIN_OR_NOT, BASES)
@example("https://h.example", "/é", "relative")
def test_plain_urls_take_a_short_way_to_the_same_result(prefix: str, rest: str, base: str | None) -> None:
    short = urls.plain(prefix + rest, base)
    assert short is None or short == urls._resolve(prefix + rest, base, "utf-8")


def test_a_base_that_is_no_url_does_not_spoil_absolute_urls() -> None:
    assert urls.resolve("https://h.example/\u00e9", "relative") == "https://h.example/%C3%A9"
    outcome = urls.resolve("a.png", "relative")
    assert isinstance(outcome, urls.Skip)
    assert outcome.code == "relative-url-without-base"


def test_the_short_way_is_taken_by_what_pages_are_full_of() -> None:
    plain = ("/media/a-480.webp?v=2&w=480", "https://cdn.example/q/f_auto,w_480/a@2x.jpg")
    assert [urls.plain(url, "https://b.example/dir/") is not None for url in plain] == [True, True]
