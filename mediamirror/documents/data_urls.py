"""Pictures that a document holds as ``data:`` URLs (RFC 2397), as single-file pages do: taken out, each under an address of its own.

So are those of notebooks, whose base64 stands under its MIME type.

Done before a document is looked through, so that each stands where it stood: in a set, a style, a feed, beside its alt text.
Lines stay the same. A large document is read and written a piece at a time.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from mediamirror.documents.carried import Carried
from mediamirror.documents.document import Document, kept, read_again
from mediamirror.documents.mail import from_base64
from mediamirror.first_use import pattern, replace
from mediamirror.markup.extract import KINDS

_EXTENSIONS = {
    **{kind: f".{kind}" for kind in ("png", "gif", "webp", "avif", "bmp", "tiff")},
    **{
        "jpeg": ".jpg",
        "jpg": ".jpg",
        "pjpeg": ".jpg",
        "apng": ".png",
        "x-png": ".png",
        "vnd.microsoft.icon": ".ico",
        "x-icon": ".ico",
    },
}
"""By subtype. Drawings (SVG) stay where they are: most are a script's or a spacer's, and none is checked."""
_DATA = rb"data:image/([A-Za-z0-9.+\-]{1,40})(?:;[A-Za-z0-9.=\-]{1,60}){0,4};base64,"
_START = pattern(_DATA, re.IGNORECASE)
_IN_NOTEBOOK = pattern(
    _DATA + rb"|\"(?:image/)?(png|jpeg|gif|webp|avif)\"\s{0,8}:\s{0,8}\"(?=[A-Za-z0-9+/]{16})", re.IGNORECASE
)
_LONGEST_START = 400
_LONGEST_FIELD = 60
_BASE64 = pattern(rb"[A-Za-z0-9+/=]*+")
_IN_LINES = pattern(rb"(?:[A-Za-z0-9+/=]++|\\n|\\\Z|(?!))*+")
"""The same with the ends of lines that some kernels write, as JSON has them."""
_SMALLEST = 256
"""Characters of base64 below which a picture is a spacer, or nothing."""
_HELD = 1024 * 1024


class DataUrls:
    """Takes pictures out of the documents of one run."""

    def __init__(self, carried: Carried, limit: int) -> None:
        self._carried = carried
        self._limit = limit
        self._seen: set[bytes] = set()

    def without(self, document: Document) -> Document:
        """The same document with addresses in the place of its pictures. Raises `OSError`."""
        if KINDS[document.kind].is_container or (
            document.kind != "notebook"
            and not any(b"data:image/" in each.lower() for each in _overlapping(document.chunks()))
        ):
            return document
        data = kept(self._pieces(document.chunks(), is_notebook=document.kind == "notebook"), self._limit)
        return document if data is None else replace(document, data=data)

    def close(self) -> None:
        """Let the pictures be looked up. Raises `OSError`."""
        self._carried.close()

    def _pieces(self, chunks: Iterator[bytes], *, is_notebook: bool) -> Iterator[bytes]:
        begins = _IN_NOTEBOOK if is_notebook else _START
        text = b""
        picture: _Picture | None = None
        for chunk in chunks:
            text += chunk
            at = 0
            while True:
                if picture is not None:
                    run = picture.base64.match(text, at)
                    at = picture.take(text, at, run.end() if run is not None else at)
                    if at == len(text):
                        break
                    # Escaped or folded base64 is left as it is.
                    yield self._kept(picture) if text[at] not in picture.broken_by else b"".join(picture.spelled())
                    picture = None
                start = begins.search(text, at)
                if start is None:
                    break
                yield text[at : start.start()]
                picture, at = _Picture(start), start.end()
            end = len(text) if picture is not None else _sure_end(text, at)
            yield text[at:end]
            text = text[end:]
        if picture is not None:
            yield self._kept(picture)
        yield text

    def _kept(self, picture: _Picture) -> bytes:
        """The address of a picture; what stands there where it can't be one."""
        extension = _EXTENSIONS.get(picture.subtype)
        if picture.size < _SMALLEST or extension is None:
            return b"".join(picture.spelled())
        digest = hashlib.sha256()
        for piece in picture.bytes():
            digest.update(piece)
        member = f"{digest.hexdigest()}{extension}"
        is_new = digest.digest() not in self._seen
        self._seen.add(digest.digest())
        url = self._carried.keep(member, picture.bytes()) if is_new else self._carried.address(member)
        return b"".join(picture.spelled()) if url is None else picture.name + url.encode()


class _Picture:
    """A picture under way: what it begins with, and its base64, in a file if it is long.

    In a notebook the ``name`` of its field stays, and the string is its base64 alone.
    """

    def __init__(self, start: re.Match[bytes]) -> None:
        is_field = not start[1]
        self.subtype = start[start.lastindex or 0].decode().lower()
        self.size = 0
        self.name = start[0] if is_field else b""
        self.base64, self.broken_by = (_IN_LINES, b"\\") if is_field else (_BASE64, b"%\r\n")
        self._start = start[0]
        self._text: BinaryIO = tempfile.SpooledTemporaryFile(max_size=_HELD, prefix="mediamirror-")  # type: ignore[assignment]  # noqa: SIM115

    def take(self, text: bytes, at: int, end: int) -> int:
        """Take what is base64 in a text; returns where it ends."""
        self._text.write(text[at:end])
        self.size += end - at
        return end

    def spelled(self) -> Iterator[bytes]:
        """As it stands in the document."""
        yield self._start
        yield from read_again(self._text)

    def bytes(self) -> Iterator[bytes]:
        """What it is."""
        return from_base64(_unescaped(read_again(self._text)))


def _unescaped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Base64 without the ends of its lines."""
    held = b""
    for chunk in chunks:
        text = held + chunk
        held = b"\\" if text.endswith(b"\\") else b""
        yield text.removesuffix(held).replace(b"\\n", b"")


def _sure_end(text: bytes, at: int) -> int:
    """Where no `_START` can begin any more that is not whole."""
    near = max(at, len(text) - _LONGEST_START)
    found = text[near:].lower().rfind(b"data:")
    return near + found if found >= 0 else max(at, len(text) - _LONGEST_FIELD)


def _overlapping(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, each with the end of the one before."""
    tail = b""
    for chunk in chunks:
        yield tail + chunk
        tail = chunk[-len(b"data:image/") :]
