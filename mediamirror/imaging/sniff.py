"""What bytes are, told from their beginning: the formats we read, and the things that arrive in their place."""

from __future__ import annotations

import re

from mediamirror.first_use import pattern
from mediamirror.imaging import avif, png
from mediamirror.imaging.octets import Octets

_LOOK = 4096
"""Bytes looked at to tell kinds of text apart."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (png.SIGNATURE, "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"%!PS", "eps"),
    (b"\xc5\xd0\xd3\xc6", "eps"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\0\0\x01\0", "ico"),
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL ", "jxl"),
    (b"\0\0\0\x0cjP  ", "jp2"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"OggS", "video"),
    (b"8BPS", "psd"),
)

_NAMES = {
    "empty": "an empty body",
    "html": "an HTML page",
    "svg": "an SVG drawing",
    "xml": "an XML document",
    "json": "a JSON document",
    "text": "plain text",
    "pdf": "a PDF document",
    "eps": "an EPS (PostScript) file",
    "zip": "a ZIP archive",
    "gzip": "gzip-compressed data",
    "bmp": "a BMP image",
    "tiff": "a TIFF image",
    "ico": "an icon file",
    "jxl": "a JPEG XL image",
    "jp2": "a JPEG 2000 image",
    "heic": "a HEIC image",
    "psd": "a Photoshop document",
    "video": "a video or sound file",
    "binary": "data of an unknown kind",
}

_HTML = pattern(
    rb"<(?:!doctype\s+html|html|head|body|title|meta|link|script|style|iframe|div|p|h1|table|a|b|br|img|center|font)[\s/>]"
)
_COMMENTS = pattern(rb"(?:\s*<!--.*?-->)*\s*", re.DOTALL)
_PROLOG = pattern(rb"(?:\s++|<\?.*?\?>|<!--.*?-->|<!doctype[^\[>]*(?:\[.*?\]\s*)?>|(?!))*+", re.DOTALL)
"""What may stand before an XML document's root (XML 1.0, production 22)."""
_SVG = pattern(rb"<(?:[a-z]+:)?svg[\s/>]")


def describe(kind: str) -> str:
    """Words for a kind that `sniff` tells, with their article."""
    return _NAMES.get(kind, f"a {kind} image")


def sniff(data: Octets) -> str:
    """Tell the kind of content from its first bytes: ``webp``, ``jpeg``, ..., ``html``, ``svg``, ``text``, ``empty``, ``binary``."""
    if data[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "video", b"WAVE": "video"}.get(data[8:12], "binary")
    start = data[:16]
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return _sniff_ftyp(data)
    if start[:2] == b"BM" and len(data) >= 26 and data[6:10] == b"\0\0\0\0":
        return "bmp"
    return _sniff_text(data[:_LOOK])


def _sniff_ftyp(data: Octets) -> str:
    if avif.is_avif(data):
        return "avif"
    return "heic" if data[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1") else "video"


def _sniff_text(head: bytes) -> str:
    text = _as_utf8(head).strip(b" \t\r\n\f\v").lower()
    if not text:
        return "empty" if not head.strip(b" \t\r\n\f\v\xef\xbb\xbf\xff\xfe") else "binary"
    if _HTML.match(text[_COMMENTS.match(text).end() :] + b" "):  # type: ignore[union-attr]
        return "html"
    if text.startswith((b"<?xml", b"<!doctype", b"<svg", b"<!--")) or _SVG.match(text):
        root = _PROLOG.match(text).end()  # type: ignore[union-attr]
        # A page in XML may hold drawings, and one whose root lies further on is told by what there is of it.
        if _SVG.match(text, root) or (text[root : root + 2] in (b"", b"<!", b"<?") and _SVG.search(text)):
            return "svg"
        return "html" if b"<html" in text else "xml"
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in text):
        return "binary"
    if text[:1] == b"<" and re.match(rb"<[a-z][\w:.-]*[\s/>]", text):
        return "xml"
    if text[:1] in (b"{", b"["):
        return "json"
    return "text" if _is_text(text) else "binary"


def _as_utf8(head: bytes) -> bytes:
    """Without a byte order mark, and out of UTF-16 where one says so."""
    for mark, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if head.startswith(mark):
            return head[2:].decode(codec, "ignore").encode("utf-8", "ignore")
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_text(text: bytes) -> bool:
    """No control characters (checked before), and mostly ASCII or sound UTF-8, but for a character cut at the end."""
    try:
        text[: max(0, len(text) - 3)].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(text) - 6 or sum(byte < 128 for byte in text) * 2 > len(text)
    return True
