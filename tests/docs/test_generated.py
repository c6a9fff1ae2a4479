"""Generated pages are what the code says today."""

from __future__ import annotations

from pathlib import Path

from docs.generate import command_page

ROOT = Path(__file__).parents[2]


def test_the_command_page_is_up_to_date() -> None:
    assert command_page() == (ROOT / "docs/commands.md").read_text(encoding="utf-8"), "run: make docs"
