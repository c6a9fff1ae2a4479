"""WARC records one by one: WARC 1.1 (ISO 28500:2017), https://iipc.github.io/warc-specifications/; those of ARC files as such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, BinaryIO

from mediamirror.documents.warc.bytes import Damaged, Position, WarcBytes, read_arc_line
from mediamirror.first_use import dataclass, pattern

if TYPE_CHECKING:
    import re

MAX_LINE = 64 * 1024
MAX_HEADER = 512 * 1024
"""Longest header of a record, in bytes."""
_VERSION = pattern(rb"WARC/[0-9]\.[0-9]{1,9}[ \t]*\r?\n")
_BLANK_LINE = pattern(rb"\n\r?\n")
_GOES_ON = pattern(rb"\r?\n[ \t]+")
_BLANK_BEFORE = pattern(rb"\n[^:\s]+[ \t]+:")
_BLANK = (b" ", b"\t")
Headers = tuple[tuple[str, str], ...]
_CHUNK = 64 * 1024


class Fields:
    """The lines ``name: value`` of a header, behind its first line; decoded when they are asked for, since few ever are."""

    __slots__ = ("_low", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw if raw.endswith(b"\n") else raw + b"\n"
        self._low = self._raw.lower()

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str]]) -> Fields:
        """The same of names and values."""
        return cls("".join(f"\n{name}: {value}" for name, value in rows).encode())

    def get(self, name: bytes) -> str | None:
        """Return the value of the first field of a name, which is given in lower case."""
        low = self._low
        start = low.find(b"\n%b:" % name)
        if start < 0:
            return dict(self.rows()[::-1]).get(name.decode()) if _BLANK_BEFORE.search(low) else None
        start += len(name) + 2
        end = low.find(b"\n", start)
        if low.startswith(_BLANK, end + 1):  # it goes on in the next line
            return Fields(_GOES_ON.sub(b" ", self._raw)).get(name)
        return _text(self._raw[start:end]).strip()

    def rows(self) -> Headers:
        """Return all in order, names in lower case."""
        rows = [line.partition(b":") for line in _GOES_ON.sub(b" ", self._raw).split(b"\n")[1:]]
        return tuple([(_text(name).strip().lower(), _text(value).strip()) for name, colon, value in rows if colon])


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class Record:
    """The header of a record. ``kind`` is ``response``, ``revisit``, ...; ``length`` of the block in bytes."""

    __slots__ = ("_fields", "get", "kind", "length", "place")

    def __init__(self, place: Position, length: int, fields: Fields) -> None:
        self.place = place
        self.length = length
        self._fields = fields
        self.get = fields.get
        """The value of the first field of a name, in lower case; None where there is none."""
        self.kind = (fields.get(b"warc-type") or "").lower()

    @property
    def headers(self) -> dict[str, str]:
        """All fields by lower-case name, the first of each."""
        return dict(reversed(self._fields.rows()))

    @property
    def url(self) -> str:
        """The target URI. Some writers put it between angle brackets."""
        return (self.get(b"warc-target-uri") or "").removeprefix("<").removesuffix(">")

    @property
    def date(self) -> datetime | None:
        """WARC-Date, aware, in UTC."""
        return read_date(self.get(b"warc-date"))

    @property
    def content_type(self) -> str:
        """The type of the block, in lower case: ``application/http; msgtype=response`` for what a server answered."""
        return (self.get(b"content-type") or "").lower()


def read_date(text: str | None) -> datetime | None:
    """Read a W3C date as WARC has it, of any precision."""
    try:
        found = datetime.fromisoformat((text or "").strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the second where it would be before the year 1, or after 9999
        return None


class Block:
    """The block of the record that was read last, as far as it is there."""

    def __init__(self, source: WarcBytes, length: int) -> None:
        self._source = source
        self.copy: IO[bytes] | None = None
        """Where what is read is written besides."""
        source.in_block = True
        self.left = length
        """Bytes of the block that were not read yet."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the rest of the block; the first piece ends with the first empty line.

        Raises `Damaged` when the file ends before it.
        """
        upto: re.Pattern[bytes] | None = _BLANK_LINE
        while self.left:
            piece = self._source.read(min(self.left, _CHUNK), upto)
            upto = None
            if not piece:
                raise Damaged("the file ends too early")
            self.left -= len(piece)
            if self.copy is not None:
                self.copy.write(piece)
            yield piece

    def skip(self) -> None:
        """Pass over what is left of the block."""
        left, self.left = self.left, 0
        self._source.leave(left)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something in the file that could not be read: from ``place`` on, for the reason given, as part of a sentence."""

    place: Position
    reason: str
    record: Record | None = None
    """What can be read of the header of a record that is lost with it."""
    is_nameless: bool = False
    """Whether it is not known what is lost there."""


def read_record(file: BinaryIO, place: Position) -> tuple[Record, Block]:
    """Read the record at a place that `read_records` gave. Raises `Damaged` and `OSError`."""
    source = WarcBytes(file, place)
    record = _header(source)
    if record is None:
        raise Damaged("the file has changed")
    return record, Block(source, record.length)


def read_records(file: BinaryIO) -> Iterator[tuple[Record, Block] | Gap]:
    """Yield every record with its block, which may be left unread; what is damaged is a `Gap`, and the rest is read.

    Raises `OSError`.
    """
    source = WarcBytes(file)
    while True:
        record = None
        try:
            source.next_record()
            record = _header(source)
            if record is None:
                return
            block = Block(source, record.length)
            yield record, block
            block.skip()
            source.in_block = False
        except Damaged as error:
            lost = None if record is not None else _lost(source, error.header)
            yield Gap(source.start, str(error), lost, is_nameless=record is lost is None)
            if not source.recover():
                return


def _header(source: WarcBytes) -> Record | None:
    """Read a header, at once where its end is there already."""
    if source.is_arc:
        line = source.line(MAX_LINE)
        return _arc_header(source.start, line) if line else None
    raw = source.read(MAX_LINE, _BLANK_LINE)
    if not raw:
        return None
    if b"\n" not in raw:
        raw += source.line(MAX_LINE)
    if _VERSION.match(raw) is None:
        raise Damaged("no record starts where one should")
    while not raw.endswith((b"\n\r\n", b"\n\n")) and (line := source.line(MAX_LINE)):
        raw += line
        if len(raw) > MAX_HEADER:
            raise Damaged("a record has too many header lines")
    fields = Fields(raw)
    length = fields.get(b"content-length") or ""
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        error = Damaged("a record does not say how long it is")
        error.header = raw
        raise error
    return Record(source.start, int(length), fields)


def _lost(source: WarcBytes, header: bytes | None) -> Record | None:
    """The record that can't be read any further than its header."""
    header = source.glimpse() if header is None else header
    end = _BLANK_LINE.search(header)
    if _VERSION.match(header) is None or end is None:
        return None
    return Record(source.start, 0, Fields(header[: end.end()]))


def _arc_header(place: Position, line: bytes) -> Record:
    found = read_arc_line(line)
    if found is None:
        raise Damaged("no record starts where one should")
    url, date = _text(found[0]), _text(found[1])
    fields = Fields.of(
        (
            ("warc-type", "warcinfo" if url.startswith("filedesc:") else "response"),
            ("warc-target-uri", url),
            ("warc-date", f"{date[:8]}T{date[8:]}"),
            ("content-type", "application/http; msgtype=response"),
        )
    )
    return Record(place, found[2], fields)
