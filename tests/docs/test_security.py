"""What SECURITY.md points to is there, and so is what any page of the documentation links to: page and heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "bench" / "README.md"]


def test_every_test_that_the_policy_names_exists() -> None:
    named = set(re.findall(r"`((?:tests|fuzz)/[a-z_0-9/.]*)`", POLICY))
    assert len(named) > 15
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_policy_points_to_pages() -> None:
    assert len(links(POLICY)) > 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_page_and_a_heading_that_are_there(page: Path) -> None:
    lost = []
    for target, anchor in links(page.read_text(encoding="utf-8")):
        goal = page.parent / target if target else page
        if not goal.exists() or (anchor and anchor not in headings(goal)):
            lost.append(f"{target}#{anchor}")
    assert lost == []


def links(text: str) -> list[tuple[str, str]]:
    """The file and the heading of each link that leads to no other site."""
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", without_code)
    return [(target, anchor) for target, anchor in found if "://" not in target]


def headings(page: Path) -> set[str]:
    told = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in told}
