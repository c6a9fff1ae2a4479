"""The pages under docs/rules are what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from docs.rule_pages import rule_pages
from mediamirror.lint import all_rules

FOLDER = Path(__file__).parents[2] / "docs" / "rules"


def test_the_pages_in_docs_are_those_that_the_rules_make() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    assert written == rule_pages(), "run: python -m docs.generate"


def test_a_page_says_what_why_what_to_do_and_how_to_switch_it_off() -> None:
    for rule in all_rules():
        page = rule_pages()[f"{rule.code}.md"]
        assert all(
            text in page
            for text in (rule.name, rule.words.summary, rule.words.why, rule.words.fix, f"--ignore {rule.code}")
        )


def test_the_docs_name_only_rules_that_exist() -> None:
    known = {rule.code for rule in all_rules()}
    named = {code for page in Path("docs").glob("*.md") for code in re.findall(r"\bMM[1-5]\d\d\b", page.read_text())}
    assert named - known == set()
