"""Writing a file for the user, whole or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mediamirror.errors import UsageError


@contextmanager
def whole_file(path: Path | None) -> Iterator[IO[bytes]]:
    """Open ``path`` for writing (None: standard output). It appears under its name only when the block ends well.

    Raises `UsageError` before anything is done when its folder can't be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        file = temporary.open("xb")
    except OSError as error:
        raise UsageError(f"{path} can't be written ({error.strerror}): check its folder.") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
