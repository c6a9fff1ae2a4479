"""Files that a command writes: whole or not at all, and never over something else than it is meant to replace."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from mediamirror.cli.needs import NUMBERED
from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Compared, Event, Mark, Outcome, Status, SyncEvent
from mediamirror.redact import redact_text, redact_url, without_userinfo
from mediamirror.report.escape import spelled_out
from mediamirror.scratch import appearing, left_in, sweep_parts

if TYPE_CHECKING:
    from mediamirror.cli.objects import ObjectOutput
    from mediamirror.cli.output import Output


_NO_NUMBER = pattern(r"%(?![1-9A-Fa-f][0-9A-Fa-f])[0-9]{0,3}[diouxXs](?![A-Za-z])")
"""What looks like the place of a number, and is neither that nor an escape of URLs."""


class _Beside:
    """Hands every event on, and writes some of them into files. These are there when the run has ended, whichever way."""

    def __init__(self, printed: Output | ObjectOutput) -> None:
        self._printed: Any = printed
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Begin the files, before anything is done."""
        try:
            self._begin()
        except UsageError as error:
            self._stack.__exit__(UsageError, error, None)
            raise
        self._printed.__enter__()
        return self

    def _begin(self) -> None:
        raise NotImplementedError

    def _open(self, path: Path) -> IO[bytes]:
        return self._stack.enter_context(whole_file(path))

    def __exit__(self, *raised: Any) -> None:
        """Finish all of it. What an interrupted run has seen is worth as much as what a whole one has."""
        try:
            self._printed.__exit__(*raised)
        finally:
            if isinstance(raised[1], MediamirrorError):  # refused before the first item: an older file stays
                self._stack.__exit__(*raised)
            else:
                self._stack.close()


class ErrorFile(_Beside):
    """Writes the failed URLs down."""

    def __init__(self, path: Path, printed: Output, *, hide: bool = False) -> None:
        super().__init__(printed)
        self._path = path
        self._hide = hide

    def _begin(self) -> None:
        _refuse_other_than_errors(self._path)
        self._file = self._open(self._path)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Outcome) and event.status is Status.FAILED:
            reason = f"{event.error.code}: {event.error.message}" if event.error else "failed"
            url = redact_url(event.variant.url, room=None) if self._hide else without_userinfo(event.variant.url)
            # What is left of a URL with a secret would be asked for in vain: a comment, for people.
            start = url if url == event.variant.url else f"# {url}"
            line = f"{start}\t# {redact_text(' '.join(reason.split()))}\n"
            self._file.write(line.encode("utf-8", "backslashreplace"))
        self._printed(event)


class KeyLists(_Beside):
    """Writes keys as they are, one a line: all of them with their marks, and those of some marks."""

    def __init__(self, printed: ObjectOutput, combined: Path | None, lists: dict[Mark, Path]) -> None:
        super().__init__(printed)
        self._paths = (combined, lists)
        self._combined: IO[bytes] | None = None
        self._files: dict[Mark, IO[bytes]] = {}

    def _begin(self) -> None:
        combined, lists = self._paths
        self._combined = self._open(combined) if combined else None
        self._files = {mark: self._open(path) for mark, path in lists.items()}

    def __call__(self, event: SyncEvent) -> None:
        """Take one event."""
        if isinstance(event, Compared):
            line = f"{spelled_out(event.key)}\n".encode("utf-8", "surrogateescape")
            if self._combined is not None:
                self._combined.write(f"{event.mark.value} ".encode() + line)
            if event.mark in self._files:
                self._files[event.mark].write(line)
        self._printed(event)


def _refuse_other_than_errors(path: Path) -> None:
    """Raise `UsageError` for a file that holds something else than the URLs of an older run: it may be the user's own page."""
    try:
        with path.open("rb") as file:
            first = file.readline(1 << 20) if path.is_file() else b""
    except OSError:
        return  # it is not there, or `whole_file` says what is wrong
    if first.strip() and b"\t# " not in first:
        raise UsageError(
            f"{path} contains something else than the URLs of an earlier run, and was not changed: name another file."
        )


@contextmanager
def whole_file(path: Path | None) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing (None and ``-``: standard output). It appears under its name only when the block ends well.

    What a link names is written, and the link stays; a pipe or a device is written to as it is. What a killed run has left of it is
    removed. Raises `UsageError` before anything is done when it is a folder, or its folder can't be written.
    """
    if path is None or path == Path("-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.is_dir() or not path.name:
        raise UsageError(f"{path} is a folder: give the name of a file in it.")
    special = path.exists() and not path.is_file()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("wb") if special else appearing(Path(os.path.realpath(path))))
        except OSError as error:
            raise UsageError(f"{path} can't be written ({error.strerror}): check its folder.") from error
        yield file
        if not special:
            file.flush()
            os.fsync(file.fileno())


@dataclass(frozen=True, slots=True)
class Files:
    """One file to be written, or several whose name holds a place for their number."""

    path: Path

    @property
    def are_numbered(self) -> bool:
        """Whether there may be several."""
        return len(NUMBERED.findall(self.path.name)) == 1

    def __call__(self, number: int) -> AbstractContextManager[IO[bytes]]:
        """Open the file of a number, as `whole_file` does."""
        return whole_file(
            self.path.with_name(NUMBERED.sub(lambda place: place[0] % number, self.path.name))
            if self.are_numbered
            else self.path
        )

    def check(self) -> None:
        """Raise `UsageError` for a place that is none for a number, and where an older run's files have such names.

        Readers would take the two for one.
        """
        odd = NUMBERED.findall(self.path.name)[1:] or _NO_NUMBER.findall(NUMBERED.sub("", self.path.name))
        if odd:
            raise UsageError(f"{self.path}: {odd[0]} is not a number pattern: write %05d or %d.")
        if not self.are_numbered:
            return
        path, (before, after) = self.path, NUMBERED.split(self.path.name)
        left = left_in(path.parent.absolute()).items()
        sweep_parts(part for name, parts in left if name.startswith(before) and name.endswith(after) for part in parts)
        names = [
            each.name for each in path.parent.glob("*") if each.name.startswith(before) and each.name.endswith(after)
        ]
        older = [name for name in names if name[len(before) : len(name) - len(after)].isdecimal()]
        if older:
            raise UsageError(
                f"{path.parent / min(older)} is there already, and would be read with the new files: remove it, or name others."
            )
