"""What sync, check and the commands that mend a catalog print.

A line an object in the asked format; progress and summary for people on standard error.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from mediamirror.model import Compared, Mark, MendEvent, MendSummary, ObjectEvent, Problem, SyncEvent, SyncSummary
from mediamirror.report.escape import clean
from mediamirror.report.events import to_line
from mediamirror.report.objects import compared_line, object_line, summary_line, to_object


class ObjectOutput:
    """Receives a job's events and prints them. Use as a context manager; call it with each event.

    The table has a line for what was done, differs or failed; with ``verbose`` also for what was skipped or is the same.
    """

    def __init__(self, style: str, *, quiet: bool = False, verbose: bool = False, progress: bool = True) -> None:
        self._style = style
        self._quiet = quiet
        self._verbose = verbose
        self._rows: list[dict[str, Any]] = []
        self._bar = None
        if progress and not quiet and sys.stderr.isatty():
            from mediamirror.cli.progress import ObjectBar

            self._bar = ObjectBar()

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


class MendOutput:
    """What gc, rebuild and import print: a line for what was done, failed or kept, and a summary. Call it with each event."""

    def __init__(self, style: str, *, quiet: bool, verbose: bool = True) -> None:
        self._style = style
        self._quiet = quiet
        self._verbose = verbose
        self._rows: list[str] = []

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish a JSON document that has begun."""
        if self._style == "json" and self._rows:
            print("[" + ",\n ".join(self._rows) + "]")
        sys.stdout.flush()

    def __call__(self, event: MendEvent) -> None:
        """Print one event."""
        from mediamirror.report.objects import event_line, mend_summary_line

        if self._style == "json":
            self._rows.append(to_line(to_object(event) or {}))
        elif self._style == "jsonl":
            print(to_line(to_object(event) or {}))
        elif isinstance(event, ObjectEvent | Problem):
            failed = isinstance(event, Problem) or event.error is not None
            wanted = isinstance(event, Problem) or event.op != "record" or self._verbose
            if failed or (wanted and not self._quiet):
                print(event_line(event), file=sys.stderr if failed else sys.stdout)
        if isinstance(event, MendSummary) and not self._quiet:
            sys.stdout.flush()
            print(mend_summary_line(event), file=sys.stdout if self._style == "table" else sys.stderr)
