"""The process in which libFuzzer runs one target: ``python -m fuzz.guided_child NAME CORPUS -flags``. See `fuzz.guided`."""

from __future__ import annotations

import signal
import sys

import atheris

with atheris.instrument_imports(include=["mediamirror"]):
    from fuzz.targets import TARGETS

from fuzz.run import CPU_SECONDS, TooSlow, described, too_slow


def main() -> None:
    """Fuzz the target named first, in this process; the other arguments are libFuzzer's."""
    target = TARGETS[sys.argv.pop(1)]
    signal.signal(signal.SIGVTALRM, too_slow)

    def once(data: bytes) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
        try:
            target.run(data)
        except (Exception, TooSlow) as error:
            print(f"CRASH {described(error)}", file=sys.stderr, flush=True)
            raise
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
