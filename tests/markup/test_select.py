from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.standard.select import select, source_set, supported_image_type
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, ImageSet, Source

VIEWPORT = (1000, 500)


def source(
    carrier: str = "img", srcset: str = "", src: str | None = None, sizes: str | None = None, **more: object
) -> Source:
    default = None if src is None else Candidate(src, (0, len(src)))
    base = Source(carrier, parse_srcset(srcset).candidates, default, sizes=sizes)
    return replace(base, **more)  # type: ignore[arg-type]


def image(*sources: Source) -> ImageSet:
    return ImageSet("page.html", 1, sources)


def chosen(*sources: Source, dpr: float = 1.0, auto_width: float | None = None) -> str | None:
    found = select(image(*sources), viewport=VIEWPORT, dpr=dpr, auto_width=auto_width)
    return found.url if found else None


def weights(*sources: Source) -> list[tuple[str, float]]:
    return [(entry.candidate.url, entry.density) for entry in source_set(image(*sources), viewport=VIEWPORT)]


@pytest.mark.parametrize(
    ("srcset", "sizes", "first"),
    [
        ("a 1x, b 1x", None, "a"),
        ("a , b 1x", None, "a"),
        ("a 1x, b", None, "a"),
        ("a , b", None, "a"),
        ("a 1w, b 1w", None, "a"),
        ("a 1w 1h, b 1w", None, "a"),
        ("a 1w, b 1w 1h", None, "a"),
        ("a 1w 2h, b 1w 1h", None, "a"),
        ("a 1w, b 1x", "1px", "a"),
        ("a 1x, b 1w", "1px", "a"),
        ("a 1w, b 2x", "0.5px", "a"),
        ("a 2x, b 1w", "0.5px", "a"),
        ("a 50w, b 51w", "0", "a"),
    ],
)
def test_the_first_of_equal_densities_stays(srcset: str, sizes: str | None, first: str) -> None:
    assert [url for url, _ in weights(source(srcset=srcset, sizes=sizes))] == [first]


@pytest.mark.parametrize(
    ("dpr", "url"), [(0.5, "a"), (1.0, "a"), (1.25, "b"), (1.5, "b"), (1.6, "c"), (2.0, "c"), (3.0, "c")]
)
def test_the_lowest_density_that_suffices_else_the_highest(dpr: float, url: str) -> None:
    assert chosen(source(srcset="c 2x, a 1x, b 1.5x"), dpr=dpr) == url


@pytest.mark.parametrize(
    ("sizes", "dpr", "url"),
    [
        (None, 1, "1280"),
        ("480px", 1, "480"),
        ("50vw", 1, "768"),
        ("480px", 2, "1280"),
        ("100vw", 2, "1920"),
        ("5px", 1, "480"),
    ],
)
def test_width_descriptors_are_divided_by_the_source_size(sizes: str | None, dpr: float, url: str) -> None:
    assert chosen(source(srcset="480 480w, 768 768w, 1280 1280w, 1920 1920w", sizes=sizes), dpr=dpr) == url


def test_densities_are_pixels_of_the_file_per_css_pixel() -> None:
    assert weights(source(srcset="a 500w, b 3x, c 2000w")) == [("a", 0.5), ("b", 3.0), ("c", 2.0)]


def test_a_source_size_of_zero_makes_infinite_densities() -> None:
    assert weights(source(srcset="a 500w", sizes="0")) == [("a", math.inf)]


def test_a_size_beyond_all_lengths_takes_the_widest() -> None:
    # Chromium 156, six screens: of 200w to 3000w with 1e99px the file of 3000w.
    assert chosen(source(srcset="a 200w, b 3000w, c 480w", sizes="1e99px")) == "b"


@pytest.mark.parametrize(("width", "taken"), [("2147483647w", True), ("2147483648w", False), ("9" * 400 + "w", False)])
def test_a_width_of_more_than_31_bits_is_dropped_as_browsers_do(width: str, taken: bool) -> None:
    assert bool(weights(source(srcset=f"a {width}"))) is taken


AUTO = {"lazy": True, "sizes": "auto"}


@pytest.mark.parametrize(
    ("sizes", "img", "layout"),
    [
        (None, AUTO, True),
        (None, {"lazy": True, "sizes": "auto, 300px"}, True),
        (None, {"lazy": True, "sizes": "100vw"}, False),
        (None, {"lazy": False, "sizes": "auto"}, False),
        ("100vw", AUTO, False),
        ("", AUTO, False),
    ],
)
def test_a_source_without_sizes_has_those_of_a_lazy_img_with_auto_sizes(
    sizes: str | None, img: dict[str, object], layout: bool
) -> None:
    row = ImageSet(
        "",
        1,
        (
            replace(source(srcset="a 100w, b 2000w", carrier="source"), sizes=sizes),
            Source("img", (), Candidate("c", (0, 0)), **img),  # type: ignore[arg-type]
        ),
    )
    chosen = select(row, viewport=(1000, 700), auto_width=90)
    assert chosen is not None
    assert chosen.url == ("a" if layout else "b")


