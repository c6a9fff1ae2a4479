"""``--error-file``: what failed, one URL and its reason a line, as a list that can be an INPUT again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from mediamirror.cli.whole_file import whole_file
from mediamirror.errors import MediamirrorError
from mediamirror.model import Event, Outcome, Status
from mediamirror.redact import redact_text, redact_url, without_userinfo

if TYPE_CHECKING:
    from mediamirror.cli.output import Output


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
