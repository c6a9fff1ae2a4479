"""``python -m mediamirror``, and the console script: Ctrl-C ends it quietly from the first moment on."""

from __future__ import annotations

import gc
import os
import signal


def main() -> None:
    """Run the command line; an interrupt while it is still loading exits 130 without a traceback."""
    try:
        # Until a run has its own way to stop, SIGTERM is as good as Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # Loading makes very many objects and no garbage.
        gc.set_threshold(20_000, 20, 50)
        from mediamirror.cli.app import main as run  # noqa: PLC0415 -- the loading is what may be interrupted

        run()
    except KeyboardInterrupt:
        os._exit(130)


if __name__ == "__main__":
    main()
