"""Log lines and tracebacks without secrets, whoever wrote them."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

from mediamirror.redact import redact_log


class Redacting(logging.Formatter):
    """Formats a record, its traceback included, and redacts the whole: a library's error may quote a URL or a header."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text to print."""
        return redact_log(super().format(record))


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what nobody has caught, as `sys.excepthook` does, redacted."""
    print(redact_log("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)
