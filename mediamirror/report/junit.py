"""JUnit XML, for CI servers: a test suite per document, a test case per image set.

The shape is what Jenkins, GitLab and GitHub reporters all read. Several of them keep only the first ``failure`` of a test
case, so each case has at most one, which lists everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from mediamirror.model import Problem, SetResult, Severity
from mediamirror.report.data import ACCEPTED, GRAVITY, Entry, ReportData, entries_of, is_unseen, verdict_of
from mediamirror.report.escape import file_name, shorten, shown_url, visible
from mediamirror.report.events import plural


def to_junit(data: ReportData, *, fail_on: Severity | None = Severity.ERROR) -> str:
    """Render a run as JUnit XML. Findings at or above ``fail_on`` (None: no finding) make a case fail.

    A case whose variant could not be fetched or read is an ``error``; lesser findings and problems are ``system-out``; a case
    of which no file was looked at, and nothing is said, is ``skipped``. What kept a document from being read is an ``error`` of a
    case of its own. The sound objects of a mirror are one case together.
    """
    root = ET.Element("testsuites", name="mediamirror")
    root.set("time", f"{data.summary.seconds:,.3f}")
    totals = [0, 0, 0, 0]
    for document, sets in _by_document(data).items():
        problems = [problem for problem in data.problems if problem.document == document]
        for place, count in enumerate(_suite(root, document, sets, problems, fail_on)):
            totals[place] += count
    if data.summary.variants and not data.summary.sets:
        totals[0] += _sound(root, data)
    _count(root, totals)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _sound(root: ET.Element, data: ReportData) -> int:
    """Add one case for the sound objects of a mirror, of which none is told by itself; return how many cases that is."""
    told = {row.url for image_set in data.sets for row in image_set.rows if row.carrier == "object"}
    sound = data.summary.variants - len(told)
    if sound < 1:
        return 0
    name = shown_url(data.title)
    suite = ET.SubElement(root, "testsuite", name=f"{name}: valid objects")
    ET.SubElement(suite, "testcase", name=f"{plural(sound, 'object')} without a finding", classname=name)
    _count(suite, (1, 0, 0, 0))
    return 1


def _by_document(data: ReportData) -> dict[str, list[SetResult]]:
    documents: dict[str, list[SetResult]] = {}
    for image_set in data.sets:
        documents.setdefault(image_set.document, []).append(image_set)
    for problem in data.problems:
        documents.setdefault(problem.document, [])
    return documents


def _suite(
    root: ET.Element, document: str, sets: Sequence[SetResult], problems: Sequence[Problem], fail_on: Severity | None
) -> tuple[int, ...]:
    suite = ET.SubElement(root, "testsuite", name=shown_url(document) or "-")
    verdicts = [_case(suite, image_set, fail_on) for image_set in sets]
    grave = [each for each in problems if each.severity is Severity.ERROR]
    if grave:
        case = ET.SubElement(suite, "testcase", name="the document", classname=shown_url(document) or "-")
        told = ET.SubElement(case, "error", type=visible(grave[0].code), message=visible(grave[0].message))
        told.text = "\n".join(map(_said, grave))
        verdicts.append("error")
    if lesser := [each for each in problems if each not in grave]:
        ET.SubElement(suite, "system-out").text = "\n".join(map(_said, lesser))
    totals = (len(verdicts), *(verdicts.count(verdict) for verdict in ("failure", "error", "skipped")))
    _count(suite, totals)
    return totals


def _said(problem: Problem) -> str:
    return f"line {problem.line}: {visible(problem.code)}: {visible(problem.message)}"


def _count(element: ET.Element, totals: Sequence[int]) -> None:
    for name, count in zip(("tests", "failures", "errors", "skipped"), totals, strict=True):
        element.set(name, str(count))


def _case(suite: ET.Element, image_set: SetResult, fail_on: Severity | None) -> str | None:
    case = ET.SubElement(suite, "testcase", name=_name(image_set), classname=shown_url(image_set.document) or "-")
    entries = entries_of(image_set)
    grave = [entry for entry in entries if _fails(entry, fail_on)]
    minor = [entry for entry in entries if not _fails(entry, fail_on)]
    verdict = None
    if grave:
        verdict = "error" if all(entry.failure for entry in grave) else "failure"
        told = ET.SubElement(case, verdict, type=visible(grave[0].rule), message=visible(grave[0].message))
        told.text = "\n".join(map(_line, grave))
    if not grave and is_unseen(image_set) and verdict_of(image_set) != ACCEPTED:
        verdict = "skipped"
        ET.SubElement(case, verdict, message=_unseen(image_set))
    if minor:
        ET.SubElement(case, "system-out").text = "\n".join(map(_line, minor))
    return verdict


def _unseen(image_set: SetResult) -> str:
    statuses = dict.fromkeys(row.status.value if row.status else "left" for row in image_set.rows)
    return f"Not checked: no file of it was looked at ({', '.join(statuses)})."


def _fails(entry: Entry, fail_on: Severity | None) -> bool:
    return entry.failure or (fail_on is not None and GRAVITY[entry.severity] <= GRAVITY[fail_on])


def _name(image_set: SetResult) -> str:
    subject = visible(image_set.alt or "") or (_file(image_set))
    return f"line {image_set.line}: {shorten(subject, 120)}" if image_set.line else shorten(subject, 120)


def _file(image_set: SetResult) -> str:
    """The name of a set's first file; of an object in a mirror its whole key, which nobody else has."""
    first = image_set.rows[0] if image_set.rows else None
    return "image set" if first is None else visible(first.url) if first.carrier == "object" else file_name(first.url)


def _line(entry: Entry) -> str:
    values = ""
    if entry.declared is not None and entry.actual is not None:
        values = f" (declared {visible(entry.declared)}, found {visible(entry.actual)})"
    place = f"{shown_url(entry.document)}:{entry.line}" if entry.line else shown_url(entry.document)
    return f"{place}: {entry.severity.value} {visible(entry.rule)}: {visible(entry.message)}{values} {shown_url(entry.url)}"
