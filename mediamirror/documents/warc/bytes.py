"""The bytes of a WARC file, plain or compressed record by record, with places to come back to, and a way past damage.

WARC 1.1, annex D: each record is a gzip member of its own. The readers that there are stop at the first damaged member;
an archive is often the only copy, so here the search goes on for the next member that starts a record.
"""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

from mediamirror.documents.warc.frames import DICTIONARY, ZSTD, Frame, begins_frames, dictionary_of, igzip
from mediamirror.first_use import pattern

_CHUNK = 64 * 1024
_MAGIC = b"\x1f\x8b\x08"
_RECORD = b"WARC/"
_ARC = b"filedesc://"
_FIRST_LINE = pattern(rb"WARC/[0-9]\.[0-9]{1,3}\r?\n")
_ARC_TIME = pattern(rb" [0-9A-Fa-f.:]{1,45} ([0-9]{14}) (?:[^\r\n]{0,2000} )?([0-9]{1,18})\r?\n")
_ARC_SCHEME = pattern(rb"[a-z][a-z0-9+.\-]{1,20}:")
_LINE_END = pattern(rb"\n")
_BLANKS = pattern(rb"[\r\n]+")
_GZIP = zlib.MAX_WBITS | 16
_LOOKED_AT = 1024
_GLIMPSED = 16
_FIRST = 2 * 1024
"""As much is read, or inflated, where a record begins: of most records no more is looked at than that."""
_MOST_MISSED = 3
"""How often the end of a member is looked for in vain before it is no more."""
_ENDS = 4
"""At most so many bytes stand behind the block of a record: two line ends."""
_MEMBER = pattern(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)
"""How every member begins (RFC 1952, 2.3); by chance something does once in 200 GB."""
_SIZE_AND_HEAD = 14
_SHORTEST = 18
"""Bytes of a gzip member of nothing."""
_MOST_SEARCHED = 64 * 1024 * 1024
_FED = 32 * 1024
_BLOCK = 256 * 1024
"""A frame of zstd gives nothing before its first block is whole, which has up to 128 KiB."""
BOMB_SIZE = 256 * 1024 * 1024
"""A member is no more inflated when it gives more bytes than this, more than `BOMB_RATIO` for each of its own."""
BOMB_RATIO = 100


def read_arc_line(data: bytes) -> tuple[bytes, bytes, int] | None:
    """Read what begins a record of an ARC file, of version 1 or 2: its URL, its date and the length of its block in bytes.

    https://archive.org/web/researcher/ArcFileFormat.php. Old crawlers let blanks stand in the URL.
    """
    line = data[: data.find(b"\n") + 1]
    found = _ARC_TIME.search(line) if _ARC_SCHEME.match(line) else None
    if found is None or found.end() != len(line):
        return None
    return line[: found.start()], found[1], int(found[2])


class Damaged(Exception):
    """Bytes that do not follow their format; the text says how, as part of a sentence.

    ``header`` is that of the record which is damaged, where it can be read.
    """

    header: bytes | None = None


class Position(NamedTuple):
    """A place to come back to: where a member starts in the file, and how many of its bytes come before, inflated.

    In a plain file the second is 0.
    """

    at: int
    skip: int = 0


