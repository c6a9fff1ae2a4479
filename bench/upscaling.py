"""How many enlarged pictures MM312 finds, and how many honest ones it accuses: ``python -m bench.upscaling [FOLDER]``.

Each picture of the fixtures, and each of a folder of photographs when one is given, is saved as it is and enlarged from a
narrower one of itself, by four factors, four filters and three formats. One line a filter, factor and format; the honest
lines have to stay at 0.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from fixtures.enlarged import FACTORS, FORMATS, HEIGHT, WIDTH, Pair, pairs, subjects
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.lint.upscaling import gains_nothing, is_regained
from mediamirror.model import Body, Look
from mediamirror.settings import CheckOptions

Score = tuple[int, int, int]
"""Found by the narrower variant's width, found by the curve of detail alone, pictures."""


def judged(pair: Pair, look: Look) -> tuple[bool, bool]:
    ratio = pair.narrow / pair.width
    measured = next((each for each in look.regained if each.width == pair.narrow), None)
    by_width = measured is not None and is_regained(measured, ratio)
    return by_width, not (measured and measured.has_more) and gains_nothing(look.detail, ratio)


async def measured(pictures: dict[str, Callable[[], Image.Image]]) -> dict[tuple[str, float, str], Score]:
    scores: dict[tuple[str, float, str], Score] = defaultdict(lambda: (0, 0, 0))
    async with DecoderPool(CheckOptions()) as pool:
        for pair in (pair for name, make in pictures.items() for pair in pairs(name, make())):
            body = Body(len(pair.data), hashlib.sha256(pair.data).hexdigest(), pair.data, prefix=pair.data[:65536])
            _, look = await pool.look(body, widths=(pair.narrow,))
            by_width, by_curve = judged(pair, look) if look is not None else (False, False)
            if pair.filter == "honest" and (by_width or by_curve):
                print(f"accused: {pair.name}, {pair.factor}, {pair.format}", file=sys.stderr)
            a, b, c = scores[(pair.filter, pair.factor, pair.format)]
            scores[(pair.filter, pair.factor, pair.format)] = (a + (by_width or by_curve), b + by_curve, c + 1)
    return scores


def photographs(folder: Path) -> dict[str, Callable[[], Image.Image]]:
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    return {path.name: partial(opened, path) for path in sorted(folder.rglob("*")) if path.suffix.lower() in kinds}


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        plain = image.convert("RGB")
    plain.thumbnail((max(WIDTH, HEIGHT), max(WIDTH, HEIGHT)), Image.Resampling.LANCZOS)
    return plain


def main() -> None:
    pictures = photographs(Path(sys.argv[1])) if len(sys.argv) > 1 else subjects()
    scores = asyncio.run(measured(pictures))
    print(f"{len(pictures)} pictures: found (of them by the curve of detail alone) / all")
    print(f"{'made by':10}{'factor':>8}" + "".join(f"{format:>18}" for format in FORMATS))
    for kind in dict.fromkeys(kind for kind, _, _ in scores):
        for factor in FACTORS:
            cells = (scores[(kind, factor, format)] for format in FORMATS)
            print(f"{kind:10}{factor:8}" + "".join(f"{f'{a} ({b}) / {c}':>18}" for a, b, c in cells))


if __name__ == "__main__":
    main()
