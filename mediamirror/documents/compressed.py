"""Compressed bytes, inflated in small steps: a bomb meets the limit after its first steps, not after its last.

gzip and zlib are the standard library's. ``br`` and ``zstd`` need the extra ``mediamirror[warc]``: their decoders there can
be told how much to give at once.
"""

from __future__ import annotations

import importlib
import io
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

STEP = 64 * 1024
"""Most bytes inflated at once."""
BOMB_SIZE = 64 * 1024 * 1024
"""A stream is no more inflated when it gives more bytes than this, more than `BOMB_RATIO` for each of its own."""
BOMB_RATIO = 200
_MAGIC = b"\x1f\x8b\x08"
_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_PLAIN = frozenset({"", "identity", "none", "binary", "utf-8"})


class Undecodable(Exception):
    """Bytes that do not follow their coding, or a coding that can't be undone here; says which in a sentence part."""


def is_gzip(data: bytes) -> bool:
    """Say whether bytes are compressed with gzip."""
    return data.startswith(_MAGIC)


def inflate(data: bytes, limit: int) -> tuple[bytes, str | None]:
    """Inflate gzip up to ``limit`` bytes and one more; a second value says what was wrong, after the bytes before it.

    Memory stays near what is returned.
    """
    # BytesIO grows in place and gives out its own buffer: pieces in a list would be there twice when they are joined.
    whole = io.BytesIO()
    wrong = None
    try:
        for piece in decoded([data], "gzip"):
            whole.write(piece)
            if whole.tell() > limit:
                whole.truncate(limit + 1)
                break
    except Undecodable as error:
        wrong = str(error)
    return whole.getvalue(), wrong


def inflated_stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate gzip of any length, at most `STEP` bytes a time. Raises `Undecodable`, also for a bomb.

    A stream has no limit of its own, since a crawl may be as long as it likes; what tells a bomb is how little it is made of.
    """
    taken = given = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for chunk in _sliced(chunks):
            taken += len(chunk)
            yield chunk

    for piece in decoded(counted(), "gzip"):
        given += len(piece)
        if given > BOMB_SIZE and given > BOMB_RATIO * taken:
            raise Undecodable("the compressed data inflates without end")
        yield piece


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Undo a content coding (RFC 9110, 8.4), several of them in turn, at most `STEP` bytes a time. Raises `Undecodable`."""
    out = _sliced(chunks)
    for name in reversed([part.strip().lower() for part in coding.split(",")]):
        if name not in _PLAIN:
            out = _decoder(name)(out)
    return out


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in small chunks: what a decoder has not consumed yet is copied at each of its steps."""
    for chunk in chunks:
        for start in range(0, len(chunk), STEP):
            yield chunk[start : start + STEP]


def _decoder(name: str) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    if name in {"gzip", "x-gzip"}:
        return lambda chunks: _members(chunks, _GZIP)
    if name == "deflate":
        return lambda chunks: _members(chunks, _ZLIB)
    if name in {"br", "zstd"}:
        return _brotli if name == "br" else _zstd
    raise Undecodable(f"the content coding {name[:40]!r} is not known")


def _members(chunks: Iterator[bytes], wbits: int) -> Iterator[bytes]:
    """gzip members one after the other (RFC 1952, 2.2), or one zlib stream. What follows the last member is padding."""
    stream: Any = None
    for chunk in _with_head(chunks):
        data = chunk
        while data:
            if stream is not None and stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                if wbits != _GZIP or not data.startswith(_MAGIC[: len(data)]):
                    return
                stream = None
            stream = stream or zlib.decompressobj(_kind(data, wbits))
            yield from _steps(stream, data)
            data = stream.unused_data
    if stream is not None and not stream.eof:
        raise Undecodable("the compressed data ends too early")


def _with_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first chunk long enough to tell what they are."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) > 1:
            break
    yield head
    yield from chunks


def _kind(data: bytes, wbits: int) -> int:
    # "deflate" is zlib by RFC 9110, and raw deflate from a good many servers. RFC 1950, 2.2 tells them apart.
    is_zlib = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _RAW if wbits == _ZLIB and not is_zlib else wbits


def _steps(stream: Any, data: bytes) -> Iterator[bytes]:
    try:
        while piece := stream.decompress(data, STEP):
            yield piece
            if stream.eof:
                return  # its unconsumed tail may still be what is unused too, and would be read twice
            data = stream.unconsumed_tail
    except zlib.error:
        raise Undecodable("the compressed data is damaged") from None


def _brotli(chunks: Iterator[bytes]) -> Iterator[bytes]:
    brotli = _extra("brotli")
    stream = brotli.Decompressor()
    try:
        for chunk in chunks:
            data = chunk
            while piece := stream.process(data, output_buffer_limit=STEP):
                yield piece
                data = b""
    except brotli.error:
        raise Undecodable("the compressed data is damaged") from None
    if not stream.is_finished():
        raise Undecodable("the compressed data ends too early")


def _zstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    zstd = zstd_library()
    stream = zstd.ZstdDecompressor()
    try:
        for chunk in chunks:
            data = chunk
            while not stream.eof and ((piece := stream.decompress(data, max_length=STEP)) or not stream.needs_input):
                yield piece
                data = b""
    except zstd.ZstdError:
        raise Undecodable("the compressed data is damaged") from None
    if not stream.eof:
        raise Undecodable("the compressed data ends too early")


def zstd_library() -> Any:
    """Return the module that reads zstd. Raises `Undecodable` where the extra is missing."""
    return _extra("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise Undecodable(
            f"it is compressed with {module.rpartition('.')[2]}, which needs pip install 'mediamirror[warc]'"
        ) from None
