"""Where fuzzing starts: the fixtures of the tests, and words that matter to each target."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from fixtures.images import exif_block, make_animation, make_image, photo, turned_jpeg

_FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LONGEST = 64 * 1024
"""Bytes of an input at most."""

_NUMBERS = [struct.pack(f, n) for n in (0, 1, 2**31 - 1, 2**32 - 1) for f in ("<I", ">I")]
_NUMBERS += [struct.pack(">H", n) for n in (0, 1, 2, 255, 65535)]
_CSS = [
    *(
        b"url(",
        b")",
        b'"',
        b"'",
        b"image-set(",
        b"type(",
        b"@import ",
        b"/*",
        b"*/",
        b"\\",
        b"{",
        b"}",
        b"-webkit-",
        b"2x",
    )
]
_HTML = [
    *(b"<img src=", b" srcset=", b"<picture>", b"</picture>", b"<source ", b" sizes=", b"<base href=", b"<!--", b"-->"),
    *(b"<noscript>", b"</noscript>", b"<template>", b"<style>", b"</style>", b"<script type=application/ld+json>"),
    *(
        b"<svg><image href=",
        b" data-src=",
        b" style=",
        b"&amp;",
        b"&#x",
        b"<![CDATA[",
        b"]]>",
        b"<meta property=og:image content=",
    ),
]
WORDS: dict[str, list[bytes]] = {
    "srcset": [
        b",",
        b" ",
        b"\t",
        b"1x",
        b"480w",
        b"2e3x",
        b"-0x",
        b"1e999x",
        b"h",
        b"(",
        b")",
        b"a.webp 480w, ",
        b"NaNx",
        b"\x0c",
    ],
    "sizes": [
        *(
            b"100vw",
            b"calc(",
            b"min(",
            b"max(",
            b"clamp(",
            b"(min-width:",
            b"(400px <= width < 1e3px)",
            b" and ",
            b" or ",
        ),
        *(
            b"not ",
            b"auto",
            b",",
            b"/*",
            b"1e999px",
            b"sqrt(",
            b"pow(",
            b"infinity",
            b"NaN",
            b"-",
            b"*",
            b"/",
            b"em",
            b"(",
            b")",
        ),
    ],
    "css": _CSS,
    "text": [
        b", ",
        b" 480w",
        b" 2x",
        b"https://e.org/",
        b".webp",
        b"\n",
        b"___",
        b"&amp;",
        b"%2C",
        b"\\u002F",
        b'"',
        b"\t",
        b"![",
        b"](",
    ],
    "html": _HTML + _CSS,
    "markdown": [b"![", b"](", b")", b"`", b"```", b"[a]: ", b"<", b">", b"\\", b"    ", b"\n\n", *_HTML[:6]],
    "feed": [
        b"<?xml",
        b"<item>",
        b"<media:content url=",
        b"<enclosure ",
        b"<![CDATA[",
        b"]]>",
        b"<!ENTITY",
        b"&lt;",
        b"xmlns:",
        *_HTML[:3],
    ],
    "json": [b"{", b"}", b"[", b"]", b'"', b"\\u", b":", b",", b'"image":', b'"srcset":', b"1e999", b"null", b"\\"],
    "link-header": [b"<", b">", b";", b",", b"rel=preload", b"as=image", b"imagesrcset=", b"imagesizes=", b'"', b"\\"],
    "header": [
        *_NUMBERS,
        b"\xff\xd8",
        b"\xff\xda",
        b"\xff\xd9",
        b"Exif\0\0",
        b"IEND",
        b"acTL",
        b"VP8X",
        b"ANMF",
        b"ispe",
        b"iloc",
        b"\x2c",
    ],
    "strip": [
        *_NUMBERS,
        b"\xff\xd8",
        b"\xff\xe1",
        b"\xff\xda",
        b"\xff\xd9",
        b"Exif\0\0",
        b"eXIf",
        b"IEND",
        b"VP8X",
        b"EXIF",
        b"ICCP",
    ],
}


def corpus(name: str) -> list[bytes]:
    """Return the inputs that a target starts from, none longer than `LONGEST`."""
    return [data for data in _FOUND[name]() if len(data) <= LONGEST] or [b""]


def _cases(name: str) -> list[bytes]:
    rows = json.loads((_FIXTURES / "srcset" / name).read_text("utf-8"))
    values = [row.get("input", row.get("sizes", row.get("media", ""))) for row in rows]
    return [value.encode("utf-8", "surrogatepass") for value in values if isinstance(value, str)]


def _files(*globs: str) -> list[bytes]:
    return [path.read_bytes() for glob in globs for path in sorted(_FIXTURES.glob(glob))]


def _images() -> list[bytes]:
    still = [make_image(24, 16, kind) for kind in ("webp", "jpeg", "png", "gif", "avif")]
    moving = [make_animation(16, 12, kind) for kind in ("webp", "png", "gif", "avif")]
    told = [_told(kind) for kind in ("webp", "png", "avif")]
    return [*still, *moving, *told, turned_jpeg(24, 16), b"<html>", b"%PDF-", b""]


def _told(kind: str) -> bytes:
    from fixtures.images import encode  # noqa: PLC0415 - only here

    return encode(photo(24, 16), kind, exif=exif_block(orientation=6, gps=True))


_FOUND = {
    "srcset": lambda: [*_cases("parse.json"), b"a.webp 480w, b.webp 768w 300h, data:image/png;base64,aa 2x"],
    "sizes": lambda: [*_cases("sizes.json"), *_cases("media.json"), b"(min-width: 600px) calc(100vw - 2em), 50vw"],
    "css": lambda: [
        *_files("browser/pages/*.css"),
        b"a{background:image-set(url(a.png) 1x,'b.avif' type('image/avif') 2x)}",
    ],
    "text": lambda: _files("seed/*.txt", "demo/*.txt", "dumps/*.txt"),
    "html": lambda: _files("pages/*.html", "browser/pages/*.html", "pages/cms/*.html"),
    "markdown": lambda: _files("dumps/*.md"),
    "feed": lambda: _files("feeds/*"),
    "json": lambda: _files("feeds/*.json", "crawls/*.jsonl"),
    "link-header": lambda: [
        b'<a.webp>; rel=preload; as=image; imagesrcset="a.webp 480w, b.webp 2x"; imagesizes="50vw"'
    ],
    "header": _images,
    "strip": _images,
}
