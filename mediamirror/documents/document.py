"""One document, ready to be looked through: its bytes, or of a large one where they lie."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from itertools import chain
from typing import BinaryIO, cast

from mediamirror.documents.compressed import STEP
from mediamirror.first_use import dataclass

MAX_DOCUMENT = 256 * 1024 * 1024
"""Largest document read, in bytes."""
HELD = 1024 * 1024
"""Most bytes of a document that are held in memory, and read in this process: what is larger is read in one of its own."""

Chunks = Callable[[], Iterator[bytes]]
"""Read some bytes from their beginning, in small steps; may be called again. Raises `OSError`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are too many to be held."""

    chunks: Chunks
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes with a name. ``name`` is the path, the final URL, or ``-``.

    ``media_type`` is the Content-Type with its parameters; ``base_url`` is from ``--base-url``, else the document's own
    URL; ``kind`` is how to read it (a key of `mediamirror.markup.extract.KINDS`), never ``auto``.
    """

    name: str
    data: bytes | Stored = field(repr=False)
    media_type: str | None
    base_url: str | None
    kind: str
    link_headers: tuple[str, ...] = ()
    """The values of the response's Link headers, which may name images too; for a document that came over HTTP."""
    beside: int = 0
    """Bytes of memory that may be taken while it is read, by what takes apart the container that it is a row of."""
    columns: str = ""
    """The plain values of the row that it is, or that it is a field of, as JSON; empty where it is no row."""
    origin: tuple[str, str] | None = None
    """The container that it is from: its kind and its name."""
    other: str | None = None
    """What it is by its content or its name, where its Content-Type says something else: how to read it when nothing is found."""

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data) if isinstance(self.data, bytes) else self.data.size

    @property
    def sha256(self) -> str:
        """The hash of its bytes, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest() if isinstance(self.data, bytes) else self.data.sha256

    @property
    def way(self) -> str:
        """How it is read, in short: ``html``, or ``json in csv``."""
        return self.kind if self.origin is None else f"{self.kind} in {self.origin[0]}"

    def share(self, memory: int) -> int:
        """Return how much of ``memory`` (in bytes) is left for its own reading, beside what takes its container apart."""
        return max(memory - self.beside, memory // 2)

    def chunks(self) -> Iterator[bytes]:
        """Its bytes in small steps. Raises `OSError`."""
        if isinstance(self.data, bytes):
            for start in range(0, len(self.data), STEP):
                yield self.data[start : start + STEP]
        else:
            yield from self.data.chunks()


def weighed(chunks: Chunks, limit: int) -> bytes | Stored | None:
    """Return bytes that can be read again: themselves while they are few, else where they lie; None for more than ``limit``."""
    held, digest, size = io.BytesIO(), hashlib.sha256(), 0
    for chunk in chunks():
        size += len(chunk)
        if size > limit:
            return None
        if size <= HELD:
            held.write(chunk)
            continue
        digest.update(held.getbuffer())  # all of what few bytes held is hashed when it is asked for
        held = io.BytesIO()
        digest.update(chunk)
    return held.getvalue() if size <= HELD else Stored(chunks, size, digest.hexdigest())


def kept(pieces: Iterable[bytes], limit: int) -> bytes | Stored | None:
    """The same for bytes that come once: those that are too many to be held are kept in a nameless temporary file.

    None as soon as there are more than ``limit``; the pieces that follow are not taken. Raises `OSError`.
    """
    held: list[bytes] = []
    size, pieces = 0, iter(pieces)
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > min(limit, HELD):
            break
    if size <= HELD:
        return b"".join(held) if size <= limit else None
    # The file goes with the last that refers to it.
    file = cast("BinaryIO", tempfile.TemporaryFile(prefix="mediamirror-"))  # noqa: SIM115
    for piece in chain(held, pieces):
        file.write(piece)
        if file.tell() > limit:
            return None
    return weighed(lambda: read_again(file), limit)


def read_again(file: BinaryIO, most: int | None = None) -> Iterator[bytes]:
    """Yield what a file holds from its beginning, no more than ``most`` bytes."""
    file.seek(0)
    left = most
    while chunk := file.read(STEP if left is None else min(STEP, left)):
        yield chunk
        left = None if left is None else left - len(chunk)


_LOOKED_AT = 8192
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_IMAGE_MARKS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\x0a", b"\0\0\0\x0cJXL ")
"""How files of images begin: PNG, JPEG, JPEG XL as a stream and in boxes."""
_BRANDS = frozenset({b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix"})
"""What an ISO media file that is AVIF or HEIC calls itself, and no video does."""


def is_image(data: bytes) -> bool:
    """Whether bytes are those of an image, by what they begin with; a text that speaks of one is none."""
    if data.startswith((b"GIF87a", b"GIF89a")):
        return any(byte < 9 for byte in data[6:13])  # its width and height
    boxed = data.startswith(b"\0\0") and data[4:8] == b"ftyp" and data[8:12] in _BRANDS
    return boxed or data.startswith(_IMAGE_MARKS) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")


_COMPRESSED = {
    b"\xfd7zXZ\0": "xz",
    **{b"BZh%d1AY&SY" % level: "bzip2" for level in range(1, 10)},
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
}
_REFUSED = {
    **{sign: f"is compressed with {name}, which is not read: inflate it first" for sign, name in _COMPRESSED.items()},
    b"%PDF-": "is a PDF document, which is not read: give the page or the text that it was made of",
    b"{\\rtf": "is a text in RTF, which is not read: save it as HTML, DOCX or ODT",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "is a document of an older Office, which is not read: save it as DOCX, XLSX or PPTX",
}
"""What files that are not read begin with, and what is said of them."""
_SIGNS = tuple(_REFUSED)


def refusal(data: bytes) -> str | None:
    """Why bytes are not read that are known to be something else than text, in a sentence part, by what they begin with."""
    if not data.startswith(_SIGNS):
        return None
    return next(why for sign, why in _REFUSED.items() if data.startswith(sign))


def is_binary(data: bytes) -> bool:
    """Whether bytes are no text, by what they begin with."""
    if is_image(data) or refusal(data) is not None:
        return True  # a small PNG or WebP holds hardly a NUL, and neither does what is compressed; RTF holds none
    # A crawled text may hold a stray NUL; an image or a program holds many, or little else.
    looked_at = data[:_LOOKED_AT]
    stray = 1 if len(looked_at) < 100 else len(looked_at) // 100
    return looked_at.count(0) > (stray if len(looked_at) > 64 else 0) and not data.startswith(_WIDE_MARKS)
