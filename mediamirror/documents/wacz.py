"""WACZ: web archives with their pages, in one ZIP file or unpacked (https://specs.webrecorder.net/wacz/1.1.1/).

The WARC files are read where they lie, and what they hold is known from them alone: an index may lie, so none is read. Of the list of
pages those are told that are in none of the archives. A multi-WACZ holds others.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Protocol, cast
from uuid import uuid4

from mediamirror.documents.document import Document
from mediamirror.documents.packed import DAMAGE, DAMAGED, Bounded, Members, barred, is_wacz
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.http import Proof
from mediamirror.documents.warc.part import Part, Source
from mediamirror.documents.warc.read import read_warc, rest
from mediamirror.first_use import pattern
from mediamirror.markup.places.urls import shown
from mediamirror.model import Problem
from mediamirror.scratch import scratch_folder

MAX_DATAPACKAGE = 2 * 1024 * 1024
"""Longest list of files that is looked at, in bytes: some 8,000 files."""
MAX_LINE = 1024 * 1024
"""Longest line of a list of pages that is looked at, in bytes; the text of the page may stand in it."""
_NAMED = 3
_WARCS = (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz")
_LIST = "datapackage.json"
_LIST_OF_LIST = "datapackage-digest.json"
_LOCAL = struct.Struct("<4s22xHH")
_ARCHIVE_HEADER = pattern(rb"PK\x03\x04.{4}\0\0.{20}archive/", re.DOTALL)
"""How a member begins that is an archive and is stored, not packed: the method is the third field."""
_LONGEST_HEADER = 1024
_STEP = 1024 * 1024
Item = Document | Problem


def is_unpacked(folder: Path) -> bool:
    """Say whether a folder is a WACZ that was unpacked, or holds several. Raises `OSError`."""
    return is_wacz(folder.name, (f"{each.name}/" if each.is_dir() else each.name for each in folder.iterdir()))


def read_wacz(packed: zipfile.ZipFile | None, container: Any) -> Iterator[Item]:
    """Yield the documents in the archives of a WACZ that is one ZIP file; without its list all records from its first archive on.

    Raises `OSError`.
    """
    if packed is None:
        found = _first_archive(container.path) if container.path is not None else None
        if found is not None:
            yield from read_warc(found, archive=container.archive, limit=container.limit, name=container.name)
        return
    yield from _read(_Packed(container.name, packed, container.path), container.archive, container.limit)


def read_unpacked(folder: Path, archive: WarcArchive | None, limit: int) -> Iterator[Item]:
    """Yield the same of a WACZ that was unpacked into a folder. Raises `OSError`."""
    yield from _read(_Unpacked(folder), archive, limit)


def _first_archive(path: Path) -> Source | None:
    """Where the first archive of a damaged WACZ begins: behind the header of its own that each member has."""
    size, tail, base = path.stat().st_size, b"", 0
    with path.open("rb") as file:
        while chunk := file.read(_STEP):
            window = tail + chunk
            for found in _ARCHIVE_HEADER.finditer(window):
                _, name, extra = _LOCAL.unpack(found[0][: _LOCAL.size])
                member = window[found.start() + _LOCAL.size :][:name].decode("utf-8", "replace")
                if member.lower().endswith(_WARCS):
                    start = base + found.start() + _LOCAL.size + name + extra
                    return Part(path, start, size - start)
            tail = window[-_LONGEST_HEADER:]
            base += len(window) - len(tail)
    return None


class _Package(Protocol):
    """A WACZ. Its methods raise of `packed.DAMAGE` for what is damaged, `KeyError` for what is not there, and `OSError`."""

    name: str

    def members(self, counted: Members) -> Iterator[str | Problem]:
        """Yield the names of the files in it; what is not to be read is a problem."""

    def open(self, member: str) -> IO[bytes]:
        """Open a file of it."""

    def size(self, member: str) -> int:
        """Return how many bytes a file of it has."""

    def place(self, member: str, scratch: Path) -> Source:
        """Return where the bytes of a file lie, or a copy of them."""


class _Packed:
    def __init__(self, name: str, packed: zipfile.ZipFile, source: Source | None) -> None:
        self.name = name
        self._packed = packed
        self._source = source

    def members(self, counted: Members) -> Iterator[str | Problem]:
        for member in self._packed.infolist():
            if not member.is_dir() and (yield from counted.is_safe(member.filename)):
                why = barred(member) if member.filename.lower().endswith((*_WARCS, ".wacz")) else None
                if why is None:
                    yield member.filename
                else:
                    yield from counted.bad(member.filename, why)

    def open(self, member: str) -> IO[bytes]:
        if (why := barred(self._packed.getinfo(member))) is not None:
            raise zipfile.BadZipFile(f"it {why}")
        return self._packed.open(member)

    def size(self, member: str) -> int:
        return self._packed.getinfo(member).file_size

    def place(self, member: str, scratch: Path) -> Source:
        info = self._packed.getinfo(member)
        if self._source is None or info.compress_type != zipfile.ZIP_STORED:
            path = scratch / f"{uuid4().hex}{Path(member).suffix}"
            with self._packed.open(info) as whole, path.open("xb") as copy:
                shutil.copyfileobj(whole, copy)
            return path
        with self._source.open("rb") as file:
            file.seek(info.header_offset)
            head = file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile("a member does not stand where the list says")
        _, name, extra = _LOCAL.unpack(head)
        return Part(self._source, info.header_offset + _LOCAL.size + name + extra, info.file_size)


class _Unpacked:
    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    def members(self, counted: Members) -> Iterator[str | Problem]:
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            if not path.is_file() or any(part.startswith(".") for part in name.split("/")):
                continue
            if path.resolve().is_relative_to(self._folder.resolve()):
                yield name
            else:
                yield from counted.bad(name, "leads out of the folder that it stands in")

    def _path(self, member: str) -> Path:
        path = self._folder / member
        if "\0" in member or not path.resolve().is_relative_to(self._folder.resolve()) or not path.is_file():
            raise KeyError(member)
        return path

    def open(self, member: str) -> IO[bytes]:
        return self._path(member).open("rb")

    def size(self, member: str) -> int:
        return self._path(member).stat().st_size

    def place(self, member: str, scratch: Path) -> Source:
        del scratch
        return self._path(member)


def _read(package: _Package, archive: WarcArchive | None, limit: int, *, within: bool = False) -> Iterator[Item]:
    with ExitStack() as stack:
        if archive is None:
            scratch = stack.enter_context(scratch_folder())
            own = stack.enter_context(WarcArchive(scratch, only_pages=True))
            yield from _read(package, own, limit)
            yield from rest(own, limit, alone=True)
            return
        counted = Members(package.name)
        archives: set[str] = set()
        for member in package.members(counted):
            if isinstance(member, Problem):
                yield member
                continue
            name, lower = f"{package.name}/{member}", member.lower()
            is_archive = member.startswith("archive/") and lower.endswith(_WARCS)
            if not is_archive and not lower.endswith(".wacz"):
                continue
            if within and not is_archive:
                yield from counted.bad(member, "is a WACZ within one that is within another")
                continue
            counted.documents += 1
            try:
                place = package.place(member, archive.directory)
                if is_archive:
                    archives.add(member)
                    yield from read_warc(place, archive=archive, limit=limit, name=name)
                else:
                    with place.open("rb") as file, zipfile.ZipFile(cast("IO[bytes]", Bounded(file))) as inner:
                        yield from _read(_Packed(name, inner, place), archive, limit, within=True)
            except DAMAGE:
                yield from counted.bad(member, DAMAGED)
        yield from _about(package, archive, counted, archives)
        yield from counted.untold()
        if not counted.documents:
            message = f"{package.name} is a WACZ without an archive: there is no archive/*.warc.gz in it."
            yield Problem("no-documents", message, document=package.name)


def _listed(package: _Package) -> list[dict[str, Any]] | str:
    """The rows of the list of a WACZ, or what is wrong with it, as part of a sentence."""
    try:
        text = package.open(_LIST).read(MAX_DATAPACKAGE + 1)
        if len(text) > MAX_DATAPACKAGE:
            raise ValueError(f"it is over the limit of {MAX_DATAPACKAGE:,} bytes")
        whole = json.loads(text)
        rows = whole.get("resources", []) if isinstance(whole, dict) else None
    except KeyError:
        return f"has no {_LIST}: what it should hold is not known"
    except (*DAMAGE, RecursionError) as error:
        why = "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:100]
        return f"has a {_LIST} that can't be read ({why}): its archives were read all the same"
    if not isinstance(rows, list):
        return f"has a {_LIST} that can't be read (it is no list of files): its archives were read all the same"
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("path"), str)]


def _about(package: _Package, archive: WarcArchive, counted: Members, archives: set[str]) -> Iterator[Problem]:
    """What the lists of a WACZ say that is not so."""
    resources = _listed(package)
    if isinstance(resources, str):
        yield from _said(package, resources)
        resources = []
    for row in resources:
        try:
            if (why := _wrong(package, row, hashes=archive.check_hashes)) is not None:
                yield from _said(package, f"/{row['path'][:200]} {why}")
        except KeyError:
            yield from _said(package, f"lacks {row['path'][:200]}, which its {_LIST} names")
        except DAMAGE as error:
            yield from _said(package, f"/{row['path'][:200]} can't be compared: {str(error)[:300]}")
    if archive.check_hashes:
        for member in sorted(archives - {row["path"] for row in resources}) if resources else ():
            yield from _said(package, f"/{member[:200]} is in no list: nothing proves its bytes")
        yield from _signature(package)
    if not archive.only_pages:
        yield from _missing_pages(package, archive, counted)


def _said(package: _Package, what: str) -> Iterator[Problem]:
    gap = "" if what.startswith("/") else " "
    shown = "".join(c if c.isprintable() else "\ufffd" for c in what)
    yield Problem("wacz-damaged", f"{package.name}{gap}{shown}.", document=package.name)


def _wrong(package: _Package, row: dict[str, Any], *, hashes: bool) -> str | None:
    """What is wrong with a file of a WACZ by the row of its list."""
    size = package.size(row["path"])
    if isinstance(row.get("bytes"), int) and row["bytes"] != size:
        return f"has {size:,} bytes, and its {_LIST} says {row['bytes']:,}"
    if not hashes:
        return None
    proof = Proof(str(row.get("hash", "")))
    if not proof.promises:
        return "has no hash in the list that could be compared"
    with package.open(row["path"]) as file:
        for _ in proof.watch(iter(lambda: file.read(1024 * 1024), b"")):
            pass
    wrong = proof.wrong()
    return None if wrong is None else f"is damaged: {wrong}"


def _signature(package: _Package) -> Iterator[Problem]:
    """Whether the list itself is proved, and by whom; a signature is not checked."""
    try:
        told = json.loads(package.open(_LIST_OF_LIST).read(MAX_DATAPACKAGE))
        proof = Proof(str(told["hash"]))
        for _ in proof.watch(iter([package.open(_LIST).read(MAX_DATAPACKAGE)])):
            pass
        if (wrong := proof.wrong()) is not None:
            yield from _said(package, f"/{_LIST} is damaged: {wrong}")
        elif not (isinstance(signed := told.get("signedData"), dict) and signed.get("signature")):
            message = f"{package.name} is not signed: whoever changes a file of it can write its list anew."
            yield Problem("wacz-unsigned", message, document=package.name)
    except (KeyError, *DAMAGE, TypeError, RecursionError):
        message = f"{package.name} is not signed: it has no {_LIST_OF_LIST} that can be read."
        yield Problem("wacz-unsigned", message, document=package.name)


def _missing_pages(package: _Package, archive: WarcArchive, counted: Members) -> Iterator[Problem]:
    """The pages of the lists that are in none of the archives."""
    missing = 0
    named: list[str] = []
    for member in ("pages/pages.jsonl", "pages/extraPages.jsonl"):
        odd, first = 0, 0
        try:
            with package.open(member) as file:
                for number, url in _urls(file):
                    if url is None:
                        odd, first = odd + 1, first or number
                    elif not archive.knows(url):
                        missing += 1
                        named.extend([shown(url)] if len(named) < _NAMED else [])
        except KeyError:
            continue
        except DAMAGE:
            yield from counted.bad(member, DAMAGED)
        if odd:
            lines = f"{odd:,} line{'s' * (odd > 1)}"
            yield from _said(package, f"/{member} has {lines} without the URL of a page, the first is line {first:,}")
    if missing:
        pages = "page" if missing == 1 else "pages"
        more = ", …" if missing > len(named) else ""
        message = f"{package.name} lists {missing:,} {pages} that none of the archives holds: {', '.join(named)}{more}."
        yield Problem("page-not-archived", message, document=package.name)


def _urls(file: IO[bytes]) -> Iterator[tuple[int, str | None]]:
    """The lines of a list of pages by their number, each with its address; the first line says what it is."""
    lines, number, goes_on = io.BufferedReader(cast("io.RawIOBase", file)), 0, False
    while line := lines.readline(MAX_LINE):
        number += not goes_on
        row = None if goes_on else _row(line)
        if isinstance(row, dict) and isinstance(row.get("url"), str):
            yield number, row["url"]
        elif not goes_on and line.strip() and not (number == 1 and isinstance(row, dict)):
            yield number, None
        goes_on = not line.endswith(b"\n")


def _row(line: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(line)
    return None
