"""``python -m mediamirror``, and the console script: Ctrl-C and SIGTERM end it quietly from our first line to the last.

Before that line, while Python itself starts (about 20 ms), a signal does to it what it does to any Python program.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line; an interrupt while it is still loading exits 130 without a traceback."""
    _open_missing_streams()
    try:
        # Until a run has its own way to stop, SIGTERM is as good as Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # Loading makes very many objects and no garbage.
        gc.set_threshold(20_000, 20, 50)
        from mediamirror.cli.app import main as run  # noqa: PLC0415 -- the loading is what may be interrupted

        try:
            run()
        finally:
            _finish()
    except KeyboardInterrupt:
        os._exit(130)


def _open_missing_streams() -> None:
    """Open the null device for each standard stream that we were started without (``<&-``).

    Otherwise the next file or socket that is opened takes its number, and is read or written for it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest number that is free is the one of the stream.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="replace"))  # noqa: PTH123, SIM115


def _finish() -> None:
    """What is printed goes out while that can be interrupted; then nothing is left to stop, and the run's exit code stands."""
    with suppress(OSError, ValueError):  # the interpreter's own end tells of a reader that is gone
        sys.stdout.flush()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    main()
