"""What a command prints: events to standard output in the asked format, progress and summary for people on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mediamirror.model import Event, ImageSet, ObjectEvent, Outcome, Planned, Problem, SetResult, Summary
from mediamirror.report.jsonl import to_line, to_objects
from mediamirror.report.words import summary_sentence

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass(frozen=True, slots=True)
class Style:
    """How to print: the format, and what is wanted besides the data."""

    format: str
    quiet: bool = False
    progress: bool = True


class Output:
    """Receives a job's events and prints them. Use as a context manager; call it with each event."""

    def __init__(self, style: Style, *, show_sets: bool = False) -> None:
        self._style = style
        self._show_sets = show_sets
        self._print = _Table(show_sets, quiet=style.quiet) if style.format == "table" else _Json(style.format)
        self._progress = _Bar() if style.progress and not style.quiet and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the progress bar away; finish the JSON document."""
        if self._progress is not None:
            self._progress.stop()
        self._print.close()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if self._progress is not None:
            self._progress.show(event)
        if isinstance(event, Summary):
            if self._progress is not None:
                self._progress.stop()
            self._conclude(event)
        self._print.show(event)

    def _conclude(self, summary: Summary) -> None:
        if self._style.quiet:
            return
        if not summary.variants or summary.exit_code == 130 or self._style.format != "table":
            sys.stdout.flush()
            print(summary_sentence(summary), file=sys.stderr)


class _Json:
    def __init__(self, style: str) -> None:
        self._lines = style == "jsonl"
        self._rows: list[dict[str, Any]] = []

    def show(self, event: Event) -> None:
        for value in to_objects(event):
            if self._lines:
                print(to_line(value), flush=True)  # a reader down the pipe sees each outcome as it comes
            else:
                self._rows.append(value)

    def close(self) -> None:
        if not self._lines:
            print("[" + ",\n ".join(to_line(row) for row in self._rows) + "]")


class _Table:
    """Rich is imported here, when there is something to print."""

    def __init__(self, show_sets: bool, *, quiet: bool) -> None:
        from mediamirror.report import table

        self._render = table
        self._show_sets = show_sets
        self._quiet = quiet
        width = None if sys.stdout.isatty() else 250
        self._console = table.console_for(sys.stdout, terminal_width=width)
        self._errors = table.console_for(sys.stderr, terminal_width=None if sys.stderr.isatty() else 250)

    def show(self, event: Event) -> None:
        match event:
            case ImageSet() if self._show_sets:
                self._console.print(self._render.image_set(event))
            case SetResult() if not (self._quiet and event.sound):
                self._console.print(self._render.set_result(event, width=self._console.width))
            case ObjectEvent():
                self._console.print(self._render.object_event(event))
            case ImageSet(problems=problems):
                for problem in problems:
                    self._errors.print(self._render.problem(problem))
            case Problem():
                self._errors.print(self._render.problem(event))
            case Summary() if event.variants and not self._quiet:
                self._console.print(summary_sentence(event))
            case _:
                pass

    def close(self) -> None:
        sys.stdout.flush()


class _Bar:
    """A progress bar with count, bytes and rate, on standard error."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: Any = None
        self._bytes = 0

    def show(self, event: Event) -> None:
        if isinstance(event, Planned) and event.variants:
            self._start(event.variants)
        elif isinstance(event, Outcome) and self._progress is not None:
            self._bytes += event.fetched_bytes
            self._progress.update(self._task, advance=1, received=self._bytes)

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            _rate_column(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
        )
        self._task = self._progress.add_task("", total=total, received=0)
        self._progress.start()

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _rate_column() -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    from mediamirror.report.words import human_bytes

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            received = int(task.fields.get("received", 0))
            per_second = received / task.elapsed if task.elapsed else 0
            items = task.completed / task.elapsed if task.elapsed else 0
            return Text(f"{human_bytes(received)}, {human_bytes(int(per_second))}/s, {items:.0f} images/s")

    return RateColumn()


Listener = Callable[[Event], None]
