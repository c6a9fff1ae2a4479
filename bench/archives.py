"""``python -m bench.archives``: what it costs to read and to write web archives, beside FastWARC and warcio, in turns (Linux).

CPU seconds of a process and its children as medians of rounds. Of the reading, what the loading of each program takes is measured by
itself and taken off. Both libraries stand in an environment of their own, ``bench/out/warc-tools``. Figures of one run count only.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from random import Random

from bench.measure import Cost, measure
from bench.variants import padded
from fixtures.aloud import run_aloud
from fixtures.images import encode, photo

TOOLS = Path(__file__).parent / "out" / "warc-tools"
WANTED = ("fastwarc==2.0.1", "warcio==1.8.1")
_READS = (
    "import sys; from fastwarc.warc import ArchiveIterator\nfor each in ArchiveIterator(open(sys.argv[1], 'rb')): pass"
)
_LOADS = "import fastwarc.warc"
_BODIES = "bodies = [bytes([n % 251]) + os.urandom(66_999) for n in range(1_000)]\n"
_OURS = (
    "import io, os, sys; from datetime import UTC, datetime; from mediamirror.documents.warc.write import WarcWriter, stored_head\n"
    + _BODIES
    + """
headers = (("content-type", "image/webp"), ("etag", '"1"'))
with open(sys.argv[1], "wb") as file:
    writer = WarcWriter(file, compressed=file.name.endswith(".gz"))
    for n, body in enumerate(bodies):
        body = io.BytesIO(body)
        writer.response(f"http://h.example/{n}", datetime.now(UTC), stored_head(200, headers, body), body)
"""
)
_WARCIO = (
    "import io, os, sys; from warcio.warcwriter import WARCWriter; from warcio.statusandheaders import StatusAndHeaders\n"
    + _BODIES
    + """
with open(sys.argv[1], "wb") as file:
    writer = WARCWriter(file, gzip=file.name.endswith(".gz"), warc_version="1.1")
    for n, body in enumerate(bodies):
        rows = [("content-type", "image/webp"), ("etag", '"1"'), ("content-length", str(len(body)))]
        head = StatusAndHeaders("200 OK", rows, protocol="HTTP/1.1")
        url = f"http://h.example/{n}"
        writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=head))
"""
)
SITE = "http://site.example"
_DATE = "WARC-Date: 2026-01-02T03:04:05Z\r\n"


def tools() -> Path:
    """Return the folder of the two libraries' programs; they are installed when they are not there."""
    programs = TOOLS / "bin"
    if not (programs / "warcio").exists():
        venv.create(TOOLS, with_pip=True, clear=True)
        run_aloud("Installing FastWARC and warcio", [str(programs / "python"), "-m", "pip", "install", "-qq", *WANTED])
    return programs


def record(kind: str, url: str, block: bytes) -> bytes:
    """A record as crawlers write it."""
    media_type = f"Content-Type: application/http; msgtype={kind}\r\n"
    head = f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\n{_DATE}{media_type}Content-Length: {len(block)}\r\n\r\n"
    return head.encode() + block + b"\r\n\r\n"


def exchange(name: str, media_type: str, body: bytes) -> Iterator[bytes]:
    """A request and its response."""
    url = f"{SITE}/{name}"
    yield record("request", url, f"GET /{name} HTTP/1.1\r\nHost: site.example\r\nAccept: */*\r\n\r\n".encode())
    head = f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    yield record("response", url, head.encode() + body)


def crawl(many: int, size: int) -> Iterator[bytes]:
    """Two pictures of ``size`` bytes for each script of some 40 KB; a page, for there to be one."""
    chance = Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5_000)]
    picture = encode(photo(480, 270, seed=7), "webp", quality=40)
    yield from exchange("", "text/html", b"<!doctype html><title>a</title><img src=/0.webp>")
    for number in range(many):
        if number % 3 == 2:
            yield from exchange(
                f"{number}.js", "application/javascript", " ".join(chance.choices(words, k=6_000)).encode()
            )
        else:
            yield from exchange(f"{number}.webp", "image/webp", padded(picture, 480, 270, size, seed=number))