class WarcBytes:
    """Reads on from a place in a seekable file. Not safe to share between threads."""

    def __init__(self, file: BinaryIO, place: Position | None = None) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        file.seek(0)
        head = file.read(_CHUNK)
        self._coding = _coding(head)
        if self._coding == ZSTD and _MAGIC in head and not begins_frames(file):
            self._coding = _MAGIC  # damage that looks like the other
        self.compressed = self._coding is not None
        self._gzip = igzip()
        self._jumps = _MOST_MISSED if head.startswith(_MAGIC) else 0
        self._dictionary = dictionary_of(file, head) if self._coding == ZSTD else None
        self.is_arc = _begins_arc(head, compressed=self.compressed)
        self.start = Position(0)
        """Where the record or the member that is being read starts."""
        self._from = 1
        self.in_block = False
        """Set while a record's block is read: then the next record does not start."""
        self._move(place or Position(0))

    def _move(self, place: Position) -> None:
        self._file.seek(place.at)
        self._wrong: str | None = None
        self._member = place.at
        self._ready = b""
        """What was read at once last; the next byte stands in it at ``_at``, and ``_before`` bytes of the member came before it."""
        self._at = self._before = 0
        self._step = _FIRST
        self._read, self._fed, self._behind = b"", 0, place.at
        """What was read of the file last, how much of that was inflated, and where in the file it ends."""
        self._stream = self._open_member() if self.compressed else None
        if place.skip:
            self.skip(place.skip)

    def _damaged(self, reason: str) -> Damaged:
        """What is damaged stays so, however often it is read, until `recover`."""
        self._wrong = reason
        self._ready, self._at = b"", 0
        return Damaged(reason)

    def next_record(self) -> None:
        """Mark the start of a record, behind empty lines: `recover` searches for the next one after it. Raises `Damaged`."""
        if self._at >= len(self._ready):
            self._fill()
        while (blanks := _BLANKS.match(self._ready, self._at)) is not None:
            self._at = blanks.end()
            if self._at >= len(self._ready):
                self._fill()
        given = self._before + self._at
        self._start_at(Position(self._member, given) if self.compressed else Position(self._member + given))

    def _start_at(self, place: Position) -> None:
        self.start = place
        self._from = place.at + 1

    def read(self, size: int, upto: re.Pattern[bytes] | None = None) -> bytes:
        """Return up to ``size`` bytes, none at the end; no more than ``upto`` what is found, where it is. Raises `Damaged`."""
        if self._at >= len(self._ready):
            self._fill()
        end = self._at + size
        if upto is not None and (found := upto.search(self._ready, self._at, end)) is not None:
            end = found.end()
        piece = self._ready[self._at : end]
        self._at += len(piece)
        return piece

    def line(self, limit: int) -> bytes:
        """Return bytes up to and with the next line feed, none at the end. Raises `Damaged`, also for longer lines."""
        piece = self.read(limit, _LINE_END)
        if piece.endswith(b"\n") or not piece:
            return piece
        pieces, size = [piece], len(piece)
        while size <= limit:
            piece = self.read(limit, _LINE_END)
            pieces.append(piece)
            size += len(piece)
            if piece.endswith(b"\n") or not piece:
                return b"".join(pieces)
        raise self._damaged("a header line is too long")

    def skip(self, size: int) -> None:
        """Pass over bytes. Raises `Damaged` when there are fewer, or when they are a bomb."""
        while (left := len(self._ready) - self._at) < size:
            size -= left
            if not self.compressed:
                self._skip_plain(self._member + self._before + len(self._ready), size)
                return
            self._at = len(self._ready)
            self._fill()
            if not self._ready:
                raise self._damaged("the file ends too early")
        self._at += size

    def _skip_plain(self, here: int, size: int) -> None:
        if here + size > self._size:
            raise self._damaged("the file ends too early")
        self._member, self._before, self._ready, self._at = here + size, 0, b"", 0
        self._step = _FIRST
        self._file.seek(self._member)

    def leave(self, size: int) -> None:
        """Pass over the rest of a block, after which the next record comes. Raises as `skip` does.

        In a file that is compressed record by record, what is left is not inflated where it needn't be: the next member begins, and
        this one ends with a size that is that of its one record (RFC 1952, 2.3.1).
        """
        if self._jumps and size > len(self._ready) - self._at and not self.start.skip:
            self._jumps -= 1
            if self._jump(self._before + self._at + size):
                self._jumps = _MOST_MISSED
                return
        self.skip(size)

    def _jump(self, whole: int) -> bool:
        """Go to the member behind this one, if that gives ``whole`` bytes and a few; or stay."""
        base = self._behind - len(self._read)
        found = self._next_member_at(min(whole + whole // 1000 + _CHUNK, _MOST_SEARCHED), whole)
        if found is not None and base <= found < self._behind:
            self._fed = found - base
        elif found is not None:
            self._read, self._fed, self._behind = b"", 0, found
        self._file.seek(self._behind)
        if found is not None:
            self._begin()
        return found is not None

    def _next_member_at(self, most: int, whole: int) -> int | None:
        """Where the next member begins, within ``most`` bytes of the file, if before it stands that this one gives as many bytes.

        The very next one is looked at: a later member may be of the same size by chance.
        """
        base, start = self._behind - len(self._read), self._member + _SHORTEST
        tail, end = b"", start + most
        while start < end:
            if base <= start < self._behind:
                window = tail + self._read[start - base :]
            else:
                self._file.seek(start)
                window = tail + self._file.read(_CHUNK)
            if len(window) == len(tail):
                break
            if (sign := _MEMBER.search(window, 4)) is not None:
                at = sign.start()
                is_whole = int.from_bytes(window[at - 4 : at], "little") - whole & 0xFFFFFFFF <= _ENDS
                return start - len(tail) + at if is_whole else None
            start += len(window) - len(tail)
            tail = window[-_SIZE_AND_HEAD + 1 :]
        return None

    def _fill(self) -> None:
        """Fill the buffer, which is empty, if there are more bytes; after the end of a member the next one is opened."""
        if self._wrong is not None:
            raise Damaged(self._wrong)
        while self._at >= len(self._ready):
            self._before += len(self._ready)
            self._ready, self._at = b"", 0
            if self._stream is None:
                self._ready = self._file.read(self._step)
                self._step = _CHUNK
                return
            if self._stream.eof and not self._next_member():
                return
            self._inflate()
            if self.in_block and not (self._before or self._at) and self._ready.startswith(_RECORD):
                self._from = self._member
                raise self._damaged("a record is shorter than it says")

    def _next_member(self) -> bool:
        """Go to the next member; zeros are padding."""
        while rest := self._unread():
            if not rest.startswith(b"\0"):
                self._begin()
                return True
            self._fed += len(rest) - len(rest.lstrip(b"\0"))
        return False

    def _begin(self) -> None:
        """Begin with a member where what was read is inflated up to."""
        self._member = self._behind - len(self._read) + self._fed
        self._ready, self._at, self._before, self._step = b"", 0, 0, _FIRST
        self._start_at(Position(self._member))
        self._stream = self._open_member()

    def _unread(self, most: int = _FED) -> bytes:
        """Some of the file that was not inflated yet."""
        if self._fed >= len(self._read):
            self._read, self._fed = self._file.read(_CHUNK), 0
            self._behind += len(self._read)
        return self._read[self._fed : self._fed + most]

    def _open_member(self) -> Any:
        return Frame(self._dictionary) if self._coding == ZSTD else self._gzip.decompressobj(_GZIP)

    def _inflate(self) -> None:
        assert self._stream is not None  # noqa: S101 - only called for compressed files
        stream, step = self._stream, self._step
        self._step = _CHUNK
        raw, fed = b"", min(_FED, step)
        try:
            # zlib gives back what it has no room for; the others keep it.
            self._ready = b"" if getattr(stream, "needs_input", True) else stream.decompress(b"", step)
            if not self._ready and not stream.eof:
                raw = self._unread(fed)
                self._ready = stream.decompress(raw, step)
        except (zlib.error, igzip().error):
            self._again_or_damaged("its compressed data is damaged")
            return
        self._fed += len(raw) - len(stream.unused_data if stream.eof else getattr(stream, "unconsumed_tail", b""))
        if not (raw or self._ready or stream.eof):
            self._again_or_damaged("the file ends in the middle of its compressed data")
        elif self._before > BOMB_SIZE:
            used = self._behind - len(self._read) + self._fed - self._member
            if self._before > BOMB_RATIO * max(1, used):
                raise self._damaged("its compressed data inflates without end")

    def _again_or_damaged(self, why: str) -> None:
        """Go back to where this was with zlib, which is the one to say what is damaged. Raises `Damaged` if it was that."""
        if self._gzip is zlib or self._coding == ZSTD:
            raise self._damaged(why)
        self._gzip = zlib
        in_block, self.in_block = self.in_block, False
        self._move(Position(self._member, self._before))
        self.in_block = in_block

    def glimpse(self) -> bytes:
        """Return the beginning of a damaged member, as far as it can be inflated; nothing where that is not where a record starts."""
        if self.start.skip or not self.compressed:
            return b""
        self._file.seek(self.start.at)
        raw, seen, stream = self._file.read(_LOOKED_AT), b"", self._open_member()
        with suppress(zlib.error, igzip().error):
            for at in range(0, len(raw), _GLIMPSED):
                seen += stream.decompress(raw[at : at + _GLIMPSED], _CHUNK)
        return seen

    def recover(self) -> bool:
        """Seek to the next record after the marked one; False when there is none."""
        found = self._search(self._from, self._coding or (b"http" if self.is_arc else _RECORD))
        if found is None:
            return False
        self.in_block = False
        self._start_at(Position(found))
        self._move(self.start)
        return True

    def _search(self, at: int, sign: bytes) -> int | None:
        """The first place from ``at`` on with a sign that a record starts there. Linear."""
        tail = b""
        self._file.seek(at)
        position = at
        while chunk := self._file.read(_CHUNK):
            window = tail + chunk
            base = position - len(tail)
            found = window.find(sign)
            while found >= 0:
                if self._starts_record(base + found):
                    return base + found
                found = window.find(sign, found + 1)
            position += len(chunk)
            self._file.seek(position)
            tail = window[-(len(sign) - 1) :]
        return None

    def _starts_record(self, at: int) -> bool:
        self._file.seek(at)
        head = self._file.read(_LOOKED_AT if self._coding != ZSTD else _BLOCK)
        try:
            head = self._open_member().decompress(head, _LOOKED_AT) if self.compressed else head
        except (zlib.error, igzip().error):
            return False
        if self.is_arc:
            return read_arc_line(head) is not None
        return head.startswith(_RECORD) if self.compressed else _FIRST_LINE.match(head) is not None


def _coding(head: bytes) -> bytes | None:
    """What the members of a file begin with, where it is compressed: gzip, or the draft for zstd.

    https://iipc.github.io/warc-specifications/specifications/warc-zstd/
    """
    if head.startswith((ZSTD, DICTIONARY)):
        return ZSTD
    if head.startswith(_MAGIC):
        return _MAGIC
    return _MAGIC if _MAGIC in head and _FIRST_LINE.search(head) is None and not head.startswith(_ARC) else None


def _begins_arc(head: bytes, *, compressed: bool) -> bool:
    try:
        start = zlib.decompressobj(_GZIP).decompress(head[:_LOOKED_AT], _LOOKED_AT) if compressed else head[:_LOOKED_AT]
    except zlib.error:
        return False
    return start.startswith(_ARC) or read_arc_line(start) is not None