@pytest.mark.parametrize(("browser", "url"), [("common", "b"), ("chromium", "a"), ("firefox", "b"), ("safari", "b")])
def test_jpeg_xl_is_taken_where_the_browser_takes_it(browser: str, url: str) -> None:
    row = ImageSet(
        "",
        1,
        (
            replace(source(srcset="a", carrier="source"), mime="image/jxl"),
            Source("img", (), Candidate("b", (0, 0))),
        ),
    )
    assert select(row, viewport=(1000, 700), browser=browser) == replace(
        row.sources[0].candidates[0] if url == "a" else row.sources[1].default
    )  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("mime", "taken"),
    [("image/png", True), ("IMAGE/PNG", True), ("", False), (" image/png", False), ("image/png;x=1", False)],
)
def test_the_type_of_an_image_set_is_taken_as_it_stands(mime: str, taken: bool) -> None:
    first, second = Candidate("a", (0, 0)), Candidate("b", (0, 0))
    row = ImageSet("", 1, (Source("css", (first,), mime=mime), Source("css", (second,))))
    assert select(row, viewport=(1000, 700)) is (first if taken else second)


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        ("", ["src"]),
        ("a 2x", ["a", "src"]),
        ("a", ["a"]),
        ("a 1x", ["a"]),
        ("a 1w", ["a"]),
        ("a 2x, b 1w", ["a", "b"]),
        ("a 1.0x, b 2x", ["a", "b"]),
    ],
)
def test_src_joins_unless_a_candidate_is_1x_or_has_a_width(srcset: str, urls: list[str]) -> None:
    assert [url for url, _ in weights(source(srcset=srcset, src="src"))] == urls


def test_nothing_to_load() -> None:
    assert chosen(source()) is None
    assert chosen(source(src="")) is None
    assert chosen() is None


def test_the_first_source_that_applies_ends_the_walk() -> None:
    assert chosen(source("source", "a"), source("source", "b"), source("img", "c", src="d")) == "a"


@pytest.mark.parametrize(
    "skipped",
    [
        source("source"),
        source("source", "a", media="print"),
        source("source", "a", media=","),
        source("source", "a", media="(max-width: 600px)"),
        source("source", "a", mime="image/jxl2"),
        source("source", "a", mime="text/html"),
        source("source", "a", ignored="not-a-child"),
        source("source", "", src="a"),
    ],
    ids=["empty", "print", "comma", "width", "type", "text", "ignored", "src only"],
)
def test_a_source_that_does_not_apply_is_skipped(skipped: Source) -> None:
    assert chosen(skipped, source("img", src="b")) == "b"


@pytest.mark.parametrize("media", ["", " ", ", all", "(min-width: 600px)"])
def test_a_source_whose_media_matches_is_taken(media: str) -> None:
    assert chosen(source("source", "a", media=media), source("img", src="b")) == "a"


def test_a_source_after_the_img_never_counts() -> None:
    assert chosen(source("img", src="b"), source("source", "a", ignored="after-img")) == "b"


def test_media_and_type_of_an_img_mean_nothing() -> None:
    assert chosen(source("img", src="b", media="print", mime="text/html")) == "b"


def test_a_preload_link_has_to_match() -> None:
    assert chosen(source("link", "a 1x", src="b")) == "a"
    assert chosen(source("link", "a 1x", src="b", media="print")) is None
    assert chosen(source("link", "a 1x", src="b", mime="image/jxl2")) is None


def test_a_source_uses_its_own_sizes() -> None:
    picture = (source("source", "a 500w, b 1000w", sizes="500px"), source("img", src="c", sizes="1000px"))
    assert chosen(*picture) == "a"


@pytest.mark.parametrize(
    ("img_sizes", "lazy", "url"),
    [("auto", True, "a"), ("AUTO, 5px", True, "a"), ("auto", False, "b"), ("1000px", True, "b"), (None, True, "b")],
)
def test_auto_on_a_source_is_governed_by_the_img(img_sizes: str | None, lazy: bool, url: str) -> None:
    picture = (
        source("source", "a 500w, b 1000w", sizes="auto"),
        source("img", src="c", sizes=img_sizes, lazy=lazy),
    )
    assert chosen(*picture, auto_width=500) == url


def test_auto_on_an_img_needs_lazy_loading_and_a_known_width() -> None:
    img = source("img", "a 500w, b 1000w", sizes="auto")
    assert chosen(img, auto_width=500) == "b"
    assert chosen(replace(img, lazy=True), auto_width=500) == "a"
    assert chosen(replace(img, lazy=True)) == "b"


@pytest.mark.parametrize(
    ("mime", "supported"),
    [
        ("", True),
        ("  ", True),
        ("image/webp", True),
        ("IMAGE/AVIF", True),
        (" image/jpeg ", True),
        ("image/png; foo=bar", True),
        ("image/webp ; x", True),
        ("image/svg+xml", True),
        ("image/x-icon", True),
        ("image/*", False),
        ("gif", False),
        ("image/jpg", True),
        ("image/gif, image/png", False),
        ("image/webp image/png", False),
        ("; image/png", False),
        ("image/ png", False),
        ("\xa0image/png", False),
        ("\u0131mage/png", False),
        ("image/jxl2", False),
        ("video/mp4", False),
    ],
)
def test_supported_image_types(mime: str, supported: bool) -> None:
    assert supported_image_type(mime) is supported


@given(st.text(alphabet="ab ,12wxh.()", max_size=40), st.floats(0.1, 4), st.integers(0, 4000))
def test_what_is_chosen_is_one_of_the_source_set(srcset: str, dpr: float, width: int) -> None:
    one = image(source("img", srcset, src="src"))
    entries = source_set(one, viewport=(width, 500), dpr=dpr)
    assert select(one, viewport=(width, 500), dpr=dpr) in [entry.candidate for entry in entries]
    assert len({entry.density for entry in entries}) == len(entries)
