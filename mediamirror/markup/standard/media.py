"""Media conditions and media query lists, with three-valued logic: https://drafts.csswg.org/mediaqueries-5/#mq-syntax"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from tinycss2 import ast

from mediamirror.first_use import replace
from mediamirror.markup.standard.features import Comparison, evaluate_feature, varies
from mediamirror.markup.standard.screen import COMMON, Screen
from mediamirror.markup.standard.values import (
    Node,
    component_values,
    contents,
    innermost_first,
    is_any_value,
    keyword,
    literal,
    split_at_commas,
    strip,
    without_space,
)


class Truth(Enum):
    """The values of Kleene's three-valued logic, and one more. At the top of a query, UNKNOWN is false."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"
    EITHER = "either"
    """True on some devices and false on others; only where every device is asked about."""


_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_NOT = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.UNKNOWN: Truth.UNKNOWN, Truth.EITHER: Truth.EITHER}
_BY_STRENGTH = (Truth.FALSE, Truth.UNKNOWN, Truth.EITHER, Truth.TRUE)
_NO_MEDIA_TYPE = frozenset({"", "not", "only", "and", "or", "layer"})
_MATCHING_TYPES = frozenset({"all", "screen"})
Memo = Mapping[int, Truth]


def matches_media(query_list: str, *, viewport: tuple[float, float], dpr: float = 1.0, browser: str = COMMON) -> bool:
    """Whether a media query list matches a desktop screen with ``viewport`` (width, height) in CSS pixels.

    An empty list matches. A query that does not parse is ``not all`` and never matches; the others still can.
    """
    return _list(query_list, Screen.of(viewport, dpr, browser), frozenset({Truth.TRUE}))


def may_match_media(query_list: str, *, viewport: tuple[float, float], dpr: float = 1.0) -> bool:
    """Whether it matches some device with such a screen, whatever that can do and its owner prefers (dark, less motion)."""
    return _list(query_list, replace(Screen.of(viewport, dpr), any_device=True), frozenset({Truth.TRUE, Truth.EITHER}))


def _list(query_list: str, screen: Screen, enough: frozenset[Truth]) -> bool:
    values = component_values(query_list)
    if not strip(values):
        return True
    return any(_query(strip(query), screen) in enough for query in split_at_commas(values))


def evaluate_condition(values: Sequence[Node], screen: Screen) -> Truth | None:
    """A <media-condition> (no media type); None when the component values do not parse as one."""
    if not is_any_value(values):
        return None
    memo: dict[int, Truth] = {}
    for block in innermost_first(values, _is_parentheses):
        memo[id(block)] = _in_parentheses(block, memo, screen)
    return _condition(without_space(values), memo)


def _query(values: Sequence[Node], screen: Screen) -> Truth | None:
    """<media-query>: a condition, or ``[not | only]? type [and condition-without-or]?``."""
    nodes = without_space(values)
    if not nodes:
        return None
    negated = keyword(nodes[0]) == "not"
    at = 1 if negated or keyword(nodes[0]) == "only" else 0
    if len(nodes) == at or keyword(nodes[at]) in _NO_MEDIA_TYPE:
        return evaluate_condition(nodes, screen)
    result = Truth.TRUE if keyword(nodes[at]) in _MATCHING_TYPES else Truth.FALSE
    rest = nodes[at + 1 :]
    if rest:
        if keyword(rest[0]) != "and" or any(keyword(node) == "or" for node in rest):
            return None
        condition = evaluate_condition(rest[1:], screen)
        if condition is None:
            return None
        result = _all([result, condition])
    return _NOT[result] if negated else result


def _is_parentheses(node: Node) -> bool:
    return isinstance(node, ast.ParenthesesBlock)


def _condition(nodes: Sequence[Node], memo: Memo) -> Truth | None:
    """<media-condition>: one ``not``, or operands between ``and`` only or ``or`` only."""
    if not nodes:
        return None
    if keyword(nodes[0]) == "not":
        operand = _operand(nodes[1], memo) if len(nodes) == 2 else None
        return _NOT[operand] if operand else None
    joiner = keyword(nodes[1]) if len(nodes) > 1 else "and"
    if len(nodes) % 2 == 0 or joiner not in ("and", "or"):
        return None
    if any(keyword(node) != joiner for node in nodes[1::2]):
        return None
    operands = [found for node in nodes[::2] if (found := _operand(node, memo)) is not None]
    if len(operands) != len(nodes[::2]):
        return None
    return _all(operands) if joiner == "and" else max(operands, key=_BY_STRENGTH.index)


def _all(operands: Sequence[Truth]) -> Truth:
    """Kleene conjunction: false beats unknown, unknown beats true."""
    return min(operands, key=_BY_STRENGTH.index)


def _operand(node: Node, memo: Memo) -> Truth | None:
    """<media-in-parens>; a function is <general-enclosed>, thus unknown."""
    return Truth.UNKNOWN if isinstance(node, ast.FunctionBlock) else memo.get(id(node))


def _in_parentheses(block: Node, memo: Memo, screen: Screen) -> Truth:
    """A nested condition, a feature, or <general-enclosed>, which is unknown."""
    values = contents(block)
    nested = _condition(without_space(values), memo)
    if nested is not None:
        return nested
    feature = _feature(values)
    known = evaluate_feature(*feature, screen) if feature else None
    if feature is None or known is None:
        return Truth.UNKNOWN
    if screen.any_device and varies(feature[0]):
        return Truth.EITHER
    return Truth.TRUE if known else Truth.FALSE


def _feature(values: Sequence[Node]) -> tuple[str, list[Comparison]] | None:
    """<media-feature>: its name and its comparisons, turned so that the name stands on the left."""
    operands, operators = _split_at_operators(values)
    if not all(operands):
        return None
    names = [keyword(operand[0]) if len(operand) == 1 else "" for operand in operands]
    match operators:
        case []:
            return (names[0], []) if names[0] else None
        case [":"]:
            return (names[0], [(":", operands[1])]) if names[0] else None
        case [one] if one != ":":
            if names[0]:
                return names[0], [(one, operands[1])]
            return (names[1], [(_FLIPPED[one], operands[0])]) if names[1] else None
        case [one, two] if one[0] == two[0] and one[0] in "<>" and names[1]:
            return names[1], [(_FLIPPED[one], operands[0]), (two, operands[2])]
    return None


def _split_at_operators(values: Sequence[Node]) -> tuple[list[list[Node]], list[str]]:
    """The operands, stripped, and the operators between them. Two characters form one only when they touch."""
    operands: list[list[Node]] = [[]]
    operators: list[str] = []
    touching = False
    for node in values:
        symbol = literal(node)
        if symbol == "=" and touching:
            operators[-1] += "="
            touching = False
            continue
        touching = symbol in ("<", ">")
        if symbol in (":", "=", "<", ">"):
            operators.append(symbol)
            operands.append([])
        else:
            operands[-1].append(node)
    return [strip(operand) for operand in operands], operators
