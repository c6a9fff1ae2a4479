"""Making an input out of others: what a fuzzer without coverage does, repeatable by its random numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from fuzz.seeds import LONGEST

Change = Callable[[bytearray, Random, Sequence[bytes]], None]


def mutated(data: bytes, others: Sequence[bytes], words: Sequence[bytes], chance: Random) -> bytes:
    """Change an input in one to eight places; ``others`` give it pieces, ``words`` what its format is made of."""
    changed = bytearray(data)
    for _ in range(1 + min(7, int(chance.expovariate(0.6)))):
        chance.choice(_CHANGES)(changed, chance, words if chance.random() < 0.8 else others)
    return bytes(changed[:LONGEST])


def _place(data: bytearray, chance: Random) -> int:
    return chance.randrange(len(data) + 1)


def _span(data: bytearray, chance: Random, longest: int = 64) -> slice:
    start = _place(data, chance)
    return slice(start, start + chance.randrange(longest))


def _flip(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    del words
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    del words
    if data:
        data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 128, 255, 32, 10, chance.randrange(256)))


def _insert(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    at = _place(data, chance)
    data[at:at] = chance.choice(words)[:4096]


def _overwrite(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    at, word = _place(data, chance), chance.choice(words)[:4096]
    data[at : at + len(word)] = word


def _delete(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    del words
    del data[_span(data, chance)]


def _cut(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    del words
    del data[_place(data, chance) :]


def _repeat(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    """Many times the same: what is quadratic shows."""
    piece = bytes(data[_span(data, chance, 24)]) if chance.random() < 0.5 else chance.choice(words)[:24]
    at = _place(data, chance)
    data[at:at] = piece * chance.choice((2, 8, 64, 1024, 8192))
    del data[LONGEST:]


def _move(data: bytearray, chance: Random, words: Sequence[bytes]) -> None:
    del words
    span = _span(data, chance, 256)
    piece = bytes(data[span])
    del data[span]
    at = _place(data, chance)
    data[at:at] = piece


_CHANGES: tuple[Change, ...] = (_flip, _byte, _insert, _insert, _overwrite, _delete, _cut, _repeat, _move)
