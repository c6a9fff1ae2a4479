"""Frames of zstd, as web archives are compressed record by record, and the dictionary before them; and igzip, for members of gzip.

https://iipc.github.io/warc-specifications/specifications/warc-zstd/. The library comes with the extra ``mediamirror[warc]``.
"""

from __future__ import annotations

import zlib
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, BinaryIO

from mediamirror.documents.compressed import Undecodable, zstd_library

ZSTD = b"\x28\xb5\x2f\xfd"
DICTIONARY = b"\x5d\x2a\x4d\x18"
MAX_DICTIONARY = 16 * 1024 * 1024
"""Longest dictionary, in bytes."""
_BLOCK = 256 * 1024
_WINDOW_LOG = 25
"""Of the window of a frame, 32 MiB: so much memory a file may ask for."""


class Frame:
    """A frame of zstd, inflated as zlib's objects do it. Raises `Undecodable` where the extra is missing."""

    def __init__(self, dictionary: Any) -> None:
        zstd = zstd_library()
        options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        self._stream = zstd.ZstdDecompressor(zstd_dict=dictionary, options=options)
        self._error = zstd.ZstdError

    @property
    def eof(self) -> bool:
        """Whether it has ended."""
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        """Whether it has nothing left of what it was given."""
        return bool(self._stream.needs_input)

    @property
    def unused_data(self) -> bytes:
        """What came behind its end."""
        return bytes(self._stream.unused_data)

    def decompress(self, data: bytes, most: int) -> bytes:
        """Return up to ``most`` bytes. Raises `zlib.error` as zlib's objects do."""
        try:
            return bytes(self._stream.decompress(data, max_length=most))
        except self._error:
            raise zlib.error from None


def begins_frames(file: BinaryIO) -> bool:
    """Say whether a file that begins like one of frames does so: a dictionary with a frame behind it, or a frame of a record."""
    file.seek(0)
    head = file.read(_BLOCK)
    if head.startswith(DICTIONARY):
        file.seek(8 + int.from_bytes(head[4:8], "little"))
        return file.read(len(ZSTD)) == ZSTD
    try:
        return Frame(None).decompress(head, 5) == b"WARC/"
    except zlib.error:
        return False


def dictionary_of(file: BinaryIO, head: bytes) -> Any:
    """The dictionary that a file begins with, in a frame that is skipped over; it may be compressed itself."""
    if not head.startswith(DICTIONARY):
        return None
    size = int.from_bytes(head[4:8], "little")
    if size > MAX_DICTIONARY:
        raise Undecodable(f"its dictionary is over the limit of {MAX_DICTIONARY:,} bytes")
    file.seek(8)
    return _dictionary(file.read(size))


@lru_cache(maxsize=4)
def _dictionary(data: bytes) -> Any:
    zstd = zstd_library()
    try:
        whole = zstd.ZstdDecompressor().decompress(data, max_length=MAX_DICTIONARY) if data.startswith(ZSTD) else data
        made = zstd.ZstdDict(whole)
        zstd.ZstdDecompressor(zstd_dict=made)  # only this tells of one that was cut
    except (zstd.ZstdError, ValueError):
        raise Undecodable("its dictionary is damaged") from None
    return made


class _Igzip:
    """igzip behind the two names of zlib that are used here. Its objects keep what they have not inflated yet themselves."""

    def __init__(self, library: Any) -> None:
        self.error = library.IsalError
        self._library = library

    def decompressobj(self, wbits: int) -> Any:
        """Return what inflates one member."""
        del wbits
        return self._library.IgzipDecompressor(flag=self._library.DECOMP_GZIP)


@cache
def igzip() -> Any:
    """What inflates as zlib does in about half of its time, where the extra ``mediamirror[warc]`` is there; else zlib."""
    try:
        return _Igzip(import_module("isal.igzip_lib"))
    except ImportError:
        return zlib
