"""The files that a rewrite reads and writes, and what it did to each of them, kept so that it can be undone.

A page is written whole or not at all. The record of it, a line of JSON for each time, holds the page's path below its folder, the
sha256 before and after, and the edits that lead back, whose bytes are written as Latin-1. A record is on the disk before its page
is. It is obeyed only where it is ours, and only for bytes that have the hash it names: what it makes of them must have the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mediamirror.documents.compressed import is_gzip
from mediamirror.documents.document import Document, is_binary
from mediamirror.documents.plan import Via, is_document_file, is_special, plan_inputs, url_below, walk
from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass
from mediamirror.markup.extract import KINDS, choose_kind
from mediamirror.model import ItemError
from mediamirror.rewrite.document import Edit
from mediamirror.scratch import appearing, replace_file
from mediamirror.settings import ReadOptions

NAME = ".mediamirror-rewrite.jsonl"
"""Hidden, so that it is no INPUT; a web server should not serve it."""
_MOST = 512 * 1024 * 1024
_ONE_AT_A_TIME = threading.Lock()
"""Two lines that are written at once would be written into each other."""


@dataclass(frozen=True, slots=True)
class Record:
    """One rewriting of one page. ``back`` makes the bytes before of those after."""

    page: str
    before: str
    after: str
    back: tuple[Edit, ...]
    catalog: str | None = None


def append(root: Path, record: Record, *, durable: bool) -> None:
    """Add a record to those of a folder; where it is ``durable``, it is on the disk on return. Raises `OSError`."""
    back = [[edit.start, edit.end, edit.text.decode("latin-1")] for edit in record.back]
    row = {"page": record.page, "before": record.before, "after": record.after, "catalog": record.catalog, "back": back}
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "ab") as file, _ONE_AT_A_TIME:  # noqa: PTH123 - a descriptor
        file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        file.flush()
        if durable:
            os.fsync(file.fileno())


def read(root: Path) -> dict[str, list[Record]]:
    """Return the records of a folder by page, oldest first. There are none where they are not ours, or can't be read."""
    found: dict[str, list[Record]] = {}
    try:
        descriptor = os.open(root / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return found
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        about = os.fstat(file.fileno())
        if about.st_uid not in {0, os.geteuid()} or about.st_size > _MOST:
            return found
        for line in file:
            if (record := _record(line)) is not None:
                found.setdefault(record.page, []).append(record)
    return found


def _record(line: bytes) -> Record | None:
    """A record as it was written; None for a line that was cut off, or that nobody here has written."""
    try:
        row: Any = json.loads(line)
        back = tuple(Edit(int(start), int(end), text.encode("latin-1")) for start, end, text in row["back"])
        catalog = row.get("catalog")
        return Record(str(row["page"]), str(row["before"]), str(row["after"]), back, catalog and str(catalog))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def without(root: Path, pages: Sequence[str]) -> None:
    """Drop the records of pages that have their own bytes again; the file goes with the last. Raises `OSError`."""
    lines = (root / NAME).read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if (record := _record(line)) is None or record.page not in pages]
    if kept:
        replace_file(root / NAME, b"".join(kept))
    else:
        (root / NAME).unlink()


def steps_back(records: Sequence[Record], sha256: str) -> Iterator[Record]:
    """Yield the records that lead from bytes with this hash to the first ones, in that order."""
    for record in reversed(records):
        if record.after == sha256:
            yield record
            sha256 = record.before


_WELL_KNOWN = ".well-known"


