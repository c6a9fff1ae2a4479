"""What sync and check print: a line an object in the asked format, progress and summary for people on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mediamirror.model import Compared, Mark, ObjectEvent, Problem, SyncEvent, SyncSummary, Workload
from mediamirror.report.escape import clean
from mediamirror.report.jsonl import to_line
from mediamirror.report.sync_table import compared_line, object_line, summary_line, to_object

if TYPE_CHECKING:
    from rich.progress import Progress


class ObjectOutput:
    """Receives a job's events and prints them. Use as a context manager; call it with each event.

    The table has a line for what was done, differs or failed; with ``verbose`` also for what was skipped or is the same.
    """

    def __init__(self, style: str, *, quiet: bool = False, verbose: bool = False, progress: bool = True) -> None:
        self._style = style
        self._quiet = quiet
        self._verbose = verbose
        self._rows: list[dict[str, Any]] = []
        self._bar = _Bar() if progress and not quiet and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the progress bar away; finish a JSON document that has begun."""
        if self._bar is not None:
            self._bar.stop()
        if self._style == "json" and self._rows:
            print("[" + ",\n ".join(to_line(row) for row in self._rows) + "]")
        sys.stdout.flush()

    def __call__(self, event: SyncEvent) -> None:
        """Print one event."""
        if self._bar is not None:
            self._bar.show(event)
        if self._style == "table":
            self._tell(event)
            return
        row = to_object(event)
        if row is not None and self._style == "json":
            self._rows.append(row)
        elif row is not None:
            # Skips come by the thousand while listing; what was done is seen at once by a reader down the pipe.
            print(to_line(row), flush=row.get("op") != "skip")
        if isinstance(event, SyncSummary) and not self._quiet:
            print(summary_line(event), file=sys.stderr)

    def _tell(self, event: SyncEvent) -> None:
        match event:
            case ObjectEvent() if event.error is not None:
                print(object_line(event), file=sys.stderr)
            case ObjectEvent() if not self._quiet and (event.op != "skip" or self._verbose):
                print(object_line(event))
            case Compared() if event.mark is Mark.ERROR:
                print(compared_line(event), file=sys.stderr)
            case Compared() if not self._quiet and (event.mark is not Mark.SAME or self._verbose):
                print(compared_line(event))
            case Problem():
                print(clean(event.message), file=sys.stderr)
            case SyncSummary() if not self._quiet:
                sys.stdout.flush()
                print(summary_line(event))


class _Bar:
    """A progress bar: objects, bytes, rate and time left, by bytes where there are any."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: Any = None
        self._sized = False

    def show(self, event: SyncEvent) -> None:
        """Take one event."""
        if isinstance(event, Workload) and event.objects + event.deletions:
            self._start(event)
        elif isinstance(event, ObjectEvent | Compared) and self._progress is not None:
            size = (event.size or 0) if self._sized else 1
            done = self._progress.tasks[0].fields["done"] + 1
            self._progress.update(self._task, advance=size, done=done)

    def _start(self, work: Workload) -> None:
        from rich.progress import DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        from mediamirror.cli.progress import ByteRate, bar_of

        self._sized = work.bytes > 0
        total = work.objects + work.deletions
        count = TextColumn("{task.fields[done]:,}/" + f"{total:,} objects")
        columns = (DownloadColumn(binary_units=True), ByteRate()) if self._sized else (MofNCompleteColumn(),)
        self._progress = bar_of(count, *columns, TextColumn("left"), TimeRemainingColumn())
        self._task = self._progress.add_task("", total=work.bytes or total, done=0)
        self._progress.start()

    def stop(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
