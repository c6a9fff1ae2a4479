"""Each decision says its own number, and when it was made."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

FIRST = date(2026, 11, 24)
PAGES = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem[:4])
def test_a_decision_carries_the_number_of_its_file_and_a_day_that_was(page: Path) -> None:
    title, empty, status, *_ = page.read_text(encoding="utf-8").split("\n")
    told = re.match(r"(\d{4}-\d\d-\d\d)\.( |$)", status)
    assert title.startswith(f"# {page.name[:4]}: ")
    assert empty == ""
    assert told, status
    assert FIRST <= date.fromisoformat(told[1]) <= datetime.now(UTC).date()


def test_no_two_decisions_have_one_number() -> None:
    numbers = [page.name[:4] for page in PAGES]
    assert numbers == sorted(set(numbers))
