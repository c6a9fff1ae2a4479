"""Parse a sizes attribute: https://html.spec.whatwg.org/multipage/images.html#parse-a-sizes-attribute"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tinycss2 import ast

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.standard.calc import finite, is_math_function, quantity
from mediamirror.markup.standard.media import Truth, evaluate_condition
from mediamirror.markup.standard.screen import CHROMIUM, COMMON, LENGTH, Screen
from mediamirror.markup.standard.values import MAX_VALUE, Node, ascii_lower, component_values, keyword, literal, strip
from mediamirror.model import Problem, Span

_NEWLINE = pattern(r"\r\n|[\n\r\f]")
_WS = "\t\n\f\r "
_SKIPPED = frozenset({"empty-source-size", "invalid-source-size", "invalid-media-condition"})
_NOMINAL = Screen(1280.0, 720.0)
"""Whether a value is valid does not depend on the screen; any will do."""


@dataclass(frozen=True, slots=True)
class SourceSize:
    """One valid entry: the <source-size-value> and the media condition before it, as written. ``span`` covers both.

    Spans count code points of the value parsed. ``condition`` is None for a default.
    """

    size: str
    condition: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class ParsedSizes:
    """What `parse_sizes` returns: the entries a browser keeps, and a problem for each one that it skips."""

    entries: tuple[SourceSize, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One comma-separated list of component values, without whitespace at its ends, and its place."""

    values: list[Node]
    start: int
    size_start: int
    end: int

    @property
    def condition(self) -> list[Node]:
        # Step 3.4: strip trailing whitespace of what is left.
        return strip(self.values[:-1])


def evaluate_sizes(
    value: str | None,
    *,
    viewport: tuple[float, float],
    dpr: float = 1.0,
    auto_width: float | None = None,
    img_sizes: str | None = None,
    browser: str = COMMON,
) -> float:
    """The source size in CSS pixels that a sizes attribute gives; ``100vw`` when it gives none or is absent (None).

    ``viewport`` is (width, height) in CSS pixels. ``auto_width`` is the layout width of an img that is rendered and
    has ``loading=lazy``; None for any other. Whether ``auto`` then counts is up to ``img_sizes``, the img's own sizes
    attribute, by default ``value`` itself (give it when ``value`` is that of a source element). The result is finite
    and never negative. ``browser`` is one of `BROWSERS`. Never raises for a string.
    """
    screen = Screen.of(viewport, dpr, browser)
    if auto_width is not None and not allows_auto(value if img_sizes is None else img_sizes):
        auto_width = None
    # Steps 1 to 3.
    for entry in _entries(value or ""):
        size = _size(entry, screen)
        if size == "auto":
            # Step 3.3: auto is the layout width, or is ignored. Chromium reads no further than one in the first place.
            if auto_width is None and browser == CHROMIUM and entry.start == 0 and not entry.condition:
                break
            size = auto_width
        if size is not None and _applies(entry.condition, screen):
            return float(size)
    # Step 4.
    return screen.width


def _applies(condition: list[Node], screen: Screen) -> bool:
    """Steps 3.5 and 3.6: no condition, or one that parses and is true."""
    return not condition or evaluate_condition(condition, screen) is Truth.TRUE


def allows_auto(img_sizes: str | None) -> bool:
    """The half of "allows auto-sizes" that is about sizes: ``auto``, or starting with ``auto,``, in any ASCII case."""
    head = ascii_lower((img_sizes or "")[:5])
    return head in ("auto", "auto,")


