"""A JSON text read a value at a time, whatever its length: a long string lies in a temporary file."""

from __future__ import annotations

import codecs
import io
import json
import secrets
import tempfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, cast

from mediamirror.documents.document import read_again
from mediamirror.first_use import pattern

_CHUNK = 256 * 1024
_LONG = 64 * 1024
"""A string of more bytes is handed out as it is spelled, by itself."""
_HELD = 512 * 1024
"""More of it lies in a temporary file."""
_MAX_VALUE = 1024 * 1024
"""Most bytes of one value that is kept, its long strings aside."""
_BLANKS = pattern(rb"[ \t\r\n]*+")
_RUN = pattern(rb'(?:[^"{}\[\]]++|"[^"\\]{0,256}+"|(?!))*+')
"""What holds no bracket, short strings whole: the end of a long one is found faster by itself."""
_STRING = pattern(rb'(?:[^"\\]++|\\[\x00-\xff]|(?!))*+')
_WORD = pattern(rb"[^,\]}\s\"\[{]*+")
_ESCAPES = pattern(
    r"(?:[^\\]++|\\u[dD][89aAbB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u(?![dD][89aAbB])[0-9a-fA-F]{4}|\\[^u]|(?!))*+"
)
"""Text up to an escape that is cut off."""
_LONGEST_ESCAPE = 12


_DECODER = json.JSONDecoder(strict=False)


class Malformed(Exception):
    """A file that is not what it was taken for; says why in a sentence part."""


class Cut(Exception):
    """A text that ends within a value."""


