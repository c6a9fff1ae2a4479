"""What sync, check and the commands that mend a catalog print.

A line an object in the asked format; progress and summary for people on standard error.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from mediamirror.cli.output import progress_for
from mediamirror.model import Compared, Mark, MendEvent, MendSummary, ObjectEvent, Problem, SyncEvent, SyncSummary
from mediamirror.report.escape import clean
from mediamirror.report.events import to_line
from mediamirror.report.objects import compared_line, mend_summary_line, object_line, summary_line, to_object


class ObjectOutput:
    """Receives a job's events and prints them. Use as a context manager; call it with each event.

    The table has a line for what was done, differs or failed; with ``verbose`` also for what is the same, and for what is done
    to every object there is: the operation ``routine``.
    """

    def __init__(
        self, style: str, *, quiet: bool, verbose: bool, progress: bool = False, routine: str = "skip"
    ) -> None:
        self._style = style
        self._quiet = quiet
        self._verbose = verbose
        self._routine = routine
        self._rows: list[str] = []
        self._bar = progress_for("object", "object", wanted=progress and not quiet)

    def __enter__(self) -> Self:
        """Begin to tell of progress."""
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the progress bar away; finish a JSON document that has begun."""
        if self._bar is not None:
            self._bar.stop()
        if self._rows:
            print("[" + ",\n ".join(self._rows) + "]")
        sys.stdout.flush()

    def __call__(self, event: SyncEvent | MendEvent) -> None:
        """Print one event."""
        if self._bar is not None:
            self._bar.show(event)
        if self._style == "table":
            self._tell(event)
        elif (row := to_object(event)) is not None:
            if self._style == "json":
                self._rows.append(to_line(row))
            else:
                # Skips come by the thousand while listing; what was done is seen at once by a reader down the pipe.
                print(to_line(row), flush=row.get("op") != self._routine)
        if isinstance(event, SyncSummary | MendSummary) and self._bar is not None:
            self._bar.stop()
        if isinstance(event, SyncSummary | MendSummary) and not self._quiet:
            sys.stdout.flush()
            line = summary_line(event) if isinstance(event, SyncSummary) else mend_summary_line(event)
            print(line, file=sys.stdout if self._style == "table" else sys.stderr)

    def _tell(self, event: SyncEvent | MendEvent) -> None:
        match event:
            case ObjectEvent() if event.error is not None:
                print(object_line(event), file=sys.stderr)
            case ObjectEvent() if not self._quiet and (event.op != self._routine or self._verbose):
                print(object_line(event))
            case Compared() if event.mark is Mark.ERROR:
                print(compared_line(event), file=sys.stderr)
            case Compared() if not self._quiet and (event.mark is not Mark.SAME or self._verbose):
                print(compared_line(event))
            case Problem():
                print(clean(event.message), file=sys.stderr)
