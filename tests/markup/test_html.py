from __future__ import annotations

import html as stdlib_html
import resource
import time
from html.entities import html5
from pathlib import Path

import pytest
import turbohtml
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.page import html
from mediamirror.markup.places import charrefs
from mediamirror.model import Extraction, ImageSet

PAGES = Path(__file__).parents[2] / "fixtures" / "pages"
SITE = "https://site.example/dir/page.html"


def find(page: str | bytes, base_url: str | None = SITE, encoding: str | None = None) -> Extraction:
    data = page.encode() if isinstance(page, str) else page
    return html.find(data, document="p.html", base_url=base_url, encoding=encoding)


def only(page: str | bytes, base_url: str | None = SITE) -> ImageSet:
    (found,) = find(page, base_url).sets
    return found


def urls(page: str | bytes, base_url: str | None = SITE, encoding: str | None = None) -> list[str]:
    return [c.url for s in find(page, base_url, encoding).sets for c in s.candidates]


@pytest.fixture(scope="module")
def page() -> Extraction:
    return find((PAGES / "picture.html").read_bytes())


def by_name(page: Extraction, name: str) -> ImageSet:
    return next(s for s in page.sets if any(c.url.endswith(name) for c in s.candidates))


def test_a_picture_is_one_set_of_its_sources_in_document_order(page: Extraction) -> None:
    picture = by_name(page, "/reeds.jpg")
    assert [(c.url.removeprefix("https://site.example/media/"), c.width, c.density) for c in picture.candidates] == [
        ("reeds-span.webp", None, None),
        ("reeds-only-src.webp", None, None),
        ("reeds-480.webp?v=1&copy=2&copy=3", 480, None),
        ("reeds-768.webp", 768, None),
        ("reeds.jpg", None, None),
        ("reeds-2x.jpg", None, 2.0),
        ("reeds-late.webp", None, None),
    ]
    assert (picture.alt, picture.line) == ("Reeds", 18)


def test_sources_that_a_browser_never_takes_say_why(page: Extraction) -> None:
    assert [(s.carrier, s.ignored) for s in by_name(page, "/reeds.jpg").sources] == [
        ("source", "not-a-child"),
        ("source", "no-srcset"),
        ("source", None),
        ("img", None),
        ("source", "after-img"),
    ]
    assert [s.ignored for s in by_name(page, "/wrapped.jpg").sources] == ["img-not-a-child", None]
    assert [s.ignored for s in by_name(page, "/no-img.webp").sources] == ["no-img"]


def test_media_type_sizes_and_lazy_loading_are_kept_as_written(page: Extraction) -> None:
    _, _, source, img, _ = by_name(page, "/reeds.jpg").sources
    assert (source.media, source.mime, source.sizes, source.lazy) == (
        "(max-width: 600px)",
        "image/webp",
        "100vw",
        False,
    )
    assert (img.media, img.sizes, img.lazy) == (None, None, True)


def test_a_preload_link_is_a_set_with_its_href_as_default(page: Extraction) -> None:
    (link,) = by_name(page, "/hero-800.jpg").sources
    assert (link.carrier, link.media, link.mime, link.sizes) == ("link", "(min-width: 40em)", "image/avif", "100vw")
    assert [(c.url[-13:], c.width) for c in link.candidates] == [("hero-800.avif", 800), ("ero-1600.avif", 1600)]
    assert link.default is not None
    assert link.default.reference is not None
    assert link.default.reference.attribute == "href"


def test_noscript_and_template_are_read_and_video_svg_and_duplicates_are_not(page: Extraction) -> None:
    names = {c.url.rpartition("/")[2] for s in page.sets for c in s.candidates}
    assert {"quiet.jpg", "inert.jpg"} <= names
    assert not names & {"film.webp", "film.mp4", "vector.webp", "never.jpg"}


def test_the_same_image_twice_is_one_set_with_two_places_and_the_alt_that_is_there(page: Extraction) -> None:
    quiet = by_name(page, "/quiet.jpg")
    assert (quiet.line, quiet.alt, [p.line for p in quiet.places]) == (23, "Quiet", [29])


