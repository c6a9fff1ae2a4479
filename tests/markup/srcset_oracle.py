"""A second reading of "parse a srcset attribute": one character at a time, one step of the standard at a time.

Slow and plain on purpose. It shares no code with the parser that it checks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WHITESPACE = "\t\n\x0c\r "
DIGITS = "0123456789"


@dataclass
class Parsed:
    url: str
    span: tuple[int, int]
    descriptor_span: tuple[int, int]
    width: int | None
    density: float | None
    height: int | None


def parse(text: str) -> tuple[list[Parsed], int]:
    """The candidates, and how many were dropped."""
    kept: list[Parsed] = []
    dropped = 0
    at = 0
    while True:
        while at < len(text) and text[at] in WHITESPACE + ",":
            at += 1
        if at >= len(text):
            return kept, dropped
        start = at
        while at < len(text) and text[at] not in WHITESPACE:
            at += 1
        stop = at
        descriptors: list[tuple[int, int]] = []
        if text[stop - 1] == ",":
            while text[stop - 1] == ",":
                stop -= 1
        else:
            descriptors, at = tokenize(text, at)
        parsed = describe(text, start, stop, descriptors)
        if parsed is None:
            dropped += 1
        else:
            kept.append(parsed)


def tokenize(text: str, at: int) -> tuple[list[tuple[int, int]], int]:  # noqa: C901, PLR0912 - one branch, one step
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    found: list[tuple[int, int]] = []
    begin: int | None = None
    state = "in descriptor"
    while True:
        c = text[at] if at < len(text) else None
        if state == "in descriptor":
            if c is not None and c in WHITESPACE:
                if begin is not None:
                    found.append((begin, at))
                    begin = None
                    state = "after descriptor"
            elif c == "," or c is None:
                if begin is not None:
                    found.append((begin, at))
                return found, min(at + 1, len(text))
            else:
                begin = at if begin is None else begin
                state = "in parens" if c == "(" else state
        elif state == "in parens":
            if c is None:
                assert begin is not None
                found.append((begin, at))
                return found, at
            if c == ")":
                state = "in descriptor"
        elif c is None:
            return found, at
        elif c not in WHITESPACE:
            state = "in descriptor"
            continue
        at += 1


def describe(text: str, start: int, stop: int, descriptors: list[tuple[int, int]]) -> Parsed | None:
    error = False
    width: int | None = None
    density: float | None = None
    height: int | None = None
    for begin, end in descriptors:
        number, unit = text[begin : end - 1], text[end - 1]
        if unit == "w" and is_integer(number):
            error = error or width is not None or density is not None or int(number) == 0
            width = int(number)
        elif unit == "x" and is_float(number):
            error = error or width is not None or density is not None or height is not None
            error = error or float(number) < 0 or math.isinf(float(number))
            density = float(number) + 0.0
        elif unit == "h" and is_integer(number):
            error = error or height is not None or density is not None or int(number) == 0
            height = int(number)
        else:
            error = True
    if error or (height is not None and width is None):
        return None
    span = (descriptors[0][0], descriptors[-1][1]) if descriptors else (stop, stop)
    return Parsed(text[start:stop], (start, stop), span, width, density, height)


def is_integer(text: str) -> bool:
    return text != "" and all(c in DIGITS for c in text)


def is_float(text: str) -> bool:
    """A valid floating-point number: sign, digits or point and digits or both, exponent."""
    rest = text[1:] if text[:1] == "-" else text
    mantissa, mark, exponent = rest.replace("E", "e", 1).partition("e")
    whole, point, fraction = mantissa.partition(".")
    if point and not is_integer(fraction):
        return False
    if not point and not is_integer(whole):
        return False
    if whole and not is_integer(whole):
        return False
    return not mark or is_integer(exponent[1:] if exponent[:1] in ("+", "-") else exponent)
