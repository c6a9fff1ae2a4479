"""Every defect of the factory is found once, by its rule, and nothing is said of what only looks like one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from looking import Seen, findings_of, look_at_all

from fixtures.defects import SOUND, Case, cases
from mediamirror.lint import all_rules
from mediamirror.model import Severity


@pytest.fixture(scope="module")
def seen() -> Mapping[tuple[bytes, bool], Seen]:
    return look_at_all(cases())


def label(case: Case) -> str:
    return f"{case.rule or 'all'} {'not for' if case.near_miss else 'for'} {case.name}"


@pytest.mark.parametrize("case", [c for c in cases() if c.rule and not c.near_miss], ids=label)
def test_a_defect_is_found_once_by_its_rule_and_by_no_other(case: Case, seen: dict[tuple[bytes, bool], Seen]) -> None:
    assert [finding.rule for finding in findings_of(case, seen)] == [case.rule]


@pytest.mark.parametrize("case", [c for c in cases() if c.near_miss], ids=label)
def test_a_near_miss_does_not_set_off_its_rule(case: Case, seen: dict[tuple[bytes, bool], Seen]) -> None:
    assert [finding.rule for finding in findings_of(case, seen)] == list(case.also)


def test_of_a_sound_page_nothing_is_said(seen: dict[tuple[bytes, bool], Seen]) -> None:
    assert findings_of(SOUND, seen) == []


@pytest.mark.parametrize("near_miss", [False, True], ids=["defect", "near miss"])
def test_every_rule_has_a_case(near_miss: bool) -> None:
    shown = {case.rule for case in cases() if case.near_miss is near_miss}
    # The rules about a mirror's objects have no page to stand in: tests/e2e/test_scrub.py shows them.
    assert [rule.code for rule in all_rules() if rule.code not in shown and not rule.code.startswith("MM5")] == []


def test_every_finding_says_where_and_what(seen: dict[tuple[bytes, bool], Seen]) -> None:
    findings = [finding for case in cases() for finding in findings_of(case, seen)]
    assert [
        f for f in findings if f.reference is None or f.reference.line < 1 or f.reference.document != "page.html"
    ] == []
    assert [f.message for f in findings if not f.message.endswith((".", '"'))] == []
    assert {f.severity for f in findings} == set(Severity)
