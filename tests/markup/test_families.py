from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.extract import extract_document
from mediamirror.markup.naming import grouped, stem
from mediamirror.markup.page import html
from mediamirror.markup.text import prose as text
from mediamirror.model import Candidate, ImageSet, Source

X = "https://x.example"
HASH = "0123456789abcdef0123456789abcdef"
STEPS = "c_fill,f_auto,fl_progressive,q_80"
FAMILIES = {
    "wordpress": ["/up/photo-300x200.jpg", "/up/photo-1024x683.jpg", "/up/photo-scaled.jpg", "/up/photo.jpg"],
    "spatie": [
        "/r/n___media_library_original_1280_720.jpg",
        "/r/n___media_library_original_640_360.jpg",
    ],
    "spatie-named": [
        "/c/a6dc-sm-___webp_480.webp",
        "/c/a6dc-md-___webp_768.webp",
        "/c/a6dc-xl-___webp_1920.webp",
    ],
    "density": ["/logo.png", "/logo@2x.png", "/logo@3x.png", "/logo-1.5x.png"],
    "width": ["/p@480w.webp", "/p-w960.webp", "/p_1280px.webp", "/p.webp"],
    "words": ["/p-small.jpg", "/p-large.jpg"],
    "shopify": ["/s/p_480x.jpg?v=1", "/s/p_480x320_crop_center@2x.jpg?v=1", "/s/p.jpg?v=1", "/s/p.jpg?v=1&width=9"],
    "next": ["/_next/image?url=%2Fa%2Fb.jpg&w=640&q=75", "/_next/image?url=%2Fa%2Fb.jpg&w=1080&q=75", "/a/b.jpg"],
    "gatsby": [f"/static/{HASH}/1a2b3/p.webp", f"/static/{HASH}/9a2b3/p.webp"],
    "ghost": [
        "/content/images/size/w600/2020/p.jpg",
        "/content/images/size/w100h100/2020/p.jpg",
        "/content/images/2020/p.jpg",
    ],
    "mediawiki": ["/w/commons/thumb/a/ab/P.jpg/300px-P.jpg", "/w/commons/thumb/a/ab/P.jpg/600px-P.jpg", "/w/commons/a/ab/P.jpg"],
    "drupal": ["/f/styles/large/public/p.jpg?itok=a", "/f/styles/max_650x650/public/p.jpg?itok=b", "/f/p.jpg"],
    "bitrix": ["/upload/resize_cache/iblock/1a2/480_320_1/p.jpg", "/upload/iblock/1a2/p.jpg"],
    "bbc": ["https://ichef.bbci.co.uk/images/ic/480xn/p.jpg", "https://ichef.bbci.co.uk/images/ic/976xn/p.jpg"],
    "futurecdn": ["https://cdn.mos.cms.futurecdn.net/aB-480-80.jpg.webp", "https://cdn.mos.cms.futurecdn.net/aB-970-80.jpg.webp"],
    "medium": ["https://miro.medium.com/v2/resize:fit:640/1*a.jpeg", "https://miro.medium.com/v2/resize:fill:88:88/1*a.jpeg"],
    "cloudinary": [f"/upload/{STEPS},w_480/v1/a.jpg", f"/upload/{STEPS},w_960/v1/a.jpg"],
    "substack": [f"/image/fetch/$s_!aB!,w_424,{STEPS}/https%3A%2F%2Fp.png", f"/image/fetch/$s_!aB!,w_8,{STEPS}/https%3A%2F%2Fp.png"],
    "wix": ["/media/a~mv2.jpg/v1/fill/w_980,h_658,al_c/n.jpg", "/media/a~mv2.jpg/v1/fill/w_490,h_329,al_c/n.jpg"],
    "cloudflare": ["/cdn-cgi/image/width=480,format=auto/p.jpg", "/cdn-cgi/image/width=960,format=auto/p.jpg"],
    "orf": ["/crops/w=800,h=450,q=70/p.jpg", "/crops/w=400,h=225,q=70/p.jpg"],
    "imgix": ["/p.jpg?fm=webp", "/p.jpg?w=480&h=300&fm=webp", "/p.jpg?w=960&dpr=2&fm=webp"],
    "squarespace": ["/c/p.jpg", "/c/p.jpg?format=500w", "/c/p.jpg?format=1500w"],
    "photon": ["/p.jpg?resize=300%2C200&ssl=1", "/p.jpg?fit=1024%2C683&ssl=1"],
    "akamai": ["/p.jpg?im=Resize,width=480", "/p.jpg?im=Resize,width=960", "/p.jpg?imwidth=480"],
    "wechat": ["https://mmbiz.qpic.cn/m/abc/640?wx_fmt=gif", "https://mmbiz.qpic.cn/m/abc/300?wx_fmt=gif"],
    "google": ["https://lh3.googleusercontent.com/abc=w640-h480", "https://lh3.googleusercontent.com/abc=s800"],
    "iiif": ["/i/full/640,/0/default.jpg", "/i/full/1076,/0/default.jpg"],
    "storyblok": ["https://a.storyblok.com/f/1/1000x500/p.jpg/m/480x0/", "https://a.storyblok.com/f/1/1000x500/p.jpg"],
    "discourse": ["/up/optimized/1X/abc12_2_690x388.jpeg", "/up/original/1X/abc12.jpeg"],
    "segments": ["/480w/p.jpg", "/960x640/p.jpg", "/w1280/p.jpg"],
    "numbers": ["/p-480.webp", "/p-960.webp", "/p-1920.webp"],
}  # fmt: skip
STRANGERS = [
    ("/IMG_1234.jpg", "/IMG_1235.jpg"),
    ("/photo-2024.jpg", "/photo-2025.jpg"),
    ("/map-1600.jpg", "/map-1800.jpg"),
    ("/a-1.jpg", "/a-2.jpg"),
    ("/hero-16x9.jpg", "/hero-4x3.jpg"),
    ("/a/1/p.jpg", "/a/2/p.jpg"),
    ("/2024/05/p.jpg", "/2024/06/p.jpg"),
    ("/p.jpg?id=1", "/p.jpg?id=2"),
    ("/p.jpg?w=480&sig=a", "/p.jpg?w=960&sig=b"),
    ("/p-300x200.jpg", "/p-600x400.webp"),
    ("/a/p-300x200.jpg", "/b/p-600x400.jpg"),
    ("/p-480.webp", "/q-960.webp"),
    ("/P-small.jpg", "/p-large.jpg"),
    ("/_next/image?url=%2Fa.jpg&w=640", "/_next/image?url=%2Fb.jpg&w=640"),
]


