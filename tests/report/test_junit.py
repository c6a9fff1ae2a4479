"""JUnit XML: what a CI server reads."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from fixtures.newsroom import PAGE, archive, front_page, gone, ladder, never_upscaled, newspaper, report, sound
from mediamirror.model import Problem, SetResult, Severity, Status
from mediamirror.report.junit import to_junit

SCHEMA = Path(__file__).parents[2] / "fixtures" / "schemas" / "junit.xsd"


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(SCHEMA)


def cases(text: str) -> list[ET.Element]:
    return list(ET.fromstring(text.encode()).iter("testcase"))


def test_a_newspaper_is_valid_by_the_schema(schema: xmlschema.XMLSchema) -> None:
    schema.validate(to_junit(newspaper()))


def test_an_empty_run_is_valid_by_the_schema(schema: xmlschema.XMLSchema) -> None:
    schema.validate(to_junit(report(())))


def test_the_schema_refuses_what_is_no_junit(schema: xmlschema.XMLSchema) -> None:
    assert not schema.is_valid('<testsuites name="x"><testcase name="stray"/></testsuites>')


def test_a_suite_is_a_document_and_a_case_is_a_set() -> None:
    root = ET.fromstring(to_junit(report(tuple(archive(60)))).encode())
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [
        ("archive/0000.html", "25"),
        ("archive/0001.html", "25"),
        ("archive/0002.html", "10"),
    ]
    assert root.get("tests") == "60"


def test_the_counts_are_those_of_the_cases() -> None:
    root = ET.fromstring(to_junit(newspaper()).encode())
    told = {name: root.get(name) for name in ("tests", "failures", "errors")}
    kinds = [child.tag for case in root.iter("testcase") for child in case if child.tag != "system-out"]
    assert told == {"tests": "7", "failures": "2", "errors": "1"}
    assert (kinds.count("failure"), kinds.count("error")) == (2, 1)


def test_a_failing_case_says_everything_in_its_one_failure() -> None:
    (case,) = cases(to_junit(report((never_upscaled(18),))))
    (failure,) = case
    assert (failure.tag, failure.get("type")) == ("failure", "MM301")
    assert (failure.text or "").splitlines()[0] == (
        f"{PAGE}:18: error MM301: The image is not as wide as its width descriptor says."
        " (declared 1920w, found 1280 px) https://img.example.org/2026/harbour-1920.webp"
    )
    assert len((failure.text or "").splitlines()) == 2


@pytest.mark.parametrize(
    ("fail_on", "failing"), [(Severity.ERROR, 3), (Severity.WARNING, 4), (Severity.NOTE, 5), (None, 2)]
)
def test_fail_on_decides_which_cases_fail(fail_on: Severity | None, failing: int) -> None:
    told = to_junit(report(front_page()), fail_on=fail_on)
    assert sum(any(child.tag in {"failure", "error"} for child in case) for case in cases(told)) == failing


def test_a_finding_below_fail_on_is_still_to_be_read() -> None:
    told = to_junit(report((gone(3),)), fail_on=None)
    assert "MM305" in (cases(told)[0].findtext("system-out") or "")


def test_hostile_text_stays_text(schema: xmlschema.XMLSchema) -> None:
    alt = "]]></testcase><x a='1'>&amp; \x00\x1b[31m\ud800\ufffe"
    told = to_junit(report((SetResult("a\x01&<b.html", 1, ladder("a", [480], seed=1), alt),)))
    schema.validate(told)
    assert [case.get("name") for case in cases(told)] == [
        "line 1: ]]></testcase><x a='1'>&amp; \\u0000\\u001b[31m\\ud800\\ufffe"
    ]


def test_a_set_without_alt_is_named_by_its_file() -> None:
    assert [case.get("name") for case in cases(to_junit(report((gone(9), SetResult(PAGE, 4, ())))))] == [
        "line 9: market-400.webp",
        "line 4: image set",
    ]


def test_problems_stand_with_their_document_and_fail_nothing() -> None:
    told = to_junit(report((sound(1, "a", "A", 1),), problems=(Problem("dropped", "A & B", 3, document="other.html"),)))
    root = ET.fromstring(told.encode())
    assert [(s.get("name"), s.get("tests"), s.findtext("system-out")) for s in root] == [
        (PAGE, "1", None),
        ("other.html", "0", "line 3: dropped: A & B"),
    ]
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


def test_a_set_that_nobody_looked_at_is_skipped_and_not_passed(schema: xmlschema.XMLSchema) -> None:
    whole = sound(1, "a", "A", 1)
    unseen = replace(whole, rows=tuple(replace(row, status=Status.SKIPPED) for row in whole.rows))
    text = to_junit(report((unseen, whole)))
    schema.validate(text)
    assert [[child.tag for child in case] for case in cases(text)] == [["skipped"], []]
    assert ET.fromstring(text.encode()).get("skipped") == "1"
