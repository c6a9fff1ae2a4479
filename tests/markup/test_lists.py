"""A list of URLs is read the short way where nothing about a line can change, and says what the long way says."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mediamirror.markup.naming import grouped
from mediamirror.markup.places.candidates import merged
from mediamirror.markup.places.source import decode
from mediamirror.markup.records import lists
from mediamirror.model import Extraction, Listed

HOSTS = st.sampled_from(
    [
        *(
            "a.example",
            "img.news.example",
            "A.example",
            "a.example:8080",
            "a.example:443",
            "1.2.3.4",
            "1.2.3.256",
            "[::1]",
        ),
        *(
            "münchen.example",
            "xn--mnchen-3ya.example",
            "xn--0.example",
            "u:secret@a.example",
            "a..b",
            "a.1",
            "a-.example",
            "",
        ),
    ]
)
PATHS = st.lists(
    st.sampled_from(["a", "2025", ".", "..", ".a", "%41", "%zz", "a b", "é", "x,y", "$(a)", "{id}", "w_320", "", "\\"]),
    max_size=3,
).map(lambda parts: "".join(f"{part}/" for part in parts))
NAMES = st.sampled_from(
    [
        *(
            "a.jpg",
            "a-320x200.jpg",
            "a-640x400.jpg",
            "a-480.webp",
            "a-960.webp",
            "a-2010.webp",
            "a-2012.webp",
            "a@2x.jpg",
        ),
        *(
            "",
            "a.jpg?w=320",
            "a.jpg?w=640",
            "a.jpg?sig=0123456789abcdef0123456789abcdef",
            "a.jpg#part",
            "a.jpg?x='\"<>",
        ),
    ]
)
URLS = st.builds(
    "{}{}/{}{}".format, st.sampled_from(["https://", "http://", "HTTPS://", "//", "ftp://"]), HOSTS, PATHS, NAMES
)
LINES = st.one_of(
    URLS,
    st.builds("{} {}".format, URLS, st.sampled_from(["480", "480w", "2x", "0", "320w 200h", ", ", "\t# said"])),
    st.builds(
        "{}{}{}".format,
        st.sampled_from([" ", "\t", "\f", "\xa0", "\x00"]),
        URLS,
        st.sampled_from([" ", "\t", "\u2003"]),
    ),
    st.sampled_from(["# a comment", "", "data:image/png;base64,AA", "/a.jpg", "undefined"]),
)
TEXTS = st.builds(
    lambda lines, end: end.join(lines), st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n", "\r", "\n\n"])
)


@given(TEXTS, st.booleans(), st.sampled_from([None, "https://base.example/x/"]))
@example(
    "https://a.example/a.jpg\nhttps://A.example/a.jpg\nhttps://a.example/a.jpg 480w\nhttps://a.example/a.jpg",
    True,
    None,
)
@example("https://a.example/a-480.webp\nhttps://a.example/a-960.webp\nhttps://a.example/b.webp", True, None)
def test_a_list_is_read_the_short_way_as_the_long_one(text: str, merge: bool, base: str | None) -> None:
    source = decode(text.encode("utf-8", "surrogatepass"))

    def found() -> Extraction:
        return lists.find_urls(source, "list", base, merge=merge)

    short = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "plain", lambda *_: None)
        patch.setattr(lists, "_merged", lambda sets: Listed("list", "urls", merged(sets)))
        patch.setattr(lists, "_grouped", lambda sets: Listed("list", "urls", grouped(sets)))
        long = found()
    assert (list(short.sets), short.problems) == (list(long.sets), long.problems)


def test_a_bare_url_is_no_object_until_it_is_looked_at() -> None:
    text = "".join(f"https://a.example/{at}/a.jpg\n" for at in range(3)) + "https://a.example/b.jpg 480w\n"
    sets = lists.find_urls(decode(text.encode()), "list", None).sets
    assert isinstance(sets, Listed)
    assert [isinstance(row, tuple) for row in sets.rows] == [True, True, True, False]
    assert list(sets[1:]) == [sets[at] for at in (1, 2, 3)] == list(sets)[1:]
    assert list(pickle.loads(pickle.dumps(sets))) == list(sets)
