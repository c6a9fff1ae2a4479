"""From the words of a command line to places to read, checked before anything starts."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from enum import Enum
from glob import glob, has_magic
from pathlib import Path

from mediamirror.errors import InputMissing, InputUnreadable, UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.extract import known_extensions
from mediamirror.markup.places.urls import resolve

_SCHEME = pattern(r"([a-z][a-z0-9+.\-]+):/", re.IGNORECASE)


class Via(Enum):
    """How an input is read."""

    STDIN = "stdin"
    URL = "url"
    FILE = "file"
    DIRECTORY = "directory"
    SPECIAL = "special"
    """A pipe, a socket or a device that a glob matches: left out, since nobody named it."""


@dataclass(frozen=True, slots=True)
class Place:
    """One input: ``word`` as the user wrote it (for a glob, one match of it)."""

    word: str
    via: Via


def plan_inputs(inputs: Sequence[str]) -> list[Place]:
    """Resolve the words of a command line, in order, each place once.

    Raises `InputMissing`, `InputUnreadable`, and `UsageError` for a scheme that is not read, all before any reading.
    """
    if not inputs:
        raise UsageError("No INPUT: give a path, a directory, a glob, a URL, or - for standard input.")
    words = [inputs] if isinstance(inputs, str) else inputs
    places = [place for word in words for place in _places(word)]
    return list(dict.fromkeys(places))


def walk(directory: Path) -> Iterator[Path]:
    """Yield the documents below a directory by their extension, sorted; hidden names and links to folders are left."""
    return (path for path, is_known in files(directory) if is_known)


def files(directory: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files below a directory, sorted, and whether their extension is a document's.

    Hidden names and links to folders are left.
    """
    extensions = tuple(known_extensions())
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder) / name, name.lower().endswith(extensions)


def is_special(path: Path) -> bool:
    """Whether a path leads to a pipe, a socket or a device: to open one may wait for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False  # whoever opens it says what is wrong
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _places(word: str) -> Iterator[Place]:
    if word == "-":
        yield Place(word, Via.STDIN)
    elif word and os.path.lexists(word):
        yield _existing(word)
    elif (scheme := _SCHEME.match(word)) is not None:
        yield _url(word, scheme[1].lower())
    else:
        yield from _globbed(word)


def _existing(word: str) -> Place:
    path = Path(word)
    if not path.exists():
        raise InputMissing(f"{word} is a link to something that is not there.")
    if not os.access(path, os.R_OK):
        raise InputUnreadable(f"{word} can't be read: you have no permission to.")
    return Place(word, Via.DIRECTORY if path.is_dir() else Via.FILE)


def _url(word: str, scheme: str) -> Place:
    if scheme not in {"http", "https"}:
        hint = "give the path itself" if scheme == "file" else "download it first and give its path"
        raise UsageError(f"{word}: INPUT is read over http and https only, not {scheme}; {hint}.")
    if not isinstance(resolve(word, None), str):
        raise UsageError(f"{word!r} is not a URL that can be requested: write one such as https://example.org/.")
    return Place(word, Via.URL)


def _globbed(word: str) -> Iterator[Place]:
    found = sorted(glob(word, recursive=True)) if word and has_magic(word) else []  # noqa: PTH207 - keeps "dir/**/x"
    if not found:
        what = "matches nothing" if word and has_magic(word) else "does not exist"
        raise InputMissing(f"{word or 'An empty name'} {what}: give a path, a directory, a glob, a URL, or -.")
    for match in found:
        yield Place(match, Via.SPECIAL) if is_special(Path(match)) else _existing(match)
