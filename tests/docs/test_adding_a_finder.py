"""The examples of docs/adding-a-finder.md work as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mediamirror.markup.page import finders, html
from mediamirror.markup.page.loaders import LOADERS, by_name

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-finder.md").read_text(encoding="utf-8")
FIXTURE = ROOT / "fixtures" / "pages" / "acme-loader.html"


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


def run(code: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(code, "adding-a-finder.md", "exec", dont_inherit=True), names)
    return names


def found() -> list[str]:
    sets = html.find(FIXTURE.read_bytes(), document="p", base_url="https://site.example/").sets
    return [
        f"{source.carrier} {c.reference.attribute if c.reference else ''} {c.url} {c.width}"
        for row in sets
        for source, c in row.entries
    ]


def test_the_loader_of_the_example_needs_its_row_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FIXTURE.read_text(encoding="utf-8") == block("html")
    assert found() == []
    monkeypatch.setattr(finders, "KNOWN", by_name((*LOADERS, run(block("python"))["ACME"])))  # type: ignore[arg-type]
    assert found() == block("text").splitlines()


def test_the_finder_of_the_example_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = run(block("python", 1))["find_panoramas"]
    monkeypatch.setattr(html, "FINDERS", (*html.FINDERS, finder))
    (row,) = html.find(b"<acme-panorama cube='a.jpg'>", document="p", base_url="https://site.example/").sets
    assert [(source.carrier, c.url) for source, c in row.entries] == [("panorama", "https://site.example/a.jpg")]


def test_every_file_that_the_page_names_is_there() -> None:
    files = set(re.findall(r"`([a-z_/]+\.(?:py|html))`", PAGE))
    assert files
    assert [name for name in files if not (ROOT / name).exists() and not (ROOT / "mediamirror" / name).exists()] == []


def test_the_row_of_the_example_is_short_enough_to_keep_the_promise() -> None:
    assert len(block("python").splitlines()) <= 10
