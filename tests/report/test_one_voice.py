"""One thing is told once, in every format alike: a rule's as a finding, the rest as problems that are switched off like findings."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fixtures.images import make_image
from mediamirror import verify
from mediamirror.cli.output import Output, Style
from mediamirror.errors import UsageError
from mediamirror.jobs.verify.baseline import fingerprint
from mediamirror.lint.suppress import codes_of
from mediamirror.model import Event, Finding, ImageSet, Problem, Suppressed
from mediamirror.settings import CheckOptions, PerPath, VerifyOptions

ROOT = Path(__file__).parents[2] / "mediamirror"
PAGE = """<!doctype html><html lang=en><title>t</title>
<img src="a-480.webp" srcset="a-480.webp 480w, a-960.webp 960w, a.webp 12q, {{x}} 700w" sizes="100vw" alt="A">
<img src="file:///etc/x.png" alt="B">
<img data-src="{{ url }}" alt="lazy">
<img src="a-480.webp" srcset="my photo.webp 480w, a-960.webp 960w" sizes="100vw" alt="A">
<style>@import "x.css"; .a { background: image-set("a-480.webp" 1x, 5px 2x) }</style>
<img src="gone-1.webp" alt="C"><img src="gone-2.webp" alt="C">
<img src="a-480.webp" width=1 height=1 alt="">
<picture><source srcset="gone-3.webp 1x, gone-4.webp 2x"><img src="a-480.webp" alt="D"></picture>
"""
DOCUMENT_PROBLEMS = ["css-import", "empty-document", "invalid-image-set", "tracker-pixel", "unfilled-template"]
"""What is left as a problem: no rule is about it. The empty page is an INPUT of its own."""

Count = Counter[str]
"""Findings by severity, and ``problem`` and ``suppressed``."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name, width in {"a-480": 480, "a-960": 700, "my photo": 480}.items():
        (folder / f"{name}.webp").write_bytes(make_image(width, 320, "webp", seed=1))
    (folder / "index.html").write_text(PAGE)
    (folder / "empty.html").write_text("")
    return folder


def events_of(site: Path, **options: Any) -> list[Event]:
    events: list[Event] = []
    asked = VerifyOptions(check=CheckOptions(check="header"), **options)
    asyncio.run(verify([str(site)], options=asked, on_event=events.append))
    return events


def problem_codes(events: list[Event]) -> list[str]:
    found = [event for event in events if isinstance(event, Problem)]
    inside = [each for event in events if isinstance(event, ImageSet) for each in event.problems]
    return sorted(problem.code for problem in (*found, *inside))


def in_rows(text: str) -> Count:
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    count = Counter(row["severity"] for row in rows if row["type"] == "finding")
    count["problem"] = sum(row["type"] == "problem" for row in rows)
    count["problem"] += sum(len(row["problems"]) for row in rows if row["type"] == "image-set")
    count["suppressed"] = sum(row["type"] == "suppressed" for row in rows)
    return count


def in_table(text: str) -> Count:
    count: Count = Counter()
    for off, severity, times in re.findall(
        r"^  (switched off )?(error|warning|note) MM.*?(?: \((\d+) times\))?$", text, re.M
    ):
        count["suppressed" if off else severity] += int(times or 1)
    for off in re.findall(r"\.html(?::\d+)?: [a-z-]+: .*?( \(switched off: .*)?$", text, re.M):
        count["suppressed" if off else "problem"] += 1
    return count


def in_sarif(text: str) -> Count:
    results = json.loads(text)["runs"][0]["results"]
    kept = [each for each in results if "suppressions" not in each]
    rules = [each for each in kept if each["ruleId"].startswith("MM")]
    return Counter(each["level"] for each in rules) | Counter(
        problem=len(kept) - len(rules), suppressed=len(results) - len(kept)
    )


def in_github(text: str) -> Count:
    words = {"error": "error", "warning": "warning", "notice": "note"}
    told = re.findall(r"^::(\w+) title=([^,:]+)", text, re.M)
    count = Counter(words[kind] for kind, title in told if title.startswith("MM"))
    count["problem"] = sum(not title.startswith(("MM", "mediamirror")) for _, title in told)
    return count


def in_junit(text: str) -> Count:
    said = "\n".join(each.text or "" for each in ElementTree.fromstring(text).iter())
    count = Counter(re.findall(r": (error|warning|note) MM\d+:", said))
    count["problem"] = len(re.findall(r"^line \d+: [a-z-]+:", said, re.M))
    return count


