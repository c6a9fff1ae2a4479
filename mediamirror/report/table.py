"""The result table for people: a heading and a block of rows per image set, laid out as rich would and at a tenth of its cost.

rich measures and renders every cell for itself: 2 ms for an image set of five rows, 100 s for 50,000 of them. Here a block
becomes one text, and what its layout leaves to rich (words to be wrapped, a terminal too narrow) is printed by rich. Without
colours rich is not even loaded: that takes as long as all else that `parse` does with a page.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import IO, TYPE_CHECKING, Any

from mediamirror.dialects import read
from mediamirror.first_use import dataclass
from mediamirror.markup.page.loaders import BACKGROUNDS, BGSETS, KNOWN
from mediamirror.model import (
    Candidate,
    Finding,
    ImageSet,
    ObjectEvent,
    Problem,
    SetResult,
    SetRow,
    Severity,
    Source,
    Suppressed,
    descriptor,
)
from mediamirror.redact import redact_url
from mediamirror.report.escape import clean, tail
from mediamirror.report.events import human_bytes, plural

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from mediamirror.lint.simulate import Choice

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
        for number, part in enumerate(_folded(cells[-1], widths[-1])):
            shown = [*(cells[:-1] if number == 0 else [""] * (len(cells) - 1)), part]
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


_STYLES = {
    "stored": "green", "unchanged": "cyan", "duplicate": "cyan", "rejected": "bold red", "failed": "bold red",
    "checked": "green",
}  # fmt: skip
_RESULT_COLUMNS = (
    *(Column("declared", right=True), Column("real", right=True), Column("format"), Column("bytes", right=True)),
    *(Column("status"), Column("key")),
)
_NARROW = 72
"""Characters of a terminal below which ``_ONLY_WIDE`` of these columns, format and bytes, are left out."""
_ONLY_WIDE = (2, 3)
_SET_COLUMNS = (Column("declared", right=True), Column("carrier"), Column("line", right=True), Column("url"))
_CHOICE_COLUMNS = (
    *(Column("screen"), Column(""), Column("slot", right=True), Column("wants", right=True)),
    *(Column("loads", right=True), *(Column(name, right=True) for name in ("real", "bytes", "not needed"))),
    Column("url"),
)
_TONES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def set_result(result: SetResult, *, width: int) -> Block:
    """Render one image set: heading, a row per candidate, reasons below the rows that have one."""
    narrow = width < _NARROW
    room = max(12, width - 36) if narrow else max(20, width - 52)
    chosen = [at for at in range(len(_RESULT_COLUMNS)) if not narrow or at not in _ONLY_WIDE]
    rows = [[_result_row(row, room)[at] for at in chosen] for row in result.rows]
    heading = _heading(result.document, result.line, result.alt, result.context)
    if result.places > 1:
        heading.append(f"  (in {plural(result.places, 'place')})", style="dim")
    return Block(heading, [_RESULT_COLUMNS[at] for at in chosen], rows, _reasons(result))


def _result_row(row: SetRow, room: int) -> tuple[str | Words, ...]:
    status = row.status.value if row.status else "left"
    return (
        descriptor(row.declared_width, row.density) or "–",
        f"{row.width}×{row.height}" if row.width else "",
        row.format or "",
        human_bytes(row.size),
        Words(status, style=_STYLES.get(status, "")),
        tail(clean(row.key or redact_url(row.url, room=None)), room),
    )


def _reasons(result: SetResult) -> list[Words]:
    """Say what is wrong, each sentence once though several rows may share it, the set as a whole first."""
    lines: dict[str, str] = {}
    counts = Counter[str]()
    for found in result.findings:
        _say(lines, counts, _sentence(found, result.document), _TONES[found.severity])
    for row in result.rows:
        if row.error is not None and row.error.code not in {found.rule for found in row.findings}:
            lines.setdefault(f"  {row.error.code}: {clean(row.error.message)}", "red")
        for found in row.findings:
            _say(lines, counts, _sentence(found, result.document), _TONES[found.severity])
    return [
        Words(line + (f" ({counts[line]} times)" if counts[line] > 1 else ""), style) for line, style in lines.items()
    ]


def _say(lines: dict[str, str], counts: Counter[str], sentence: str, tone: str) -> None:
    lines.setdefault(sentence, tone)
    counts[sentence] += 1


def switched_off(result: SetResult) -> Words:
    """Say what somebody switched off in a set, why, and where that is written."""
    lines = [
        f"  switched off{_sentence(off.finding, result.document)[1:]} ({clean(off.reason)}; {clean(off.where)})"
        for off in result.suppressed
    ]
    return Words("\n".join(lines), "dim")


def _sentence(found: Finding, document: str) -> str:
    place = found.reference
    line = f" line {place.line}" if place is not None and place.line else ""
    if place is not None and place.document != document:
        line = f" {clean(place.document)}:{place.line}"  # the same set stands there too, and promises something else
    return f"  {found.severity} {found.rule}{line}: {clean(found.message)}"


def image_set(found: ImageSet, *, explain: bool = False) -> Block:
    """Render what `parse` found: a row per candidate, problems below, and with ``explain`` the rules that found it."""
    rows = [_set_row(source, candidate) for source, candidate in found.entries]
    heading = _heading(found.document, found.line, found.alt, found.context)
    if found.inferred:
        heading.append("  (grouped by naming)", style="dim")
    notes = [Words(f"  read as: {clean(found.read_as)}", style="dim")] if explain and found.read_as else []
    notes += [Words(f"  found by: {clean(rule)}", style="dim") for rule in (rules_of(found) if explain else ())]
    notes += [Words(f"  {words}", style="dim") for words in (asked_for(found) if explain else ())]
    notes += [Words(f"  problem {p.code}: {clean(p.message)}", style="yellow") for p in found.problems]
    return Block(heading, _SET_COLUMNS, rows, notes)


def _set_row(source: Source, candidate: Candidate) -> tuple[str, ...]:
    line = str(candidate.reference.line) if candidate.reference else ""
    declared = descriptor(candidate.width, candidate.density) or "–"
    return declared, _carrier(source, candidate), line, clean(candidate.url)


def _carrier(source: Source, candidate: Candidate) -> str:
    attribute = candidate.reference.attribute if candidate.reference else None
    parts = [f"{source.carrier} {attribute}" if attribute else source.carrier]
    parts += [part for part in (source.mime, source.media) if part]
    return clean(", ".join(parts))


def choices_table(found: ImageSet, choices: Sequence[Choice]) -> Block:
    """Render which file each screen would load."""
    rows = [
        (
            str(choice.screen),
            choice.screen.name,
            "" if choice.slot is None else f"{choice.slot:g} px",
            "" if choice.needed is None else f"{choice.needed} px",
            choice.descriptor or "",
            f"{choice.width}×{choice.height}" if choice.width else "",
            human_bytes(choice.size),
            human_bytes(choice.wasted),
            clean(choice.url or "nothing") + (f"\n{clean(choice.error)}" if choice.error else ""),
        )
        for choice in choices
    ]
    return Block(_heading(found.document, found.line, found.alt, found.context), _CHOICE_COLUMNS, rows)


def problem(found: Problem) -> Words:
    """Render a problem that belongs to no set."""
    where = f"{clean(found.document)}:{found.line}" if found.line else clean(found.document)
    parts = (where, found.code, clean(found.message))  # what concerns the whole run stands in no document
    return Words(": ".join(part for part in parts if part), style="yellow")


def problem_off(off: Suppressed) -> Words:
    """Render a problem that somebody switched off, and why."""
    place = off.finding.reference
    told = Problem(off.finding.rule, off.finding.message, *((place.line, None, place.document) if place else ()))
    return Words(f"{problem(told).plain} (switched off: {clean(off.reason)}; {clean(off.where)})", "dim")


def object_event(event: ObjectEvent) -> Words:
    """Render what was or would be done to one object."""
    if event.error is not None:
        return Words(f"{'failed':22}{clean(event.key)}  ({event.error.code}: {clean(event.error.message)})")
    return Words(f"{object_verb(event):22}{clean(event.key)}  ({clean(event.reason)})")


def object_verb(event: ObjectEvent) -> str:
    """Say what was or would be done."""
    return {
        "upload": "would fetch and store" if event.dry_run else "stored",
        "skip": "would keep",
        "repair": "would repair" if event.dry_run else "repaired",
    }.get(event.op, event.op)


def _heading(document: str, line: int, alt: str | None, context: str | None) -> Words:
    text = Words(f"{clean(document)}:{line}" if line else clean(document), style="bold")
    for note in (context, alt):
        if note:
            text.append(f"  {clean(note)[:100]}", style="dim")
    return text


_LOADERS = (
    (("data-lazy-bg", "data-lazy-src", "data-lazy-srcset"), "WP Rocket, Jetpack"),
    (("data-srcset-", "data-src-webp", "data-src-img"), "EWWW"),
    (("nitro-",), "NitroPack"),
    (("data-pagespeed-",), "PageSpeed"),
    (("ix-",), "imgix.js"),
    (("data-pswp-",), "PhotoSwipe"),
    (("data-flickity-",), "Flickity"),
    (("data-opt-",), "Optimole"),
    (("data-cmp-",), "AEM"),
    (("data-o_",), "WooCommerce"),
    (("data-envira-",), "Envira"),
    (("data-cfsrc",), "Cloudflare Mirage"),
    (("data-actualsrc",), "Zhihu"),
    (("data-orig-file", "data-large-file", "data-medium-file"), "WordPress attachment"),
    (("data-original",), "jquery.lazyload"),
)
"""Beginnings of attribute names, and whose they are."""
_LAZYSIZES = frozenset({"data-src", "data-srcset"}) | BGSETS
_IMAGES = frozenset({"img", "source", "picture", "lazy"})
_STANDARD = frozenset({"src", "srcset"})
_FLAGS = {
    "repaired": "mended",
    "template": "a template filled with the widths that the page lists",
    "stated-size": "its size is a statement about the file",
    "glued": "freed from the words around it",
    "unescaped": "its escapes undone",
}


def rules_of(found: ImageSet) -> list[str]:
    """Return the rules that found a set's sources, in order, each once: ``img srcset``, ``text``."""
    rules = [rule for source in found.sources for rule in _rules(source)]
    if found.inferred:
        rules.append("naming: the URLs differ only in what names a size")
    rules += [
        f"{_of(place.carrier, place.attribute)} (the same set again, line {place.line})" for place in found.places
    ]
    return list(dict.fromkeys(rules))


