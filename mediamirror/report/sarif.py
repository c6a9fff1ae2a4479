"""Findings for programs that show them beside the lines of code that they speak of.

SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
Workflow commands of GitHub Actions: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from mediamirror.first_use import replace
from mediamirror.model import Problem, Severity, Suppressed
from mediamirror.report.data import GRAVITY, Entry, ReportData, RuleNote, all_entries, entry_of, explain, named_from
from mediamirror.report.escape import plain_json, shown_url, spelled_out, uri, visible
from mediamirror.report.events import summary_sentence

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def to_github(data: ReportData) -> str:
    """Render a run as workflow commands, one a line, gravest first: GitHub shows only the first ten of each kind."""
    return "".join(line + "\n" for line in _lines(data))


def _lines(data: ReportData) -> Iterator[str]:
    named = (replace(entry, document=named_from(data.folder, entry.document)) for entry in all_entries(data.sets))
    for entry in sorted(named, key=lambda entry: GRAVITY[entry.severity]):
        yield _command(_COMMANDS[entry.severity], entry.document, entry.line, entry.rule, _text(entry))
    for told in data.problems:
        problem = replace(told, document=named_from(data.folder, told.document))
        yield _command(_COMMANDS[problem.severity], problem.document, problem.line, problem.code, _about(problem))
    yield _command("notice", "", 0, "mediamirror", summary_sentence(data.summary))


def _text(entry: Entry) -> str:
    lines = [visible(entry.message)]
    if entry.declared is not None and entry.actual is not None:
        lines.append(f"declared {visible(entry.declared)}, found {visible(entry.actual)}")
    lines.append(shown_url(entry.url))
    if not _in_repository(entry.document):
        lines.append(f"in {shown_url(entry.document)}:{entry.line}")
    return "\n".join(line for line in lines if line)


def _about(problem: Problem) -> str:
    place = "" if _in_repository(problem.document) else f"\nin {shown_url(problem.document)}:{problem.line}"
    return visible(problem.message) + place


def _command(kind: str, document: str, line: int, title: str, text: str) -> str:
    properties = {"title": visible(title)}
    if _in_repository(document):
        properties["file"] = document
        if line > 0:
            properties["line"] = str(line)
    told = ",".join(f"{name}={spelled_out(_property(value))}" for name, value in properties.items())
    return f"::{kind} {told}::{_data(text)}"


def _in_repository(document: str) -> bool:
    # An annotation can only stand beside a file of the checkout.
    return bool(document) and document != "-" and "://" not in document and not PurePath(document).is_absolute()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(data: ReportData) -> str:
    """Render a run as one SARIF log with one run: a result per finding and per failed variant.

    So is each problem of the inputs. ``executionSuccessful`` is False for an interrupted run.
    """
    told = [*all_entries(data.sets), *map(_from_problem, data.problems)]
    entries = [_named(entry, data) for entry in told]
    off = [(_named(entry_of(each.finding, found), data), each) for found in data.sets for each in found.suppressed]
    nowhere = Problem("", "")
    off += [(_named(entry_of(each.finding, nowhere), data), each) for each in data.problems_off]
    all_told = [*entries, *(entry for entry, _ in off)]
    order = {code: place for place, code in enumerate(sorted({entry.rule for entry in all_told}))}
    severities = {entry.rule: entry.severity for entry in reversed(all_told)}
    run = {
        "tool": {
            "driver": {
                "name": "mediamirror",
                "version": version("mediamirror"),
                "rules": [_rule(code, severities[code]) for code in order],
            }
        },
        "invocations": [{"executionSuccessful": data.summary.exit_code in (0, 1), "exitCode": data.summary.exit_code}],
        "columnKind": "unicodeCodePoints",
        "results": [
            *(_result(entry, order[entry.rule]) for entry in entries),
            *(_result(entry, order[entry.rule]) | {"suppressions": [_suppression(each)]} for entry, each in off),
        ],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return plain_json(json.dumps(log, ensure_ascii=True, indent=2)) + "\n"


def _named(entry: Entry, data: ReportData) -> Entry:
    return replace(entry, document=named_from(data.folder, entry.document))


def _from_problem(problem: Problem) -> Entry:
    return Entry(problem.code, problem.severity, problem.message, "", problem.document, problem.line)


def _rule(code: str, severity: Severity) -> dict[str, Any]:
    note = explain(code)
    told: dict[str, Any] = {"id": visible(code), "name": _pascal(note.name)}
    if note.summary:
        told["shortDescription"] = {"text": note.summary}
    if note.why:
        told["fullDescription"] = {"text": f"{note.summary} {note.why}"}
    told["defaultConfiguration"] = {"level": severity.value}
    help_text = "\n\n".join(part for part in (note.summary, note.why, note.fix) if part)
    if help_text:
        told["help"] = {"text": help_text, "markdown": _markdown(note)}
    return told


def _markdown(note: RuleNote) -> str:
    """The rule's page in short: viewers show it where a rule has no address of its own."""
    parts = [note.summary, f"**Why it matters.** {note.why}" if note.why else ""]
    parts.append(f"**What to do.** {note.fix}" if note.fix else "")
    parts.append(
        f"**Switch it off** with `--ignore {note.code}`, or for one image with its reason in the page."
        if note.why
        else ""
    )
    return "\n\n".join(part for part in parts if part)


def _pascal(name: str) -> str:
    # 3.49.7: a rule's name is an identifier that people can read; viewers expect it in Pascal case.
    words = "".join(c if c.isalnum() else " " for c in name).split()
    return "".join(word[:1].upper() + word[1:] for word in words) or "Rule"


def _result(entry: Entry, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": visible(entry.rule),
        "ruleIndex": index,
        "level": entry.severity.value,
        "message": {"text": _message(entry)},
    }
    uri = artifact_uri(entry.document)
    if uri is not None:
        place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
        if entry.line > 0:
            place["region"] = {"startLine": entry.line}
        result["locations"] = [{"physicalLocation": place}]
    result["partialFingerprints"] = {"mediamirror/v1": _fingerprint(entry)}
    values = (("url", shown_url(entry.url)), ("declared", entry.declared), ("actual", entry.actual))
    properties = {name: visible(value) for name, value in values if value}
    if properties:
        result["properties"] = properties
    return result


def _suppression(each: Suppressed) -> dict[str, Any]:
    # 3.35: why and where a result was suppressed.
    return {"kind": "inSource" if each.in_source else "external", "justification": visible(each.reason)}


def _message(entry: Entry) -> str:
    text = visible(entry.message) or visible(entry.rule)
    shown = shown_url(entry.url)
    return text if not shown or shown in text else f"{text} ({shown})"


def _fingerprint(entry: Entry) -> str:
    # Without the line: a finding stays the same one when the page around it grows.
    told = "\0".join(
        (entry.rule, entry.document, entry.url, entry.declared or "", entry.message if not entry.url else "")
    )
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def artifact_uri(document: str) -> str | None:
    """The URI reference of a document: a URL, ``file:`` for an absolute path, relative for a relative one; None for stdin."""
    if document in ("", "-"):
        return None
    if "://" in document:
        return uri(document)
    path = PurePath(document)
    spelled = quote(path.as_posix().encode("utf-8", "surrogatepass"), safe="/~-._")
    return f"file://{spelled}" if path.is_absolute() else spelled
