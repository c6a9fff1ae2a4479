"""The keys that docs/keys.md shows are those that are made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mediamirror.store.layout import key_for

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(path|named)`\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL))
ROWS = [
    (layout, url, key)
    for layout, text in SECTIONS.items()
    for url, key in re.findall(r"^\| `(https?:[^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)
]


@pytest.mark.parametrize(("layout", "url", "key"), ROWS)
def test_an_example_is_true(layout: str, url: str, key: str) -> None:
    assert key_for(url, layout=layout) == key  # type: ignore[arg-type]


def test_both_layouts_have_examples() -> None:
    assert {layout for layout, _, _ in ROWS} == {"path", "named"}


ENDED = re.findall(r"^\| `(https?:[^`]+)`, (AVIF|JPEG|WebP) \| `([^`]+)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("url", "format", "key"), ENDED)
def test_an_example_of_true_endings_is_true(url: str, format: str, key: str) -> None:
    assert key_for(url, format=format.lower(), true_ending=True) == key


def test_true_endings_have_examples() -> None:
    assert len(ENDED) == 3
