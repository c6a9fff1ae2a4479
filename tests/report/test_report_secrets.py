"""Every format, with a signed URL in every place where a URL or a sentence can stand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mediamirror.model import Finding, ItemError, Problem, Reference, SetResult, SetRow, Severity, Summary, Suppressed
from mediamirror.report.data import ReportData
from mediamirror.report.html import write_html
from mediamirror.report.junit import to_junit
from mediamirror.report.markdown import to_markdown
from mediamirror.report.sarif import to_github, to_sarif
from mediamirror.report.table import console_for, problem, set_result

SIGNED = "https://me:hush@cdn.example/a_480.webp?w=480&X-Amz-Signature=hush"
SAID = f"It leads to {SIGNED}."
FOUND = Finding("MM301", Severity.ERROR, SAID, SIGNED, Reference(SIGNED, "img", "src", 3), SIGNED, SIGNED)
SET = SetResult(
    SIGNED,
    2,
    (SetRow(SIGNED, declared_width=480, findings=(FOUND,), error=ItemError("http-status", SAID)),),
    alt=SAID,
    context=SAID,
    findings=(FOUND,),
    suppressed=(Suppressed(FOUND, SAID, SIGNED, True),),
)
PROBLEM = Problem("empty-document", SAID, 1, document=SIGNED)
DATA = ReportData(SAID, (SET,), Summary(1, 1, 1, {}, {}, 1), datetime(2026, 11, 24, tzinfo=UTC), (PROBLEM,))


@pytest.mark.parametrize("render", [to_github, to_junit, to_markdown, to_sarif])
def test_a_report_names_urls_without_their_secrets(render: Callable[[ReportData], str]) -> None:
    text = render(DATA)
    assert "hush" not in text
    assert "cdn" in text
    assert "480" in text


def test_the_html_report_names_urls_without_their_secrets_and_makes_no_link_of_them(tmp_path: Path) -> None:
    write_html(tmp_path, DATA)
    text = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "hush" not in text
    assert "X-Amz-Signature=***" in text
    assert 'href="https://cdn.example' not in text


def test_the_table_names_urls_without_their_secrets(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as file:
        console = console_for(file, terminal_width=250)
        console.print(set_result(SET, width=250))
        console.print(problem(PROBLEM))
    assert "hush" not in out.read_text()
    assert "X-Amz-Signature=***" in out.read_text()
