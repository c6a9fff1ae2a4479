"""What a command prints: events to standard output in the asked format, progress and summary for people on stderr."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from mediamirror.first_use import dataclass
from mediamirror.model import (
    Event,
    ImageSet,
    ObjectEvent,
    Planned,
    Problem,
    Rendered,
    SetResult,
    Severity,
    Summary,
    Suppressed,
)
from mediamirror.report.events import plural, problems_of, summary_sentence, to_line, to_objects

if TYPE_CHECKING:
    from mediamirror.cli.progress import LoggedProgress, Progress
    from mediamirror.report.digest import Digest
    from mediamirror.report.html import HtmlReport

_MOST_HELD = 2000
_AT_ONCE = 20
"""Problems that are told while documents are read, before anybody knows how many there will be."""


class Printer(Protocol):
    """Takes events one by one, and prints them now or in the end."""

    def show(self, event: Event) -> None:
        """Take one event."""

    def close(self) -> None:
        """Print what is left."""


class Summarised:
    """Hands every event to ``table``, unless the run plans more than ``above`` image sets: then it counts, and prints the counts.
    Below 0 it always does.

    Problems beyond the first few wait until the size of the run is known.
    """

    def __init__(self, table: Printer, *, above: int) -> None:
        self._table = table
        self._above = above
        self._counted: Digest | None = None
        self._large = True if above < 0 else None
        self._told = 0
        self._held: list[Event] = []

    def show(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Planned) and self._large is None:
            self._decide(event.sets > self._above)
        if self._large is False:
            self._table.show(event)
        elif isinstance(event, Summary):
            self._conclude(event)
        else:
            aside = isinstance(event, Problem | Suppressed) or (isinstance(event, ImageSet) and bool(event.problems))
            if aside or self._large:
                self._digest.add(event)
            if aside:
                self._hold(event)

    @property
    def _digest(self) -> Digest:
        if self._counted is None:
            from mediamirror.report.digest import Digest  # a small run has no use for it

            self._counted = Digest()
        return self._counted

    def _hold(self, event: Event) -> None:
        self._told += 1
        if self._told <= _AT_ONCE:
            self._table.show(event)
        elif self._large is None and len(self._held) < _MOST_HELD:
            self._held.append(event)

    def _decide(self, large: bool) -> None:
        self._large = large
        for event in () if large else self._held:
            self._table.show(event)
        self._held = []

    def _conclude(self, summary: Summary) -> None:
        if self._large is None:  # it ended before it had begun
            self._decide(large=False)
            self._table.show(summary)
            return
        from mediamirror.report.table import print_block, standard

        console = standard(sys.stdout)
        for block in self._digest.blocks(width=console.width):
            print_block(console, block)
        if not summary.variants:  # told on standard error, as of an interrupted run
            return
        if summary.exit_code != 130:
            console.print(summary_sentence(summary))
        noun = ("image set", summary.sets) if summary.sets else ("object", summary.variants)
        told = f"This is a summary, for {plural(noun[1], noun[0])}"
        print(f"{told}. All of it: --format table; for programs: --format jsonl.", file=sys.stderr)

    def close(self) -> None:
        """Print what is left."""
        self._table.close()


STREAMED = ("table", "summary", "json", "jsonl")
_IN_MEMORY = 1 << 20
"""Bytes of JSON that are held back in memory; more goes to a nameless file."""


@dataclass(frozen=True, slots=True)
class Style:
    """How to print: the format (``none``: nothing but the report), and what is wanted besides the data.

    ``sets``: print each image set as it is found (`parse`). ``troubled``: print only sets with something to say.
    ``title`` names the run in reports; ``report`` is the folder of an HTML report. ``explain``: say which rule found each
    source of a set.
    """

    format: str
    quiet: bool = False
    progress: bool = True
    sets: bool = False
    troubled: bool = False
    title: str = "mediamirror"
    report: Path | None = None
    fail_on: str = "error"
    explain: bool = False
    summary_above: int | None = None
    """How many image sets make a table a summary of the run; None: a table in any case."""
    hide: bool = False
    """Leave signatures and tokens out of the URLs of JSON."""
    apart: str = ""
    """Where the job tells what rules find in a file after its outcome: before the ``next`` one, or at the ``end``."""


class Output:
    """Receives a job's events and prints them. Use as a context manager; call it with each event."""

    def __init__(self, style: Style) -> None:
        self._style = style
        html = _Html(style.report, style.title) if style.report is not None else None
        self._progress = progress_for("image", "image set", wanted=style.progress and not style.quiet)
        self._printers: list[Printer] = [] if style.format == "none" else [_printer(style)]
        self._printers += [html] if html is not None else []

    def __enter__(self) -> Self:
        """Begin to tell of progress."""
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the progress bar away; finish documents that are printed whole."""
        if self._progress is not None:
            self._progress.stop()
        for printer in self._printers:
            printer.close()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if self._progress is not None:
            self._progress.show(event)
        if isinstance(event, Summary):
            if self._progress is not None:
                self._progress.stop()
            self._conclude(event)
        for printer in self._printers:
            printer.show(event)

    def _conclude(self, summary: Summary) -> None:
        """Say on standard error how it went, where no table does."""
        if self._style.quiet:
            return
        if not summary.variants or summary.exit_code == 130 or self._style.format not in {"table", "summary"}:
            sys.stdout.flush()
            print(summary_sentence(summary), file=sys.stderr)


def progress_for(noun: str, found: str, *, wanted: bool) -> Progress | LoggedProgress | None:
    """Return what tells of progress: a line that moves on a terminal, else a plain one now and then; None where nobody wants it."""
    if not wanted:
        return None
    from mediamirror.cli.progress import LoggedProgress, Progress

    moves = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Progress(noun, found) if moves else LoggedProgress(noun, found)


def _printer(style: Style) -> Printer:
    if style.format in {"table", "summary"}:
        table = _Table(style)
        if style.summary_above is None:
            return table
        return Summarised(table, above=style.summary_above)
    return _Json(style) if style.format in STREAMED else _Whole(style)


class _Json:
    def __init__(self, style: Style) -> None:
        self._lines = style.format == "jsonl"
        self._hide = style.hide
        self._apart = style.apart
        self._rows: list[dict[str, Any]] = []
        self._held: IO[bytes] | None = None
        self._found: dict[str, set[str]] = {}

    def show(self, event: Event) -> None:
        if isinstance(event, Rendered):
            print(event.text, end="", flush=True)
        for value in to_objects(event):
            kind = value["type"]
            if kind == "summary" or (kind == "variant" and self._apart == "next"):
                self._release()
            if self._apart and kind == "variant":
                self._held = self._held or tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 -- `_release` closes it
            if self._held is None:
                self._print(value)
                continue
            if kind == "finding":
                self._found.setdefault(value["url"], set()).add(value["rule"])
            self._held.write(json.dumps(value).encode() + b"\n")

    def _release(self) -> None:
        """Print what was held back until the rules had spoken, each file's row with what they found in it."""
        if self._held is None:
            return
        with self._held as held:
            held.seek(0)
            for line in held:
                value = json.loads(line)
                if value["type"] == "variant":
                    value["findings"] = sorted(self._found.get(value["url"], ()))
                self._print(value)
        self._held, self._found = None, {}

    def _print(self, value: dict[str, Any]) -> None:
        if self._lines:  # a reader down the pipe sees each outcome as it comes
            print(to_line(value, hide=self._hide), flush=True)
        else:
            self._rows.append(value)

    def close(self) -> None:
        self._release()
        if not self._lines:
            print("[" + ",\n ".join(to_line(row, hide=self._hide) for row in self._rows) + "]")


