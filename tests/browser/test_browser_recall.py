"""Everything that a browser asks for is in what we extract from the documents that it loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import unquote

import pytest

from fixtures.browser.chromium import Chromium, Tab
from fixtures.browser.gallery import Gallery
from fixtures.browser.screens import SCREENS
from fixtures.browser.server import Document, PageServer
from fixtures.browser.soup import Soup
from mediamirror.markup.extract import extract_document
from mediamirror.markup.page import link_header
from mediamirror.model import Extraction

OpenTab = Callable[..., AbstractContextManager[Tab]]
FIXTURES = Path(__file__).parents[2] / "fixtures"
OWN = FIXTURES / "browser" / "pages"
PAGES = sorted([*OWN.glob("*.html"), *(FIXTURES / "pages").rglob("*.html")])
SITE = "http://site.example"
REPORTED = frozenset({"tracker-pixel", "unfilled-template", "placeholder"})
"""What a browser asks for and a mirror does not want: left out, and said so."""
PHONE, TABLET = SCREENS[4], SCREENS[3]
Tabs = dict[bool, Tab]
"""One tab with scripting, one without, for all pages: to open one costs more than to load a page."""
# Lazy images load when they come near: go down, then back up.
SCROLL = """async () => {
  const steps = Math.min(40, Math.ceil(document.documentElement.scrollHeight / innerHeight));
  for (let step = steps; step >= 0; step--) {
    scrollTo(0, step * innerHeight);
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  }
}"""


def load(tab: Tab, pages: PageServer, url: str, *, scripting: bool) -> set[str]:
    """The image URLs that the browser asked for, without fragments: by its own account, and by the server's."""
    pages.take_images()
    tab.open(url)
    if scripting:
        tab.evaluate(SCROLL)
    tab.settle()
    asked = {url.partition("#")[0] for kind, url in tab.requested if kind == "image"}
    return {url for url in asked | set(pages.take_images()) if url.startswith("http")}


def missed(tab: Tab, pages: PageServer, asked: set[str]) -> list[str]:
    """What is in no document that was loaded (page, frame, style sheet), nor in its Link headers, nor left out aloud."""
    found = [row for kind, address in tab.requested if kind != "image" for row in _in_document(pages, address)]
    urls = {candidate.url for row in found for image_set in row.sets for candidate in image_set.candidates}
    return sorted(url for url in asked - urls if not any(_reports(row, url) for row in found))


def _in_document(pages: PageServer, address: str) -> Iterator[Extraction]:
    document = pages.documents.get(address.partition("://")[2].partition("?")[0])
    if document is None:
        return
    yield extract_document(document.body, media_type=document.content_type, base_url=address, document=address)
    links = [value for name, value in document.headers if name == "Link"]
    yield link_header.find(links, document=address, base_url=address)


def _reports(found: Extraction, url: str) -> bool:
    problems = [*found.problems, *(problem for row in found.sets for problem in row.problems)]
    name = unquote(url.rpartition("/")[2])
    return bool(name) and any(problem.code in REPORTED and name in problem.message for problem in problems)


@pytest.fixture(scope="module", autouse=True)
def _served(pages: PageServer) -> None:
    for path in PAGES:
        pages.add(f"{SITE}/{path.name}", Document(path.read_bytes(), "text/html"))
    for path in OWN.glob("*.css"):
        pages.add(f"{SITE}/{path.name}", Document(path.read_bytes(), "text/css"))


@pytest.fixture(scope="module")
def tabs(chromium: Chromium) -> Iterator[Tabs]:
    with chromium.tab(PHONE) as scripted, chromium.tab(TABLET, scripting=False) as plain:
        yield {True: scripted, False: plain}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_image_that_a_fixture_page_loads_is_extracted(tabs: Tabs, pages: PageServer, path: Path) -> None:
    missing: dict[bool, list[str]] = {}
    for scripting, tab in tabs.items():
        asked = load(tab, pages, f"{SITE}/{path.name}", scripting=scripting)
        missing[scripting] = missed(tab, pages, asked)
    assert missing == {True: [], False: []}


def test_the_page_of_all_carriers_makes_the_browser_ask_for_each(open_tab: OpenTab, pages: PageServer) -> None:
    """So that the tests above can't pass because nothing was asked for."""
    with open_tab(SCREENS[0]) as tab:
        asked = load(tab, pages, f"{SITE}/carriers.html", scripting=True)
    expected = (
        "preload/plain.webp", "preload/800.webp", "preload/no-href.png", "css/unquoted.png", "css/quoted%20(1).png",
        "css/set-1x.png", "css/typed.avif", "css/escaped%20name.png", "css/string.png", "css/custom-property.png",
        "css/mask.png", "css/border.png", "css/after.png", "css/wide.png", "css/nested.png", "css/layered.png", "body.jpg",
        "plain.jpg", "old-name.gif", "button.png", "poster.jpg", "object.png", "embed.gif", "table.gif", "td.gif",
        "fostered.png", "svg/href.png", "svg/xlink.png", "svg/fe-image.png", "svg/foreign.png", "math.png", "style/entity.png",
        "frame/inner.png", "frame/one.png", "frame/style.png?a=1&b=2", "picture/wide.webp", "lqip/1800.jpg", "lazy/far.jpg",
    )  # fmt: skip
    assert [name for name in expected if f"https://media.example/2026/{name}" not in asked] == []
    assert {f"{SITE}/imported-1x.png", f"{SITE}/relative-to-the-sheet.png", f"{SITE}/framed/own.png"} <= asked


def test_images_of_a_link_header_are_asked_for_and_found(tabs: Tabs, pages: PageServer) -> None:
    link = (
        "</header/plain.png>; rel=preload; as=image, "
        '</header/x.png>; rel="preload"; as=image; imagesrcset="/header/a,b.png 1x, /header/c.png 2x"'
    )
    url = pages.add(f"{SITE}/header.html", Document(b"<!doctype html><p>x", headers=(("Link", link),)))
    asked = load(tabs[True], pages, url, scripting=True)
    assert asked == {f"{SITE}/header/plain.png", f"{SITE}/header/c.png"}
    assert missed(tabs[True], pages, asked) == []


def test_every_image_of_a_random_gallery_is_extracted(tabs: Tabs, pages: PageServer) -> None:
    url = pages.add(f"{SITE}/random.html", Document(Gallery(0).page(80).encode()))
    asked = load(tabs[True], pages, url, scripting=True)
    assert missed(tabs[True], pages, asked) == []
    assert len(asked) > 50


@pytest.mark.parametrize("scripting", [True, False], ids=["scripting", "plain"])
def test_every_image_in_broken_markup_is_extracted(tabs: Tabs, pages: PageServer, scripting: bool) -> None:
    """By the document tree: Chromium's preload scanner also asks for what turns out to be no picture (in ``svg``)."""
    missing: dict[int, list[str]] = {}
    shown: list[str] = []
    tab = tabs[scripting]
    for seed in range(8):
        tab.open(pages.add(f"{SITE}/soup-{seed}.html", Document(Soup(seed).page(80).encode())))
        current = set(tab.evaluate("() => [...document.images].map(image => image.currentSrc).filter(url => url)"))
        shown += current
        missing[seed] = missed(tab, pages, current)
    assert {seed: urls for seed, urls in missing.items() if urls} == {}
    assert len(shown) > 150
