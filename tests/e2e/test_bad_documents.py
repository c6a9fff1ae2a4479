"""Documents made to cost much: bombs, depth, lengths. Bounded memory, one clear sentence, everything else still read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

MiB = 1024 * 1024
LIMIT = 64 * MiB
GOOD = "https://a.example/ok.jpg"
_MEASURED = """
import sys
from mediamirror.cli.app import main
try:
    main()
finally:
    # VmHWM is of this program alone: ru_maxrss would count what started it too.
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print("peak", line.split()[1], file=sys.stderr)
"""


@dataclass(frozen=True)
class Done:
    sets: list[list[str]]
    codes: list[str]
    said: str
    code: int
    peak: int
    """Bytes."""


def parse(path: Path, *words: str) -> Done:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc here to read the peak from")
    command = [sys.executable, "-c", _MEASURED, "parse", str(path), "--base-url", "https://a.example/", *words]
    done = subprocess.run([*command, "--format", "jsonl"], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    sets = [[c["url"] for c in row["candidates"]] for row in rows if row["type"] == "image-set"]
    problems = [row for row in rows if row["type"] == "problem"]
    problems += [each for row in rows if row["type"] == "image-set" for each in row["problems"]]
    said, _, peak = done.stderr.rpartition("peak ")
    return Done(sets, [each["code"] for each in problems], said, done.returncode, int(peak) * 1024)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> int:
    """What the program needs for a small compressed table, in bytes."""
    path = tmp_path_factory.mktemp("idle") / "small.csv.gz"
    path.write_bytes(gzip.compress(b"image\nhttps://a.example/ok.jpg\n"))
    return parse(path).peak


def bomb(start: bytes, filling: bytes, size: int = 3 * LIMIT) -> bytes:
    """gzip of ``size`` bytes: what stands first, then the same again and again; in members, which are quick to make."""
    return gzip.compress(start) + gzip.compress(filling * (MiB // len(filling))) * (size // MiB)


URL = b"<url><loc>https://a.example/p</loc><image:image><image:loc>https://a.example/p.jpg</image:loc></image:image></url>"
WARC = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://a.example/\r\nContent-Type: application/http\r\n"
    b"Content-Length: 900000000\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
)


@pytest.mark.parametrize(
    ("name", "start", "filling", "code"),
    [
        ("sitemap.xml.gz", b"<urlset>" + URL, b" ", "sitemap-too-large"),
        ("page.html.gz", b"<!doctype html><img srcset='", b"a ", "document-too-large"),
        ("notes.txt.gz", b"", b"a", "document-too-large"),
        ("zeros.html.gz", b"", b"\0", "binary-document"),
        ("crawl.jsonl.gz", b'{"html":"', b"a", "document-damaged"),
        ("table.csv.gz", b'html\n"', b"a", "document-damaged"),
        ("list.json.gz", b"", b"[", "document-too-large"),
        ("crawl.warc.gz", WARC, b"a", "document-too-large"),
    ],
)
def test_a_gzip_bomb_costs_little_more_than_the_limit(
    tmp_path: Path, idle: int, name: str, start: bytes, filling: bytes, code: str
) -> None:
    path = tmp_path / name
    path.write_bytes(bomb(start, filling))
    done = parse(path, "--max-document-size", str(LIMIT))
    assert code in done.codes, done.said
    # What was inflated is there once. A sitemap is read, up to the size that one may have: as bytes, text and pieces.
    most = (4 if name.startswith("sitemap") else 2) * LIMIT
    assert done.peak - idle < most, f"{(done.peak - idle) / MiB:.0f} MiB above {idle / MiB:.0f}"
