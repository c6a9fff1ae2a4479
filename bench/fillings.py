"""``python -m bench.fillings``: what a document costs in memory, by what it is filled with, at the default limits.

Each filling is a document of one kind of thing only, as a stranger would write it to cost the most. The installed command
reads it from a file, and some of them compressed from a server on loopback; memory is the kernel's high-water mark, summed
over the process and its descendants. ``--against PYTHON`` runs another build's interpreter in turns with this one.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.measure import peaks

MiB = 1024**2
MOST = 300 * MiB
"""What reading one document may take, all processes together."""
ADDRESS_SPACE = 6 * 1024**3
"""No measured process gets more than this; one that would is told as having taken it."""
SECONDS = 300.0

Numbered = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Filling:
    """A document: ``head``, then one ``piece`` after the other up to a size, then ``tail``."""

    suffix: str
    piece: Numbered
    head: bytes = b""
    tail: bytes = b""
    size: int = 64
    """In MiB."""

    def write(self, path: Path, size: int) -> None:
        """Write the document, of about ``size`` bytes; what is the same everywhere is made a MiB at a time."""
        same = self.piece(1) == self.piece(2)
        block = self.piece(1) * max(MiB // len(self.piece(1)), 1) if same else b""
        with path.open("wb") as file:
            written = file.write(self.head)
            number = 0
            while written < size:
                if not same:
                    block = b"".join(self.piece(each) for each in range(number, number + 4096))
                    number += 4096
                written += file.write(block)
            file.write(self.tail)


def _same(piece: bytes) -> Numbered:
    return lambda _: piece


def _numbered(before: str, after: str) -> Numbered:
    return lambda number: f"{before}{number:x}{after}".encode()


_HTML = b"<!doctype html><title>t</title>"
_FEED = b'<rss xmlns:media="http://search.yahoo.com/mrss/"><channel>'
_SITEMAP = (
    b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    b'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">'
)
_LD = b'<script type="application/ld+json">{"@type":"ImageObject","contentUrl":["https://a.example/0.jpg"'
_RECORD = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://a.example/\r\nContent-Type: application/http\r\n"
    b"Content-Length: %d\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
)

FILLINGS: dict[str, Filling] = {
    "elements": Filling(".html", _same(b"<p>"), _HTML),
    "elements-br": Filling(".html", _same(b"<br>"), _HTML),
    "elements-with-attribute": Filling(".html", _same(b"<i a>"), _HTML),
    "nested": Filling(".html", _same(b"<b><i>"), _HTML, size=8),
    "attributes": Filling(".html", _numbered(" a", "=1"), _HTML + b"<img", b">"),
    "attribute-of-64-mib": Filling(".html", _same(b"x&amp;"), _HTML + b'<img alt="', b'">'),
    "img-distinct": Filling(".html", _numbered("<img src=", ">"), _HTML),
    "img-same": Filling(".html", _same(b"<img src=a>"), _HTML),
    "img-bad": Filling(".html", _numbered("<img src=ftp:", ">"), _HTML),
    "picture": Filling(".html", _numbered("<picture><source srcset='", " 1w'><img src=b></picture>"), _HTML),
    "srcset": Filling(".html", _numbered("", ","), _HTML + b'<img srcset="', b'">'),
    "srcsets": Filling(".html", _numbered("<img srcset='a 1w,b 2w,c", " 3w'>"), _HTML),
    "lazy": Filling(".html", _numbered("<img data-src=", ">"), _HTML),
    "styles": Filling(".html", _numbered("<i style=background:url(", ")>"), _HTML),
    "links": Filling(".html", _numbered("<a href=", ".jpg>"), _HTML),
    "bases": Filling(".html", _numbered("<base href=", ">"), _HTML),
    "text-nodes": Filling(".html", _same(b"x<br>"), _HTML),
    "comments": Filling(".html", _same(b"<!---->"), _HTML),
    "entities": Filling(".html", _same(b"&lt;"), _HTML),
    "lines": Filling(".html", _same(b"\n"), _HTML),
    "crlf": Filling(".html", _same(b"\r\n"), _HTML),
    "wide-characters": Filling(".html", _same("\U0001f600".encode()), _HTML),
    "malformed-utf-8": Filling(".html", _same(b"\xff"), _HTML + "é".encode()),
    "page-of-nothing": Filling(".html", _same(b"x"), _HTML),
    "noscript": Filling(".html", _numbered("<noscript><img src=", "></noscript>"), _HTML),
    "json-ld": Filling(".html", _numbered(',"https://a.example/', '.jpg"'), _HTML + _LD, b"]}</script>"),
    "json-ld-brackets": Filling(".html", _same(b"[],"), _HTML + _LD + b",", b"1]}</script>"),
    "json-small-things": Filling(".json", _same(b"{},"), b"[", b"1]"),
    "json-numbers": Filling(".json", _same(b"1,"), b"[", b"1]"),
    "json-keys": Filling(".json", _numbered('"', '":1,'), b"{", b'"end":1}'),
    "json-urls": Filling(".json", _numbered('"https://a.example/', '.jpg",'), b"[", b"1]"),
    "jsonl-one-line": Filling(".jsonl", _numbered('"https://a.example/', '.jpg",'), b'{"a":1}\n{"images":[', b"1]}\n"),
    "jsonl-brackets": Filling(".jsonl", _same(b"[],"), b'{"a":1}\n{"images":[', b"1]}\n"),
    "csv-header": Filling(".csv", _numbered("a", ","), b"image,", b"\nhttps://a.example/ok.jpg\n"),
    "csv-header-short": Filling(".csv", _same(b","), b"image,", b"\nhttps://a.example/ok.jpg\n"),
    "csv-row": Filling(".csv", _same(b"a,"), b"image,b\nhttps://a.example/ok.jpg,", b"\n"),
    "csv-rows": Filling(".csv", _numbered("https://a.example/", ".jpg,a\n"), b"image,b\n"),
    "csv-quoted": Filling(".csv", _same(b"x\n"), b'image\n"', b'"\n'),
    "markdown-images": Filling(".md", _numbered("![](", ".jpg)")),
    "markdown-references": Filling(".md", _numbered("[", "]: a.jpg\n")),
    "markdown-brackets": Filling(".md", _same(b"[")),
    "markdown-lines": Filling(".md", _same(b"a\n")),
    "feed-items": Filling(
        ".rss", _numbered("<item><media:content url='", ".jpg'/></item>"), _FEED, b"</channel></rss>"
    ),
    "feed-elements": Filling(".rss", _same(b"<a/>"), _FEED, b"</channel></rss>"),
    "feed-attributes": Filling(".rss", _numbered(" a", "='1'"), _FEED + b"<a", b"/></channel></rss>"),
    "feed-html": Filling(".rss", _same(b"&lt;p>"), _FEED + b"<item><description>", b"</description></item>"),
    "sitemap-images": Filling(
        ".xml",
        _numbered(
            "<url><loc>https://a.example/</loc><image:image><image:loc>/", ".jpg</image:loc></image:image></url>"
        ),
        _SITEMAP,
        b"</urlset>",
        size=48,
    ),
    "sitemap-elements": Filling(".xml", _same(b"<a/>"), _SITEMAP, b"</urlset>", size=48),
    "sitemap-images-of-one": Filling(
        ".xml",
        _numbered("<image:image><image:loc>/", "</image:loc></image:image>"),
        _SITEMAP + b"<url><loc>https://a.example/</loc>",
        b"</url></urlset>",
        size=48,
    ),
    "urls": Filling(".urls", _numbered("https://a.example/", ".jpg\n")),
    "urls-in-one-line": Filling(".urls", _numbered("https://a.example/", ".jpg ")),
    "text-urls": Filling(".txt", _numbered("https://a.example/", ".jpg ")),
    "text-srcset": Filling(".txt", _numbered("https://a.example/", ".jpg 1w, ")),
    "text-of-nothing": Filling(".txt", _same(b"x"), size=200),
    "css-urls": Filling(".css", _numbered("a{background:url(", ")}")),
    "css-tokens": Filling(".css", _same(b"a{}")),
    "css-image-set": Filling(".css", _numbered("url(", ") 1x,"), b"a{background:image-set(", b")}"),
    "warc-record": Filling(".warc", _same(b"<p>"), _RECORD % (64 * MiB)),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one reading cost. ``peak`` and ``largest`` in bytes: all processes together, and the largest of them."""

    peak: int
    largest: int
    seconds: float
    code: int
    said: str


