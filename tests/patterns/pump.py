"""Texts that may make a backtracking pattern slow, derived from the pattern itself, and whether they do.

A pattern costs more than its text is long where the same characters can be read in two ways, by two repeats, or by a repeat
that is tried anew from every position. So the texts are built from what the pattern names: one character for each way in which its
classes can be told apart, its words, and what leads up to each repeat; each alone and in pairs, written over and over, with what
leads up to a repeat in front, and with something behind it that fits nowhere.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

SIZE = 8_000
"""Characters of a text. At this size a square of it shows, and what is linear takes no time."""
_SLOW = 9e-3
"""Seconds of CPU; what takes less at `SIZE` is not looked at again. No verdict hangs on it: the growth decides."""
_MEASURED = 0.04
"""Seconds of CPU that a cost is measured over: some clocks tick in 4 ms."""
_CAP = 2.0
_STEP = 6
_TRIES = 2
_MANY = 100
"""A repeat with at least so many rounds counts as one without end."""
_GENERIC = "a0 \n\t-_.,:;/\\\"'<>=&%#?@()[]{}|*`~!+$^Z\u00e9\u2028\ufeff\0"
_ENDS = ("", "\0", "\n")
_MOST_LETTERS = 14
_MOST_WORDS = 14
_MOST_LEADS = 12
_LEADS_OF_PAIRS = 3

_LOOPS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}
_SPACE, _DIGIT, _WORD = re.compile(r"\s"), re.compile(r"\d"), re.compile(r"\w")
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_SPACE: lambda c: bool(_SPACE.match(c)),
    op.CATEGORY_NOT_SPACE: lambda c: not _SPACE.match(c),
    op.CATEGORY_DIGIT: lambda c: bool(_DIGIT.match(c)),
    op.CATEGORY_NOT_DIGIT: lambda c: not _DIGIT.match(c),
    op.CATEGORY_WORD: lambda c: bool(_WORD.match(c)),
    op.CATEGORY_NOT_WORD: lambda c: not _WORD.match(c),
}


@dataclass
class Parts:
    """What a pattern is made of: its single characters and classes, its words, and what leads up to each of its repeats."""

    atoms: list[tuple[Any, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)


def _fits(atom: tuple[Any, Any], char: str) -> bool:
    kind, value = atom
    if kind is op.LITERAL:
        return char in {chr(value), chr(value).lower(), chr(value).upper()}
    if kind is op.NOT_LITERAL:
        return char != chr(value)
    if kind is op.ANY:
        return char != "\n"
    negated = bool(value) and value[0][0] is op.NEGATE
    return negated != any(_in_class(item, char) for item in value if item[0] is not op.NEGATE)


def _in_class(item: tuple[Any, Any], char: str) -> bool:
    kind, value = item
    if kind is op.LITERAL:
        return char == chr(value)
    if kind is op.RANGE:
        return value[0] <= ord(char) <= value[1]
    return _CATEGORIES[value](char)


def _sample(atom: tuple[Any, Any]) -> str:
    if atom[0] is op.LITERAL:
        return chr(atom[1])
    return next((char for char in (*_GENERIC, *map(chr, range(1, 1024))) if _fits(atom, char)), "")


def _walk(nodes: Any, before: str, parts: Parts) -> str:
    """Take a sequence apart; returns a short text that it matches, after ``before``."""
    text, word = before, ""
    for kind, value in nodes:
        if kind is op.LITERAL:
            word += chr(value)
        elif len(word) > 1:
            parts.words.append(word)
        word = word if kind is op.LITERAL else ""
        text = _after(kind, value, text, parts)
    if len(word) > 1:
        parts.words.append(word)
    return text


def _after(kind: Any, value: Any, text: str, parts: Parts) -> str:
    if kind in {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}:
        parts.atoms.append((kind, value))
        return text + _sample((kind, value))
    if kind in _LOOPS:
        least, most, body = value
        once = _walk(body, "", parts)
        if most >= _MANY:
            parts.leads.append(text)
            parts.bodies.append(once)
            _walk(body, text, parts)
        return text + once * max(1, min(least, 40))
    if kind is op.SUBPATTERN:
        return _walk(value[3], text, parts)
    if kind is op.ATOMIC_GROUP:
        return _walk(value, text, parts)
    if kind is op.BRANCH:
        first, *_ = [_walk(branch, text, parts) for branch in value[1]]
        return first
    if kind in {op.ASSERT, op.ASSERT_NOT}:
        _walk(value[1], text if value[0] > 0 else "", parts)
    return text


def _letters(parts: Parts) -> list[str]:
    """One character for each way in which the pattern's characters and classes can be told apart."""
    literals = {chr(value) for kind, value in parts.atoms if kind in {op.LITERAL, op.NOT_LITERAL}}
    edges = {chr(edge) for kind, value in parts.atoms if kind is op.IN for k, v in value if k is op.RANGE for edge in v}
    inside = {chr(v) for kind, value in parts.atoms if kind is op.IN for k, v in value if k is op.LITERAL}
    told: dict[tuple[bool, ...], str] = {}
    for char in (*_GENERIC, *sorted(inside), *sorted(edges), *sorted(literals)):
        told.setdefault(tuple(_fits(atom, char) for atom in parts.atoms), char)
    return sorted(told.values(), key=lambda c: -sum(_fits(atom, c) for atom in parts.atoms))[:_MOST_LETTERS]


