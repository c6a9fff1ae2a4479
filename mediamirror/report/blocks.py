"""A heading, a table and lines below it, laid out as rich would and at a tenth of its cost.

rich measures and renders every cell for itself: 2 ms for an image set of five rows, 100 s for 50,000 of them. Here a block
becomes one text, and what its layout leaves to rich (words to be wrapped, a terminal too narrow) is printed by rich. Without colours
rich is not even loaded: that takes as long as all else that `parse` does with a page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import IO, TYPE_CHECKING, Any

from mediamirror.first_use import dataclass

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

_INDENT = 2
_GAP = 2
_NARROWEST = 12
"""In terminal cells: a last column with less room is rich's to lay out."""
_HEADER = "dim"


@dataclass(slots=True)
class Words:
    """A text and its styles, as rich's `Text` is made; ``styled`` holds the style of each part, from one code point to another."""

    plain: str
    style: str = ""
    styled: list[tuple[str, int, int]] = field(default_factory=list)

    def append(self, text: str, style: str = "") -> None:
        """Add a text of a style of its own."""
        if style:
            self.styled.append((style, len(self.plain), len(self.plain) + len(text)))
        self.plain += text

    def __rich__(self) -> Text:
        """The same as rich's."""
        from rich.text import Text

        text = Text(self.plain, style=self.style)
        for style, start, stop in self.styled:
            text.stylize(style, start, stop)
        return text


class Plain:
    """What stands in for rich's console where there are no colours. ``width`` is in cells; what does not fit is printed by rich."""

    color_system = None

    def __init__(self, file: IO[str], width: int) -> None:
        self.file = file
        self.width = width

    def print(self, what: str | Words | Block) -> None:
        """Print a text, or lay out a block."""
        text = what.plain if isinstance(what, Words) else what
        if (
            isinstance(text, str)
            and "\t" not in text
            and all(cell_len(line) <= self.width for line in text.split("\n"))
        ):
            self.file.write(text + "\n")
        else:
            _rich_console(self.file, self.width).print(what)


def console_for(file: Any, *, terminal_width: int | None) -> Console | Plain:
    """Return a console for standard output; piped output is as wide as it needs to be."""
    wanted = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"} & os.environ.keys()
    if terminal_width is None or wanted or file.isatty():
        return _rich_console(file, terminal_width)
    return Plain(file, terminal_width)


def standard(file: Any) -> Console | Plain:
    """Return a console for standard output or error: as wide as its terminal, or 250 cells into a pipe."""
    return console_for(file, terminal_width=None if file.isatty() else 250)


def _rich_console(file: IO[str], width: int | None) -> Console:
    from rich.console import Console

    return Console(file=file, width=width, highlight=False, emoji=False, markup=False)


def cell_len(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len as measured

    return measured(text)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is never wrapped, unless it is the last: that one is folded."""

    name: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One thing to print. Cells hold no line breaks; a cell may be `Words` of one style. Renderable by rich.

    A `Text` of rich's may stand wherever `Words` may.
    """

    heading: Words | Text
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str | Words | Text]] = ()
    notes: Sequence[Words | Text] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay out by rich itself: the measure of what `laid_out` does."""
        from rich.padding import Padding
        from rich.table import Table

        yield self.heading
        if self.rows:
            table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style=_HEADER)
            for column in self.columns[:-1]:
                table.add_column(column.name, justify="right" if column.right else "left", no_wrap=True)
            table.add_column(self.columns[-1].name, overflow="fold")
            for row in self.rows:
                table.add_row(*row)
            yield Padding(table, (0, 0, 0, _INDENT), expand=False)
        yield from self.notes


def print_block(console: Console | Plain, block: Block) -> None:
    """Print a block; without colours as plain text, past rich."""
    text = laid_out(block, console.width)
    if text is None:
        console.print(block)
    else:
        print_line(console, text)


def print_line(console: Console | Plain, line: Words) -> None:
    """Print what is not to be wrapped.

    Without colours rich has nothing to do, and takes 0.5 ms over it: 20 s for the 40,000 problems of a large crawl.
    """
    if isinstance(console, Plain) or console.color_system is None:
        console.file.write(line.plain + "\n")
    else:
        console.print(line, soft_wrap=True)


def laid_out(block: Block, width: int) -> Words | None:
    """Return a block as one text for a terminal of ``width`` cells, or None where rich has to wrap words or to squeeze."""
    if any(cell_len(text.plain) > width for text in (block.heading, *block.notes)):
        return None
    whole = Words("")
    _add(whole, block.heading)
    if block.rows:
        whole.append("\n")
        if not _add_table(whole, block, width - _INDENT):
            return None
    for note in block.notes:
        whole.append("\n")
        _add(whole, note)
    return whole


def _add(whole: Words, text: Words | Text) -> None:
    start = len(whole.plain)
    whole.append(text.plain, str(text.style))
    inner = text.styled if isinstance(text, Words) else [(str(span.style), span.start, span.end) for span in text.spans]
    whole.styled += [(style, start + first, start + stop) for style, first, stop in inner]


def _add_table(whole: Words, block: Block, room: int) -> bool:
    plain = [[cell if isinstance(cell, str) else cell.plain for cell in row] for row in block.rows]
    widths = [
        max(cell_len(column.name), *(cell_len(row[at]) for row in plain)) for at, column in enumerate(block.columns)
    ]
    last = room - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    if widths[-1] > last:
        if last < _NARROWEST or any(" " in row[-1] for row in plain):
            return False
        widths[-1] = last
    whole.append(" " * _INDENT)
    whole.append(_line([column.name for column in block.columns], block.columns, widths), _HEADER)
    for row, cells in zip(block.rows, plain, strict=True):
        for number, tail in enumerate(_folded(cells[-1], widths[-1])):
            shown = [*(cells[:-1] if number == 0 else [""] * (len(cells) - 1)), tail]
            whole.append("\n" + " " * _INDENT)
            start = len(whole.plain)
            whole.append(_line(shown, block.columns, widths))
            if number == 0:
                found = _styled(row, shown, block.columns, widths)
                whole.styled += [(style, start + first, start + stop) for style, first, stop in found]
    return True


def _folded(cell: str, width: int) -> list[str]:
    if cell_len(cell) <= width:
        return [cell]
    from rich.cells import chop_cells

    return chop_cells(cell, width)


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(_padded(*each) for each in zip(cells, columns, widths, strict=True))


def _padded(cell: str, column: Column, width: int) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if column.right else cell + space


def _styled(
    row: Sequence[str | Words | Text], cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]
) -> Iterator[tuple[str, int, int]]:
    """Where the cells with a style of their own stand in their line, in code points."""
    start = 0
    for cell, shown, column, width in zip(row, cells, columns, widths, strict=True):
        padded = _padded(shown, column, width)
        if not isinstance(cell, str) and cell.style:
            yield str(cell.style), start, start + len(padded)
        start += len(padded) + _GAP