class _Table:
    """Renderers are imported here, when there is something to print."""

    def __init__(self, style: Style) -> None:
        from mediamirror.report import table

        self._render = table
        self._style = style
        self._console, self._errors = table.standard(sys.stdout), table.standard(sys.stderr)

    def show(self, event: Event) -> None:
        match event:
            case ImageSet() if self._style.sets and not self._style.quiet:
                self._render.print_block(self._console, self._render.image_set(event, explain=self._style.explain))
            case SetResult() if not (event.sound and (self._style.quiet or self._style.troubled)):
                self._render.print_block(self._console, self._render.set_result(event, width=self._console.width))
                if event.suppressed and not self._style.troubled:
                    self._console.print(self._render.switched_off(event))
            case ObjectEvent():
                self._render.print_line(self._console, self._render.object_event(event))
            case ImageSet() | Problem() | Suppressed(of_set=False):
                self._show_aside(event)
            case Summary() if event.variants and event.exit_code != 130 and not self._style.quiet:
                self._console.print(summary_sentence(event))
                if event.suppressed and self._style.troubled:
                    self._console.print("With -v, what is switched off is shown too, with its reasons.")

    def _show_aside(self, event: ImageSet | Problem | Suppressed) -> None:
        style = self._style
        if not isinstance(event, Suppressed):
            told = [each for each in problems_of(event) if not style.quiet or each.severity is not Severity.NOTE]
            lines = [self._render.problem(each) for each in told]
        else:
            lines = [] if style.quiet or style.troubled else [self._render.problem_off(event)]
        for line in lines:
            self._render.print_line(self._errors, line)

    def close(self) -> None:
        sys.stdout.flush()


