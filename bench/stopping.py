"""``python -m bench.stopping``: how long a run takes to end after a signal, at the moments that are worst for that.

Each moment is a command that is busy in its own way: the signal comes when it is, and the time until the process has gone is
taken. Everything is local: servers that never answer listen on loopback.
"""

from __future__ import annotations

import argparse
import gzip
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.fillings import FILLINGS
from bench.measure import commands
from fixtures.images import make_image

MiB = 1024**2
IN_TIME = 5.0
"""Seconds in which a run has ended, whatever it does."""
_COMES = 120.0
_SEEN = 0.3
"""Seconds between the moment and the signal."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A command under way: the process, its folder, and how many connections the silent server has."""

    child: subprocess.Popen[bytes]
    folder: Path
    silent: Silent

    def has(self, module: str) -> bool:
        """Whether one of its processes runs a module."""
        return any(module.encode() in command for command in commands(self.child.pid))

    def has_written(self, size: int) -> bool:
        """Whether its catalog and temporary files hold so many bytes."""
        files = [path for path in self.folder.rglob("*") if path.is_file() and "sqlite" in path.name]
        return sum(path.stat().st_size for path in files) > size


class Silent:
    """A server that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.taken: list[socket.socket] = []

    def serve(self) -> None:
        while True:
            try:
                self.taken.append(self._socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Moment:
    """``words`` makes what the command needs in a folder and returns its words; ``has_come`` says when it is busy.

    ``reads``: whether its output is read. ``says``: whether its end has to come with its summary.
    """

    words: Callable[[Path, int], Words]
    has_come: Callable[[Running], bool]
    reads: bool = True
    says: str = ""


def _filled(name: str, size: float) -> Callable[[Path, int], Words]:
    def words(folder: Path, _: int) -> Words:
        path = folder / f"document{FILLINGS[name].suffix}"
        FILLINGS[name].write(path, int(size * MiB))
        return ("parse", str(path), "--base-url", "https://a.example/", "--format", "jsonl")

    return words


def _mirrored(name: str, size: float) -> Callable[[Path, int], Words]:
    def words(folder: Path, _: int) -> Words:
        command, path, *rest = _filled(name, size)(folder, 0)
        del command
        return ("mirror", path, "--to", str(folder / "m"), "--catalog", str(folder / "c.sqlite"), *rest)

    return words


def _packed(folder: Path, _: int) -> Words:
    path = folder / "page.html.gz"
    path.write_bytes(gzip.compress(b"<!doctype html>") + gzip.compress(b"x" * MiB) * 250)
    return ("parse", str(path))


def _fifo(folder: Path, _: int) -> Words:
    os.mkfifo(folder / "page.html")
    return ("parse", str(folder / "page.html"))


def _images(folder: Path, _: int) -> Words:
    site = folder / "site"
    site.mkdir()
    (site / "page.html").write_text("".join(f"<img src=/{n}.png>" for n in range(8)))
    for n in range(8):
        (site / f"{n}.png").write_bytes(
            make_image(6000, 6000, "png", seed=n) if n == 0 else (site / "0.png").read_bytes()
        )
    return ("verify", str(site), "--root", str(site), "--estimate")


def _bucket(*words: str) -> Callable[[Path, int], Words]:
    def made(folder: Path, port: int) -> Words:
        (folder / "tree").mkdir()
        (folder / "tree" / "a.webp").write_bytes(b"a")
        (folder / "urls.txt").write_text("https://a.example/a.webp\n")
        named = [str(folder / word[1:]) if word.startswith("=") else word for word in words]
        return (*named, "--endpoint-url", f"http://127.0.0.1:{port}")

    return made


def _origin(folder: Path, port: int) -> Words:
    return ("mirror", f"http://127.0.0.1:{port}/page.html", "--to", str(folder / "m"), "--allow-private")


MOMENTS: dict[str, Moment] = {
    "a huge page in its reader": Moment(
        _filled("attributes", 60), lambda r: r.has("reader_process"), says="Interrupted"
    ),
    "a page of almost 1 MiB": Moment(_filled("img-distinct", 0.99), lambda r: r.has_written(-1)),
    "small rows, one after the other": Moment(_filled("csv-rows", 60), lambda r: r.has_written(-1), says="Interrupted"),
    "a row of a table that is too long": Moment(_filled("csv-row", 200), lambda r: r.has_written(-1)),
    "a page that inflates to 250 MiB": Moment(_packed, lambda r: r.has_written(-1)),
    "a plan of very many images": Moment(_mirrored("urls", 20), lambda r: r.has_written(4 * MiB), says="Interrupted"),
    "nobody reads what it prints": Moment(_filled("csv-rows", 8), lambda r: r.has_written(-1), reads=False),
    "an INPUT that is a pipe without a writer": Moment(_fifo, lambda r: r.has_written(-1)),
    "large images in their decoders": Moment(_images, lambda r: r.has("decoder.worker"), says="Interrupted"),
    "an origin that never answers": Moment(_origin, lambda r: bool(r.silent.taken), says="Interrupted"),
    "a bucket that never answers, mirror": Moment(
        _bucket("mirror", "=urls.txt", "--as", "urls", "--to", "s3://bucket/p"), lambda r: bool(r.silent.taken)
    ),
    "a bucket that is never listed, sync": Moment(
        _bucket("sync", "s3://bucket/p", "=tree"), lambda r: bool(r.silent.taken)
    ),
    "a bucket that is never listed, check": Moment(
        _bucket("check", "=tree", "s3://bucket/p"), lambda r: bool(r.silent.taken)
    ),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: seconds from the signal on, its exit code, and the last line that it said."""

    seconds: float
    code: int
    said: str


