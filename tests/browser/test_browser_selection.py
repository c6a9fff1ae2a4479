"""What `select` predicts is what `currentSrc` says, on six screens."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from fixtures.browser.chromium import Tab
from fixtures.browser.gallery import HEAD, Gallery
from fixtures.browser.screens import SCREENS, Screen
from fixtures.browser.server import Document, PageServer
from mediamirror.markup.extract import extract_document
from mediamirror.markup.standard.select import select, supported_image_type

OpenTab = Callable[..., AbstractContextManager[Tab]]
SITE = "http://site.example"
LAPTOP, PHONE = SCREENS[0], SCREENS[4]
CURRENT = """async () => {
  const images = [...document.images];
  await Promise.all(images.map(image => image.decode().catch(() => 0)));
  return Object.fromEntries(images.map(image => [image.alt, image.currentSrc]));
}"""
GIF = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PICTURES = 80
LADDER = (100, 200, 250, 400, 500, 800, 1280, 2000, 4000)


def choices(tab: Tab, pages: PageServer, html: str, name: str) -> dict[str, str]:
    """The browser's choice by alt."""
    tab.open(pages.add(f"{SITE}/{name}.html", Document(html.encode())))
    found: dict[str, str] = tab.evaluate(CURRENT)
    return found


def predictions(html: str, screen: Screen, auto_width: float | None = None) -> dict[str, str]:
    """Our choice by alt; empty where there is nothing to load."""
    found = extract_document(html.encode(), media_type="text/html; charset=utf-8", base_url=f"{SITE}/", merge=False)
    rows = {
        row.alt: select(row, viewport=screen.viewport, dpr=screen.dpr, auto_width=auto_width)
        for row in found.sets
        if row.alt is not None
    }
    return {alt: chosen.url for alt, chosen in rows.items() if chosen is not None}


def disagreements(html: str, ours: dict[str, str], theirs: dict[str, str]) -> list[tuple[str, str, str]]:
    """Markup, our choice, the browser's."""
    rows = [(alt, ours.get(alt, ""), url) for alt, url in theirs.items()]
    return [(_markup(html, alt), mine, url) for alt, mine, url in rows if mine != url]


def _markup(html: str, alt: str) -> str:
    return next(piece for piece in re.split(r"\n(?=<)", html) if re.search(rf"alt={alt}\b", piece))


@pytest.mark.parametrize(("number", "screen"), list(enumerate(SCREENS)), ids=[str(s) for s in SCREENS])
def test_random_pictures_load_what_select_predicts(
    open_tab: OpenTab, pages: PageServer, number: int, screen: Screen
) -> None:
    html = Gallery(100 + number).page(PICTURES)
    with open_tab(screen) as tab:
        theirs = choices(tab, pages, html, f"gallery-{number}")
    assert len(theirs) == PICTURES
    assert disagreements(html, predictions(html, screen), theirs) == []


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=str)
def test_what_is_written_into_the_page_may_be_chosen_too(open_tab: OpenTab, pages: PageServer, screen: Screen) -> None:
    html = HEAD + "\n".join(
        [
            f'<img alt=i1 src="{GIF}" srcset="/i/1.png 2x">',
            f'<img alt=i2 src="/i/2.png" srcset="{GIF} 1x, /i/2b.png 3x">',
            f'<picture><source srcset="{GIF}"><img alt=i3 src="/i/3.png"></picture>',
            f'<img alt=i4 src="{GIF}" srcset="{GIF} 1w, /i/4.png 9000w">',
            f'<img alt=i5 src="/i/5.png" srcset=" {GIF} 9000w, /i/5b.png 100w">',
        ]
    )
    with open_tab(screen) as tab:
        theirs = choices(tab, pages, html, f"inline-{screen.viewport[0]}")
    assert {alt: url[:16] for alt, url in predictions(html, screen).items()} == {
        alt: url[:16] for alt, url in theirs.items()
    }
    assert "data:" in {url[:5] for url in theirs.values()}


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_the_lowest_density_that_suffices_wins_to_single_precision(
    open_tab: OpenTab, pages: PageServer, screen: Screen
) -> None:
    """No mean between neighbours, however near the lower one is: 0.999 of the screen's density loses to 9 times it."""
    rows = [
        f'<img alt=c{n} srcset="/f{n}/low.png {screen.dpr * (1 - short):.12f}x, /f{n}/high.png 9x">'
        for n, short in enumerate((0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-6, 1e-7, 1e-9, 0))
    ]
    rows += [
        f'<img alt=s{n} srcset="/g{n}/a.png {width}w, /g{n}/b.png {3 * width}w" sizes="{size}">'
        for n, (size, width) in enumerate(_just_enough(screen))
    ]
    html = HEAD + "\n".join(rows)
    with open_tab(screen) as tab:
        theirs = choices(tab, pages, html, "thresholds")
    assert disagreements(html, predictions(html, screen), theirs) == []
    assert [theirs[f"c{n}"].rpartition("/")[2] for n in (0, 1, 2, 3, 4, 7, 8)] == ["high.png"] * 5 + ["low.png"] * 2