def whole(path: str) -> str:
    return path if path.startswith("https:") else X + path


def as_set(url: str, carrier: str = "urls", width: int | None = None) -> ImageSet:
    return ImageSet("d", 1, (Source(carrier, (Candidate(url, (0, len(url)), width=width),)),))


def groups(urls: list[str]) -> list[tuple[bool, list[str]]]:
    return [(row.inferred, [c.url for c in row.candidates]) for row in grouped(as_set(url) for url in urls)]


@pytest.mark.parametrize("urls", FAMILIES.values(), ids=FAMILIES)
def test_the_sizes_of_one_picture_become_one_inferred_set(urls: list[str]) -> None:
    urls = [whole(url) for url in urls]
    assert groups([*urls, f"{X}/other.jpg"]) == [(True, urls), (False, [f"{X}/other.jpg"])]


@pytest.mark.parametrize("urls", STRANGERS)
def test_what_differs_in_more_than_its_size_stays_apart(urls: tuple[str, str]) -> None:
    assert [inferred for inferred, _ in groups([whole(url) for url in urls])] == [False, False]


def test_a_set_that_declares_anything_or_is_no_picture_of_the_page_is_not_grouped() -> None:
    a, b = f"{X}/p-300x200.jpg", f"{X}/p-600x400.jpg"
    assert len(grouped([as_set(a, width=300), as_set(b)])) == 2
    assert len(grouped([as_set(a, "icon"), as_set(b, "icon")], frozenset({"img"}))) == 2
    assert len(grouped([as_set(a, "img"), as_set(b, "img")], frozenset({"img"}))) == 1