def in_markdown(text: str) -> Count:
    verdict = text.splitlines()[2]
    count: Count = Counter({word: int(number) for number, word in re.findall(r"(\d+) (error|warning|note)s?", verdict)})
    rules = {"🔴 error": "error", "🟡 warning": "warning", "🔵 note": "note"}
    rows = re.findall(r"^\| MM\d+ \| (\S+ \w+) \| (\d+) \|", text, re.M)
    assert sum(int(number) for mark, number in rows if mark in rules) == count.total()
    listed = re.findall(r"^### (\d+) problems? in the inputs", text, re.M)
    count["problem"] = int(listed[0]) if listed else 0
    assert len(re.findall(r"^- ", text, re.M)) == count["problem"]
    return count


def in_html(text: str) -> Count:
    count: Count = Counter()
    table = text.partition('<table class="found">')[2].partition("</table>")[0]
    for severity, number in re.findall(r'<tr class="(\w+)">.*?<td class="number">(\d+)<span', table, re.S):
        count[severity] += int(number)
    section = text.partition('<section class="problems"')[2].partition("</section>")[0]
    named = re.findall(r">(\d+) problems? in the inputs<", section)
    count["problem"] = int(named[0]) if named else 0
    off = section.count("Switched off: ")
    assert section.count("<li>") == count["problem"] + off
    count["suppressed"] = off + text.count('<p class="reason">')
    return count


def summary_count(events: list[Event]) -> Count:
    told: Any = events[-1]
    return +Counter({**told.findings, "problem": told.problems, "suppressed": told.suppressed})


FORMATS: dict[str, Callable[[str], Count]] = {
    "jsonl": in_rows,
    "json": in_rows,
    "table": in_table,
    "sarif": in_sarif,
    "github": in_github,
    "junit": in_junit,
    "md": in_markdown,
    "html": in_html,
}
WITHOUT_SUPPRESSED = {"github", "junit", "md"}
"""What these say of findings that are switched off is their number alone, in the summary."""


def counted(
    format_: str, events: list[Event], folder: Path, capsys: pytest.CaptureFixture[str], *, quiet: bool
) -> Count:
    report = folder / "report" if format_ == "html" else None
    style = Style("none" if report else format_, quiet=quiet, progress=False, report=report, apart="end")
    with Output(style) as output:
        for event in events:
            output(event)
    printed = capsys.readouterr()
    if report is not None:
        return +FORMATS[format_]((report / "index.html").read_text())
    return +FORMATS[format_](printed.out + printed.err if format_ == "table" else printed.out)


def settings(site: Path, tmp_path: Path, how: str) -> dict[str, Any]:
    every = (*DOCUMENT_PROBLEMS, "MM1")
    if how == "baseline":
        known = tmp_path / "known.json"
        events_of(site, write_baseline=known)
        return {"baseline": known}
    entry = PerPath(every, "old pages", tmp_path / "mediamirror.toml", "index.html")
    chosen: dict[str, dict[str, Any]] = {
        "all": {},
        "quiet": {},
        "ignore a rule": {"ignore": ("MM1",)},
        "ignore problems": {"ignore": tuple(DOCUMENT_PROBLEMS)},
        "select a rule": {"select": ("MM301",)},
        "select a problem": {"select": ("css-import",)},
        "per path": {"per_path": (entry,), "root": site},
    }
    return chosen[how]


@pytest.mark.parametrize(
    ("how", "left"),
    [
        ("all", DOCUMENT_PROBLEMS),
        ("ignore a rule", [code for code in DOCUMENT_PROBLEMS if code != "unfilled-template"]),
        ("ignore problems", []),
        ("select a rule", []),
        ("select a problem", ["css-import"]),
        ("per path", ["empty-document"]),
        ("baseline", []),
    ],
)
def test_every_format_counts_alike_and_heeds_what_switches_findings_off(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, left: list[str]
) -> None:
    events = events_of(site, **settings(site, tmp_path, how))
    assert problem_codes(events) == left
    wanted = summary_count(events)
    assert wanted["problem"] == len(left)
    told = {name: counted(name, events, tmp_path, capsys, quiet=False) for name in FORMATS}
    for name in WITHOUT_SUPPRESSED:
        told[name]["suppressed"] = wanted["suppressed"]
    assert {name: +count for name, count in told.items()} == dict.fromkeys(FORMATS, wanted)


def test_what_a_rule_tells_is_told_as_a_finding_alone(site: Path) -> None:
    events = events_of(site)
    said = [event.message for event in events if isinstance(event, Finding)]
    problems = [each for event in events if isinstance(event, ImageSet) for each in event.problems]
    problems += [event for event in events if isinstance(event, Problem)]
    assert {event.rule for event in events if isinstance(event, Finding)} >= {"MM101", "MM108", "MM113", "MM120"}
    assert not [each for each in problems if each.message in said or each.code == "repaired-srcset"]


