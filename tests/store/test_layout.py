"""URL -> key: examples for people, properties for the rest."""

from __future__ import annotations

import re
import unicodedata

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mediamirror.store.layout as keys_of
from mediamirror.errors import InvalidURL
from mediamirror.store.base import checked_key
from mediamirror.store.layout import MAX_PATH_KEY_BYTES, key_for, url_of

RESERVED_NAME = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)

PLAIN = {
    "https://news.by/upload/a_480.webp": "news.by/upload/a_480.webp",
    "https://news.by/Upload/A_480.WEBP": "news.by/Upload/A_480.WEBP",
    "https://news.by:443/a.webp": "news.by/a.webp",
    "http://news.by/a.webp": "news.by+http/a.webp",
    "http://news.by:8080/a.webp": "news.by+http+8080/a.webp",
    "https://news.by:8443/a.webp": "news.by+https+8443/a.webp",
    "https://res.cloudinary.com/d/w_480,c_fill,q_auto:good/x.jpg": "res.cloudinary.com/d/w_480,c_fill,q_auto:good/x.jpg",
    "https://news.by/%D0%B6%D1%83%D0%BA.jpg": "news.by/жук.jpg",
    "https://news.by/a%20b.jpg": "news.by/a b.jpg",
    "https://news.by/a.webp#fragment": "news.by/a.webp",
    "https://news.by/hash-sm-___webp_480.webp": "news.by/hash-sm-___webp_480.webp",
}

MARKED = {
    "https://news.by/a.webp?w=480": r"news\.by/a~H\.webp",
    "https://news.by/a.webp?": r"news\.by/a~H\.webp",
    "https://news.by/": r"news\.by/~H",
    "https://news.by/image": r"news\.by/image~H",
    "https://news.by/image.php": r"news\.by/image\.php~H",
    "https://news.by/a.jpg/b.jpg": r"news\.by/a~H\.jpg/b\.jpg",
    "https://news.by/a//b.jpg": r"news\.by/a/~H/b\.jpg",
    "https://news.by/x%2Fy.jpg": r"news\.by/x_2Fy~H\.jpg",
    "https://news.by/%d0%b6.jpg": r"news\.by/_d0_b6~H\.jpg",
    "https://news.by/%41.jpg": r"news\.by/_41~H\.jpg",
    "https://news.by/con/nul.jpg": r"news\.by/_con~H/_nul~H\.jpg",
    "https://news.by/dot./a.jpg": r"news\.by/dot~H/a\.jpg",
    "https://_mediamirror/a.jpg": r"_mediamirror~H/a\.jpg",
    "https://news.by/a~0123456789.jpg": r"news\.by/a_~H\.jpg",
    "https://user:secret@news.by/a.jpg": r"news\.by/a~H\.jpg",
    "https://[::1]/a.jpg": r"___1_~H/a\.jpg",
    "https://news.by/a\\b|c.jpg": r"news\.by/a/b_c~H\.jpg",
    "https://news.by/e%CC%81.jpg": r"news\.by/e_~H\.jpg",
}


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_url_keeps_its_host_and_path(url: str) -> None:
    assert key_for(url) == PLAIN[url]


@pytest.mark.parametrize("url", MARKED)
def test_what_cannot_stay_readable_is_marked(url: str) -> None:
    assert re.fullmatch(MARKED[url].replace("~H", "~[0-9a-f]{10}"), key_for(url))


def test_on_a_file_system_that_folds_case_names_with_capitals_are_marked() -> None:
    lower, upper = (key_for(f"https://news.by/{name}.jpg", case_insensitive=True) for name in ("a", "A"))
    assert lower == "news.by/a.jpg"
    assert re.fullmatch(r"news\.by/a~[0-9a-f]{10}\.jpg", upper)


def test_long_urls_keep_their_first_directories() -> None:
    key = key_for("https://news.by/" + "dir/" * 600 + "a.jpg")
    assert key.startswith("news.by/dir/dir/")
    assert re.search(r"/a~[0-9a-f]{10}\.jpg$", key)
    assert len(key) <= MAX_PATH_KEY_BYTES


def test_the_hash_layout_files_by_bytes_and_real_format() -> None:
    digest = "ab" * 32
    assert key_for("https://x/a.jpg", layout="hash", sha256=digest, format="webp") == f"sha256/ab/ab/{digest}.webp"
    assert key_for("https://y/b.png", layout="hash", sha256=digest, format="jpeg") == f"sha256/ab/ab/{digest}.jpg"


def test_the_hash_layout_needs_a_hash() -> None:
    with pytest.raises(ValueError, match="sha256"):
        key_for("https://x/a.jpg", layout="hash")


@pytest.mark.parametrize("url", ["ftp://x/a.jpg", "data:image/png;base64,AA", "a.jpg", "https://"])
def test_what_is_no_web_url_has_no_key(url: str) -> None:
    with pytest.raises(InvalidURL):
        key_for(url)


def test_no_password_shows_in_a_message() -> None:
    with pytest.raises(InvalidURL) as raised:
        key_for("ftp://user:secret@host/a.jpg")
    assert "secret" not in raised.value.message