def test_the_same_url_twice_is_no_family() -> None:
    assert [inferred for inferred, _ in groups([f"{X}/p-300x200.jpg"] * 2)] == [False, False]


def test_no_width_is_taken_from_a_name_and_no_url_is_made_up() -> None:
    urls = [whole(url) for family in FAMILIES.values() for url in family]
    found = [c for row in grouped(as_set(url) for url in urls) for c in row.candidates]
    assert sorted(c.url for c in found) == sorted(urls)
    assert {(c.width, c.density, c.height) for c in found} == {(None, None, None)}


def test_a_group_stands_where_its_first_member_stood_with_the_first_alt_there_is() -> None:
    page = b'<img src="/p-300x200.jpg"><img src="/q.jpg"><img src="/p-600x400.jpg" alt="P">'
    rows = html.find(page, document="p", base_url=X).sets
    assert [(row.inferred, row.alt, len(row.sources)) for row in rows] == [(True, "P", 2), (False, None, 1)]


def test_a_page_keeps_icons_and_share_images_apart_and_every_place_for_rewriting() -> None:
    page = b'<link rel=icon href="/i-32x32.png"><link rel=icon href="/i-64x64.png"><img src="/p-90x90.jpg"><img src="/p-99x99.jpg">'
    assert [row.inferred for row in html.find(page, document="p", base_url=X).sets] == [False, False, True]
    assert len(html.find(page, document="p", base_url=X, merge=False).sets) == 4


def test_a_list_of_urls_is_grouped() -> None:
    data = "\n".join(FAMILIES["wordpress"]).encode()
    (row,) = extract_document(data, as_="urls", base_url=X).sets
    assert (row.inferred, row.line, len(row.candidates)) == (True, 1, 4)


TEXT = """Reporters: (https://x.example/up/photo-300x200.jpg), see https://x.example/page and
https://x.example/up/photo-1024x683.jpg?a=1&amp;b=2.
https://x.example/up/photo-1024x683.jpg,https://x.example/lone-300x200.jpg;
&quot;https://x.example/up/photo.jpg&quot; https://x.example/s-480.webp 480w, https://x.example/s-960.webp 960w
<https://x.example/s-1280.webp> [https://x.example/up/photo-300x200.jpg]
"""


def test_bare_urls_of_a_text_are_a_set_only_where_naming_makes_one() -> None:
    rows = text.find(TEXT, document="t", base_url=None).sets
    assert [(row.inferred, row.line, [c.url.rpartition("/")[2] for c in row.candidates]) for row in rows] == [
        (True, 1, ["photo-300x200.jpg", "photo-1024x683.jpg", "photo.jpg"]),
        (False, 4, ["s-480.webp", "s-960.webp"]),
    ]
    assert [place.line for place in rows[0].places] == [5]
    data = TEXT.encode()
    for candidate in rows[0].candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert data[slice(*candidate.reference.span)].decode() == candidate.raw_url


def test_the_seed_stays_one_declared_set() -> None:
    data = (Path(__file__).parents[2] / "fixtures" / "seed" / "news-by.txt").read_bytes()
    assert [row.inferred for row in extract_document(data, document="news-by.txt").sets] == [False]


@given(st.lists(st.text("ab/-_.@x0123456789w?=&,:jpg", max_size=24), max_size=8))
def test_grouping_loses_and_invents_nothing(tails: list[str]) -> None:
    urls = [f"{X}/{tail}.jpg" for tail in tails]
    rows = grouped(as_set(url) for url in urls)
    assert sorted(c.url for row in rows for c in row.candidates) == sorted(urls)
    for url in urls:
        assert stem(url)
