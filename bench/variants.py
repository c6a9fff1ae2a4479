"""The files that the benchmark moves: 500 sets of four WebP variants, no two alike, 134 MB in all."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

from fixtures.images import encode, photo

SETS = 500
SIZES = {480: 18_000, 768: 38_000, 1280: 78_000, 1920: 134_000}
"""Size of a file in bytes by its width in pixels: 67,000 on average, as media sites serve them."""
RUNGS = {480: "sm", 768: "md", 1280: "lg", 1920: "xl"}
COUNT = SETS * len(SIZES)
RECIPE = {"sets": SETS, "sizes": SIZES, "version": 2}


def variant_name(number: int, width: int) -> str:
    """Name a file in the way of the seed: ``0007/picture-md-___webp_768.webp``."""
    return f"{number:04d}/picture-{RUNGS[width]}-___webp_{width}.webp"


def names() -> list[str]:
    """Return the path of every file below the site's root."""
    return [variant_name(number, width) for number in range(SETS) for width in SIZES]


def ensure_variants(root: Path) -> None:
    """Write all files, unless an earlier run has."""
    stamp = root / "recipe.json"
    recipe = json.dumps(RECIPE, sort_keys=True)
    if stamp.is_file() and stamp.read_text() == recipe:
        return
    for width, size in SIZES.items():
        image = encode(photo(width, width * 9 // 16, seed=7), "webp", quality=60)
        for number in range(SETS):
            path = root / variant_name(number, width)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(padded(image, width, width * 9 // 16, size, seed=number))
    stamp.write_text(recipe)


def padded(image: bytes, width: int, height: int, size: int, *, seed: int) -> bytes:
    """Bring a WebP file to ``size`` bytes with a chunk that decoders must skip, full of noise made from ``seed``.

    The pixels stay as they are; the file's hash changes. Unknown chunks are only allowed in the extended format
    (RFC 9649 section 2.7.1.6), so a VP8X header is put in front of a simple file. Never shorter than the image.
    """
    chunks = image[12:]
    if not chunks.startswith(b"VP8X"):
        canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        chunks = _chunk(b"VP8X", bytes(4) + canvas) + chunks
    room = max(size - 12 - len(chunks) - 8, 16)
    noise = random.Random(seed).randbytes(room + room % 2)
    content = b"WEBP" + chunks + _chunk(b"MMnb", noise)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)