class _Gathering:
    """Takes sets, and keeps until the end what belongs to none: the problems, and those that are switched off."""

    def __init__(self, add: Callable[[SetResult], None]) -> None:
        self._add = add
        self.problems: list[Problem] = []
        self.off: list[Suppressed] = []

    def show(self, event: Event) -> None:
        match event:
            case ImageSet() | Problem():
                self.problems.extend(problems_of(event))
            case Suppressed(of_set=False):
                self.off.append(event)
            case SetResult():
                self._add(event)
            case Summary():
                self.finish(event)

    def finish(self, summary: Summary) -> None:
        raise NotImplementedError


class _Whole(_Gathering):
    """A format that is one document: JUnit, SARIF, Markdown, GitHub annotations."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._sets: list[SetResult] = []
        super().__init__(self._sets.append)

    def finish(self, summary: Summary) -> None:
        from datetime import UTC, datetime

        from mediamirror.report.data import ReportData

        told = (tuple(self._sets), summary, datetime.now(UTC), tuple(self.problems), tuple(self.off))
        print(_whole(self._style, ReportData(self._style.title, *told, folder=Path.cwd())), end="")

    def close(self) -> None:
        """All is printed: a run that ended before it began has no summary, and its error has been said."""


def _whole(style: Style, data: Any) -> str:
    from mediamirror.model import Severity
    from mediamirror.report.junit import to_junit
    from mediamirror.report.markdown import to_markdown
    from mediamirror.report.sarif import to_github, to_sarif

    if style.format == "junit":
        return to_junit(data, fail_on=None if style.fail_on == "never" else Severity(style.fail_on))
    return {"sarif": to_sarif, "github": to_github, "md": to_markdown}[style.format](data)


class _Html(_Gathering):
    """The HTML report, written set by set; its folder is claimed before the run starts."""

    def __init__(self, folder: Path, title: str) -> None:
        from datetime import UTC, datetime

        from mediamirror.report.html import HtmlReport

        self._report: HtmlReport = HtmlReport(folder, title=title, created=datetime.now(UTC))
        self._report.__enter__()
        super().__init__(self._report.add)

    def finish(self, summary: Summary) -> None:
        print(f"Report: {self._report.finish(summary, self.problems, self.off)}", file=sys.stderr)

    def close(self) -> None:
        self._report.__exit__(None, None, None)