hosts = st.sampled_from(
    [
        "news.by",
        "a+http",
        "a",
        "con",
        "_mediamirror",
        "x.jpg",
        "a~0123456789",
        "h.",
        "[::1]",
        "a+http+8080",
        "127.0.0.1",
    ]
)
pieces = st.one_of(
    st.sampled_from(
        [
            *(
                "a",
                "A",
                "b.jpg",
                "B.JPG",
                "a.jpg",
                ".jpg",
                "..",
                ".",
                "",
                "%2e%2e",
                "%2F",
                "/",
                "%41",
                "%61",
                "%C3%A9",
                "%c3%a9",
            ),
            *(
                "e%CC%81",
                "é",
                "~0123456789",
                "~abcdef0123.jpg",
                "CON",
                "nul.png",
                "com1",
                "x.",
                "x ",
                "%20",
                " ",
                "?",
                "?q",
                "?q=/x.jpg",
            ),
            *(
                ":",
                "*",
                "|",
                "%5C",
                "\\",
                "%00",
                "%0A",
                "%7F",
                "+",
                "%2B",
                "%25",
                "%",
                "w_480,c_fill",
                "x" * 260,
                "é" * 130,
                "ß",
                "ẞ",
                "K",
            ),
        ]
    ),
    st.text(max_size=6),
)
paths = st.lists(st.tuples(pieces, st.sampled_from(["", "", "/"])), max_size=8).map(
    lambda parts: "".join(a + b for a, b in parts)
)
endings = st.sampled_from(["", ".jpg", ".webp", ".JPG", "?x", "?", "/x.png", "/"])


@st.composite
def urls(draw: st.DrawFn) -> str:
    origin = draw(st.sampled_from(["https://", "http://", "https://u@", "https://u:p@"])) + draw(hosts)
    port = draw(st.sampled_from(["", "", ":8080", ":443", ":80"]))
    raw = f"{origin}{port}/{draw(paths)}{draw(endings)}"
    try:
        serialised = ada_url.URL(raw)
    except ValueError:
        return "https://fallback.example/a.jpg"
    serialised.hash = ""
    return serialised.href


@given(urls(), st.booleans())
@example("https://news.by/" + "y/" * 700 + "a.jpg", False)
@example("https://news.by/" + "%D0%B6" * 200 + ".jpg", True)
def test_every_key_is_safe_and_bounded(url: str, folds: bool) -> None:
    for layout in ("path", "named"):
        assert_safe(key_for(url, layout=layout, case_insensitive=folds), folds)


def assert_safe(key: str, folds: bool) -> None:
    assert checked_key(key) == key
    assert len(key.encode()) <= MAX_PATH_KEY_BYTES
    for segment in key.split("/"):
        assert len(segment.encode()) <= 255
        assert segment == segment.strip(" ")
        assert not segment.endswith(".")
        assert not RESERVED_NAME.match(segment)
        assert not set(segment) & set('\\"<>|?#%')
        assert unicodedata.is_normalized("NFC", segment)
        if folds:
            assert segment == segment.casefold()
            assert not set(segment) & set(":*")
    assert not key.startswith("_mediamirror/")


@given(st.lists(urls(), min_size=2, max_size=12, unique=True), st.booleans())
@example(["https://a+http/x.jpg", "http://a/x.jpg"], False)
@example(["https://a/x.jpg", "https://a/X.jpg"], True)
@example(["https://a/b.jpg/c.jpg", "https://a/b.jpg"], False)
@example(["https://a/b.jpg?w=9", "https://a/b.jpg?w=9&q=1", "https://a/w_9,c_x/b.jpg", "https://a/b-w9.jpg"], False)
@example(["https://a/%C3%A9.jpg", "https://a/%c3%a9.jpg", "https://a/e%CC%81.jpg"], False)
def test_two_urls_never_share_a_key_and_no_file_is_a_directory_of_another(some: list[str], folds: bool) -> None:
    for layout in ("path", "named"):
        keys = [key_for(url, layout=layout, case_insensitive=folds) for url in some]
        assert_apart([key.casefold() for key in keys] if folds else keys)


def assert_apart(keys: list[str]) -> None:
    assert len(set(keys)) == len(keys)
    files = set(keys)
    for key in keys:
        parts = key.split("/")
        assert not {"/".join(parts[:n]) for n in range(1, len(parts))} & files


@given(urls())
def test_a_key_depends_on_the_serialised_url_alone(url: str) -> None:
    assert key_for(url) == key_for(ada_url.URL(url).href) == key_for(url + "#x")


@given(st.from_regex(r"https://[a-z]{1,8}\.by/([A-Za-z0-9_-]{1,8}/){0,4}[A-Za-z0-9_-]{1,8}\.webp", fullmatch=True))
def test_plain_urls_are_switched_by_swapping_a_prefix(url: str) -> None:
    segments = url.removeprefix("https://").split("/")
    if not any(RESERVED_NAME.match(segment) for segment in segments):
        assert key_for(url) == url.removeprefix("https://")


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_key_gives_its_url_back(url: str) -> None:
    without_port = "8080" not in url and "8443" not in url
    expected = ada_url.normalize_url(url).partition("#")[0] if without_port else None
    assert url_of(key_for(url)) == expected


