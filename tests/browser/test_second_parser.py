"""What we extract from broken pages beside another HTML parser, html5lib, and a second reading of srcset."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import html5lib

from fixtures.browser.gallery import Gallery
from fixtures.browser.soup import Soup
from mediamirror.markup.extract import extract_document
from mediamirror.markup.page.lazy_values import IGNORED as REPAIRED
from mediamirror.markup.places.urls import Skip, resolve
from tests.markup.srcset_oracle import parse as parse_srcset

BASE = "https://site.example/dir/page.html"
HTML = "{http://www.w3.org/1999/xhtml}"
Found = Counter[tuple[str, str, str]]
"""Element, attribute, URL: how often."""


@dataclass(frozen=True)
class Element:
    """An HTML element, and the names of its HTML ancestors, the nearest first."""

    name: str
    attributes: dict[str, str]
    ancestors: tuple[str, ...]


def elements(page: str) -> Iterator[Element]:
    yield from _below(html5lib.parse(page, treebuilder="etree"), ())


def _below(node: Any, ancestors: tuple[str, ...]) -> Iterator[Element]:
    if not isinstance(node.tag, str):
        return  # a comment
    if node.tag.startswith(HTML):
        name = node.tag.removeprefix(HTML)
        yield Element(name, {key: value for key, value in node.attrib.items() if isinstance(key, str)}, ancestors)
        ancestors = (name, *ancestors)
    for child in node:
        yield from _below(child, ancestors)


def theirs(page: str) -> Found:
    images = (e for e in elements(page) if e.name == "img" or (e.name == "source" and _is_of_picture(e)))
    return Counter((e.name, name, url) for e in images for name, url in _urls(e.attributes))


def _is_of_picture(source: Element) -> bool:
    return next((name for name in source.ancestors if name in {"picture", "video", "audio"}), None) == "picture"


def _urls(attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
    written = [("src", attributes["src"])] if "src" in attributes else []
    written += [("srcset", candidate.url) for candidate in parse_srcset(attributes.get("srcset", ""))[0]]
    for name, url in written:
        resolved = resolve(url, BASE)
        if not isinstance(resolved, Skip):
            yield name, resolved


def ours(page: str) -> Found:
    found = extract_document(page.encode(), media_type="text/html; charset=utf-8", base_url=BASE, merge=False)
    # A picture of two imgs is two sets that share their sources: each place counts once. Repairs go beyond the standard.
    rows = {(c.reference, c.url) for row in found.sets for s, c in row.entries if s.ignored != REPAIRED}
    return Counter(
        (r.carrier, r.attribute or "", url)
        for r, url in rows
        if r is not None and r.carrier in {"img", "source"} and r.attribute in {"src", "srcset"}
    )


def test_broken_markup_gives_the_urls_that_another_parser_sees() -> None:
    differences: dict[int, tuple[Found, Found]] = {}
    seen = 0
    for seed in range(100):
        page = Soup(1000 + seed).page(random.Random(seed).randint(3, 80))
        mine, other = ours(page), theirs(page)
        seen += other.total()
        if mine != other:
            differences[seed] = (mine - other, other - mine)
    assert differences == {}
    assert seen > 2_000


def test_sound_pages_give_the_urls_that_another_parser_sees() -> None:
    page = Gallery(5).page(150)
    assert ours(page) == theirs(page)
    assert theirs(page).total() > 300
