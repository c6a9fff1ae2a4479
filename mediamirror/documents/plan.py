"""From the words of a command line to places to read, checked before anything starts."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from enum import Enum
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import quote, urljoin

from mediamirror.documents.compressed import inflate, is_gzip
from mediamirror.documents.document import is_binary
from mediamirror.errors import InputMissing, InputUnreadable, UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.extract import is_document, keeps_posts, known_extensions
from mediamirror.markup.places.urls import resolve

_SCHEME = pattern(r"([a-z][a-z0-9+.\-]+):/", re.IGNORECASE)

_LOOKED_AT = 8192
_ASSETS = (
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico", ".bmp", ".tif", ".tiff", ".jxl", ".heic"),
    *(".js", ".mjs", ".map", ".woff", ".woff2", ".ttf", ".otf", ".eot"),
    *(".mp3", ".mp4", ".m4v", ".webm", ".ogg", ".wav"),
)
"""The files that stand beside pages, and are never documents."""


class Via(Enum):
    """How an input is read."""

    STDIN = "stdin"
    URL = "url"
    FILE = "file"
    DIRECTORY = "directory"
    SPECIAL = "special"
    """A pipe, a socket or a device that a glob matches: left out, since nobody named it."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input: ``word`` as the user wrote it (for a glob, one match of it)."""

    word: str
    via: Via


def plan_inputs(inputs: Sequence[str]) -> list[Input]:
    """Resolve the words of a command line, in order, each place once.

    Raises `InputMissing`, `InputUnreadable`, and `UsageError` for a scheme that is not read, all before any reading.
    """
    if not inputs:
        raise UsageError("No INPUT: give a path, a directory, a glob, a URL, or - for standard input.")
    words = [inputs] if isinstance(inputs, str) else inputs
    places = [place for word in words for place in _places(word)]
    return list(dict.fromkeys(places))


def walk(directory: Path) -> Iterator[Path]:
    """Yield the documents below a directory, by extension or content, sorted; hidden names and links to folders are left."""
    return filter(is_document_file, files(directory))


def files(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory, sorted; hidden names and links to folders are left."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def url_below(base_url: str | None, name: str) -> str | None:
    """The URL of a page of this path in a folder or an archive, whose own URL is given; None without one."""
    return None if base_url is None else urljoin(base_url, quote(name))


def is_asset(path: Path) -> bool:
    """Whether a file is an image, a script, a font or the like, by its extension."""
    return path.name.lower().endswith(_ASSETS)


def is_document_file(path: Path) -> bool:
    """Whether a file in a folder is a document: by its extension, or else by the bytes that it begins with."""
    if path.name.lower().endswith(tuple(known_extensions())):
        return True
    is_script = path.suffix.lower() == ".js"
    if (is_asset(path) and not is_script) or is_special(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_LOOKED_AT)
    except OSError:
        return False
    if is_script:
        return keeps_posts(head)
    head = inflate(head, _LOOKED_AT)[0] if is_gzip(head) else head
    return not is_binary(head) and is_document(head)


def is_special(path: Path) -> bool:
    """Whether a path leads to a pipe, a socket or a device: to open one may wait for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False  # whoever opens it says what is wrong
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _places(word: str) -> Iterator[Input]:
    if word == "-":
        yield Input(word, Via.STDIN)
    elif word and os.path.lexists(word):
        yield _existing(word)
    elif (scheme := _SCHEME.match(word)) is not None:
        yield _url(word, scheme[1].lower())
    else:
        yield from _globbed(word)


def _existing(word: str) -> Input:
    path = Path(word)
    if not path.exists():
        raise InputMissing(f"{word} is a link to something that is not there.")
    if not os.access(path, os.R_OK):
        raise InputUnreadable(f"{word} can't be read: you have no permission to.")
    return Input(word, Via.DIRECTORY if path.is_dir() else Via.FILE)


def _url(word: str, scheme: str) -> Input:
    if scheme not in {"http", "https"}:
        hint = "give the path itself" if scheme == "file" else "download it first and give its path"
        raise UsageError(f"{word}: INPUT is read over http and https only, not {scheme}; {hint}.")
    if not isinstance(resolve(word, None), str):
        raise UsageError(f"{word!r} is not a URL that can be requested: write one such as https://example.org/.")
    return Input(word, Via.URL)


def _globbed(word: str) -> Iterator[Input]:
    found = sorted(glob(word, recursive=True)) if word and has_magic(word) else []  # noqa: PTH207 - keeps "dir/**/x"
    if not found:
        what = "matches nothing" if word and has_magic(word) else "does not exist"
        raise InputMissing(f"{word or 'An empty name'} {what}: give a path, a directory, a glob, a URL, or -.")
    for match in found:
        yield Input(match, Via.SPECIAL) if is_special(Path(match)) else _existing(match)
