"""The two invariants of a rewritten document, for random documents and for every fixture there is."""

from __future__ import annotations

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
    edits = edits_for(data, decision.moves, () if changed is None else places(look(changed, name)))
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


def test_there_are_fixtures_of_many_kinds() -> None:
    assert len(FILES) > 40
