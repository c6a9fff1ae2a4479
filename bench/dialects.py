"""``python -m bench.dialects``: what it costs to read an address, beside ``urllib.parse.urlsplit`` of the same addresses."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from fixtures.dialects import HASH, SHAPES, address
from mediamirror.dialects import read

COUNT = 100_000
ROUNDS = 5
LADDER = (160, 240, 320, 480, 640, 750, 828, 960, 1080, 1200, 1600, 1920)
PLAIN = (
    "https://news.test/2025/12/{n}/photo.jpg",
    "https://media.test/conversions/a6dc84de-0ff2-4d49-8b63-{n:012x}-sm-___webp_480.webp",
    "https://blog.test/wp-content/uploads/2025/12/photo-{n}-300x200.jpg",
    "https://site.test/img/{n}.webp?v=17",
)

NAMES = (
    "oat",
    HASH,
    "%20b",
    "mug",
    "songs",
    "pencil",
    "snow",
    "Handle",
    "assets/",
    "id7",
    "71abc",
    "1_sd",
    "pics",
    "abc",
)
"""Words of the shapes that name the picture."""


def main() -> None:
    """Print the medians of several rounds in turns, in microseconds of CPU an address."""
    print(f"{COUNT:,} addresses, {ROUNDS} rounds in turns, Python {platform.python_version()}")
    readers: dict[str, Callable[[str], object]] = {"read": read, "urlsplit": urlsplit}
    for text, widths in (("each of another picture", 1), (f"{len(LADDER)} of each picture", len(LADDER))):
        addresses = mixed(widths)
        spent: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(ROUNDS):
            for name, reader in readers.items():
                started = time.process_time()
                for each in addresses:
                    reader(each)
                spent[name].append((time.process_time() - started) / len(addresses) * 1e6)
        ours, theirs = (statistics.median(spent[name]) for name in readers)
        print(f"{text}: read {ours:.1f} us, urlsplit {theirs:.1f} us an address; {ours / theirs:.1f} times")


def mixed(widths: int) -> list[str]:
    """Half of the addresses speak a dialect, in so many widths of each picture; half are plain ones. No two are equal."""
    shapes = list(SHAPES)
    spoken = [
        picture(
            address(shapes[n // widths % len(shapes)], LADDER[(n // widths // len(shapes) + n % widths) % len(LADDER)]),
            n // widths,
        )
        for n in range(COUNT // 2)
    ]
    plain = [PLAIN[n % len(PLAIN)].format(n=n) for n in range(COUNT // 2)]
    return [each for pair in zip(spoken, plain, strict=True) for each in pair]


def picture(of: str, number: int) -> str:
    """Write the address of another picture: the number is put into the word that names it."""
    word = next(each for each in NAMES if each in of)
    return of.replace(word, f"{word}{number}", 1)


if __name__ == "__main__":
    main()