@given(urls())
def test_no_key_gives_another_url_back(url: str) -> None:
    key = key_for(url)
    assert url_of(key) in {None, ada_url.normalize_url(url).partition("#")[0]}


ENDED = {
    # what the name says is so: as it is
    ("https://x.test/a.jpg", "jpeg"): "x.test/a.jpg",
    ("https://x.test/a.jfif", "jpeg"): "x.test/a.jfif",
    ("https://x.test/a.png?w=1", "png"): "x.test/a~H.png",
    # a negotiated file, a name without an ending, one with another
    ("https://x.test/a.jpg", "avif"): "x.test/a~H.avif",
    ("https://x.test/a.jpg?w=1", "webp"): "x.test/a~H.webp",
    ("https://x.test/_next/image?url=%2Fa.jpg&w=640", "webp"): "x.test/_next/image~H.webp",
    ("https://x.test/show.php", "jpeg"): "x.test/show.php~H.jpg",
}


@pytest.mark.parametrize(("address", "key"), ENDED.items())
def test_a_true_ending_is_that_of_the_bytes(address: tuple[str, str], key: str) -> None:
    url, format = address
    made = key_for(url, format=format, true_ending=True)
    assert re.fullmatch(re.escape(key).replace("\\~H", "~[0-9a-f]{10}").replace("~H", "~[0-9a-f]{10}"), made)


@pytest.mark.parametrize("layout", ["path", "named"])
def test_true_endings_keep_keys_short_and_apart(layout: str) -> None:
    urls = ["https://x.test/a.jpg", "https://x.test/a.avif", "https://x.test/a", "https://x.test/a.jpg?w=300"]
    urls += ["https://x.test/a~0123456789.avif", "https://x.test/" + "dir/" * 600 + "a.jpg"]
    keys = [key_for(url, layout=layout, format="avif", true_ending=True) for url in urls]  # type: ignore[arg-type]
    assert len(set(keys)) == len(urls)
    assert all(len(key.encode()) <= MAX_PATH_KEY_BYTES for key in keys)


near_plain = st.builds(
    lambda scheme, host, port, inner, last: f"{scheme}://{host}{port}/{''.join(f'{each}/' for each in inner)}{last}",
    st.sampled_from(["https", "http", "HTTPS", "ftp"]),
    st.sampled_from(
        [
            *(
                "news.by",
                "a",
                "h-",
                "1.2.3.4",
                "1.2.3",
                "1.2.3.256",
                "01.2.3.4",
                "1.2.3.4.5",
                "x.0x7",
                "a.1",
                "h.",
                ".h",
                "a..b",
            ),
            *(
                "xn--e1aybc.by",
                "x.xn--0",
                "con.by",
                "con",
                "_mediamirror",
                "x.jpg",
                "a_b.by",
                "NEWS.by",
                "0.0.0.0",
                "1.2.3.4.by",
            ),
        ]
    ),
    st.sampled_from(["", ":80", ":443", ":8080", ":08080", ":65535", ":65536", ":"]),
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "up",
                    "a.jpg",
                    "A.JPGs",
                    "dot.",
                    ".dot",
                    "..",
                    ".",
                    "",
                    "con",
                    "Com1.x",
                    "content",
                    "lpt1",
                    "~a",
                    "a b",
                ]
            ),
            st.text("aA0._-", max_size=4),
        ),
        max_size=4,
    ),
    st.one_of(
        st.sampled_from(
            [
                "a.jpg",
                "A.WEBP",
                "a",
                "nul.png",
                "con",
                "a.jpg.",
                "a~0123456789.jpg",
                ".jpg",
                "é.jpg",
                "a.jpg?",
                "a.jpg#",
                "a..jpg?w=1",
                "dot.?w=1",
                "CON?w=1",
            ]
        ),
        st.text("aA0._-", max_size=6).map(lambda name: f"{name}.png"),
        st.builds("{}?{}".format, st.sampled_from(["a", "A.jpg", "a.png"]), st.text(st.characters(max_codepoint=255))),
        st.just("a/" * 130 + "a.jpg?w=1"),
    ),
)


@given(url=near_plain, folds=st.booleans())
def test_a_url_that_needs_nothing_done_has_the_key_that_the_long_way_gives(url: str, folds: bool) -> None:
    def key() -> str | None:
        try:
            return key_for(url, case_insensitive=folds)
        except InvalidURL:
            return None

    short = key()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_of, "_plain_key", lambda *_: None)
        assert key() == short


def test_most_urls_are_not_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_of, "_parse", lambda _: pytest.fail("taken apart"))
    for url, key in PLAIN.items():
        if not any(sign in url for sign in "%#,") and ":443" not in url:
            assert key_for(url) == key
    assert key_for("http://127.0.0.1:8333/content/a.jpg") == "127.0.0.1+http+8333/content/a.jpg"
