from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamirror.markup.page import html
from mediamirror.markup.page.lazy import is_placeholder, is_placeholder_srcset
from mediamirror.markup.page.lazy_formats import Part
from mediamirror.markup.page.lazy_formats import bgset_parts as parts
from mediamirror.markup.page.loaders import BACKGROUNDS, LOADERS
from mediamirror.markup.standard.select import select
from mediamirror.model import Extraction, ImageSet

SITE = "https://site.example/dir/page.html"
HERE = "https://site.example/dir/"
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def find(page: str, *, merge: bool = True) -> Extraction:
    return html.find(page.encode(), document="p.html", base_url=SITE, merge=merge)


def short(url: str) -> str:
    return url.removeprefix(HERE)


def rows(found: ImageSet) -> list[tuple[str, str, int | float | None]]:
    return [
        (c.reference.attribute or "" if c.reference else "?", short(c.url), c.width or c.density)
        for c in found.candidates
    ]


def only(page: str) -> ImageSet:
    (found,) = find(page).sets
    return found


def urls(page: str) -> list[str]:
    return [short(c.url) for s in find(page).sets for c in s.candidates]


def codes(page: str) -> list[str]:
    found = find(page)
    return [p.code for row in found.sets for p in row.problems] + [p.code for p in found.problems]


@pytest.mark.parametrize("family", LOADERS, ids=lambda family: family.srcset or family.src)
def test_every_loader_of_the_table_makes_one_set_with_its_placeholder_left_out(family: object) -> None:
    from mediamirror.markup.page.loaders import Family

    assert isinstance(family, Family)
    names = [family.srcset and f'{family.srcset}="a-1.jpg 1x, a-2.jpg 2x"', family.src and f'{family.src}="/a/b?c=1"']
    found = only(f'<img src="{DOT}" {" ".join(name for name in names if name)}>')
    expected = [] if family.srcset is None else [(family.srcset, "a-1.jpg", 1.0), (family.srcset, "a-2.jpg", 2.0)]
    expected += [] if family.src is None else [(family.src, "https://site.example/a/b?c=1", None)]
    assert rows(found) == expected
    assert found.problems == ()


def test_sizes_come_from_the_loaders_attribute_or_else_from_the_standards() -> None:
    assert [s.sizes for s in only('<img data-srcset="a.jpg 9w" data-sizes="auto" sizes="50vw">').sources] == ["auto"]
    assert [s.sizes for s in only('<img data-lazy-srcset="a.jpg 9w" sizes="50vw">').sources] == ["50vw"]


def test_a_real_low_quality_src_stays_beside_the_lazy_one() -> None:
    assert rows(only('<img src="lqip.jpg" data-src="real.jpg">')) == [
        ("src", "lqip.jpg", None),
        ("data-src", "real.jpg", None),
    ]


def test_a_data_src_that_holds_a_srcset_is_read_as_one() -> None:
    assert rows(only('<img data-src="a.jpg 480w, b.jpg 960w">')) == [
        ("data-src", "a.jpg", 480),
        ("data-src", "b.jpg", 960),
    ]


def test_sources_and_image_of_a_lazy_picture_are_one_set_that_a_screen_can_select_from() -> None:
    found = only(
        f'<picture><source srcset="{DOT}" data-srcset="a.webp 1x" type="image/webp"><source data-src="s.jpg">'
        f'<img src="{DOT}" srcset="{DOT}" data-src="a.jpg"></picture>'
    )
    assert [(s.carrier, s.mime, s.ignored) for s in found.sources] == [
        ("source", "image/webp", None),
        ("source", None, "no-srcset"),
        ("img", None, None),
    ]
    chosen = select(found, viewport=(800, 600))
    assert chosen is not None
    assert short(chosen.url) == "a.webp"


def test_a_loaders_attributes_on_the_picture_itself_belong_to_its_set() -> None:
    assert rows(only('<picture data-iesrc="ie.jpg"><source srcset="a.webp"></picture>')) == [
        ("srcset", "a.webp", None),
        ("data-iesrc", "ie.jpg", None),
    ]
    assert rows(only('<picture data-src="b.jpg"><img src="a.jpg"></picture>'))[1:] == [("data-src", "b.jpg", None)]
    assert urls('<figure data-src="/f/fig.jpg"></figure>') == ["https://site.example/f/fig.jpg"]


