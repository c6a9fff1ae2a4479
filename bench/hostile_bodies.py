"""``python -m bench.hostile_bodies``: what a lying server gets out of the installed command, and the memory that takes it.

`mediamirror mirror` reads a list with an image of every host of `fixtures.hostile.replies` at once. Each has to end in the
outcome that is written there, and the whole process tree has to stay small. ``--largest`` is about those alone that are
sound and as large as the limits allow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import resident
from fixtures.hostile.replies import BODIES, SUFFIX, running
from fixtures.servers.process import executable

MOST = 300 * 1024**2
LARGEST = tuple(name for name in BODIES if "-largest" in name and BODIES[name].verdict == "stored")
"""Sound, and as large as the limits allow."""


_RULES = {"MM305": "truncated", "MM306": "undecodable", "MM307": "not-an-image", "MM308": "over-budget"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of it. ``peak`` in bytes; ``wrong`` by name, what came of it instead."""

    asked: int
    peak: int
    seconds: float
    wrong: Mapping[str, str]
    left: tuple[str, ...]
    """Temporary files that were left behind."""

    def __str__(self) -> str:
        """One sentence for the page."""
        return (
            f"hostile bodies {self.asked - len(self.wrong)}/{self.asked}, peak RSS {self.peak / 1024**2:.0f} MiB, "
            f"{self.seconds:.0f} s"
        )


def measure(names: Sequence[str], *options: str) -> Figures:
    """Mirror an image of each host. Raises RuntimeError when the command does not end as it should."""
    with tempfile.TemporaryDirectory() as scratch, running() as port:
        folder = Path(scratch)
        (folder / "tmp").mkdir()
        urls = {f"http://{name}{SUFFIX}/a.webp": name for name in names}
        (folder / "urls.txt").write_text("\n".join(urls))
        words = [
            *(executable("mediamirror"), "mirror", str(folder / "urls.txt"), "--as", "urls"),
            *("--to", str(folder / "out"), "--format", "jsonl", *options),
            *(word for name in names for word in ("--connect-to", f"{name}{SUFFIX}:80:127.0.0.1:{port}")),
        ]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEDIAMIRROR_", "AWS_"))}
        environment = {**kept, "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder / "tmp")}
        ran = _run(words, environment)
        rows = [json.loads(line) for line in ran.stdout.splitlines()]
        if not rows or rows[-1]["type"] != "summary" or ran.code not in (0, 1) or "Traceback" in ran.stderr:
            raise RuntimeError(f"exit code {ran.code}\n{ran.stderr[-3000:]}")
        became = {urls[row["url"]]: _became(row) for row in rows if row["type"] == "variant"}
        wrong = {
            name: became.get(name, "nothing")
            for name in names
            if became.get(name) not in BODIES[name].verdict.split("|")
        }
        left = tuple(sorted(str(path.relative_to(folder)) for path in (folder / "tmp").rglob("*")))
        return Figures(len(names), ran.peak, rows[-1]["seconds"], wrong, left)


def _became(row: Mapping[str, object]) -> str:
    """Its code; for a rejected image that of the `ImageError`, which its rule stands for."""
    error = row["error"]
    code = str(error["code"]) if isinstance(error, dict) else str(row["status"])
    return _RULES.get(code, code)


@dataclass(frozen=True, slots=True)
class _Ran:
    code: int
    stdout: str
    stderr: str
    peak: int


def _run(words: Sequence[str], environment: Mapping[str, str]) -> _Ran:
    with subprocess.Popen(
        words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        peaks, over = [0], threading.Event()

        def watch() -> None:
            while not over.wait(0.02):
                peaks.append(resident(child.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            stdout, stderr = child.communicate(timeout=900)
        finally:
            child.kill()
            over.set()
            watcher.join()
    return _Ran(child.returncode, stdout, stderr, max(peaks))


def main() -> int:
    """Print the figures; 1 when one of them is bad."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.hostile_bodies")
    parser.add_argument("--largest", action="store_true", help="sound files as large as the limits allow, and no other")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this one; may be repeated")
    parser.add_argument("options", nargs="*", help="further options of the command, after --")
    given = parser.parse_args()
    names = given.only or (LARGEST if given.largest else tuple(BODIES))
    figures = measure(names, "--timeout", "15", "--retries", "0", "--max-size", "32M", *given.options)
    print(figures)
    for name, became in figures.wrong.items():
        print(f"  {name}: {became}, not {BODIES[name].verdict}")
    for path in figures.left:
        print(f"  left behind: {path}")
    return 1 if figures.wrong or figures.left or figures.peak > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
