"""What SECURITY.md points to is there: each test file, folder, page and heading."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_the_policy_names_exists() -> None:
    named = set(re.findall(r"`((?:tests|fuzz)/[a-z_0-9/.]*)`", POLICY))
    assert len(named) > 15
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_section_that_the_policy_names_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)#([^)]+)\)", POLICY)
    assert len(links) > 5
    for page, anchor in links:
        headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
