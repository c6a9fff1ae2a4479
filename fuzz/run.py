"""Fuzz the readers, and print executions and crashes of each.

    python -m fuzz.run --seconds 60                    every target, a share of the time each
    python -m fuzz.run --seconds 600 --seed 7 srcset   one of them
    python -m fuzz.run --replay fuzz/out/css-1a2b3c4d css

Where atheris is installed (``pip install -e '.[fuzz]'``) each target runs guided by coverage, in a process of its own; elsewhere
inputs are mutated from the fixtures of the tests and kept where their answer has a new shape. A crash is any exception that the
target does not document, a broken promise, or more than 2 s of CPU time for one input of at most 64 KiB. Exit 1 if there was one.
"""

from __future__ import annotations

import argparse
import hashlib
import signal
import sys
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from random import Random
from traceback import walk_tb
from types import FrameType

from fuzz.mutate import mutated
from fuzz.seeds import WORDS, corpus
from fuzz.targets import TARGETS, Target

OUT = Path(__file__).resolve().parent / "out"
CPU_SECONDS = 2.0
_SHAPES_KEPT = 2_000
_CRASHES_KEPT = 5
_ROOMS = ("/mediamirror/", "/fuzz/targets")


class TooSlow(BaseException):
    """One input used up its CPU time. No Exception, so that nothing under test takes it for its own."""


@dataclass
class Result:
    """What fuzzing one target gave. ``slowest`` in seconds of CPU time, ``crashes`` by what was raised and where."""

    name: str
    executions: int = 0
    slowest: float = 0.0
    slow_input: bytes = b""
    shapes: int = 0
    crashes: dict[str, bytes] = field(default_factory=dict)


def main(words: list[str] | None = None) -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run", description="Fuzz the readers of hostile input.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("auto", "mutate", "atheris"), default="auto")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input and show what it raises")
    told = parser.parse_args(words)
    names = told.targets or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
    if told.replay is not None:
        print(TARGETS[names[0]].run(told.replay.read_bytes()))
        return 0
    guided = told.engine == "atheris" or (told.engine == "auto" and find_spec("atheris") is not None)
    print(f"{'target':12} {'executions':>10} {'per second':>10} {'slowest ms':>10} {'shapes':>7} {'crashes':>7}")
    total = [_one(TARGETS[name], told.seconds / len(names), told.seed, guided=guided) for name in names]
    crashes = sum(len(result.crashes) for result in total)
    print(f"{sum(result.executions for result in total):,} executions, {crashes} crashes, seed {told.seed}", end="")
    print(", guided by coverage (atheris)" if guided else ", mutated without coverage")
    return int(crashes > 0)


def _one(target: Target, seconds: float, seed: int, *, guided: bool) -> Result:
    started = time.monotonic()
    if guided:
        from fuzz.guided import run  # noqa: PLC0415 - needs atheris

        result = run(target, seconds, seed)
    else:
        result = fuzz(target, seconds=seconds, seed=seed)
    took = time.monotonic() - started
    slowest = f"{1000 * result.slowest:.0f}" if result.slowest else "-"
    print(f"{result.name:12} {result.executions:10,} {result.executions / took:10,.0f} {slowest:>10}", end=" ")
    print(f"{result.shapes or '-':>7} {len(result.crashes):7}", flush=True)
    for why, data in result.crashes.items():
        path = _save(target.name, data)
        print(f"  {why}\n  input: {path} ({len(data):,} bytes), first of them {data[:100]!r}", flush=True)
    if result.slowest > CPU_SECONDS / 4:
        print(
            f"  slowest input: {_save(target.name, result.slow_input)} ({len(result.slow_input):,} bytes)", flush=True
        )
    return result


def fuzz(target: Target, *, seconds: float, seed: int, executions: int | None = None) -> Result:
    """Run a target on its corpus and on mutations of it, for some time or for a number of inputs; seedable."""
    chance, result = Random(f"{seed} {target.name}"), Result(target.name)
    inputs, shapes = corpus(target.name), set[Hashable]()
    words, started, pending = WORDS[target.name], time.monotonic(), list(reversed(inputs))
    with _limited():
        while time.monotonic() - started < seconds and result.executions != executions:
            data = pending.pop() if pending else mutated(chance.choice(inputs), inputs, words, chance)
            shape = _execute(target, data, result)
            if shape is not None and shape not in shapes and len(shapes) < _SHAPES_KEPT:
                shapes.add(shape)
                inputs.append(data)
            if len(result.crashes) >= _CRASHES_KEPT:
                break
    result.shapes = len(shapes)
    return result


def _execute(target: Target, data: bytes, result: Result) -> Hashable | None:
    result.executions += 1
    before = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        return target.run(data)
    except (Exception, TooSlow) as error:
        result.crashes.setdefault(described(error), data)
        return None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        took = time.process_time() - before
        if took > result.slowest:
            result.slowest, result.slow_input = took, data


def described(error: BaseException) -> str:
    """What was raised, and the last place of ours that it passed: one line, the same for the same crash."""
    places = [
        (frame.f_code, f"{Path(frame.f_code.co_filename).name}:{line}") for frame, line in walk_tb(error.__traceback__)
    ]
    ours = [at for code, at in places if any(room in code.co_filename for room in _ROOMS) and code.co_name != "_must"]
    at = (ours or [place for _, place in places])[-1]
    if isinstance(error, TooSlow):
        return f"took more than {CPU_SECONDS:g} s of CPU time"
    return f"{type(error).__name__} at {at}: {str(error)[:100]}"


def too_slow(number: int, frame: FrameType | None) -> None:
    """Answer SIGVTALRM, the end of one input's CPU time."""
    del number, frame
    raise TooSlow


@contextmanager
def _limited() -> Iterator[None]:
    before = signal.signal(signal.SIGVTALRM, too_slow)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _save(name: str, data: bytes) -> Path:
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