def made_codes() -> set[str]:
    """The codes of problems that stand in our code where one is made."""
    found: set[str] = set()
    for path in [path for room in ("markup", "documents") for path in (ROOT / room).rglob("*.py")]:
        if path.name == "sizes.py":
            continue  # a rule parses sizes itself, and tells of all of it
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            words = [each.value for each in call.args[:2] if isinstance(each, ast.Constant)]
            if name in {"Problem", "Skip", "Rejected", "Flaw", "_problem", "_trouble", "failed", "bad"}:
                found.update(
                    word for word in words if isinstance(word, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", word)
                )
    return found


def test_every_problem_can_be_switched_off_by_its_code() -> None:
    codes = made_codes()
    assert len(codes) > 50
    assert codes - {code for code in codes if code in codes_of([code])} == set()
    with pytest.raises(UsageError, match=r"did you mean malformed-json\?"):
        codes_of(["malformed-jsn"])


@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_the_row_of_a_file_has_the_rules_that_found_something_in_it(
    site: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    with Output(Style(format_, progress=False, apart="end")) as output:
        for event in events_of(site):
            output(event)
    text = capsys.readouterr().out
    rows = json.loads(text) if format_ == "json" else [json.loads(line) for line in text.splitlines()]
    told: dict[str, set[str]] = {row["url"]: set() for row in rows if row["type"] == "variant"}
    for row in rows:
        if row["type"] == "finding" and row["url"] in told:
            told[row["url"]].add(row["rule"])
    assert {row["url"]: set(row["findings"]) for row in rows if row["type"] == "variant"} == told
    assert sum(map(len, told.values())) > 3
    assert rows[-1]["type"] == "summary"


def test_quiet_leaves_out_what_went_wrong_nowhere(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = events_of(site)
    (loud, quiet) = (counted("table", events, tmp_path, capsys, quiet=each) for each in (False, True))
    assert loud["problem"] == len(DOCUMENT_PROBLEMS)
    assert quiet == loud - Counter(problem=len(DOCUMENT_PROBLEMS))


def test_quiet_still_tells_of_an_input_that_can_not_be_read(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.html").write_bytes(b"\0\1\2" * 50)
    (tmp_path / "bad" / "b.html").write_bytes((site / "index.html").read_bytes())
    events = events_of(tmp_path / "bad")
    assert counted("table", events, tmp_path, capsys, quiet=True)["problem"] == 2  # its addresses have no place, too
    told = counted("github", events, tmp_path, capsys, quiet=True)
    assert told["problem"] == summary_count(events)["problem"]


@pytest.mark.parametrize("ignored", [(), ("binary-document",)])
def test_no_input_that_could_be_read_is_2_whatever_is_switched_off(tmp_path: Path, ignored: tuple[str, ...]) -> None:
    (tmp_path / "a.html").write_bytes(b"\0\1\2" * 50)
    summary: Any = events_of(tmp_path / "a.html", ignore=ignored)[-1]
    assert (summary.exit_code, summary.problems) == (2, 0 if ignored else 1)


def test_an_input_that_can_not_be_read_is_an_error_of_the_junit_file(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.html").write_bytes(b"\0\1\2" * 50)
    with Output(Style("junit")) as output:
        for event in events_of(tmp_path / "bad"):
            output(event)
    root = ElementTree.fromstring(capsys.readouterr().out)
    assert (root.get("errors"), root.find(".//error").get("type")) == ("1", "binary-document")  # type: ignore[union-attr]


def test_an_element_switches_off_a_problem_of_its_own_and_an_unused_word_is_told(site: Path, tmp_path: Path) -> None:
    picture = (site / "a-480.webp").read_bytes()
    (tmp_path / "a.webp").write_bytes(picture)
    ignore = 'data-mediamirror-ignore="too-many-candidates, malformed-jsn: why not"'
    (tmp_path / "index.html").write_text(f'<img src="a.webp" alt="A" {ignore}>')
    told = [event for event in events_of(tmp_path) if isinstance(event, Finding) and event.rule in ("MM118", "MM119")]
    assert [("malformed-json" in each.message, each.rule) for each in told if each.rule == "MM118"] == [(True, "MM118")]


def test_a_problem_that_is_known_is_known_by_its_code_its_page_and_its_words(site: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    events_of(site, write_baseline=known)
    rows = json.loads(known.read_text())["findings"]
    assert {row["rule"] for row in rows} >= set(DOCUMENT_PROBLEMS)
    told = events_of(site, per_path=(PerPath(("css-import",), "x", known),))
    (suppressed,) = (event for event in told if isinstance(event, Suppressed))
    assert fingerprint(suppressed.finding) in {row["fingerprint"] for row in rows}
