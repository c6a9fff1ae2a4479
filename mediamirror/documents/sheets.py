"""Style sheets that others import: nobody is asked for those that were read, as an INPUT beside or from the same container."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from mediamirror.documents.document import Document
from mediamirror.first_use import replace
from mediamirror.model import Extraction, Problem

_IMPORT = "css-import"
_MOST = 10_000
"""Sheets, and imports, that are kept in mind: an import after them is told at once."""
_MOST_LEVELS = 16


class Sheets:
    """The imports of one run whose sheets may still come."""

    def __init__(self) -> None:
        self._read: set[str] = set()
        self._waiting: list[Problem] = []

    def saw(self, document: Document) -> None:
        """Take note of a document that is read."""
        if document.kind == "css" and len(self._read) < _MOST:
            self._read.add(_address(document.name))

    def sift(self, part: Extraction) -> Extraction:
        """Hold back the imports that are in a part of a document, until `left`."""
        held = [problem for problem in part.problems if problem.code == _IMPORT][: _MOST - len(self._waiting)]
        self._waiting += held
        return replace(part, problems=tuple(each for each in part.problems if each not in held)) if held else part

    def imports(self) -> list[str]:
        """Where the sheets may be that the last documents import."""
        return [next(_named(problem), "") for problem in self._waiting]

    def left(self) -> Iterator[Problem]:
        """The imports whose sheets were not read."""
        waiting, self._waiting = self._waiting, []
        return (problem for problem in waiting if self._read.isdisjoint(_named(problem)))


def _address(name: str) -> str:
    return name if "://" in name else Path(os.path.abspath(name)).as_uri()  # noqa: PTH100 -- ".." is taken out of it


def _named(problem: Problem) -> Iterator[str]:
    """Where the sheet may be that an import names; a file's ``/a.css`` in any of the folders above it."""
    own, (url,) = _address(problem.document), problem.words
    try:
        yield (found := urljoin(own, url))
        if own.startswith("file:") and found.startswith("file:"):
            path = unquote(urlsplit(found).path)
            yield Path(path).as_uri()
            if url.startswith("/"):
                yield from (
                    Path(f"{folder}{path}").as_uri() for folder in Path(unquote(own[7:])).parents[:_MOST_LEVELS]
                )
    except ValueError:
        return
