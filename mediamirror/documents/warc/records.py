"""WARC records one by one: WARC 1.1 (ISO 28500:2017), https://iipc.github.io/warc-specifications/; those of ARC files as such."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from datetime import UTC, datetime
from itertools import islice
from typing import IO, BinaryIO

from mediamirror.documents.warc.bytes import ARC_LINE, Damaged, Place, WarcBytes
from mediamirror.first_use import dataclass, pattern

MAX_LINE = 64 * 1024
MAX_HEADERS = 1_000
_VERSION = pattern(rb"WARC/[0-9]\.[0-9]+\s*\Z")
_BLANK_LINE = pattern(rb"\n\r?\n")
_CHUNK = 64 * 1024
_MAX_BLANKS = 64


@dataclass(frozen=True, slots=True)
class Record:
    """The header of a record. ``headers`` by lower-case name, the first of each; ``length`` of the block in bytes."""

    place: Place
    length: int
    headers: dict[str, str] = field(repr=False)

    @property
    def kind(self) -> str:
        """``response``, ``resource``, ``revisit``, ``conversion``, ..."""
        return self.headers.get("warc-type", "").lower()

    @property
    def url(self) -> str:
        """The target URI. Some writers put it between angle brackets."""
        return self.headers.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")

    @property
    def date(self) -> datetime | None:
        """WARC-Date, aware, in UTC."""
        return read_date(self.headers.get("warc-date"))

    @property
    def content_type(self) -> str:
        """The type of the block, in lower case: ``application/http; msgtype=response`` for what a server answered."""
        return self.headers.get("content-type", "").lower()


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
        """Yield the rest of the block. Raises `Damaged` when the file ends before it."""
        while self.left:
            piece = self._source.read(min(self.left, _CHUNK))
            if not piece:
                raise Damaged("the file ends too early")
            self.left -= len(piece)
            if self.copy is not None:
                self.copy.write(piece)
            yield piece

    def skip(self) -> None:
        """Pass over what is left of the block."""
        left, self.left = self.left, 0
        self._source.skip(left)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something in the file that could not be read: from ``place`` on, for the reason given, as part of a sentence."""

    place: Place
    reason: str


def read_record(file: BinaryIO, place: Place) -> tuple[Record, Block]:
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
        try:
            _pass_blanks(source)
            source.mark()
            record = _header(source)
            if record is None:
                return
            block = Block(source, record.length)
            yield record, block
            block.skip()
            source.in_block = False
        except Damaged as error:
            yield Gap(source.start, str(error))
            if not source.recover():
                return


def _pass_blanks(source: WarcBytes) -> None:
    """Two empty lines end a record; some writers leave more, or fewer. What else stands there is found out below."""
    if source.peek().startswith(b"\r\n\r\n"):
        source.read(4)
    for _ in range(_MAX_BLANKS):
        if source.peek()[:1] not in {b"\r", b"\n"}:
            return
        source.line(MAX_LINE)


def _header(source: WarcBytes) -> Record | None:
    place = source.place()
    version = source.line(MAX_LINE)
    if not version:
        return None
    if _VERSION.match(version) is None:
        return _arc_header(place, version)
    headers: dict[str, str] = {}
    last = ""
    for line in islice(_lines(source), MAX_HEADERS):
        if not line.strip():
            break
        if line[:1] in " \t" and last:
            headers[last] += " " + line.strip()
            continue
        name, _, value = line.partition(":")
        last = name.strip().lower()
        headers.setdefault(last, value.strip())
    else:
        raise Damaged("a record has too many header lines")
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit() and len(length) < 19):
        raise Damaged("a record does not say how long it is")
    return Record(place, int(length), headers)


def _lines(source: WarcBytes) -> Iterator[str]:
    """The lines of a header, decoded: all at once where its end is there already, which costs a quarter of one by one."""
    end = _BLANK_LINE.search(source.peek())
    if end is not None:
        yield from source.read(end.end()).decode("utf-8", "replace").split("\n")
    while True:
        yield source.line(MAX_LINE).decode("utf-8", "replace")


def _arc_header(place: Place, line: bytes) -> Record:
    found = ARC_LINE.fullmatch(line)
    if found is None:
        raise Damaged("no record starts where one should")
    url, date = _text(found["url"]), _text(found["date"])
    headers = {
        "warc-type": "warcinfo" if url.startswith("filedesc:") else "response",
        "warc-target-uri": url,
        "warc-date": f"{date[:8]}T{date[8:]}",
        "content-type": "application/http; msgtype=response",
    }
    return Record(place, int(found["length"]), headers)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()
