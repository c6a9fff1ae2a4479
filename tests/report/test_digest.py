"""A large run in a few lines."""

from __future__ import annotations

import pytest

from mediamirror.cli.output import Output, Style
from mediamirror.model import (
    Event,
    Finding,
    ItemError,
    ObjectEvent,
    Outcome,
    Planned,
    Problem,
    SetResult,
    SetRow,
    Severity,
    Status,
    Summary,
    Variant,
)
from mediamirror.report.digest import Digest
from mediamirror.report.table import laid_out

WRONG = Finding("MM301", Severity.ERROR, "Declared 480w, but the image is 400 pixels wide.", url="https://a.example/1")
ODD = Finding("MM403", Severity.NOTE, "The largest candidate has 640 pixels.", url="https://a.example/1")


def text_of(*events: Event) -> str:
    digest = Digest()
    for event in events:
        digest.add(event)
    return "\n".join(words.plain for block in digest.blocks(width=200) if (words := laid_out(block, 200)) is not None)


def outcome(host: str, status: Status, *findings: Finding) -> Outcome:
    return Outcome(Variant(f"https://{host}/x.webp"), status, size=1024, findings=findings)


def test_images_are_counted_by_host_and_status_the_most_first_and_all_together() -> None:
    told = text_of(
        *[outcome("a.example", Status.STORED)] * 3,
        outcome("user:secret@b.example:8443", Status.FAILED),
        outcome("a.example", Status.REJECTED, WRONG),
    )
    assert [line.rstrip() for line in told.splitlines()[1:5]] == [
        "  images  stored  rejected  failed    bytes  host",
        "       4       3         1          4.0 KiB  a.example",
        "       1                         1  1.0 KiB  b.example:8443",
        "       5       3         1       1  5.0 KiB  all 2 hosts",
    ]
    assert "secret" not in told


def test_rules_are_counted_the_gravest_first() -> None:
    told = text_of(ODD, ODD, WRONG)
    rows = [line.split() for line in told.splitlines()[2:]]
    assert rows == [
        ["1", "error", "MM301", "Width", "differs", "from", "descriptor"],
        ["2", "note", "MM403", "Largest", "too", "small"],
    ]


def test_the_first_sets_that_are_shown_are_those_with_errors() -> None:
    odd = [SetResult(f"odd{n}.html", 1, (SetRow("https://a.example/1", findings=(ODD,)),)) for n in range(9)]
    bad = SetResult("bad.html", 7, (SetRow("https://a.example/1", findings=(WRONG,)),))
    told = text_of(*odd, bad)
    shown = [line for line in told.splitlines() if line.startswith(("odd", "bad"))]
    assert shown == ["bad.html:7", "odd0.html:1", "odd1.html:1", "odd2.html:1", "odd3.html:1"]
    assert "5 of 10 image sets with findings or errors, the most severe first:" in told


def test_what_a_dry_run_would_do_is_counted() -> None:
    told = text_of(*[ObjectEvent("upload", f"{n}", "new", dry_run=True) for n in range(1200)])
    assert told.splitlines()[-1].split() == ["1,200", "would", "fetch", "and", "store"]


def events(sets: int) -> list[Event]:
    problems = [Problem("bad-thing", "A thing is bad.", n, "page.html") for n in range(1, 51)]
    failed = ItemError("http-status", "It is gone.")
    results = [
        SetResult(f"p{n}.html", 1, (SetRow("https://a.example/1", status=Status.FAILED, error=failed),))
        for n in range(sets)
    ]
    return [
        *problems,
        Planned(1, sets, sets, sets),
        *[outcome("a.example", Status.FAILED)] * sets,
        *results,
        Summary(1, sets, sets, {"failed": sets}, problems=50, exit_code=1),
    ]


@pytest.mark.parametrize(
    ("sets", "above", "whole"), [(200, 200, True), (201, 200, False), (3, -1, False), (999, None, True)]
)
def test_a_large_run_is_a_summary_and_a_small_one_or_one_that_is_asked_for_a_table(
    sets: int, above: int | None, whole: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Output(Style("table", summary_above=above)) as output:
        for event in events(sets):
            output(event)
    told = capsys.readouterr()
    shown = sum(line.startswith("p") for line in told.out.splitlines())
    assert shown == (sets if whole else min(sets, 5))
    assert told.err.count("bad-thing") == (50 if whole else 20)
    assert (f"{sets} failed" in told.out, "All of it: --format table" in told.err) == (True, not whole)