Recipe = tuple[str, str, str]
"""What stands in front, what is written over and over, and what ends the text."""


def recipes(pattern: str, flags: int) -> Iterator[Recipe]:
    """Yield the texts to try; none for a pattern without a repeat that has no end."""
    parts = Parts()
    whole = _walk(parser.parse(pattern, flags), "", parts)
    if not parts.bodies:
        return
    letters = _letters(parts)
    entered = [lead + body for lead, body in zip(parts.leads, parts.bodies, strict=True)]
    units = [*parts.leads, *parts.bodies, *entered, whole, *parts.words]
    words = [each for each in dict.fromkeys(units) if each][:_MOST_WORDS]
    leads = list(dict.fromkeys(["", *parts.leads]))[:_MOST_LEADS]
    # What a class takes may run on to the end: so after each letter, one of which ends it, stands what fits nowhere.
    ends = [*_ENDS, *(letter + "\0" for letter in letters)]
    yield from product(leads, dict.fromkeys([*letters, *words]), ends)
    pairs = [*product(letters, letters), *product(words, letters), *product(letters, words), *product(words, words)]
    yield from product(leads[:_LEADS_OF_PAIRS], dict.fromkeys(one + two for one, two in pairs), _ENDS[:2])


def written(recipe: Recipe, size: int) -> str:
    """The text of a recipe, some ``size`` characters long."""
    lead, unit, end = recipe
    return lead + unit * (size // len(unit)) + end


class TooLong(Exception):
    """The pattern was stopped."""


def _stop(signum: int, frame: FrameType | None) -> None:
    raise TooLong


def _cost(work: Callable[[str], object], text: str) -> float:
    """CPU seconds of one round, of as many rounds as a coarse clock needs; `_CAP` for what has to be stopped there."""
    signal.signal(signal.SIGVTALRM, _stop)  # the engine looks for signals now and then
    signal.setitimer(signal.ITIMER_VIRTUAL, _CAP)
    started, rounds, passed = time.process_time(), 0, 0.0
    try:
        while passed < _MEASURED:
            work(text)
            rounds += 1
            passed = time.process_time() - started
    except TooLong:
        return _CAP
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return passed / rounds


def _is_slow(work: Callable[[str], object], text: str) -> bool:
    signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _CAP)
    started = time.process_time()
    try:
        work(text)
    except TooLong:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return time.process_time() - started > _SLOW


def _grows(work: Callable[[str], object], recipe: Recipe) -> bool:
    """Whether six times the text takes nearer to 36 times as long than to six, at two sizes, and each time it is tried."""
    return all(_grows_from(work, recipe, size) for size in (SIZE // _STEP, SIZE))


def _grows_from(work: Callable[[str], object], recipe: Recipe, size: int) -> bool:
    short, long = written(recipe, size), written(recipe, size * _STEP)
    for _ in range(_TRIES):
        before = _cost(work, short)
        if before == _CAP:
            return True
        after = _cost(work, long)
        if after < min(_CAP, _STEP**1.5 * before):
            return False
    return True


def works(compiled: re.Pattern[Any], methods: Iterable[str]) -> dict[str, Callable[[str], object]]:
    """The ways in which a pattern is used, each as a function of a text."""

    def on(text: str) -> Any:
        return text.encode("latin-1", "replace") if isinstance(compiled.pattern, bytes) else text

    ways: dict[str, Callable[[str], object]] = {}
    if set(methods) & {"sub", "subn", "split", "findall", "finditer"}:
        ways["finditer"] = lambda text: sum(1 for _ in compiled.finditer(on(text)))
    elif "search" in methods:
        ways["search"] = lambda text: compiled.search(on(text))
    if "match" in methods:
        ways["match"] = lambda text: compiled.match(on(text))
    if "fullmatch" in methods:
        ways["fullmatch"] = lambda text: compiled.fullmatch(on(text))
    return ways


def slow_text(compiled: re.Pattern[Any], methods: Iterable[str]) -> str | None:
    """Say for which method and text the time grows faster than the text; None if none is found."""
    pattern = compiled.pattern.decode("latin-1") if isinstance(compiled.pattern, bytes) else compiled.pattern
    ways = works(compiled, methods)
    for recipe in recipes(pattern, compiled.flags):
        text = written(recipe, SIZE)
        for name, work in ways.items():
            if _is_slow(work, text) and _grows(work, recipe):
                lead, unit, end = recipe
                return f"{name} of {lead!r} + {unit!r} * n + {end!r}"
    return None