def write(path: Path, records: Iterator[bytes]) -> int:
    """Write an archive, and return how many records it has."""
    with path.open("wb") as file:
        return sum(
            bool(file.write(gzip.compress(each, 6, mtime=0) if path.suffix == ".gz" else each)) for each in records
        )


class Bench:
    """Runs commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {"XDG_STATE_HOME": str(folder / "state"), "PATH": os.environ["PATH"], "HOME": str(folder)}
        self._ours = str(Path(sys.executable).with_name("mediamirror"))

    def run(self, *words: object) -> Cost:
        command = [str(word) for word in words]
        return measure(command, environment=self._environment, log=self._folder / "log", limit=600)

    def ours(self, *words: object) -> Cost:
        return self.run(self._ours, *words)


def reading(bench: Bench, archive: Path, count: int, rounds: int) -> None:
    """`parse` beside FastWARC's bare loop over all records."""
    python, rows = tools() / "python", []
    empty = archive.with_name("empty.warc")
    write(empty, exchange("", "text/html", b"<!doctype html><img src=/0.webp>"))
    for _ in range(rounds):
        started = bench.ours("parse", "-q", empty).cpu, bench.run(python, "-c", _LOADS).cpu
        whole = bench.ours("parse", "-q", archive), bench.run(python, "-c", _READS, archive)
        rows.append((whole[0].cpu - started[0], whole[1].cpu - started[1], whole[0].peak_rss))
    mine, theirs = (statistics.median(row[at] for row in rows) for at in (0, 1))
    paired = statistics.median(row[0] / row[1] for row in rows)
    memory = max(row[2] for row in rows) / 2**20
    each = f"{mine / count * 1e6:.0f} | {theirs / count * 1e6:.0f}"
    print(
        f"| `parse` of {archive.name}; FastWARC reads, CPU us a record | {each} | {paired:.2f} | {memory:.0f} |",
        flush=True,
    )


def writing(bench: Bench, mirror: Path, rounds: int, name: str) -> None:
    """`catalog export` beside `warcio recompress` of what it has written."""
    out, again, rows = mirror.with_name(name), mirror.with_name("again.warc.gz"), []
    for _ in range(rounds):
        mine = bench.ours("catalog", "export", mirror, "-o", out)
        rows.append((mine.cpu, bench.run(tools() / "warcio", "recompress", out, again).cpu, mine.peak_rss))
    figures = [statistics.median(row[at] for row in rows) for at in (0, 1)]
    paired, memory = statistics.median(row[0] / row[1] for row in rows), max(row[2] for row in rows) / 2**20
    each = " | ".join(f"{figure:.2f}" for figure in figures)
    print(
        f"| `catalog export` to {name}; `warcio recompress`, CPU s | {each} | {paired:.2f} | {memory:.0f} |", flush=True
    )


def writers(bench: Bench, folder: Path, rounds: int) -> None:
    """The two writers by themselves: 1,000 responses of 67 KB, which are made before."""
    for name in ("written.warc", "written.warc.gz"):
        turns = ((sys.executable, _OURS), (tools() / "python", _WARCIO))
        pairs = [[bench.run(python, "-c", code, folder / name).cpu for python, code in turns] for _ in range(rounds)]
        mine, theirs = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
        paired = statistics.median(a / b for a, b in pairs)
        print(
            f"| the writer alone, 1,000 responses to {name}; warcio's, CPU s | {mine:.2f} | {theirs:.2f} | {paired:.2f} | |"
        )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=3_000, help="exchanges in an archive")
    parser.add_argument("--size", type=int, default=67_000, help="bytes of a picture")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="archives-") as place:
        folder = Path(place)
        bench = Bench(folder)
        print("| web archives | ours | theirs | paired | peak MiB, ours |\n|---|---|---|---|---|", flush=True)
        for name in ("crawl.warc.gz", "crawl.warc"):
            archive = folder / name
            count = write(archive, crawl(options.many, options.size))
            reading(bench, archive, count, options.rounds)
        mirror = folder / "mirror"
        bench.ours(
            "mirror", "-q", folder / "crawl.warc", "--offline", "--all-images", "--check", "header", "--to", mirror
        )
        for name in ("pictures.warc", "pictures.warc.gz"):
            writing(bench, mirror, options.rounds, name)
        writers(bench, folder, options.rounds)


if __name__ == "__main__":
    main()
