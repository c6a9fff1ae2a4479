"""A table for a small run, a summary for a large one: which it is, is known when everything is planned."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from mediamirror.model import Event, ImageSet, Planned, Problem, Summary, Suppressed
from mediamirror.report.events import plural, summary_sentence

if TYPE_CHECKING:
    from mediamirror.report.digest import Digest

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
        from mediamirror.report.blocks import print_block, standard

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