def asked_for(found: ImageSet) -> Iterator[str]:
    """What the addresses of a set ask image servers for, where they do: ``the addresses ask for 320, 640 pixels``."""
    asked = [asks for each in found.candidates if (asks := read(each.url).asked) is not None]
    widths = sorted({each.width for each in asked if each.width is not None})
    if widths:
        yield f"the addresses ask for {', '.join(map(str, widths))} pixels"
    if formats := sorted({each.format for each in asked if each.format is not None}):
        yield f"the addresses ask for the format {', '.join(formats)}"


def _rules(source: Source) -> Iterator[str]:
    default = () if source.default is None else (source.default,)
    for candidate in (*source.candidates, *default):
        reference = candidate.reference
        carrier = reference.carrier if reference is not None else source.carrier
        rule = _of(carrier, reference.attribute if reference is not None else None)
        notes = [*_notes(source, candidate)]
        yield f"{rule} ({'; '.join(notes)})" if notes else rule


def _notes(source: Source, candidate: Candidate) -> Iterator[str]:
    yield from (_FLAGS.get(flag, flag) for flag in candidate.flags)
    if source.ignored is not None:
        yield f"a browser never selects it: {source.ignored}"


def _of(carrier: str, attribute: str | None) -> str:
    if attribute is None:
        return carrier
    if carrier not in _IMAGES or attribute in _STANDARD:
        return f"{carrier} {attribute}"
    return f"{carrier} {attribute}: {_loader(attribute)}"


def _loader(attribute: str) -> str:
    if attribute in _LAZYSIZES:
        return "lazysizes, and most other lazy loaders"
    if attribute not in KNOWN and attribute not in BACKGROUNDS:
        return "the generic rule, its value looks like an image"
    return next((whose for beginnings, whose in _LOADERS if attribute.startswith(beginnings)), "a known lazy loader")