def stop(moment: Moment, number: signal.Signals, *, later: float = 0.0) -> Ended:
    """Start the command, send the signal ``later`` seconds after its moment, and wait for the end."""
    with tempfile.TemporaryDirectory(prefix="stopping-") as scratch, _listening() as silent:
        folder = Path(scratch)
        words = moment.words(folder, silent.port)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEDIAMIRROR_", "AWS_"))}
        (folder / "tmp").mkdir()
        own = {
            "XDG_STATE_HOME": scratch,
            "TMPDIR": str(folder / "tmp"),
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_SECRET_ACCESS_KEY": "s",
        }
        child = subprocess.Popen(
            [sys.executable, "-m", "mediamirror", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**kept, **own, "PYTHONUNBUFFERED": ""},
        )
        said = list[bytes]()
        assert child.stdout is not None
        assert child.stderr is not None
        readers = [
            threading.Thread(target=_drain, args=(stream, said), daemon=True) for stream in (child.stdout, child.stderr)
        ]
        try:
            for reader in readers if moment.reads else []:
                reader.start()
            _wait(moment, Running(child, folder, silent))
            time.sleep(_SEEN + later)
            if child.poll() is not None:
                return Ended(0.0, child.returncode, "it was over before")
            sent = time.perf_counter()
            child.send_signal(number)
            child.wait(60)
            seconds = time.perf_counter() - sent
            for reader in readers if moment.reads else []:
                reader.join(5)
        finally:
            child.kill()
            child.wait()
        lines = b"".join(said[-50:]).decode("utf-8", "replace").strip().splitlines()
        return Ended(
            seconds, child.returncode, next((line for line in reversed(lines) if not line.startswith("{")), "")
        )


def _drain(stream: object, said: list[bytes]) -> None:
    for line in stream:  # type: ignore[attr-defined]
        said.append(line)
        del said[:-100]


def _wait(moment: Moment, running: Running) -> None:
    until = time.perf_counter() + _COMES
    # A run has its handler once it has made its scratch folder.
    while not (any((running.folder / "tmp").iterdir()) and moment.has_come(running)):
        if running.child.poll() is not None or time.perf_counter() > until:
            return
        time.sleep(0.02)


@contextmanager
def _listening() -> Iterator[Silent]:
    silent = Silent()
    threading.Thread(target=silent.serve, daemon=True).start()
    try:
        yield silent
    finally:
        silent.close()


def main(words: Sequence[str] | None = None) -> int:
    """Print a row for each moment; 1 when a run took longer than `IN_TIME` or did not end as one that is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.stopping")
    parser.add_argument("--rounds", type=int, default=3, help="signals for each moment, each half a second later")
    parser.add_argument("--only", metavar="WORDS", default="", help="moments whose name holds this")
    options = parser.parse_args(words)
    bad, worst = 0, 0.0
    print(f"{'moment':44} {'worst s':>7}  codes  said")
    for name, moment in MOMENTS.items():
        if options.only in name:
            numbers = [signal.SIGTERM, signal.SIGINT]
            ends = [stop(moment, numbers[n % 2], later=n * 0.5) for n in range(options.rounds)]
            slowest = max(ends, key=lambda each: each.seconds)
            worst = max(worst, slowest.seconds)
            codes = sorted({each.code for each in ends})
            bad += codes != [130] or slowest.seconds > IN_TIME
            print(f"{name:44} {slowest.seconds:7.2f}  {codes}  {slowest.said[:90]}", flush=True)
    print(f"the worst of them: {worst:.2f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