class LeftAlone(Exception):
    """A page that stays as it is, and why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = ItemError(code, message)


@dataclass(frozen=True, slots=True)
class Item:
    """One file. ``name`` is what the catalog calls it; ``root`` is the folder that keeps its record; ``trouble`` bars it.

    ``folder`` is the INPUT that it was found in, if that is one: ``--base-url`` is the URL of that.
    """

    path: Path
    name: str
    root: Path
    output: Path
    is_page: bool = True
    trouble: ItemError | None = None
    folder: Path | None = None


def files_of(inputs: Sequence[str], to: Path | None) -> Iterator[Item]:
    """Yield every file to read, sorted within each folder. Without ``to`` each is its own output, and only pages count.

    Raises `UsageError` for an INPUT that is no file or folder, where ``to`` is a file, and where it and an INPUT lie in one another.
    """
    if to is not None and to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file, and pages are written into a folder: name another place for them.")
    claimed: dict[Path, str] = {}
    for place in plan_inputs(inputs):
        path = Path(place.word)
        if place.via not in {Via.FILE, Via.DIRECTORY}:
            raise UsageError(f"{place.word} is no file or folder: save the page first, and give its path.")
        is_folder = place.via is Via.DIRECTORY
        if to is None:
            yield from (_in_place(each, path) for each in (walk(path) if is_folder else [path]))
            continue
        _refuse_overlap(path, to)
        for each in _all_below(path) if is_folder else [path]:
            output = to / (each.relative_to(path) if is_folder else each.name)
            first = claimed.setdefault(output, str(each))
            trouble = None if first == str(each) else _claimed_twice(each, output, first)
            is_page = not is_folder or (not each.name.startswith(".") and is_document_file(each))
            yield Item(each, str(each), to, output, is_page, trouble, path if is_folder else None)


def _in_place(page: Path, given: Path) -> Item:
    root = given if given.is_dir() else given.parent
    link = ItemError("symbolic-link", f"{page} is a symbolic link: name the file that it leads to.")
    trouble = link if page.is_symlink() else None
    return Item(page, str(page), root, page, trouble=trouble, folder=given if given.is_dir() else None)


def _all_below(folder: Path) -> Iterator[Path]:
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") or name == _WELL_KNOWN)
        for name in sorted(names):
            if name != NAME:
                yield Path(inner) / name


def _refuse_overlap(path: Path, to: Path) -> None:
    source, out = (os.path.realpath(each) for each in (path, to))
    if path.is_dir() and (f"{out}/".startswith(f"{source}/") or f"{source}/".startswith(f"{out}/")):
        raise UsageError(
            f"Of {path} and {to}, one is inside the other. Give another folder, or rewrite with --in-place."
        )
    if os.path.dirname(source) == out:  # noqa: PTH120 - of a real path
        raise UsageError(f"{path} would be written over itself. Give another folder, or rewrite with --in-place.")


def _claimed_twice(path: Path, output: Path, first: str) -> ItemError:
    return ItemError(
        "output-claimed", f"{path} would be written to {output}, as {first} is: rewrite it into another folder."
    )


def read_page(item: Item, options: ReadOptions) -> Document:
    """Read a page whole. Raises `LeftAlone` for what can't be rewritten."""
    try:
        if is_special(item.path):
            raise LeftAlone("special-file", f"{item.path} is no regular file.")
        if item.path.stat().st_size > options.max_document:
            raise LeftAlone("document-too-large", f"{item.path} is over the limit of {options.max_document:,} bytes.")
        data = item.path.read_bytes()
    except OSError as error:
        raise LeftAlone("input-unreadable", f"{item.path} can't be read: {error.strerror or error}.") from error
    if is_gzip(data):
        raise LeftAlone("compressed", f"{item.path} is compressed: decompress it, rewrite it, and compress it again.")
    if is_binary(data):
        raise LeftAlone("binary-document", f"{item.path} is not text but binary data.")
    kind = choose_kind(data, media_type=None, document=item.name, as_=options.as_)
    if KINDS[kind].find is None:
        raise LeftAlone("kind-not-rewritten", f"{item.path} is {kind}, a format that is not rewritten.")
    base_url = options.base_url
    if item.folder is not None:
        base_url = url_below(base_url, item.path.relative_to(item.folder).as_posix())
    return Document(item.name, data, None, base_url, kind)


def sha256_of(data: bytes) -> str:
    """The hash of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def put(path: Path, data: bytes, like: Path) -> None:
    """Write a file whole or not at all, with the permissions of ``like``. Raises `LeftAlone`.

    What replaces ``like`` itself is on the disk before: else a power cut could leave neither of the two.
    """
    with _appearing(path) as file:
        file.write(data)
        file.flush()
        if path == like:
            os.fsync(file.fileno())
        shutil.copymode(like, file.name)


def copy(source: Path, output: Path) -> bool:
    """Copy a file as it is, whole or not at all; False where the same is there already. Raises `LeftAlone`."""
    if is_special(source):
        raise LeftAlone("special-file", f"{source} is no regular file.")
    try:
        there, here = output.stat() if output.exists() else None, source.stat()
    except OSError as error:
        raise _unwritable(output, error) from error
    if there is not None and (there.st_size, there.st_mtime_ns) == (here.st_size, here.st_mtime_ns):
        return False
    with _appearing(output) as file:
        shutil.copy2(source, file.name)
    return True


@contextmanager
def _appearing(path: Path) -> Iterator[IO[bytes]]:
    """A file that is called ``path`` at the end of the block, or gone. Raises `LeftAlone`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with appearing(path) as file:
            yield file
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> LeftAlone:
    return LeftAlone("output-unwritable", f"{path} can't be written ({error.strerror or error}): check its folder.")
