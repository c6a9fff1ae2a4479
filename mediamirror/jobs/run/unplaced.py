"""What is said of a document whose image addresses are relative to an address that nobody gave: one line, with what to give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mediamirror.documents.document import Document
from mediamirror.first_use import pattern, replace
from mediamirror.model import ImageSet, Problem

CODE = "relative-url-without-base"
_LOOK = 64 * 1024
_CANONICAL = pattern(rb"""<link\b[^>]{0,500}?\brel=["']?canonical\b[^>]{0,500}>""", re.IGNORECASE)
_HREF = pattern(rb"""\bhref=["']?(https?://[^"'\s>]{1,500})""", re.IGNORECASE)
_MOST_LEVELS = 8


class Unplaced:
    """Collects the problems of one document that come from the address it lacks."""

    def __init__(self) -> None:
        self._count = 0
        self._urls: list[str] = []

    def sift(self, event: ImageSet | Problem) -> ImageSet | Problem | None:
        """Return what is left to tell of an event."""
        if isinstance(event, Problem):
            return None if self._takes(event) else event
        if not any(problem.code == CODE for problem in event.problems):
            return event
        return replace(event, problems=tuple(problem for problem in event.problems if not self._takes(problem)))

    def _takes(self, problem: Problem) -> bool:
        if problem.code != CODE:
            return False
        self._count += 1
        if len(self._urls) < _MOST_LEVELS:
            self._urls += problem.words[:1]
        return True

    def problem(self, document: Document, *, takes_root: bool) -> Problem | None:
        """Say it, if there is anything to say. ``takes_root``: the command can read the files of a built site."""
        if not self._count:
            return None
        many = f"{self._count:,} image URLs are" if self._count > 1 else "1 image URL is"
        advice = f"for a page of the web, its URL: --base-url {_address(document) or 'https://example.org/'}"
        if takes_root and (root := _root(document.name, self._urls)) is not None:
            advice = f"for a built site, its folder: --root {root}; {advice}"
        message = f"{many} relative and can't be used, since the URL of the page is not known. Give it: {advice}."
        return Problem(CODE, message, document=document.name)


def _address(document: Document) -> str | None:
    """The address that the page gives itself (``link rel=canonical``)."""
    if not isinstance(document.data, bytes):
        return None
    link = _CANONICAL.search(document.data[:_LOOK])
    href = _HREF.search(link[0]) if link is not None else None
    return None if href is None else href[1].decode("utf-8", "replace")


def _root(name: str, urls: Sequence[str]) -> Path | None:
    """The folder that a file's addresses fit: for one that begins with a slash, that above which its file lies."""
    page = Path(name)
    if not page.is_file():
        return None
    absolute = [url for url in urls if url.startswith("/") and not url.startswith("//")]
    for url in absolute:
        path = unquote(urlsplit(url).path).lstrip("/")
        for folder in (page.parent, *page.absolute().parents)[:_MOST_LEVELS]:
            if path and "\0" not in path and (folder / path).is_file():
                return folder
    return page.parent
