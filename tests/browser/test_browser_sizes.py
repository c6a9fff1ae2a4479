"""Source sizes and media queries as Chromium computes them, for random strings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from fixtures.browser.chromium import Tab
from fixtures.browser.gallery import HEAD
from fixtures.browser.grammar import chromium_lags, media_table, sizes_table
from fixtures.browser.screens import SCREENS, Screen
from fixtures.browser.server import SIDE, Document, PageServer
from mediamirror.markup.standard.media import matches_media
from mediamirror.markup.standard.sizes import evaluate_sizes

OpenTab = Callable[..., AbstractContextManager[Tab]]
BLANK = "http://site.example/blank.html"
ROWS = 600
# With one candidate of 1w the density is 1 / source size, so the picture is laid out as its own width times that size.
PROBE = """async values => {
  const box = document.createElement('div');
  const images = values.map(value => {
    const image = document.createElement('img');
    image.setAttribute('sizes', value);
    image.setAttribute('srcset', '/probe.png 1w');
    box.append(image);
    return image;
  });
  document.body.append(box);
  await Promise.all(images.map(image => image.decode().catch(() => 0)));
  return images.map(image => image.getBoundingClientRect().width);
}"""
MATCH = "queries => queries.map(query => matchMedia(query).matches)"
LAGGING = (
    "abs(-5px)", "hypot(3px, 4px)", "round(7px, 2px)", "mod(7px, 2px)", "rem(-7px, 2px)", "calc(1px * sqrt(16))",
    "calc(pow(2, 5) * 1px)", "calc(sin(30deg) * 100px)", "calc(sign(-5px) * -3px)", "calc(1px * pi)", "clamp(none, 50vw, 3px)",
)  # fmt: skip


@pytest.fixture(params=SCREENS, ids=str)
def screen(request: pytest.FixtureRequest) -> Screen:
    found: Screen = request.param
    return found


@pytest.fixture
def blank(pages: PageServer) -> str:
    return pages.add(BLANK, Document(HEAD.encode()))


def sizes_in(tab: Tab, values: list[str]) -> list[float]:
    return [width / SIDE[0] for width in tab.evaluate(PROBE, values)]


def test_random_sizes_give_the_same_source_size(open_tab: OpenTab, blank: str, screen: Screen) -> None:
    table = [value for value in sizes_table(SCREENS.index(screen), ROWS) if _comparable(value)]
    with open_tab(screen) as tab:
        tab.open(blank)
        theirs = sizes_in(tab, table)
    ours = [evaluate_sizes(value, viewport=screen.viewport, dpr=screen.dpr) for value in table]
    rows = [
        row for row in zip(table, ours, theirs, strict=True) if row[1:] != pytest.approx((row[2], row[2]), abs=0.02)
    ]
    assert rows == []
    assert len(table) > ROWS / 2
    assert len({round(size) for size in theirs}) > 50


def _comparable(value: str) -> bool:
    """Leave out what layout caps or shows otherwise (huge sizes, ``auto``, -0), and what Chromium does not know."""
    return not (
        chromium_lags(value)
        or any(odd in value.lower() for odd in ("auto", "-0px", "1e1000px", "* -1", "-1 *", "/ -1"))
    )


def test_random_media_queries_match_alike(open_tab: OpenTab, blank: str, screen: Screen) -> None:
    table = [query for query in media_table(SCREENS.index(screen), ROWS) if not chromium_lags(query)]
    with open_tab(screen) as tab:
        tab.open(blank)
        theirs = tab.evaluate(MATCH, table)
    ours = [matches_media(query, viewport=screen.viewport, dpr=screen.dpr) for query in table]
    assert [query for query, mine, match in zip(table, ours, theirs, strict=True) if mine != match] == []
    assert 100 < sum(theirs) < len(table) - 100


def test_newer_math_is_computed_by_the_standard_where_chromium_still_skips_it(open_tab: OpenTab, blank: str) -> None:
    screen = SCREENS[0]
    with open_tab(screen) as tab:
        tab.open(blank)
        theirs = sizes_in(tab, list(LAGGING))
    ours = [evaluate_sizes(value, viewport=screen.viewport, dpr=screen.dpr) for value in LAGGING]
    skipped = float(screen.width)
    wrong = [
        row
        for row in zip(LAGGING, ours, theirs, strict=True)
        if row[2] != skipped and row[1] != pytest.approx(row[2], abs=0.02)
    ]
    assert wrong == []
    assert skipped not in ours
