"""The HTML report: a folder that opens from disk, without a network, without a server, and can be sent to a colleague.

index.html            the verdict, the rules that fired, the first hundred sets, what the rules mean
sets-002.html ...     further sets, a hundred a page
sets.js               what search and filters need to know of the other pages (only when there are any)
thumbs/               the pictures of the contact sheets, each once
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from mediamirror.errors import BadDestination, BadKey
from mediamirror.first_use import pattern
from mediamirror.model import Problem, SetResult, Summary, Suppressed
from mediamirror.report.cards import Card, make_card
from mediamirror.report.data import ReportData
from mediamirror.report.pages import Highlights, Page, Tally, Whole, page_name, render_page, render_sets
from mediamirror.scratch import replace_file
from mediamirror.store.tree import names_in, opened

_MARK = b'<meta name="generator" content="mediamirror'
_PAGE_NAME = pattern(r"sets-(\d{3,})\.html")


def write_html(folder: Path, data: ReportData, *, per_page: int = 100) -> Path:
    """Write the report of a run that is in memory; return the path of its first page. Errors as in `HtmlReport`."""
    with HtmlReport(folder, title=data.title, created=data.created, per_page=per_page) as report:
        for image_set in data.sets:
            report.add(image_set)
        return report.finish(data.summary, data.problems, data.problems_off)


class HtmlReport:
    """Writes a report set by set; memory holds one page of sets and a line for every other set.

    Use as a context manager: `add` each set, then `finish` once. An earlier report in the folder is replaced; its first page
    last. Raises `BadDestination` at once for a folder that can't be written or whose ``index.html`` is somebody else's, and
    later when the disk fails.
    """

    def __init__(self, folder: Path, *, title: str, created: datetime, per_page: int = 100) -> None:
        self._folder = folder
        self._named = (title, created)
        self._per_page = per_page
        self._tally = Tally()
        self._highlights = Highlights()
        self._cards: list[Card] = []
        self._index: list[str] = []
        self._ends = [0]
        self._thumbs = Thumbs(folder)
        with _telling(folder):
            self._made = not folder.exists()
            self._replaces = _claim(folder)
            self._spool = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by __exit__

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the temporary file back, and a folder that was made for nothing."""
        self._spool.close()
        if self._made:
            with suppress(OSError):  # that it is not empty, most of the time
                self._folder.rmdir()

    def add(self, image_set: SetResult) -> None:
        """Add the next image set."""
        with _telling(self._folder):
            self._tally.add(image_set)
            card = make_card(image_set, self._tally.sets, self._thumbs.keep)
            self._highlights.offer(card)
            self._cards.append(card)
            if len(self._cards) == self._per_page:
                self._turn()

    def finish(self, summary: Summary, problems: Sequence[Problem] = (), off: Sequence[Suppressed] = ()) -> Path:
        """Write the pages; return the path of the first one."""
        with _telling(self._folder):
            if self._cards or not self._index:
                self._turn()
            total = len(self._index)
            if total > 1:
                rows = ",\n".join(self._index)
                replace_file(self._folder / "sets.js", f"var mediamirrorSets=[\n{rows}\n];\n".encode())
            whole = Whole(*self._named, self._tally, self._highlights, summary, problems, off, self._per_page)
            for number in range(total, 0, -1):
                replace_file(self._folder / page_name(number), render_page(whole, self._page(number, total)).encode())
            if self._replaces:
                self._drop_old(total)
        return self._folder / page_name(1)

    def _turn(self) -> None:
        self._spool.write(render_sets(self._cards).encode())
        self._ends.append(self._spool.tell())
        rows = [[" ".join(card.severities), " ".join(card.rules), card.words] for card in self._cards]
        self._index.append(json.dumps(rows, separators=(",", ":")))
        self._cards = []

    def _page(self, number: int, total: int) -> Page:
        start, end = self._ends[number - 1], self._ends[number]
        self._spool.seek(start)
        first = (number - 1) * self._per_page + 1
        last = min(number * self._per_page, self._tally.sets)
        return Page(number, total, self._spool.read(end - start).decode(), first, last)

    def _drop_old(self, total: int) -> None:
        for path in self._folder.iterdir():
            match = _PAGE_NAME.fullmatch(path.name)
            if match and int(match[1]) > total:
                path.unlink(missing_ok=True)
        if total == 1:
            (self._folder / "sets.js").unlink(missing_ok=True)
        self._thumbs.drop_others()


def _claim(folder: Path) -> bool:
    """Make the folder; say whether an earlier report is in it."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is a file, and a report is a folder")
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError), opened(folder, (_THUMBS,)):
        pass  # a link there is refused before anything is written
    index = folder / page_name(1)
    if not index.exists():
        return False
    if _MARK not in index.read_bytes()[:4096]:
        raise BadDestination(
            f"{folder} already holds an index.html that is no report of ours: name another folder for the report."
        )
    return True


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    try:
        yield
    except BadKey as error:
        raise BadDestination(f"The report can't be written to {folder}: {error.message}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadDestination(
            f"The report can't be written to {folder} ({reason}): make the folder writable or name another one."
        ) from error


_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"))
_THUMBS = "thumbs"
_OURS = pattern(r"[0-9a-f]{24}\.(webp|png|jpg|gif)")


def kind(data: bytes) -> str | None:
    """The file extension of a raster picture that every browser shows, by its first bytes; None for all else (SVG, HTML)."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((extension for magic, extension in _MAGIC if data.startswith(magic)), None)


class Thumbs:
    """Keeps thumbnails in one folder of the report. Raises OSError when the disk does, and `StoreError` where it is a link."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._kept: set[str] = set()

    def keep(self, data: bytes) -> str | None:
        """Write a thumbnail unless it is there; return its address relative to the report, or None for no picture."""
        extension = kind(data)
        if extension is None:
            return None
        name = f"{hashlib.sha256(data).hexdigest()[:24]}.{extension}"
        if name not in self._kept:
            with opened(self._report, (_THUMBS,), made=lambda _: None) as folder:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(data)
            self._kept.add(name)
        return f"{_THUMBS}/{name}"

    def drop_others(self) -> None:
        """Remove what an earlier report left: files of our naming that this report does not show."""
        with suppress(FileNotFoundError), opened(self._report, (_THUMBS,)) as folder:
            for name in names_in(folder):
                if _OURS.fullmatch(name) and name not in self._kept:
                    os.unlink(name, dir_fd=folder)
