"""GitHub Actions workflow commands: annotations beside the lines they speak of.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from mediamirror.first_use import replace
from mediamirror.model import Problem, Severity
from mediamirror.report.data import GRAVITY, Entry, ReportData, all_entries, named_from
from mediamirror.report.escape import shown_url, spelled_out, visible
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