def _just_enough(screen: Screen) -> list[tuple[str, int]]:
    """Source sizes by which a whole number of pixels is exactly enough, though not in binary fractions."""
    parts = (("calc(100vw / 3)", 1 / 3), ("calc(100vw * 0.1)", 0.1), ("calc(100vw / 1.1)", 1 / 1.1), ("20vw", 0.2))
    rows = [(size, share * screen.width * screen.dpr) for size, share in parts]
    return [(size, round(pixels)) for size, pixels in rows if abs(pixels - round(pixels)) < 1e-6]


@pytest.mark.parametrize("screen", [LAPTOP, PHONE], ids=str)
def test_auto_sizes_of_a_lazy_img_are_its_layout_width(open_tab: OpenTab, pages: PageServer, screen: Screen) -> None:
    values = ("auto", "AUTO", "auto, 100px", "auto,100px", "auto, (min-width: 1px) 400px, 100px")
    html = HEAD + "\n".join(picture for n, sizes in enumerate(values) for picture in _lazy_pictures(n, sizes))
    with open_tab(screen) as tab:
        theirs = choices(tab, pages, html, "auto")
    assert disagreements(html, predictions(html, screen, auto_width=250.0), theirs) == []
    assert theirs["own0"] == f"{SITE}/own0/{250 if screen is LAPTOP else 800}.png"


def _lazy_pictures(n: int, sizes: str) -> tuple[str, str, str]:
    lazy = f'loading=LAZY width=250 height=50 sizes="{sizes}"'
    return (
        f'<img alt=own{n} {lazy} srcset="{_ladder(f"own{n}")}">',
        f'<picture><source sizes=auto srcset="{_ladder(f"source{n}")}"><img alt=source{n} {lazy} src=/x.png></picture>',
        f'<picture><source sizes=300px srcset="{_ladder(f"fixed{n}")}"><img alt=fixed{n} {lazy} src=/x.png></picture>',
    )


def _ladder(name: str) -> str:
    return ", ".join(f"/{name}/{width}.png {width}w" for width in LADDER)


def test_a_source_is_taken_for_exactly_the_types_that_we_say_are_supported(
    open_tab: OpenTab, pages: PageServer
) -> None:
    types = (
        "image/apng", "image/avif", "image/bmp", "image/gif", "image/jpeg", "image/jpg", "image/pjpeg", "image/png",
        "image/svg+xml", "image/vnd.microsoft.icon", "image/webp", "image/x-icon", "image/x-png", "image/tiff", "image/jp2",
        "image/heic", "image/heif", "image/jxr", "image/vnd.ms-photo", "image/*", "*/*", "image", "image/", "png", ".png",
        "text/html", "video/mp4", "image/png,image/webp", "image/png image/webp", "", " ", "IMAGE/PNG", " image/png ",
        "image/png;", "image/png ; codecs=x", "image/png;;;", "\u0130mage/png", "image/png\u00a0",
    )  # fmt: skip
    html = HEAD + "\n".join(
        f'<picture><source type="{mime}" srcset="/t{n}/yes.png"><img alt=c{n} src=/t{n}/no.png></picture>'
        for n, mime in enumerate(types)
    )
    with open_tab(LAPTOP) as tab:
        theirs = choices(tab, pages, html, "types")
    taken = [mime for n, mime in enumerate(types) if theirs[f"c{n}"].endswith("yes.png")]
    assert taken == [mime for mime in types if supported_image_type(mime)]


def test_a_denser_file_that_is_cached_or_inline_is_taken_before_what_select_predicts(
    open_tab: OpenTab, pages: PageServer
) -> None:
    """The one way in which Chromium leaves the policy; a mirror starts without a cache, so `select` has none."""
    html = f"""{HEAD}<img alt=first src=/cached/big.png>
<img alt=cached srcset="/cached/small.png 1x, /cached/big.png 8x">
<img alt=other srcset="/cached/big.png 1x, /cached/huge.png 8x">
<img alt=inline srcset="/cached/plain.png 1x, {GIF} 4x">
"""
    with open_tab(LAPTOP) as tab:
        pages.take_images()
        theirs = choices(tab, pages, html, "cached")
        again = tab.evaluate(
            """async () => {
  const image = document.querySelector('[alt=cached]').cloneNode();
  image.srcset = image.srcset;
  document.body.append(image);
  await image.decode();
  return image.currentSrc;
}"""
        )
    assert again == f"{SITE}/cached/big.png"
    assert theirs["other"] == f"{SITE}/cached/big.png"
    assert theirs["inline"] == GIF
    assert predictions(html, LAPTOP)["cached"] == f"{SITE}/cached/small.png"