class JsonStream:
    """A JSON text. ``longest`` is the most bytes of a string that is kept. Reading raises `Cut`, `Malformed` and `OSError`."""

    def __init__(self, stream: io.BufferedReader, longest: int) -> None:
        self._stream = stream
        self._longest = longest
        self._chunk = b""
        self._at = 0
        self._secret = f"\0{secrets.token_hex(16)}"
        self._long: dict[str, IO[bytes] | None] = {}
        self.is_spoiled = False
        """Whether a value that was to be kept since `forget` could not be: it was no JSON, or too large."""

    def long(self, text: str) -> IO[bytes] | None:
        """The file, perhaps in memory, of a string that stands here for a long one, as it is spelled; None for any other."""
        return self._long.get(text)

    def is_too_long(self, text: str) -> bool:
        """Whether a string stands for one that was too long to be kept at all."""
        return text in self._long and self._long[text] is None

    def forget(self) -> None:
        """Let go of long strings, and of what was wrong."""
        self._long.clear()
        self.is_spoiled = False

    def mark(self) -> bytes:
        """The next character that is no blank, empty at the end."""
        while True:
            blanks = _BLANKS.match(self._chunk, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._chunk):
                return self._chunk[self._at : self._at + 1]
            if not self._more():
                return b""

    def names(self) -> Iterator[str]:
        """The names in the object that comes next; whoever takes one reads its value, too."""
        self._at += 1
        while (mark := self.mark()) != b"}":
            if mark == b",":
                self._at += 1
                continue
            if mark != b'"':
                raise Cut if not mark else Malformed("a name is missing")
            key = self.value()
            if (mark := self.mark()) != b":":
                raise Cut if not mark else Malformed("a value is missing")
            self._at += 1
            yield str(key)
        self._at += 1

    def items(self) -> Iterator[bytes]:
        """What each value in the list that comes next begins with; whoever takes one reads the value."""
        self._at += 1
        while (mark := self.mark()) != b"]":
            if not mark:
                raise Cut
            if mark == b",":
                self._at += 1
            else:
                yield mark
        self._at += 1

    def value(self, *, kept: bool = True) -> Any:
        """The next value; None for one that is not ``kept``, or is malformed or too large."""
        out = bytearray() if kept else None
        mark = self.mark()
        if mark == b'"':
            self._at += 1
            self._string(out)
        elif mark in {b"{", b"["}:
            self._nested(out)
        else:
            self._bare(out)
        if out is None:
            return None
        try:
            if mark == b'"' and b"\\" not in out:
                return out[1:-1].decode("utf-8", "surrogatepass")  # as `json.loads` takes bytes
            if len(out) <= _MAX_VALUE:
                return _DECODER.decode(out.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            pass
        self.is_spoiled = True
        return None

    def _bare(self, out: bytearray | None) -> None:
        if not self.mark():
            raise Cut
        size = 0
        while (word := _WORD.match(self._chunk, self._at)) is not None and word.end() > self._at:
            size += len(word[0])
            if out is not None and len(out) <= _MAX_VALUE:
                out += word[0]
            self._at = word.end()
            if self._at < len(self._chunk) or not self._more():
                break
        if not size:
            raise Malformed("what stands in it is no JSON")

    def _nested(self, out: bytearray | None) -> None:
        depth = 0
        while True:
            chunk, start = self._chunk, self._at
            run = _RUN.match(chunk, start)
            self._at = end = run.end() if run is not None else start
            mark = chunk[end : end + 1]
            self._at += len(mark)
            if out is not None and len(out) <= _MAX_VALUE:
                out += chunk[start : end if mark == b'"' else self._at]
            if not mark:
                if not self._more():
                    raise Cut
            elif mark == b'"':
                self._string(out)
            else:
                depth += 1 if mark in b"{[" else -1
                if not depth:
                    return

    def _string(self, out: bytearray | None) -> None:
        """Take the rest of a string: into ``out`` with its quotes, or as a word in its place if it is long."""
        pieces: list[bytes] = []
        file: IO[bytes] | None = None
        size = held = 0
        while True:
            chunk, start = self._chunk, self._at
            self._at = end = _string_end(chunk, start)
            size += end - start
            if out is not None and size <= self._longest:
                pieces.append(chunk[start:end])
                held += end - start
            if chunk[end : end + 1] == b'"':
                self._at += 1
                break
            if held > _HELD:
                file = file or cast("IO[bytes]", tempfile.TemporaryFile(prefix="mediamirror-"))  # noqa: SIM115
                file.writelines(pieces)
                pieces, held = [], 0
            if not self._more():
                raise Cut
        if out is not None:
            self._keep(out, size, file, pieces)

    def _keep(self, out: bytearray, size: int, file: IO[bytes] | None, pieces: list[bytes]) -> None:
        if size <= min(_LONG, self._longest):
            out += b'"%b"' % b"".join(pieces)
            return
        if file is None:
            file = io.BytesIO(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        else:
            file.writelines(pieces)
        name = f"{self._secret}{len(self._long)}"
        self._long[name] = file if size <= self._longest else None
        out += json.dumps(name).encode()

    def _more(self) -> bool:
        """Read on, keeping what was not taken; False at the end."""
        chunk = self._stream.read(_CHUNK)
        self._chunk = self._chunk[self._at :] + chunk
        self._at = 0
        return bool(chunk)


def _string_end(chunk: bytes, start: int) -> int:
    """Where the quote is that ends a string, or where what is there of the string ends."""
    quote = chunk.find(b'"', start)
    if chunk.find(b"\\", start, quote if quote >= 0 else None) < 0:
        return quote if quote >= 0 else len(chunk)
    inner = _STRING.match(chunk, start)
    return inner.end() if inner is not None else start


def unescaped(file: BinaryIO) -> Iterator[bytes]:
    """The text, in UTF-8, of a JSON string that lies in a file as it is spelled (RFC 8259, 7)."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    left = ""
    for piece in read_again(file):
        if not left and piece.isascii() and b"\\" not in piece and not decoder.getstate()[0]:
            yield piece
            continue
        left += decoder.decode(piece)
        whole = _ESCAPES.match(left)
        cut = max(whole.end() if whole is not None else 0, len(left) - _LONGEST_ESCAPE)
        yield _loaded(left[:cut])
        left = left[cut:]
    yield _loaded(left)


def _loaded(spelled: str) -> bytes:
    try:
        return str(_DECODER.decode(f'"{spelled}"')).encode("utf-8", "replace")
    except ValueError:
        return spelled.encode("utf-8", "replace")