def parse_sizes(value: str) -> ParsedSizes:
    """The entries of a sizes attribute as written, and what is wrong with it. Never raises for a string.

    Skipped by browsers: ``empty-source-size``, ``invalid-source-size``, ``invalid-media-condition``. Kept, yet in vain:
    ``unknown-media-condition`` (never true), ``unreachable-source-size`` (after a default). Missing:
    ``no-default-size`` (100vw then applies where no condition is true). A value over `MAX_VALUE` is not read:
    ``sizes-too-long``, and 100vw applies.
    """
    if len(value) > MAX_VALUE:
        message = f"The value has {len(value):,} characters, over the limit of {MAX_VALUE:,}: 100vw is taken for it."
        return ParsedSizes((), (Problem("sizes-too-long", message, span=(0, len(value))),))
    kept: list[SourceSize] = []
    problems: list[Problem] = []
    default_seen = unconditional = False
    for entry in _entries(value):
        problem = _problem(entry, value[entry.start : entry.end], after_default=default_seen)
        if problem is not None:
            problems.append(problem)
        if problem is not None and problem.code in _SKIPPED:
            continue
        kept.append(_source_size(value, entry))
        if not entry.condition:
            unconditional = True
            default_seen = default_seen or keyword(entry.values[-1]) != "auto"
    if kept and not unconditional:
        message = "No entry stands without a media condition, so 100vw applies where none matches; add a default."
        problems.append(Problem("no-default-size", message, span=(0, len(value))))
    return ParsedSizes(tuple(kept), tuple(problems))


def _entries(value: str) -> Iterator[_Entry]:
    """Step 2: the comma-separated lists of component values. A value without any has one empty list."""
    line_starts = [0, *(match.end() for match in _NEWLINE.finditer(value))]
    part: list[Node] = []
    start = 0
    for node in component_values(value):
        if literal(node) != ",":
            part.append(node)
            continue
        comma = _offset(node, line_starts)
        yield _entry(value, part, (start, comma), line_starts)
        part, start = [], comma + 1
    yield _entry(value, part, (start, len(value)), line_starts)


def _offset(node: Node, line_starts: list[int]) -> int:
    line, column = int(node.source_line), int(node.source_column)
    return line_starts[line - 1] + column - 1


def _entry(value: str, part: list[Node], span: Span, line_starts: list[int]) -> _Entry:
    # Step 3.1: strip whitespace.
    values = strip(part)
    text = value[slice(*span)]
    start = span[0] + len(text) - len(text.lstrip(_WS))
    end = max(start, span[0] + len(text.rstrip(_WS)))
    return _Entry(values, start, min(_offset(values[-1], line_starts), end) if values else end, end)


def _size(entry: _Entry, screen: Screen) -> float | Literal["auto"] | None:
    """Step 3.2: the last component value as a non-negative <source-size-value>, in CSS pixels; None when it is none."""
    if not entry.values:
        return None
    last = entry.values[-1]
    if keyword(last) == "auto":
        return "auto"
    found = quantity(last, screen)
    if found is None:
        return None
    if isinstance(last, ast.NumberToken):
        return 0.0 if found.value == 0 else None
    if found.type != LENGTH:
        return None
    if is_math_function(last):
        return max(0.0, found.value)
    return finite(abs(found.value)) if found.value >= 0 else None


def _problem(entry: _Entry, text: str, *, after_default: bool) -> Problem | None:
    shown = text if len(text) <= 80 else text[:79] + "…"
    span = (entry.start, entry.end)
    if not entry.values:
        return Problem("empty-source-size", "An entry of sizes is empty; remove the comma.", span=span)
    if _size(entry, _NOMINAL) is None:
        message = (
            f"`{shown}` is skipped because it does not end in a length such as `50vw` (no percentage, not negative)."
        )
        return Problem("invalid-source-size", message, span=span)
    truth = evaluate_condition(entry.condition, _NOMINAL) if entry.condition else Truth.TRUE
    if truth is None:
        message = f"`{shown}` is skipped because what stands before the length is not a media condition."
        return Problem("invalid-media-condition", message, span=span)
    if truth is Truth.UNKNOWN:
        message = f"The media condition of `{shown}` is never true: no browser knows the feature or the value."
        return Problem("unknown-media-condition", message, span=span)
    if after_default:
        message = f"`{shown}` is never reached because an entry before it has no media condition."
        return Problem("unreachable-source-size", message, span=span)
    return None


def _source_size(value: str, entry: _Entry) -> SourceSize:
    condition = value[entry.start : entry.size_start].strip(_WS) if entry.condition else None
    return SourceSize(value[entry.size_start : entry.end], condition, (entry.start, entry.end))