def test_a_noscript_copy_is_folded_into_its_lazy_twin() -> None:
    found = only(f'<img src="{DOT}" data-src="a.jpg" alt=""><noscript><img src="a.jpg" alt="A"></noscript>')
    assert (rows(found), found.alt, len(found.places)) == ([("data-src", "a.jpg", None)], "A", 1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (DOT, True),
        ("data:image/svg+xml,%3Csvg%3E", True),
        ("/img/blank.gif", True),
        ("spacer.gif?v=2", True),
        ("/a/1x1.png", True),
        ("/lazy_placeholder.gif", True),
        ("//:0", True),
        ("/img/loading.svg", True),
        ("/bitrix/images/1.gif", True),
        ("product-placeholder.jpg", True),
        ("shirt-white.png", False),
        ("/a/photo.jpg", False),
        ("/blank.gif/photo.jpg", False),
        ("transparent-frog.jpg", False),
        ("s.jpg", False),
    ],
)
def test_placeholders_are_known_by_their_names(url: str, expected: bool) -> None:
    assert is_placeholder(url) is expected
    assert is_placeholder_srcset(f"{url} 1w") is expected


def test_a_placeholder_file_is_named_as_such_and_only_where_a_real_image_is_too() -> None:
    assert (urls('<img src="blank.gif" data-src="a.jpg">'), codes('<img src="blank.gif" data-src="a.jpg">')) == (
        ["a.jpg"],
        ["placeholder"],
    )
    assert (urls('<img src="blank.gif">'), codes('<img src="blank.gif">')) == (["blank.gif"], [])
    assert urls('<img src="blank.gif" srcset="a.jpg 1x">') == ["blank.gif", "a.jpg"]


def test_a_lone_placeholder_stays_the_problem_it_was() -> None:
    assert codes(f'<img src="{DOT}">') == ["scheme-not-fetched"]


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ('data-x="/f/g.png?1"', ["https://site.example/f/g.png?1"]),
        ('data-hires="e.jpg"', ["e.jpg"]),
        ('data-acme-list="a.jpg 480w, b.jpg 2x"', ["a.jpg", "b.jpg"]),
        ('data-full="https://cdn.example/image/upload/x"', ["https://cdn.example/image/upload/x"]),
        ('v-lazy="x/y.webp"', ["x/y.webp"]),
        ('alt="photo.jpg" title="/a/photo.jpg"', []),
        ('data-image-title="a/photo.jpg" data-caption="see /a/photo.jpg"', []),
        ('data-filename="a/photo.jpg" aria-label="/a/photo.jpg"', []),
        ('data-name="photo.jpg" data-foo="photo.jpg"', []),
        ("onerror=\"this.src='/a/photo.jpg'\"", []),
        ('data-permalink="https://site.example/photo/" data-w="640"', []),
        ('data-src="true" data-lazy="1" data-original="lazy"', []),
        ('data-src="/video.mp4"', []),
    ],
)
def test_the_generic_rule_takes_what_looks_like_an_image_and_nothing_for_people(
    attributes: str, found: list[str]
) -> None:
    assert urls(f"<img src=a.png {attributes}>") == ["a.png", *found]


def test_the_generic_rule_prefers_nothing() -> None:
    assert urls('<img src="large.jpg" data-small="small.jpg">') == ["large.jpg", "small.jpg"]


def test_other_elements_need_the_looks_of_an_image() -> None:
    page = (
        '<iframe data-src="https://video.example/embed/x"></iframe><script data-src="/a.js"></script>'
        '<div data-src="/ajax/part.html" data-href="/a/"></div><a data-full="f/full.jpg" href="#">x</a>'
        '<video data-poster="p.jpg" data-src="v.mp4"></video><svg><image lazy-href="i.png"/></svg>'
    )
    assert urls(page) == ["f/full.jpg", "p.jpg", "i.png"]
    assert {s.carrier for row in find(page).sets for s in row.sources} == {"lazy"}


