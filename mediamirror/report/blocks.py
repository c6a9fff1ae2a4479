"""A heading, a table and lines below it, laid out as rich would and at a tenth of its cost.

rich measures and renders every cell for itself: 2 ms for an image set of five rows, 100 s for 50,000 of them. Here a block
becomes one text, and what its layout leaves to rich (words to be wrapped, a terminal too narrow) is printed by rich.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mediamirror.first_use import dataclass

_INDENT = 2
_GAP = 2
_NARROWEST = 12
"""In terminal cells: a last column with less room is rich's to lay out."""
_HEADER = "dim"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is never wrapped, unless it is the last: that one is folded."""

    name: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """One thing to print. Cells hold no line breaks; a cell may be a `Text` of one style. Renderable by rich."""

    heading: Text
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str | Text]] = ()
    notes: Sequence[Text] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay out by rich itself: the measure of what `laid_out` does."""
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


def print_block(console: Console, block: Block) -> None:
    """Print a block; without colours as plain text, past rich."""
    text = laid_out(block, console.width)
    if text is None:
        console.print(block)
    elif console.color_system is None:
        console.file.write(text.plain + "\n")
    else:
        console.print(text, soft_wrap=True)


def laid_out(block: Block, width: int) -> Text | None:
    """Return a block as one text for a terminal of ``width`` cells, or None where rich has to wrap words or to squeeze."""
    if any(cell_len(text.plain) > width for text in (block.heading, *block.notes)):
        return None
    lines = [block.heading]
    if block.rows:
        table = _table(block, width - _INDENT)
        if table is None:
            return None
        lines.append(table)
    return Text("\n").join([*lines, *block.notes])


def _table(block: Block, room: int) -> Text | None:
    plain = [[cell.plain if isinstance(cell, Text) else cell for cell in row] for row in block.rows]
    widths = [
        max(cell_len(column.name), *(cell_len(row[at]) for row in plain)) for at, column in enumerate(block.columns)
    ]
    last = room - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    if widths[-1] > last:
        if last < _NARROWEST or any(" " in row[-1] for row in plain):
            return None
        widths[-1] = last
    text = Text(" " * _INDENT + _line([column.name for column in block.columns], block.columns, widths), end="")
    text.stylize(_HEADER, _INDENT)
    for row, cells in zip(block.rows, plain, strict=True):
        for number, tail in enumerate(chop_cells(cells[-1], widths[-1]) or [""]):
            shown = [*(cells[:-1] if number == 0 else [""] * (len(cells) - 1)), tail]
            text.append("\n" + " " * _INDENT)
            start = len(text)
            text.append(_line(shown, block.columns, widths))
            if number == 0:
                for style, first, stop in _styled(row, shown, block.columns, widths):
                    text.stylize(style, start + first, start + stop)
    return text


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    return (" " * _GAP).join(_padded(*each) for each in zip(cells, columns, widths, strict=True))


def _padded(cell: str, column: Column, width: int) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if column.right else cell + space


def _styled(
    row: Sequence[str | Text], cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]
) -> Iterator[tuple[str, int, int]]:
    """Where the cells with a style of their own stand in their line, in code points."""
    start = 0
    for cell, shown, column, width in zip(row, cells, columns, widths, strict=True):
        padded = _padded(shown, column, width)
        if isinstance(cell, Text) and cell.style:
            yield str(cell.style), start, start + len(padded)
        start += len(padded) + _GAP
