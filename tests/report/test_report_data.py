"""What is to be said of a set: findings, failures, each once."""

from dataclasses import replace

import pytest

from fixtures.newsroom import PAGE, finding, gone, ladder, never_upscaled, report
from mediamirror.model import ItemError, SetResult, Severity, Status, Suppressed
from mediamirror.report.data import all_entries, entries_of, explain, verdict_of
from mediamirror.report.junit import to_junit


def test_entries_come_gravest_first_with_the_failure_that_no_rule_tells() -> None:
    assert [(entry.rule, entry.severity.value, entry.failure) for entry in entries_of(gone(5))] == [
        ("http-status", "error", True),
        ("MM305", "error", False),
    ]


def test_an_error_that_a_finding_already_tells_is_not_told_twice() -> None:
    row = ladder("a", [480], seed=1)[0]
    told = finding("MM301", Severity.ERROR, row, "Too narrow.")
    rejected = replace(row, findings=(told,), error=ItemError("MM301", "Too narrow."))
    assert [entry.rule for entry in entries_of(SetResult(PAGE, 1, (rejected,)))] == ["MM301"]


def test_a_variant_in_two_sets_is_told_once_for_its_place() -> None:
    both = (never_upscaled(18), never_upscaled(18))
    assert [entry.declared for entry in all_entries(both)] == ["1920w", "2560w"]


def test_notes_stand_behind_errors_of_the_same_set() -> None:
    row = ladder("a", [480], seed=1)[0]
    found = (finding("MM202", Severity.NOTE, row, "n"), finding("MM301", Severity.ERROR, row, "e"))
    assert [e.rule for e in entries_of(SetResult(PAGE, 1, (), findings=found))] == ["MM301", "MM202"]


def test_a_rule_is_explained_from_the_registry() -> None:
    note = explain("MM301")
    assert (note.code, bool(note.summary), bool(note.why), bool(note.fix)) == ("MM301", True, True, True)
    assert note.title[0].isupper()
    assert "-" not in note.title


def test_an_error_code_is_explained_from_the_tree_of_errors() -> None:
    assert explain("http-status").summary == "The origin answered with a status that is not a success."


def test_a_code_that_nobody_knows_explains_itself_by_its_name() -> None:
    assert (explain("no-such-thing").title, explain("no-such-thing").summary) == ("", "")


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((Status.CHECKED, Status.SKIPPED), "sound"),
        ((Status.UNCHANGED,), "sound"),
        ((Status.SKIPPED, Status.SKIPPED), "unchecked"),
        ((None,), "unchecked"),
        ((Status.FAILED, Status.REJECTED), "unchecked"),
    ],
)
def test_a_set_is_sound_only_when_some_file_of_it_was_looked_at(
    statuses: tuple[Status | None, ...], verdict: str
) -> None:
    rows = ladder("a", [480, 960][: len(statuses)], seed=1)
    told = tuple(replace(row, status=status) for row, status in zip(rows, statuses, strict=True))
    assert verdict_of(SetResult(PAGE, 1, told)) == verdict


@pytest.mark.parametrize(("severity", "verdict"), [(Severity.NOTE, "unchecked"), (Severity.WARNING, "warning")])
def test_advice_about_files_that_nobody_looked_at_makes_them_no_checked_ones(severity: Severity, verdict: str) -> None:
    (row,) = ladder("a", [480], seed=1)
    row = replace(row, status=Status.SKIPPED, findings=(finding("MM403", severity, row, "e"),))
    unseen = SetResult(PAGE, 1, (row,))
    assert verdict_of(unseen) == verdict
    assert 'skipped="1"' in to_junit(report((unseen,)))


def test_a_set_whose_findings_are_known_or_switched_off_is_accepted_and_not_sound() -> None:
    rows = ladder("a", [480], seed=1)
    off = Suppressed(finding("MM301", Severity.ERROR, rows[0], "e"), "as agreed", "a.html:1", in_source=True)
    assert verdict_of(SetResult(PAGE, 1, rows, known=1)) == "accepted"
    assert verdict_of(SetResult(PAGE, 1, rows, suppressed=(off,))) == "accepted"
