"""Pictures that an INPUT holds itself: members of an archive, values of a table, what a page writes as ``data:``.

Each gets an address, ``https://file.invalid/INPUT/MEMBER``, and its bytes become a record of a web archive: so they are found,
checked, stored and listed as any others, and nothing asks the network for them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from typing import IO, TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

from mediamirror.documents.document import Document
from mediamirror.documents.rows import columns_of
from mediamirror.documents.warc.bytes import Position
from mediamirror.documents.warc.http import Response
from mediamirror.documents.warc.records import Fields, Record
from mediamirror.markup.naming import has_image_extension, is_srcset_like
from mediamirror.markup.places.urls import FILES

if TYPE_CHECKING:
    from mediamirror.documents.warc.archive import WarcArchive

_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif", b"RIFF": "image/webp"}
_HELD = 1024 * 1024
_BESIDE = frozenset({"json", "txt", "cls", "caption", "text"})
"""What stands beside the picture of a sample, and tells of it."""


class Carried:
    """The pictures of one INPUT. Without an archive they get their addresses alone."""

    def __init__(self, name: str, archive: WarcArchive | None, limit: int) -> None:
        self._base = FILES + url_path(name)
        self._archive = archive
        self.limit = limit
        self._path = None if archive is None else archive.directory / f"{uuid4().hex}.warc"
        self._file: IO[bytes] | None = None
        self._kept = _spool()
        self._date = datetime.now(UTC)

    @property
    def wants_bytes(self) -> bool:
        """Whether there is somebody to look the bytes up."""
        return self._archive is not None

    def address(self, member: str) -> str:
        """The address of a member."""
        return f"{self._base}/{url_path(member)}"

    def keep(self, member: str, pieces: Iterable[bytes]) -> str | None:
        """Keep a picture; its address, or None for one over the limit. Raises `OSError`."""
        url = self.address(member)
        if self._path is None:
            return url
        self._file = self._file or self._path.open("xb")
        pieces = iter(pieces)
        first = next(pieces, b"")
        kind, start = _type_of(first[:12]), self._file.tell()
        if not _stream_resource(self._file, url, self._date, kind, chain((first,), pieces), most=self.limit):
            return None
        self._kept.write(json.dumps([url, kind, start]).encode() + b"\n")
        return url

    def drop(self) -> None:
        """Let go of all that was kept: its pages are what the INPUT is about."""
        if self._file is not None and self._path is not None:
            self._file.close()
            self._path.unlink()
        self._file = self._path = None
        self._kept = _spool()

    def close(self) -> None:
        """Let the archive look up what was kept. Raises `OSError`."""
        if self._archive is None or self._path is None or self._file is None:
            return
        self._file.close()
        number = self._archive.add_file(self._path)
        self._kept.seek(0)
        for line in self._kept:
            url, kind, start = json.loads(line)
            told = {"warc-type": "resource", "warc-target-uri": url, "warc-date": self._date.isoformat()}
            answer = Response(200, Fields.of([("content-type", kind)]), iter(()))
            self._archive.add(Record(Position(start), 0, Fields.of(told.items())), answer, number)


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_HELD, prefix="mediamirror-")


def _type_of(head: bytes) -> str:
    """The Content-Type of what nobody served: that of the bytes, empty where they tell of none."""
    if head[4:8] == b"ftyp":
        return "image/avif" if head[8:12] in {b"avif", b"avis"} else ""
    return next((kind for sign, kind in _TYPES.items() if head.startswith(sign)), "")


def url_path(name: str) -> str:
    """A path of a URL that no step of it leads out of."""
    name = name.partition("://")[2] or name
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
    return "/".join("%5E" if part == ".." else quote(part, safe="~@!$*+:=", errors="replace") for part in parts)


def sample(name: str, urls: Sequence[str], columns: dict[str, object]) -> Document:
    """The document that a sample with pictures is: their addresses, the texts with markup, and all values as its columns.

    An address beside a picture is left: it is where it came from.
    """
    pictures: dict[str, object] = {"image": urls[0]} if len(urls) == 1 else {"images": list(urls)}
    texts = {name: value for name, value in columns.items() if name not in pictures and _has_markup(value)}
    told = columns_of({name: str(v) if isinstance(v, date) else v for name, v in columns.items()})
    data = json.dumps(pictures | texts, default=str).encode()
    return Document(name, data, "application/json", None, "json", columns=told)


def _has_markup(value: object) -> bool:
    """Whether there is a text in a value that may name images, as HTML, Markdown or a srcset do."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, str) and ("<" in each or "](" in each or ("://" in each and is_srcset_like(each))):
            return True
        pending += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
    return False


class Samples:
    """Members of an archive, grouped as WebDataset does: neighbours of one name up to its first dot are one sample.

    They wait, in a temporary file, until it is known that there is no page among the members: in a site's archive the pictures
    are those that its pages name, and what stands beside them are documents. ``are_named`` says that pages name those in it.
    """

    def __init__(self, name: str, carried: Carried, *, are_named: bool) -> None:
        self._name = name
        self._carried = carried
        self._are_named = are_named
        self._waiting = _spool()
        self._key = ""
        self._pictures: dict[str, str] = {}
        self._held: list[tuple[str, bytes]] = []
        self._unfilled: set[str] = set()
        self.of_a_site = False
        self.pictures = 0

    def is_new(self, member: str) -> bool:
        """Whether a member begins another sample: `end` the one before first."""
        return _key(member) != self._key

    def takes_picture(self, member: str) -> bool:
        """Whether a member is a picture that is kept here."""
        return (self._are_named or not self.of_a_site) and _is_picture(member)

    def takes_beside(self, member: str, head: bytes, *, is_whole: bool) -> bool:
        """Whether a member may stand beside a picture, and is kept here."""
        return is_whole and not self.of_a_site and _ending(member) in _BESIDE and b"\0" not in head

    def take(self, member: str, pieces: Iterable[bytes]) -> bool:
        """Keep a member; False for a picture over the limit."""
        self._key = _key(member)
        if not _is_picture(member):
            self._held.append((member, b"".join(pieces)))
            return True
        url = self._carried.keep(member, pieces)
        if url is not None:
            self._pictures[member] = url
        return url is not None

    def take_link(self, member: str) -> None:
        """Take note of a link to another member, if it is a picture by its name: `fill` gives its bytes."""
        if self.takes_picture(member):
            self._key = _key(member)
            self._pictures[member] = self._carried.address(member)
            self._unfilled.add(self._pictures[member])

    def fill(self, member: str, pieces: Iterable[bytes]) -> bool:
        """Keep what a link leads to; False where it is no picture that is kept here."""
        is_kept = self.takes_picture(member) and self._carried.keep(member, pieces) is not None
        if is_kept:
            self._unfilled.discard(self._carried.address(member))
        return is_kept

    def tells_of_pictures(self, member: str) -> bool:
        """Whether a member may stand beside one of the pictures that were kept."""
        return self.pictures > 0 and not self.of_a_site and _ending(member) in _BESIDE

    def end(self) -> list[tuple[str, bytes]]:
        """End a sample. What is in one without a picture is handed back: documents of their own."""
        held, pictures = self._held, self._pictures
        self._held, self._pictures = [], {}
        if not pictures or self.of_a_site:
            return held
        self.pictures += len(pictures)
        row = [self._key, pictures, [(member, data.decode("latin-1")) for member, data in held]]
        self._waiting.write(json.dumps(row).encode() + b"\n")
        return []

    def turn_to_a_site(self) -> Iterator[tuple[str, bytes]]:
        """There is a page: let go of all pictures that none in it can name, and hand back what stood beside them."""
        self.of_a_site = True
        self.pictures = 0
        if not self._are_named:
            self._carried.drop()
        return ((member, data) for _, _, held in self._rows() for member, data in held)

    def documents(self) -> Iterator[Document]:
        """The samples as documents, at the end, if there is no page."""
        self._carried.close()
        for key, pictures, held in self._rows() if self.pictures else ():
            columns: dict[str, object] = {"__key__": key}
            for member, data in held:
                columns |= _told(_ending(member), data)
            if pictures:
                yield sample(f"{self._name}/{next(iter(pictures))}", [*pictures.values()], columns)

    def _rows(self) -> Iterator[tuple[str, dict[str, str], list[tuple[str, bytes]]]]:
        """The samples that wait: key, pictures and their addresses, what stands beside them."""
        self._waiting.seek(0)
        for line in self._waiting:
            key, pictures, held = json.loads(line)
            pictures = {member: url for member, url in pictures.items() if url not in self._unfilled}
            yield key, pictures, [(member, data.encode("latin-1")) for member, data in held]


def _is_picture(member: str) -> bool:
    return has_image_extension(f".{member.rpartition('.')[2]}")


def _told(ending: str, data: bytes) -> dict[str, object]:
    if ending != "json":
        return {ending: data.decode("utf-8", "replace").strip()}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {"json": found}


def _key(member: str) -> str:
    folder, slash, name = member.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"


def _ending(member: str) -> str:
    return member.rpartition("/")[2].partition(".")[2].lower()


def _stream_resource(
    file: IO[bytes], url: str, at: datetime, media_type: str, pieces: Iterable[bytes], *, most: int
) -> bool:
    """Write a resource whose size is known when it was written, into a plain file that can be sought in.

    False for one of more than ``most`` bytes, of which nothing stays, as where ``pieces`` raises.
    """
    start = file.tell()
    file.write(f"WARC/1.1\r\nWARC-Type: resource\r\nWARC-Target-URI: {url}\r\n".encode())
    file.write(f"WARC-Date: {at:%Y-%m-%dT%H:%M:%SZ}\r\nContent-Type: {media_type}\r\n".encode())
    length = file.tell()
    file.write(f"Content-Length: {0:018}\r\n\r\n".encode())
    size, is_whole = 0, False
    try:
        for piece in pieces:
            file.write(piece)
            size += len(piece)
            if size > most:
                return False
        file.write(b"\r\n\r\n")
        end = file.tell()
        file.seek(length)
        file.write(f"Content-Length: {size:018}".encode())
        file.seek(end)
        is_whole = True
    finally:
        if not is_whole:
            file.seek(start)
            file.truncate()
    return True
