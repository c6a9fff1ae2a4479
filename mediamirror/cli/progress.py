"""A progress bar with count, bytes and rate, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mediamirror.model import Compared, Event, MendEvent, ObjectEvent, Outcome, Planned, SyncEvent, Workload
from mediamirror.report.events import human_bytes

_LONGEST_BAR = 40
_OTHERS = 56
"""Characters that numbers, rate and time take beside the bar."""


class _OneLine(Progress):
    """A bar that stays on one line: what is written anew over two flickers, and leaves its remains behind."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return rich's table, in which nothing is broken into lines."""
        table = super().make_tasks_table(tasks)
        for column in table.columns:
            column.no_wrap = True
        return table


def _bar_of(*columns: ProgressColumn) -> Progress:
    """Make a bar with these columns beside it, on standard error; it goes away in the end. Where room is scarce, the bar gives way.

    While it is there, what is printed goes above it, but only where that is the same terminal: left to itself, rich would
    put on the screen what was meant for a file or a pipe.
    """
    console = Console(file=sys.stderr)
    bar = BarColumn(bar_width=max(4, min(_LONGEST_BAR, console.width - _OTHERS)))
    return _OneLine(bar, *columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())


class _ByteRate(ProgressColumn):
    """Bytes a second, in the units of the summary."""

    def render(self, task: Task) -> Text:
        """Show nothing until there is something to measure."""
        return Text(f"{human_bytes(int(task.speed))}/s" if task.speed else "", style="progress.data.speed")


class Bar:
    """Appears with the plan, moves with each outcome."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._bytes = 0

    def show(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Planned) and event.variants:
            self._start(event.variants)
        elif isinstance(event, Outcome) and self._progress is not None:
            self._bytes += event.fetched_bytes
            self._progress.update(self._task, advance=1, received=self._bytes)

    def _start(self, total: int) -> None:
        columns = (MofNCompleteColumn(), _Rate(), TextColumn("left"), TimeRemainingColumn())
        self._progress = _bar_of(*columns)
        self._task = self._progress.add_task("", total=total, received=0)
        self._progress.start()

    def stop(self) -> None:
        """Take the bar away; safe to call twice."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        received = int(task.fields.get("received", 0))
        seconds = task.elapsed or 0.0
        if not seconds:
            return Text("")
        return Text(
            f"{human_bytes(received)}, {human_bytes(int(received / seconds))}/s, {task.completed / seconds:.0f} images/s"
        )


class ObjectBar:
    """A progress bar: objects, bytes, rate and time left, by bytes where there are any."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._sized = False

    def show(self, event: SyncEvent | MendEvent) -> None:
        """Take one event."""
        if isinstance(event, Workload) and event.objects + event.deletions:
            self._start(event)
        elif isinstance(event, ObjectEvent | Compared) and self._progress is not None:
            size = (event.size or 0) if self._sized else 1
            done = self._progress.tasks[0].fields["done"] + 1
            self._progress.update(self._task, advance=size, done=done)

    def _start(self, work: Workload) -> None:
        self._sized = work.bytes > 0
        total = work.objects + work.deletions
        count = TextColumn("{task.fields[done]:,}/" + f"{total:,} objects")
        columns = (DownloadColumn(binary_units=True), _ByteRate()) if self._sized else (MofNCompleteColumn(),)
        self._progress = _bar_of(count, *columns, TextColumn("left"), TimeRemainingColumn())
        self._task = self._progress.add_task("", total=work.bytes or total, done=0)
        self._progress.start()

    def stop(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
