"""What docs/reliability-cases.md says holds a case is there: each test function in its file, each name of a fixture."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fixtures.hostile.replies import BODIES
from mediamirror import errors
from mediamirror.lint import all_rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability-cases.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| case", "|--"))]


def functions(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_the_page_names_exists_in_the_file_that_it_names() -> None:
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", PAGE)
    assert len(named) > 100
    known = {path: functions(ROOT / path) for path in {path for path, _ in named}}
    assert [f"{path}::{name}" for path, name in named if name not in known[path]] == []


def test_nothing_is_named_in_a_way_that_this_file_does_not_check() -> None:
    assert len(re.findall(r"tests/", PAGE)) == len(re.findall(r"`tests/[a-z0-9_/]+\.py::test_[a-z0-9_]+`", PAGE))


def test_every_hostile_body_that_the_page_names_is_served() -> None:
    named = {name for cell in re.findall(r"`bodies: ([^`]+)`", PAGE) for name in cell.split()}
    assert len(named) > 60
    assert sorted(named - set(BODIES)) == []


def test_every_code_that_the_page_names_exists() -> None:
    codes = {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    named = {code for row in ROWS for code in re.findall(r"\*\*([A-Za-z0-9-]+)\*\*", row)}
    assert len(named) > 25
    assert sorted(named - codes - {rule.code for rule in all_rules()}) == []


def test_every_case_has_something_that_holds_it() -> None:
    assert len(ROWS) > 60
    assert [row for row in ROWS if "`tests/" not in row and "`bodies: " not in row] == []
