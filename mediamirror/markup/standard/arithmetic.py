"""The functions of CSS math on plain numbers, with IEEE results where Python would raise.

https://drafts.csswg.org/css-values-4/#math (angles in degrees)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

STRATEGIES = frozenset({"nearest", "up", "down", "to-zero"})
CONSTANTS = {"e": math.e, "pi": math.pi, "infinity": math.inf, "-infinity": -math.inf, "nan": math.nan}


def _ieee(compute: Callable[[float], float]) -> Callable[[float], float]:
    def guarded(value: float) -> float:
        try:
            return compute(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return guarded


def divide(a: float, b: float) -> float:
    """Quotient by IEEE 754: a zero divisor gives an infinity, or NaN for 0/0."""
    if b:
        return a / b
    return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def tangent(degrees: float) -> float:
    """Tangent; the asymptotes are infinite."""
    if degrees % 360 in (90.0, 270.0):
        return math.inf if degrees % 360 == 90.0 else -math.inf
    return _tangent(degrees)


_tangent = _ieee(lambda degrees: math.tan(math.radians(degrees)))


def logarithm(value: float, base: float = math.e) -> float:
    """Logarithm; of 0 it is -infinity, of a negative number NaN."""
    return _natural(value) if base == math.e else divide(_natural(value), _natural(base))


def _natural(value: float) -> float:
    if value == 0:
        return -math.inf
    return math.log(value) if value > 0 else math.nan


def power(base: float, exponent: float) -> float:
    """Power; NaN where the result is not real."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def smallest(values: Sequence[float]) -> float:
    """Minimum; NaN when any value is."""
    return math.nan if any(map(math.isnan, values)) else min(values)


def largest(values: Sequence[float]) -> float:
    """Maximum; NaN when any value is."""
    return math.nan if any(map(math.isnan, values)) else max(values)


def hypotenuse(values: Sequence[float]) -> float:
    """Square root of the sum of squares."""
    return math.nan if any(map(math.isnan, values)) else math.hypot(*values)


def sign(value: float) -> float:
    """-1, 0 or 1; NaN and the signed zeros stay themselves."""
    return math.copysign(1.0, value) if value < 0 or value > 0 else value


def round_to(strategy: str, value: float, step: float) -> float:
    """``round()``: the multiple of ``step`` that ``strategy`` names; a tie goes up."""
    if step == 0 or math.isnan(value) or math.isnan(step) or (math.isinf(value) and math.isinf(step)):
        return math.nan
    if math.isinf(value):
        return value
    if math.isinf(step):
        return _round_to_infinity(strategy, value)
    step = abs(step)
    ratio = value / step
    if math.isinf(ratio):
        return value
    if strategy == "up":
        return math.ceil(ratio) * step
    if strategy == "down":
        return math.floor(ratio) * step
    if strategy == "to-zero":
        return math.trunc(ratio) * step
    lower = math.floor(ratio)
    return (lower + (ratio - lower >= 0.5)) * step


def _round_to_infinity(strategy: str, value: float) -> float:
    if strategy == "up" and value > 0:
        return math.inf
    if strategy == "down" and value < 0:
        return -math.inf
    return math.copysign(0.0, value)


def modulus(value: float, step: float) -> float:
    """``mod()``: the remainder with the sign of ``step``."""
    if step == 0 or math.isinf(value) or math.isnan(value) or math.isnan(step):
        return math.nan
    if math.isinf(step):
        return value if math.copysign(1.0, value) == math.copysign(1.0, step) else math.nan
    return value % step


def remainder(value: float, step: float) -> float:
    """``rem()``: the remainder with the sign of ``value``."""
    if step == 0 or math.isinf(value) or math.isnan(value) or math.isnan(step):
        return math.nan
    return math.fmod(value, step)


sine = _ieee(lambda degrees: math.sin(math.radians(degrees)))
cosine = _ieee(lambda degrees: math.cos(math.radians(degrees)))
arcsine = _ieee(lambda value: math.degrees(math.asin(value)))
arccosine = _ieee(lambda value: math.degrees(math.acos(value)))
arctangent = _ieee(lambda value: math.degrees(math.atan(value)))
square_root = _ieee(math.sqrt)
exponential = _ieee(math.exp)
