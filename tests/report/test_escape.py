"""A stranger's text, made fit to be shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.report.escape import clean, file_name, link, shorten, shown_url, spelled_out, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 中", "plain ü 中"),
        ("two\n lines\t", "two lines"),
        ("turned \u202egnp.exe", "turned \\u202egnp.exe"),
        ("bell\x07", "bell\\u0007"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_what_can_not_be_seen_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@settings(deadline=None)
@given(st.text(st.characters()))
def test_shown_text_can_always_be_encoded_and_holds_no_control(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert all(c >= " " and c != "\x7f" for c in shown)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h/a b.webp?x=1&y", "https://h/a%20b.webp?x=1&y"),
        ("http://h/%20", "http://h/%20"),
        ("https://me:secret@h/a", "https://h/a"),
        ('https://h/"><script>', "https://h/%22%3E%3Cscript%3E"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt://h/%0aalert(1)", None),
        ("java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("file:///etc/passwd", None),
        ("//h/a", None),
        ("https://[", None),
        ("a.webp", None),
    ],
)
def test_only_http_and_https_become_links(url: str, target: str | None) -> None:
    assert link(url) == target


def test_a_shown_url_keeps_no_password() -> None:
    assert shown_url("https://me:secret@h/a?b") == "https://***@h/a?b"


def test_a_file_name_is_the_last_segment_without_query() -> None:
    assert [file_name(u) for u in ("https://h/a/b.webp?w=1", "https://h/", "data:,x", "dir/a.webp")] == [
        "b.webp",
        "h",
        "data:,x",
        "a.webp",
    ]


def test_shortened_text_says_so() -> None:
    assert (shorten("abcdef", 4), shorten("abcd", 4)) == ("abc…", "abcd")


@pytest.mark.parametrize("mark", ["\u061c", "\u200e", "\u200f", "\u2028", "\u2029"])
def test_marks_that_turn_or_break_a_line_are_made_visible(mark: str) -> None:
    assert mark not in clean(f"a{mark}b")
    assert mark not in visible(f"a{mark}b")


@given(st.text("a:-# [é\x1b"))
def test_a_plain_text_is_spelled_out_as_any_other(text: str) -> None:
    beside = "\u202e"  # with it a text is looked at closely
    assert spelled_out(f"{text}{beside}") == f"{spelled_out(text)}\\u202e"
