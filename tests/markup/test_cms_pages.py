"""Pages in the manner of the main content systems and loaders, each with the sets that are in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mediamirror.markup.page import html
from mediamirror.model import Candidate, Extraction, ImageSet, Source

PAGES = sorted((Path(__file__).parents[2] / "fixtures" / "pages" / "cms").glob("*.html"))
SITE = "https://site.example/news/page.html"


def described(found: Extraction) -> dict[str, Any]:
    """What a page holds, as its ``.expected.json`` writes it: without what is absent."""
    return {
        "sets": [_set(row) for row in found.sets],
        "problems": [f"{problem.line} {problem.code}" for problem in found.problems],
    }


def _set(row: ImageSet) -> dict[str, Any]:
    said = {
        "line": row.line,
        "alt": row.alt,
        "inferred": row.inferred or None,
        "candidates": [_candidate(source, candidate) for source, candidate in row.entries],
        "problems": [problem.code for problem in row.problems] or None,
        "also on line": [place.line for place in row.places] or None,
    }
    return {key: value for key, value in said.items() if value is not None}


def _candidate(source: Source, candidate: Candidate) -> dict[str, Any]:
    assert candidate.reference is not None
    said = {
        "url": candidate.url,
        "from": f"{source.carrier} {candidate.reference.attribute or ''}".strip(),
        "width": candidate.width,
        "height": candidate.height,
        "density": candidate.density,
        "media": source.media,
        "mime": source.mime,
        "sizes": source.sizes,
        "ignored": source.ignored,
    }
    return {key: value for key, value in said.items() if value is not None}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_holds_the_sets_that_were_expected(page: Path) -> None:
    found = html.find(page.read_bytes(), document=page.name, base_url=SITE)
    expected = json.loads(page.with_suffix(".expected.json").read_text(encoding="utf-8"))
    assert described(found) == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_span_of_a_page_is_the_url_as_spelled(page: Path) -> None:
    data = page.read_bytes()
    found = html.find(data, document=page.name, base_url=SITE, merge=False)
    spans = [
        c for row in found.sets for c in row.candidates if c.reference is not None and c.reference.span is not None
    ]
    assert len(spans) > 2
    encoding = "cp1251" if page.stem == "bitrix" else "utf-8"
    for candidate in spans:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert data[slice(*candidate.reference.span)].decode(encoding) == candidate.raw_url


def test_there_is_a_page_of_every_system_that_is_promised() -> None:
    assert {page.stem for page in PAGES} >= {
        *("wordpress", "wp-rocket", "jetpack", "spatie", "nextjs", "shopify", "ghost", "drupal"),
        *("wix", "squarespace", "medium", "substack", "kinja", "bitrix", "wechat"),
    }