@pytest.mark.parametrize("name", sorted(BACKGROUNDS))
def test_every_background_takes_a_url_or_css(name: str) -> None:
    assert urls(f'<div {name}="/bg/a.jpg"></div>') == ["https://site.example/bg/a.jpg"]
    assert urls(f"<div {name}=\"url('b.jpg')\"></div>") == ["b.jpg"]
    assert urls(f'<div {name}="center / cover"></div><p {name}="#fff"></p><p {name}="/film.mp4"></p>') == []


def test_backgrounds_in_several_layers_and_densities_are_one_set() -> None:
    assert urls('<div data-bg-multi="url(a.jpg), linear-gradient(red, blue), url(b.jpg)"></div>') == ["a.jpg", "b.jpg"]
    assert rows(only("<div data-bg-set=\"url('a.jpg') 1x, url('b.jpg') 2x\"></div>")) == [
        ("data-bg-set", "a.jpg", 1.0),
        ("data-bg-set", "b.jpg", 2.0),
    ]
    assert rows(only('<div data-bg="a.jpg" data-bg-hidpi="b.jpg"></div>'))[1] == ("data-bg-hidpi", "b.jpg", None)


def test_a_bgset_is_one_set_with_a_source_for_each_part() -> None:
    found = only(
        '<div data-sizes="auto" data-bgset="s.jpg 480w, m.jpg 800w [(max-width: 600px)] | '
        'l.webp [--wide] [type: image/webp] | a|b.jpg"></div>'
    )
    assert [(s.media, s.mime, s.sizes, [short(c.url) for c in s.candidates]) for s in found.sources] == [
        ("(max-width: 600px)", None, "auto", ["s.jpg", "m.jpg"]),
        ("--wide", "image/webp", "auto", ["l.webp"]),
        (None, None, "auto", ["a|b.jpg"]),
    ]


@given(st.lists(st.text("ab|[]: \t.1w,", max_size=12), max_size=6).map("|".join))
def test_the_parts_of_a_bgset_stand_where_they_say(value: str) -> None:
    for part in parts(value):
        assert value.startswith(part.srcset, part.start)
        assert part == Part(part.srcset, part.start, part.media, part.mime)


def test_an_unrendered_or_unfilled_url_is_a_problem_and_never_fetched() -> None:
    page = '<img data-src="{{ image.src }}"><img data-src="<%= x %>"><img data-src="/x_{width}x.jpg"><p data-x="/a/{w}.png">'
    assert (urls(page), codes(page)) == ([], ["unfilled-template"] * 4)


