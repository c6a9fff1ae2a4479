"""CSS component values (https://drafts.csswg.org/css-syntax-3/), as tinycss2 reads them, and what we ask of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import tinycss2
from tinycss2 import ast

from mediamirror.first_use import pattern

Node = Any
"""A tinycss2 node; the package carries no types."""

MAX_VALUE = 65_536
"""Longest value that is parsed, in code points: each screen and each rule asks again, and no page needs a hundredth of it."""
_LONG_NUMBER = pattern(r"(\.?)([0-9]{4000,}+)")
_HARMLESS_ERRORS = frozenset({"eof-in-string", "eof-in-url"})
_BLOCKS = (ast.ParenthesesBlock, ast.SquareBracketsBlock, ast.CurlyBracketsBlock)


def component_values(css: str) -> list[Node]:
    """The component values of a string, without comments. Blocks left open are closed by the end of the input.

    A string over `MAX_VALUE` is one syntax error: whatever it was to be, it is not valid.
    """
    if len(css) > MAX_VALUE:
        return [ast.ParseError(1, 1, "too-long", f"longer than {MAX_VALUE:,} characters")]
    try:
        return list(tinycss2.parse_component_value_list(css, skip_comments=True))
    except ValueError:
        # int() refuses more than 4300 digits: beyond 4000 they only say "out of range", or are leading zeros.
        return list(tinycss2.parse_component_value_list(_LONG_NUMBER.sub(_shorten, css), skip_comments=True))


def _shorten(match: re.Match[str]) -> str:
    dot, digits = match[1], match[2]
    return dot + digits[:4000] if dot else (digits.lstrip("0") or "0")[:4000]


def split_at_commas(values: Iterable[Node]) -> Iterator[list[Node]]:
    """The lists of component values between top-level commas; always at least one."""
    part: list[Node] = []
    for node in values:
        if literal(node) == ",":
            yield part
            part = []
        else:
            part.append(node)
    yield part


def literal(node: Node) -> str:
    """The text of a delimiter, comma or colon token; empty for anything else."""
    return node.value if isinstance(node, ast.LiteralToken) else ""


def keyword(node: Node) -> str:
    """An identifier in ASCII lower case; empty for anything else."""
    return ascii_lower(node.value) if isinstance(node, ast.IdentToken) else ""


def ascii_lower(text: str) -> str:
    """Lower case of ASCII letters only: no other letter ever equals a CSS keyword."""
    return text.lower() if text.isascii() else text


def is_space(node: Node) -> bool:
    """A whitespace token, or the note that a string or url() ended with the input, which changes nothing."""
    return isinstance(node, ast.WhitespaceToken) or (isinstance(node, ast.ParseError) and node.kind in _HARMLESS_ERRORS)


def strip(values: Sequence[Node]) -> list[Node]:
    """The values without whitespace at the ends."""
    start, end = 0, len(values)
    while start < end and is_space(values[start]):
        start += 1
    while end > start and is_space(values[end - 1]):
        end -= 1
    return list(values[start:end])


def without_space(values: Iterable[Node]) -> list[Node]:
    """The values that are not whitespace."""
    return [node for node in values if not is_space(node)]


def contents(node: Node) -> list[Node]:
    """What a block or function holds; empty for a token."""
    if isinstance(node, ast.FunctionBlock):
        return list(node.arguments)
    return list(node.content) if isinstance(node, _BLOCKS) else []


def is_any_value(values: Iterable[Node]) -> bool:
    """Whether values match <any-value>: no bad string, bad url or unmatched closing bracket at any depth."""
    pending = list(values)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.ParseError) and not is_space(node):
            return False
        pending.extend(contents(node))
    return True


def innermost_first(roots: Iterable[Node], enter: Callable[[Node], bool]) -> list[Node]:
    """The nodes of a forest that ``enter`` accepts (below accepted ones only), children before parents.

    Evaluating in this order needs no recursion, so a million open parentheses cost memory and nothing worse.
    """
    order = [node for node in roots if enter(node)]
    for node in order:
        order.extend(child for child in contents(node) if enter(child))
    order.reverse()
    return order
