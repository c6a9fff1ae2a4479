"""From the INPUTs of a rewrite to the files that it reads and writes, and writing one of them whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mediamirror.documents.compressed import is_gzip
from mediamirror.documents.document import Document, is_binary
from mediamirror.documents.plan import Via, is_document_file, is_special, plan_inputs, url_below, walk
from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass
from mediamirror.jobs.rewrite.records import NAME
from mediamirror.markup.extract import KINDS, choose_kind
from mediamirror.model import ItemError
from mediamirror.scratch import refuse_special
from mediamirror.settings import ReadOptions

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
        raise UsageError(f"{path} and {to} lie in one another. Give a folder apart, or rewrite with --in-place.")
    if os.path.dirname(source) == out:  # noqa: PTH120 - of a real path
        raise UsageError(f"{path} would be written over itself. Give another folder, or rewrite with --in-place.")


def _claimed_twice(path: Path, output: Path, first: str) -> ItemError:
    return ItemError(
        "output-claimed", f"{path} would be written to {output}, which {first} is written to: give it apart."
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
        raise LeftAlone("kind-not-rewritten", f"{item.path} is {kind}, which is read and never rewritten.")
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
    with _appearing(path) as temporary:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            if path == like:
                os.fsync(file.fileno())
        shutil.copymode(like, temporary)


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
    with _appearing(output) as temporary:
        shutil.copy2(source, temporary)
    return True


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its name at the end of the block, and is gone where that fails. Raises `LeftAlone`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_special(path)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> LeftAlone:
    return LeftAlone("output-unwritable", f"{path} can't be written ({error.strerror or error}): check its folder.")
