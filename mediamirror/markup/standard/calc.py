"""Numbers, dimensions and math functions as typed quantities: https://drafts.csswg.org/css-values-4/#math

Types are checked as in "10.9 Type Checking": products multiply them, sums and comparisons need equal ones.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

from tinycss2 import ast

from mediamirror.first_use import dataclass
from mediamirror.markup.standard import arithmetic
from mediamirror.markup.standard.screen import ANGLE, CHROMIUM, NUMBER, Screen, Type, canonical
from mediamirror.markup.standard.values import (
    Node,
    ascii_lower,
    contents,
    innermost_first,
    is_space,
    keyword,
    literal,
    split_at_commas,
    strip,
    without_space,
)

_UNARY_NUMBER = {
    "sqrt": (arithmetic.square_root, NUMBER), "exp": (arithmetic.exponential, NUMBER),
    "asin": (arithmetic.arcsine, ANGLE), "acos": (arithmetic.arccosine, ANGLE), "atan": (arithmetic.arctangent, ANGLE),
}  # fmt: skip
_TRIGONOMETRIC = {"sin": arithmetic.sine, "cos": arithmetic.cosine, "tan": arithmetic.tangent}
_VARIADIC = {"min": arithmetic.smallest, "max": arithmetic.largest, "hypot": arithmetic.hypotenuse}
_BINARY_SAME = {"mod": arithmetic.modulus, "rem": arithmetic.remainder}
MATH_FUNCTIONS = frozenset(
    {"calc", "clamp", "round", "abs", "sign", "pow", "log", "atan2"}
    | _UNARY_NUMBER.keys()
    | _TRIGONOMETRIC.keys()
    | _VARIADIC.keys()
    | _BINARY_SAME.keys()
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in the canonical unit of its type: px, deg, s, Hz or dppx."""

    value: float
    type: Type = NUMBER


Memo = Mapping[int, Quantity | None]


def quantity(node: Node, screen: Screen) -> Quantity | None:
    """A number, a dimension or a math function; None when it is anything else or its types don't fit.

    A math function has its final value here: NaN became 0, and infinities the largest number.
    """
    if not is_math_function(node):
        return _token(node, screen)
    memo: dict[int, Quantity | None] = {}
    for block in innermost_first([node], _is_calculation):
        memo[id(block)] = _block(block, memo, screen)
    result = memo[id(node)]
    return None if result is None else Quantity(finite(result.value), result.type)


def finite(value: float) -> float:
    """The value itself, 0 for NaN, and the largest number of that sign for an infinity."""
    if math.isnan(value):
        return 0.0
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def is_math_function(node: Node) -> bool:
    """Whether a node is a call of one of the math functions known here."""
    return isinstance(node, ast.FunctionBlock) and ascii_lower(node.name) in MATH_FUNCTIONS


def _is_calculation(node: Node) -> bool:
    return isinstance(node, ast.ParenthesesBlock) or is_math_function(node)


def _token(node: Node, screen: Screen) -> Quantity | None:
    if isinstance(node, ast.NumberToken):
        return Quantity(node.value)
    if not isinstance(node, ast.DimensionToken):
        return None
    found = canonical(node.value, ascii_lower(node.unit), screen)
    return None if found is None else Quantity(*found)


def _block(block: Node, memo: Memo, screen: Screen) -> Quantity | None:
    if isinstance(block, ast.ParenthesesBlock):
        return _sum(contents(block), memo, screen)
    name = ascii_lower(block.name)
    parts = [strip(part) for part in split_at_commas(contents(block))]
    if name == "clamp":
        return _clamp(parts, memo, screen)
    strategy = ""
    if name == "round" and len(parts[0]) == 1 and keyword(parts[0][0]) in arithmetic.STRATEGIES:
        strategy = keyword(parts.pop(0)[0])
    arguments = [found for part in parts if (found := _sum(part, memo, screen)) is not None]
    if not arguments or len(arguments) != len(parts):
        return None
    if name == "calc":
        return arguments[0] if len(arguments) == 1 else None
    if name == "round":
        return _round(strategy or "nearest", arguments)
    return _call(name, arguments)


def _clamp(parts: list[list[Node]], memo: Memo, screen: Screen) -> Quantity | None:
    """``clamp(MIN, VAL, MAX)`` is max(MIN, min(VAL, MAX)); MIN and MAX may be ``none``."""
    if len(parts) != 3:
        return None
    bounds: list[Quantity | None] = []
    for index, part in enumerate(parts):
        absent = index != 1 and len(part) == 1 and keyword(part[0]) == "none"
        found = None if absent else _sum(part, memo, screen)
        if found is None and not absent:
            return None
        bounds.append(found)
    low, value, high = bounds
    present = [bound for bound in bounds if bound is not None]
    if value is None or len({bound.type for bound in present}) != 1:
        return None
    result = value.value if high is None else arithmetic.smallest([value.value, high.value])
    return Quantity(result if low is None else arithmetic.largest([low.value, result]), value.type)


