"""Files that a command writes: whole or not at all, and never over something else than it is meant to replace."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from mediamirror.cli.needs import NUMBERED
from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.model import Event, Outcome, Status
from mediamirror.redact import redact_text, redact_url, without_userinfo

if TYPE_CHECKING:
    from mediamirror.cli.output import Output


_NO_NUMBER = pattern(r"%(?![1-9A-Fa-f][0-9A-Fa-f])[0-9]{0,3}[diouxXs](?![A-Za-z])")
"""What looks like the place of a number, and is neither that nor an escape of URLs."""


class ErrorFile:
    """Hands every event on, and writes the failed ones down. The file is there when the run has ended, whichever way."""

    def __init__(self, path: Path | None, printed: Output, *, hide: bool = False) -> None:
        self._path = path
        self._printed = printed
        self._hide = hide
        self._file: IO[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Begin the file, before anything is fetched."""
        if self._path is not None:
            _refuse_other_than_errors(self._path)
            self._file = self._stack.enter_context(whole_file(self._path))
        self._printed.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish both. What an interrupted run has seen fail is worth as much as what a whole one has."""
        try:
            self._printed.__exit__(kind, error, trace)
        finally:
            if isinstance(error, MediamirrorError):  # refused before the first item: an older file stays
                self._stack.__exit__(kind, error, trace)
            else:
                self._stack.close()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self._file is not None and isinstance(event, Outcome) and event.status is Status.FAILED:
            reason = f"{event.error.code}: {event.error.message}" if event.error else "failed"
            url = redact_url(event.variant.url, room=None) if self._hide else without_userinfo(event.variant.url)
            # What is left of a URL with a secret would be asked for in vain: a comment, for people.
            start = url if url == event.variant.url else f"# {url}"
            line = f"{start}\t# {redact_text(' '.join(reason.split()))}\n"
            self._file.write(line.encode("utf-8", "backslashreplace"))
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
            f"{path} holds something else than the URLs of a run before, and is left alone: name another file."
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
    real = Path(os.path.realpath(path))
    temporary = path if special else real.with_name(f".{real.name}.{secrets.token_hex(4)}.part")
    if not special:
        sweep_parts(real.parent, escape(real.name))
    try:
        file = temporary.open("wb" if special else "xb")
    except OSError as error:
        raise UsageError(f"{path} can't be written ({error.strerror}): check its folder.") from error
    if special:
        with file:
            yield file
        return
    try:
        with file:
            with suppress(OSError):  # some file systems know no locks: there it stays
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep_parts(folder: Path, name: str) -> None:
    """Remove the unfinished files of a name, a pattern as `glob` has it, whose run has died: each holds a lock that dies with it."""
    for part in folder.glob(f".{name}.{'[0-9a-f]' * 8}.part"):
        with suppress(OSError):
            descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    part.unlink()
            finally:
                os.close(descriptor)


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
            raise UsageError(f"{self.path}: {odd[0]} can't be the place of a number: write one, as %05d or %d.")
        if not self.are_numbered:
            return
        path, (before, after) = self.path, NUMBERED.split(self.path.name)
        sweep_parts(path.parent, f"{escape(before)}*{escape(after)}")
        names = [
            each.name for each in path.parent.glob("*") if each.name.startswith(before) and each.name.endswith(after)
        ]
        older = [name for name in names if name[len(before) : len(name) - len(after)].isdecimal()]
        if older:
            raise UsageError(
                f"{path.parent / min(older)} is there already and would be read with the new ones: remove it, or name others."
            )