def test_problems_have_their_code_line_and_document(page: Extraction) -> None:
    photo = by_name(page, "/photo-2x.jpg")
    assert [(p.code, p.line, p.document) for p in photo.problems] == [
        ("unknown-descriptor", 27, "p.html"),
        ("scheme-not-fetched", 27, "p.html"),
    ]
    assert [(p.code, p.line) for p in page.problems] == [("unfilled-template", 28)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_every_span_is_the_url_as_spelled_whatever_ends_the_lines(newline: str, bom: bytes) -> None:
    data = bom + (PAGES / "picture.html").read_text(encoding="utf-8").replace("\n", newline).encode()
    candidates = [c for s in find(data).sets for c in s.candidates]
    assert len(candidates) == 16
    for candidate in candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        spelled = data[slice(*candidate.reference.span)].decode()
        assert spelled == candidate.raw_url
        assert data[: candidate.reference.span[0]].decode().count(newline) + 1 == candidate.reference.line


def test_a_windows_1251_page_keeps_its_bytes_in_queries_and_its_spans() -> None:
    data = (PAGES / "windows-1251.html").read_bytes()
    (candidate,) = only(data, None).candidates
    assert candidate.url == "https://img.example/%D1%84%D0%BE%D1%82%D0%BE.jpg?%EF=%E9&a=1"
    assert candidate.reference is not None
    assert candidate.reference.span is not None
    assert data[slice(*candidate.reference.span)].decode("cp1251") == candidate.raw_url


@pytest.mark.parametrize(
    ("data", "label"),
    [
        ('<meta charset="koi8-r"><img src="?й">'.encode("koi8-r"), None),
        ('<meta charset="koi8-r"><img src="?й">'.encode("cp1251"), "windows-1251"),
        (
            "<meta http-equiv=content-type content='text/html; charset=Shift_JIS'><img src='?日本'>".encode("cp932"),
            None,
        ),
        ('\ufeff<meta charset="koi8-r"><img src="?й">'.encode("utf-16-le"), "koi8-r"),
        ("<img src='?й'>".encode(), None),
        ("<p>Добры дзень, сябры, гэта навіны нашага горада</p><img src='?й'>".encode("cp1251"), None),
    ],
    ids=["meta", "header-wins", "http-equiv", "bom-wins", "utf-8", "detected"],
)
def test_the_encoding_is_found_in_the_standard_order(data: bytes, label: str | None) -> None:
    (candidate,) = [c for s in find(data, SITE, label).sets for c in s.candidates]
    assert candidate.raw_url in {"?й", "?日本"}
    assert candidate.reference is not None
    assert candidate.reference.span is not None


@pytest.mark.parametrize(
    ("bases", "requested"),
    [
        ("<base href=/m/><base href=/n/>", "https://site.example/m/a.jpg"),
        ("<base target=x><base href=/n/>", "https://site.example/n/a.jpg"),
        ("<base href=''>", "https://site.example/dir/a.jpg"),
        ("<base href='data:,x'><base href=/n/>", "https://site.example/dir/a.jpg"),
        ("<base href='javascript:x'>", "https://site.example/dir/a.jpg"),
        ("<base href='https://a b/'>", "https://site.example/dir/a.jpg"),
        ("<base href='//cdn.example/m/x?y'>", "https://cdn.example/m/a.jpg"),
        ("<template><base href=/t/></template>", "https://site.example/dir/a.jpg"),
        ("<svg><base href=/s/></svg>", "https://site.example/dir/a.jpg"),
        ("<!-- <base href=/c/> -->", "https://site.example/dir/a.jpg"),
    ],
)
def test_the_first_base_with_an_href_counts(bases: str, requested: str) -> None:
    assert urls(f"{bases}<p><img src=a.jpg>") == [requested]


LATE = "<base href=/late/>"


@pytest.mark.parametrize(
    ("before", "requested"),
    [
        ("<img src=a.jpg>", "https://site.example/dir/a.jpg"),
        ("<img srcset='a.jpg 1x'>", "https://site.example/dir/a.jpg"),
        ("<picture><source srcset=a.jpg><img></picture>", "https://site.example/dir/a.jpg"),
        ("<img src=a.jpg loading=lazy>", "https://site.example/late/a.jpg"),
        ("<img data-src=a.jpg>", "https://site.example/late/a.jpg"),
        ("<link rel=icon href=a.jpg>", "https://site.example/late/a.jpg"),
        ("<link rel=prefetch as=image href=a.jpg>", "https://site.example/dir/a.jpg"),
    ],
)
def test_a_base_that_comes_behind_an_image_counts_for_what_is_asked_for_later_alone(
    before: str, requested: str
) -> None:
    assert urls(f"<p>{before}{LATE}") == [requested]
    assert urls(f"{LATE}<p>{before}") == ["https://site.example/late/a.jpg"]


def test_a_base_with_a_whole_url_is_enough_without_a_document_url() -> None:
    assert urls("<base href=https://m.example/x/><img src=a.jpg>", None) == ["https://m.example/x/a.jpg"]


def test_without_any_base_a_relative_url_is_a_problem() -> None:
    found = find("<img src=a.jpg>", None)
    assert (found.sets, [p.code for p in found.problems]) == ((), ["relative-url-without-base"])


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("src=a.jpg?x=1&copy=2", "a.jpg?x=1&copy=2"),
        ("src='a.jpg?x=1&amp;copy=2'", "a.jpg?x=1&copy=2"),
        ('src="a.jpg?x=1&copy;=2"', "a.jpg?x=1%C2%A9=2"),
        ("src=a.jpg?x=1&amp;amp;y=2", "a.jpg?x=1&amp;y=2"),
        ("src=a.jpg?x=1&#038;y=2", "a.jpg?x=1&y=2"),
        ("src \n=\n 'a.jpg'", "a.jpg"),
        ("src=a.jpg/", "a.jpg/"),
        ("SRC=a.jpg src=b.jpg", "a.jpg"),
        ("srcset=a.jpg&#x20;2x", "a.jpg"),
        ("srcset='a,b.jpg 1x'", "a,b.jpg"),
        ("src='a&#10;b.jpg'", "ab.jpg"),
    ],
)
def test_attribute_values_are_decoded_once_and_correctly(attribute: str, value: str) -> None:
    assert urls(f"<img {attribute}>") == ["https://site.example/dir/" + value]


