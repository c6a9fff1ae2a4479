"""The two invariants of a rewritten document, for random documents and for every fixture there is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urljoin

import pytest
from hypothesis import given, settings

from mediamirror.markup.extract import extract_document
from mediamirror.model import Candidate, ImageSet
from mediamirror.rewrite.addresses import as_target
from mediamirror.rewrite.document import (
    Placed,
    Target,
    decide,
    edits_for,
    placed,
    probed,
    reversed_edits,
    spliced,
    standing_in,
)
from tests.rewrite.documents import addresses, documents

FIXTURES = Path(__file__).parents[2] / "fixtures"
SUFFIXES = {".html", ".css", ".md", ".txt", ".rss", ".atom", ".xml", ".json", ".jsonl"}
FILES = sorted(path for path in FIXTURES.rglob("*") if path.suffix in SUFFIXES)
REPAIRED = FIXTURES / "pages" / "cms" / "kinja.html"
"""Holds a srcset with blanks in its URLs, which is read in two ways at once."""
PAGE = "https://origin.example/dir/page"


def look(data: bytes, name: str) -> tuple[ImageSet, ...]:
    return extract_document(data, base_url=PAGE, document=name, merge=False).sets


def places(sets: Iterable[ImageSet]) -> list[Placed]:
    return [placed(each) for each in sets]


def candidates(sets: Iterable[ImageSet]) -> list[Candidate]:
    return [candidate for image_set in sets for candidate in image_set.candidates]


def rewritten(name: str, data: bytes, address_of: Callable[[int, str], str]) -> tuple[bytes, list[tuple[object, ...]]]:
    """Rewrite a document, URL by URL; return it, and what reading it again has to find."""
    sets = look(data, name)
    urls = dict.fromkeys(candidate.url for candidate in candidates(sets))
    targets = {url: Target(as_target(address_of(number, url))) for number, url in enumerate(urls)}
    decision = decide(places(sets), targets, is_there=standing_in(data), single=True)
    changed = probed(data, decision.moves)
    edits = edits_for(
        data, decision.moves, () if changed is None else places(look(changed, name)), is_text=name.endswith(".txt")
    )
    result = spliced(data, edits)
    assert spliced(result, reversed_edits(data, edits)) == data
    moved = {move.url: urljoin(PAGE, move.address) for move in decision.moves}
    return result, [
        facts(c, moved.get(c.url, c.url) if c.reference and c.reference.span else c.url) for c in candidates(sets)
    ]


def facts(candidate: Candidate, url: str) -> tuple[object, ...]:
    reference = candidate.reference
    # In `url()` and in Markdown parentheses are percent-encoded, which is the same address.
    same = url.replace("(", "%28").replace(")", "%29")
    return reference and (reference.carrier, reference.attribute), candidate.width, candidate.density, same


@given(documents())
@settings(max_examples=150)
def test_the_identity_map_gives_identical_bytes(document: tuple[str, bytes]) -> None:
    name, data = document
    sets = look(data, name)
    same = {candidate.url: Target(candidate.url) for candidate in candidates(sets)}
    assert decide(places(sets), same, is_there=standing_in(data)).moves == ()


@given(documents(), addresses())
@settings(max_examples=250)
def test_what_is_read_again_is_exactly_what_was_mapped(document: tuple[str, bytes], address: str) -> None:
    name, data = document
    result, expected = rewritten(name, data, lambda number, _: address.format(number))
    assert Counter(facts(c, c.url) for c in candidates(look(result, name))) == Counter(expected)


@pytest.mark.parametrize("address", ["https://m.example/{}.webp", "https://m.example/{}.webp?w=1&copy=2&amp=3"])
@pytest.mark.parametrize("path", [path for path in FILES if path != REPAIRED], ids=lambda path: path.name)
def test_every_fixture_is_read_again_as_it_was_mapped(path: Path, address: str) -> None:
    result, expected = rewritten(path.name, path.read_bytes(), lambda number, _: address.format(number))
    assert Counter(facts(c, c.url) for c in candidates(look(result, path.name))) == Counter(expected)


NEW = "https://m.example/new"


def moved(name: str, text: str, encoding: str = "utf-8", ending: str = "") -> str:
    """What a document becomes when all its URLs move to `NEW` and a number, in the order of their first places."""
    result, _ = rewritten(name, text.encode(encoding), lambda number, _: f"{NEW}{number}{ending}")
    return result.decode(encoding)


ENCODINGS = {
    "utf-8": "Кот😀", "ibm866": "Кот", "iso-8859-2": "kočka", "iso-8859-5": "Кот", "iso-8859-8": "חתול",
    "koi8-r": "Кот",
    "koi8-u": "Кіт", "macintosh": "é", "windows-874": "แมว", "windows-1250": "kočka", "windows-1251": "Кот", "windows-1252": "é",
    "gbk": "猫㈱", "gb18030": "猫𠀀", "big5": "貓許", "euc-jp": "猫", "iso-2022-jp": "猫ソ", "shift_jis": "猫ソ表",
    "euc-kr": "고양이",
}  # fmt: skip


@pytest.mark.parametrize("label", ENCODINGS)
def test_a_page_in_any_encoding_is_rewritten(label: str) -> None:
    codec = {"macintosh": "mac_roman", "windows-874": "cp874"}.get(label, label)
    word = ENCODINGS[label]
    page = '<meta charset="{}"><p>{}</p><img alt="{}" src="/{}.jpg" srcset="/b.jpg 1x, /{} 2x"><p>{}'
    before = page.format(label, word, word, word, word, word)
    got = moved("p.html", before, codec)
    assert got.count(NEW) == 3
    assert re.sub(rf"{NEW}(\d)", lambda m: (f"/{word}.jpg", "/b.jpg", f"/{word}")[int(m[1])], got) == before


def test_a_page_with_characters_that_its_encoding_spells_in_two_ways_is_rewritten() -> None:
    page = b'<meta charset=shift_jis><p>\x87\x9a \xed\x40</p><img src="/a.jpg">'
    result, _ = rewritten("p.html", page, lambda number, _: f"{NEW}{number}")
    assert result == page.replace(b"/a.jpg", f"{NEW}0".encode())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("p.html", '<img src="/s.svg#icon">', f'<img src="{NEW}0#icon">'),
        ("p.html", '<img src="/s.svg?a=1&amp;b=2#c&amp;d">', f'<img src="{NEW}0#c&amp;d">'),
        ("p.html", '<img src="/s.jpg?a=1&#038;b=2">', f'<img src="{NEW}0">'),
        ("p.html", "<p style='background:url(/s.svg#y)'>", f"<p style='background:url({NEW}0#y)'>"),
        ("p.md", "![x](/s.svg#gh-dark-mode-only)", f"![x]({NEW}0#gh-dark-mode-only)"),
        (
            "p.rss",
            '<rss><channel><item><description>&lt;img src="/s.jpg?a=1&amp;#038;b=2"></description></item></channel></rss>',
            f'<rss><channel><item><description>&lt;img src="{NEW}0"></description></item></channel></rss>',
        ),
    ],
)
def test_a_fragment_stays_and_a_reference_is_none(name: str, before: str, after: str) -> None:
    assert moved(name, before) == after


def test_every_place_of_a_file_in_one_object_of_json_ld_moves() -> None:
    image = '{"@type":"ImageObject","url":"/a.jpg","contentUrl":"/a.jpg","thumbnailUrl":"/t.jpg"}'
    page = f'<script type="application/ld+json">{image}</script>'
    assert moved("p.html", page) == page.replace("/a.jpg", f"{NEW}0").replace("/t.jpg", f"{NEW}1")


@pytest.mark.parametrize("ending", ["", "?a=1&copy=2"])
def test_every_place_in_a_text_of_a_url_that_belongs_to_a_set_moves(ending: str) -> None:
    text = "See https://o.example/a_1.jpg\n\nhttps://o.example/a_1.jpg 480w, https://o.example/b.jpg 960w or https://o.example/b.jpg."
    after = text.replace("https://o.example/a_1.jpg", f"{NEW}0{ending}")
    assert moved("p.txt", text, ending=ending) == after.replace("https://o.example/b.jpg", f"{NEW}1{ending}")


@pytest.mark.parametrize("ending", ["", "?a=1&copy=2"])
def test_urls_of_a_text_that_naming_shows_to_be_one_picture_move(ending: str) -> None:
    text = "See https://o.example/a_480.jpg and https://o.example/a_960.jpg, or https://o.example/a_480.jpg."
    after = text.replace("https://o.example/a_480.jpg", f"{NEW}0{ending}")
    assert moved("p.txt", text, ending=ending) == after.replace("https://o.example/a_960.jpg", f"{NEW}1{ending}")


def test_there_are_fixtures_of_many_kinds() -> None:
    assert len(FILES) > 40