HOSTILE = {
    "long": "<img data-src='" + "a" * 5_000_000 + "'><img data-x='" + "/a.jpg " * 500_000 + "'>",
    "bars": "<div data-bgset='" + "a.jpg | " * 600_000 + "'></div>",
    "layers": "<div data-bg='" + "url(a.jpg)," * 300_000 + "'></div>",
    "descriptors": "<div data-x='" + "1w " * 1_000_000 + "'></div>",
    "names": "".join(f"<p data-n{i}=/a{i}.jpg>" for i in range(4_000)),
    "attributes": "<img " + " ".join(f"a{i}=/a.jpg" for i in range(100_000)) + ">",
    "data attributes": "<p " + " ".join(f"data-a{i}=[/a.jpg]" for i in range(100_000)) + ">",
    "data-data": "<p " + "data-" * 500_000 + ">",
    "template": "<img data-src='" + "{width}" * 200_000 + f"' data-widths='{list(range(1, 400))}'>",
    "repairs": "<img srcset='" + "a b.jpg 1w, " * 100_000 + "'>",
    "steps": "<img srcset='" + "/w_1, " * 300_000 + "'>",
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
def test_hostile_attributes_are_read_in_bounded_time(page: str) -> None:
    started = time.process_time()
    find(page)
    assert time.process_time() - started < 20


NAMES = ["data-src", "data-srcset", "data-bg", "data-bgset", "data-x", "data-props"]


@settings(max_examples=60, deadline=None)
@given(st.text('ab/.jpg{}[]",:|() 1wx\n&;?=', max_size=60), st.sampled_from(NAMES))
def test_any_value_of_any_attribute_is_read_and_spans_stay_true(value: str, name: str) -> None:
    page = f"<img {name}='{value}'><div {name}='{value}'></div>"
    data = page.encode()
    for row in find(page, merge=False).sets:
        for candidate in row.candidates:
            assert candidate.reference is not None
            if candidate.reference.span is not None:
                assert data[slice(*candidate.reference.span)].decode() == candidate.raw_url


def test_the_rules_of_interchange_are_read_commas_and_all_and_pieces_of_html_are_left() -> None:
    value = "[/s,w_1.jpg, small], [ m.jpg, (min-width: 600px)],[part.html, large]"
    row = only(f'<img alt="" src="" data-interchange="{value}">')
    assert [(c.url, source.media) for source in row.sources for c in source.candidates] == [
        ("https://site.example/s,w_1.jpg", None),
        (HERE + "m.jpg", "(min-width: 600px)"),
    ]
    assert find(f'<div data-interchange="{value}"></div>').sets[0].sources[0].carrier == "lazy"


@pytest.mark.parametrize("name", ["data-lazy", "data-images"])
def test_rules_of_interchange_are_known_by_their_form_under_any_name_and_the_name_of_a_query_is_no_media_query(
    name: str,
) -> None:
    row = only(f'<div {name}="[/s,w_1.jpg, (default)], [m.jpg, (large)]"></div>')
    assert [(c.url, source.media) for source in row.sources for c in source.candidates] == [
        ("https://site.example/s,w_1.jpg", None),
        (HERE + "m.jpg", None),
    ]


def test_the_own_attributes_of_custom_elements_are_read_where_they_look_like_images() -> None:
    page = '<amp-story standalone poster-portrait-src="p.jpg" title="t.jpg"></amp-story>'
    page += '<model-viewer src="m.glb" poster="v.webp"></model-viewer><x-link href="/h.jpg"></x-link>'
    page += '<x-img alt="X" src="x.jpg" srcset="x2.jpg 2x"></x-img><amp-img src="a.jpg"></amp-img>'
    sets = find(page).sets
    assert [[short(c.url) for c in row.candidates] for row in sets] == [
        ["p.jpg"],
        ["v.webp"],
        ["x.jpg", "x2.jpg"],
        ["a.jpg"],
    ]
    assert sets[2].alt == "X"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("data-src", "https%3A%2F%2Fcdn.test%2Fa%2Fboat.jpg%3Fw%3D300"),
        ("data-src", "https%3a%2f%2fcdn.test%2fa%2fboat.jpg%3fw%3d300"),
        ("data-src", "https%253A%252F%252Fcdn.test%252Fa%252Fboat.jpg%253Fw%253D300"),
        ("data-srcset", "https%3A%2F%2Fcdn.test%2Fa%2Fboat.jpg%3Fw%3D300 300w"),
    ],
)
def test_an_absolute_url_that_is_percent_encoded_as_a_whole_is_decoded_where_a_script_reads_it(
    attribute: str, value: str
) -> None:
    assert [c.url for c in only(f'<img {attribute}="{value}">').candidates] == ["https://cdn.test/a/boat.jpg?w=300"]


def test_a_percent_encoded_url_in_a_src_stays_the_relative_one_that_browsers_load() -> None:
    (candidate,) = only('<img src="https%3A%2F%2Fcdn.test%2Fa.jpg">').candidates
    assert candidate.url == f"{HERE}https%3A%2F%2Fcdn.test%2Fa.jpg"


def test_a_longdesc_that_is_an_image_is_the_image_that_a_script_shows() -> None:
    row = only('<img src="/images/trans.gif" longdesc="https://i.example/a.png?1">')
    assert [c.url for c in row.candidates] == ["https://i.example/a.png?1"]
    assert len(only('<img src="a.jpg" longdesc="about.html">').candidates) == 1