def _command(python: str, job: str, what: str, folder: Path) -> list[str]:
    words = {
        "parse": ("parse", what),
        "mirror": ("mirror", what, "--to", str(folder / "out"), "--dry-run"),
        "verify": ("verify", what, "--root", str(folder)),
    }[job]
    network = ("--allow-private", "--ignore-robots", "--timeout", "300") if "://" in what else ()
    base = ("--base-url", "https://a.example/") if job != "verify" else ()
    return [python, "-m", "mediamirror", *words, *network, *base, "--format", "jsonl"]


def measure(python: str, job: str, what: str, folder: Path, *, seconds: float = SECONDS) -> Cost:
    """Run one command to its end, or to a bound, and say what it cost."""
    (folder / "tmp").mkdir(exist_ok=True)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("MEDIAMIRROR_", "AWS_", "PYTHONPATH"))},
        "XDG_STATE_HOME": tempfile.mkdtemp(dir=folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
    }
    started = time.perf_counter()
    with (folder / "out.jsonl").open("wb") as out, (folder / "err.txt").open("wb") as err:
        child = subprocess.Popen(
            _command(python, job, what, folder),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd="/",
        )
        resource.prlimit(child.pid, resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        try:
            peak, largest = _watch(child, started + seconds)
        finally:
            child.kill()
            code = child.wait()
    return Cost(peak, largest, time.perf_counter() - started, code, _said(folder))


def _watch(child: subprocess.Popen[bytes], deadline: float) -> tuple[int, int]:
    seen: dict[int, int] = {}
    while child.poll() is None and time.perf_counter() < deadline:
        for pid, peak in peaks(child.pid):
            seen[pid] = max(seen.get(pid, 0), peak)
        if sum(seen.values()) > ADDRESS_SPACE:
            break
        time.sleep(0.02)
    return sum(seen.values()), max(seen.values(), default=0)


def _said(folder: Path) -> str:
    """The codes of the problems that it told, or the end of what it complained."""
    codes: dict[str, int] = {}
    with (folder / "out.jsonl").open("rb") as lines:
        for line in lines:
            if line.startswith(b'{"type":"problem"') or b'"type": "problem"' in line[:40]:
                try:
                    code = str(json.loads(line)["code"])
                except ValueError:
                    continue
                codes[code] = codes.get(code, 0) + 1
    told = " ".join(f"{code}×{n}" if n > 1 else code for code, n in codes.items())
    complaint = (folder / "err.txt").read_text("utf-8", "replace").strip().splitlines()
    return told or (complaint[-1][:120] if complaint else "")


@contextmanager
def serving(path: Path, suffix: str) -> Iterator[str]:
    """Serve a file on loopback, compressed with gzip."""
    packed = path.with_suffix(".packed")
    with path.open("rb") as plain, gzip.open(packed, "wb") as file:
        shutil.copyfileobj(plain, file)
    body = packed.read_bytes()
    types = {".html": "text/html", ".json": "application/json", ".md": "text/markdown", ".css": "text/css"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", types.get(suffix, "application/octet-stream"))
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            del words

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/a{suffix}"
        server.shutdown()


def main(words: Sequence[str] | None = None) -> int:
    """Print a row for each filling; 1 when one takes more than `MOST`."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.fillings")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FILLINGS)}; all without")
    parser.add_argument(
        "--against", metavar="PYTHON", help="the interpreter of another build, run in turns with this one"
    )
    parser.add_argument("--job", choices=("parse", "mirror", "verify"), action="append", help="parse, unless told")
    parser.add_argument("--size", type=float, help="MiB of each document, in place of its own size")
    parser.add_argument("--served", action="store_true", help="from a server, compressed, in place of a file")
    options = parser.parse_args(words)
    builds = [*([options.against] if options.against else []), sys.executable]
    over = 0
    print(f"{'filling':26} {'job':7}" + "".join(f" {'MiB':>6} {'(one)':>6} {'s':>6}" for _ in builds) + "  ratio  said")
    for name in options.names or FILLINGS:
        for job in options.job or ["parse"]:
            over += _row(name, job, builds, options.size, served=options.served)
    return 1 if over else 0


def _row(name: str, job: str, builds: Sequence[str], size: float | None, *, served: bool) -> bool:
    filling = FILLINGS[name]
    with tempfile.TemporaryDirectory(prefix="fillings-") as scratch:
        folder = Path(scratch)
        path = folder / f"document{filling.suffix}"
        filling.write(path, int((size or filling.size) * MiB))
        if served:
            with serving(path, filling.suffix) as url:
                costs = [measure(python, job, url, folder) for python in builds]
        else:
            costs = [measure(python, job, str(path), folder) for python in builds]
    figures = "".join(f" {c.peak / MiB:6.0f} {c.largest / MiB:6.0f} {c.seconds:6.1f}" for c in costs)
    ours = costs[-1]
    print(f"{name:26} {job:7}{figures}  {ours.peak / costs[0].peak:5.2f}  {ours.code} {ours.said}", flush=True)
    return ours.peak > MOST


if __name__ == "__main__":
    sys.exit(main())