NAMES = st.sampled_from(sorted(html5))
REFERENCE_PIECES = st.one_of(
    NAMES.map("&".__add__),
    NAMES.map(lambda n: "&" + n.rstrip(";")),
    st.sampled_from(
        ["&#", "&#x", "&#0;", "&#x80;", "&#150", "&#xD800;", "&#x110000;", "&#1114112", "\0", "=", "a", ";", "&"]
    ),
    st.sampled_from(["&#65", "&#x41;", "&#0000000000000000041;", "é", "\U0001f600", " "]),
)


@settings(max_examples=500)
@given(st.lists(REFERENCE_PIECES, max_size=8).map("".join))
def test_character_references_agree_with_the_parser_and_keep_their_places(raw: str) -> None:
    element = turbohtml.parse(f'<p title="{raw}">').find("p")
    assert element is not None
    decoded = charrefs.decode(raw)
    assert decoded.text == element.attrs["title"]
    assert decoded.raw_span(0, len(decoded.text)) == (0, len(raw))


URLS = st.lists(
    st.sampled_from(
        ["a", "/", "?x=1", "&amp;", "&copy=", "&eacute;", "&#x2e;", "й", "\U0001f600", ".jpg", "%20", "(", "&"]
    ),
    min_size=1,
    max_size=8,
).map(lambda parts: "p" + "".join(parts) + "q")


@settings(max_examples=200)
@given(
    st.lists(URLS, min_size=1, max_size=4),
    st.sampled_from(['"', "'"]),
    st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
    st.sampled_from([" ", "\r\n", "\n\t"]),
)
def test_a_span_decodes_to_the_url_with_its_references(names: list[str], quote: str, encoding: str, gap: str) -> None:
    srcset = f",{gap}".join(f"{name}{gap}{n}x" for n, name in enumerate(names, 1))
    data = f"<p>й\U0001f600\r\n<img alt=x srcset={quote}{gap}{srcset}{quote}>".encode(encoding)
    found = html.find(data, document="", base_url=SITE)
    candidates = [c for s in found.sets for c in s.candidates]
    codec = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert [c.raw_url for c in candidates] == names
    for candidate in candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert data[slice(*candidate.reference.span)].decode(codec) == candidate.raw_url


TAGS = [
    "<img ",
    "<picture>",
    "</picture>",
    "<source ",
    "<base href=",
    "<link rel=preload as=image ",
    "<svg>",
    "<template>",
]
BITS = ["srcset=", "src=", "imagesrcset=", '"', "'", ">", "a 1x,", "b.jpg", "&amp;", "\0", "<table>", "\r\n", "й", "/"]


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from([*TAGS, *BITS]),
        max_size=30,
    ).map(lambda parts: "".join(parts).encode())
    | st.binary(max_size=300)
)
def test_any_bytes_are_read_and_spans_stay_true(data: bytes) -> None:
    for candidate in (c for s in html.find(data, document="", base_url=SITE).sets for c in s.candidates):
        assert candidate.reference is not None
        if candidate.reference.span is not None and data.isascii():
            assert data[slice(*candidate.reference.span)].decode() == candidate.raw_url
        assert "&" in candidate.raw_url or stdlib_html.unescape(candidate.raw_url)


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ('<img srcset="' + "a 1x," * 60_000 + '">', "too-many-candidates"),
        ('<img srcset="' + "&amp;" * 300_000 + '">', "too-many-candidates"),
        ('<img src="' + "x" * 10_000, "unclosed-quote"),
        ('<img src="data:image/png;base64,' + "A" * 3_000_000 + '">', "scheme-not-fetched"),
        ('<img src="' + "x" * 3_000_000 + '">', "url-too-long"),
    ],
    ids=["candidates", "references", "unclosed", "data", "long"],
)
def test_an_oversized_attribute_is_one_problem(page: str, code: str) -> None:
    found = find(page)
    assert found.sets == ()
    assert {p.code for p in found.problems} <= {code}


def test_a_page_with_endless_images_is_cut_off_with_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MAX_PER_PAGE", 1000)
    found = find("<img src=a>" * 1001)
    assert (len(found.sets), [p.code for p in found.problems]) == (1, ["too-many-candidates"])


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 200_000 + "<img src=a.jpg>",
        "<picture>" * 50_000 + "<source srcset=a.jpg>" * 50 + "<img src=a.jpg>",
        "<template>" * 20_000 + "<base href=x>" * 20_000,
        "<b><i><p>" * 20_000,
        "<img " + " ".join(f"a{n}=1" for n in range(50_000)) + ">",
    ],
    ids=["nesting", "pictures", "templates", "formatting", "attributes"],
)
def test_hostile_markup_is_read_in_bounded_time_and_memory(page: str) -> None:
    started = time.process_time()
    find(page)
    assert time.process_time() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000