def _round(strategy: str, arguments: Sequence[Quantity]) -> Quantity | None:
    """``round()``: the step may be left out only for plain numbers."""
    value = arguments[0]
    step = arguments[1] if len(arguments) == 2 else Quantity(1.0)
    if len(arguments) > 2 or step.type != value.type:
        return None
    return Quantity(arithmetic.round_to(strategy, value.value, step.value), value.type)


def _call(name: str, arguments: Sequence[Quantity]) -> Quantity | None:
    values = [argument.value for argument in arguments]
    kind = arguments[0].type
    if any(argument.type != kind for argument in arguments):
        return None
    if name in _VARIADIC:
        return Quantity(_VARIADIC[name](values), kind)
    if len(values) == 1:
        return _unary(name, values[0], kind)
    return _binary(name, values[0], values[1], kind) if len(values) == 2 else None


def _unary(name: str, value: float, kind: Type) -> Quantity | None:
    if name == "abs":
        return Quantity(abs(value), kind)
    if name == "sign":
        return Quantity(arithmetic.sign(value))
    if name in _TRIGONOMETRIC and kind in (NUMBER, ANGLE):
        return Quantity(_TRIGONOMETRIC[name](value if kind == ANGLE else math.degrees(value)))
    if kind != NUMBER:
        return None
    if name == "log":
        return Quantity(arithmetic.logarithm(value))
    if name in _UNARY_NUMBER:
        compute, result = _UNARY_NUMBER[name]
        return Quantity(compute(value), result)
    return None


def _binary(name: str, first: float, second: float, kind: Type) -> Quantity | None:
    if name in _BINARY_SAME:
        return Quantity(_BINARY_SAME[name](first, second), kind)
    if name == "atan2":
        return Quantity(math.degrees(math.atan2(first, second)), ANGLE)
    if kind != NUMBER:
        return None
    if name == "pow":
        return Quantity(arithmetic.power(first, second))
    return Quantity(arithmetic.logarithm(first, second)) if name == "log" else None


def _sum(values: Sequence[Node], memo: Memo, screen: Screen) -> Quantity | None:
    """<calc-sum>: products between + and -. The standard wants whitespace on both sides of each; browsers want it before it alone
    (``100vw -(40px)``), and Chromium not even there. A sign that belongs to a number is no operator (``100vw -40px``)."""
    nodes = strip(values)
    total: Quantity | None = None
    sign, start = 1.0, 0
    for index in range(len(nodes) + 1):
        operator = literal(nodes[index]) if index < len(nodes) else "end"
        if operator not in ("+", "-", "end"):
            continue
        term = _product(without_space(nodes[start:index]), memo, screen)
        if term is None or (total is not None and total.type != term.type):
            return None
        total = Quantity((total.value if total else 0.0) + sign * term.value, term.type)
        if operator != "end" and not is_space(nodes[index - 1]) and screen.browser != CHROMIUM:
            return None
        sign, start = -1.0 if operator == "-" else 1.0, index + 1
    return total


def _product(nodes: Sequence[Node], memo: Memo, screen: Screen) -> Quantity | None:
    """<calc-product>: values between * and /."""
    if len(nodes) % 2 == 0:
        return None
    result = _operand(nodes[0], memo, screen)
    for operator, node in zip(nodes[1::2], nodes[2::2], strict=True):
        right = _operand(node, memo, screen)
        if result is None or right is None:
            return None
        if literal(operator) == "*":
            result = Quantity(result.value * right.value, _multiply(result.type, right.type, 1))
        elif literal(operator) == "/":
            result = Quantity(arithmetic.divide(result.value, right.value), _multiply(result.type, right.type, -1))
        else:
            return None
    return result


def _multiply(left: Type, right: Type, power: int) -> Type:
    powers = dict(left)
    for base, exponent in right:
        powers[base] = powers.get(base, 0) + power * exponent
    return tuple(sorted((base, exponent) for base, exponent in powers.items() if exponent))


def _operand(node: Node, memo: Memo, screen: Screen) -> Quantity | None:
    if id(node) in memo:
        return memo[id(node)]
    if keyword(node) in arithmetic.CONSTANTS:
        return Quantity(arithmetic.CONSTANTS[keyword(node)])
    return _token(node, screen)
