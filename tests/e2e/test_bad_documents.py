"""Documents made to cost much: bombs, depth, lengths. Bounded memory, one clear sentence, everything else still read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.patience import PATIENCE

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
    found: dict[str, set[str]]
    """File name to the file names of its images and the codes of its problems."""
    said: str
    code: int
    peak: int
    """Bytes."""


def parse(path: Path, *words: str) -> Done:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc here to read the peak from")
    command = [sys.executable, "-c", _MEASURED, "parse", str(path), "--base-url", "https://a.example/", *words]
    done = subprocess.run(
        [*command, "--format", "jsonl"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    sets = [[c["url"] for c in row["candidates"]] for row in rows if row["type"] == "image-set"]
    problems = [row for row in rows if row["type"] == "problem"]
    problems += [each for row in rows if row["type"] == "image-set" for each in row["problems"]]
    found: dict[str, set[str]] = {}
    for row in (*rows, *problems):
        if row.get("document"):
            name = row["document"].rpartition("/")[2].partition(":")[0]
            words = {row["code"]} if "code" in row else {c["url"].rpartition("/")[2] for c in row["candidates"]}
            found.setdefault(name, set()).update(words)
    said, _, peak = done.stderr.rpartition("peak ")
    return Done(sets, [each["code"] for each in problems], found, said, done.returncode, int(peak) * 1024)


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


OK = "<img src=ok.jpg>"
RECORD = (
    "WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: https://a.example/{0}\r\n"
    "Content-Type: text/html\r\nContent-Length: {1}\r\n\r\n"
)
DOCUMENTS: dict[str, tuple[str | bytes, set[str]]] = {
    "long-srcset.html": (f"<img srcset='{'x' * 10 * MiB} 480w'>{OK}", {"ok.jpg", "url-too-long"}),
    "long-alt.html": (f"<img src=a.jpg alt='{'x ' * 5 * MiB}'>{OK}", {"a.jpg", "ok.jpg"}),
    "commas.html": (f"<img srcset='{',' * 1_000_000} a.jpg 480w'>{OK}", {"ok.jpg", "too-many-candidates"}),
    "commas.txt": (f"{', ' * 1_000_000} https://a.example/ok.jpg 480w, https://a.example/b.jpg 960w", {"ok.jpg", "b.jpg"}),
    "references.html": ("<img src='a.jpg?x=1&copy=2&region=3'>", {"a.jpg?x=1&copy=2&region=3"}),
    "bomb.rss": (
        "<!DOCTYPE r [<!ENTITY a 'aaaaaaaaaa'>"
        + "".join(f"<!ENTITY {new} '{f'&{old};' * 10}'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True))
        + f"]><rss><channel><item><title>&i;</title><enclosure url='{GOOD}' type='image/jpeg'/></item></channel></rss>",
        {"ok.jpg", "entities-not-expanded"},
    ),
    "deep.json": (f'{{"image":"{GOOD}","z":{"[" * 100_000}{"]" * 100_000}}}', {"ok.jpg", "json-too-deep"}),
    "deep.jsonl": (f'{"[" * 100_000}\n{{"image":"{GOOD}"}}\n', {"ok.jpg", "json-too-deep", "malformed-json"}),
    "deep.html": (f"{'<div>' * 100_000}{OK}", {"ok.jpg"}),
    "deep.xml": (
        f"<urlset>{'<a>' * 100_000}{'</a>' * 100_000}"
        f"<url><image:image><image:loc>{GOOD}</image:loc></image:image></url></urlset>",
        {"ok.jpg", "xml-too-deep"},
    ),
    "encoding.html": (
        b"<meta charset=utf-16><img src='\xff\xfe\x80.jpg'>\xc3" + OK.encode(),
        {"ok.jpg", "%EF%BF%BD%EF%BF%BD%EF%BF%BD.jpg"},
    ),
    "cut.warc": (
        f"{RECORD.format(1, len(OK))}{OK}\r\n\r\n{RECORD.format(2, 999)}{OK[:9]}",
        {"ok.jpg", "warc-damaged", "warc-doubtful"},
    ),
    "field.csv": (f'id,html\n1,"{"a" * 70 * MiB}"\n2,{OK}\n', {"ok.jpg", "malformed-table"}),
    "garbage.parquet": (b"PAR1" + bytes(range(256)) * 99 + b"PAR1", {"parquet-damaged"}),
}  # fmt: skip


def test_documents_made_to_cost_much_cost_little_and_everything_else_in_them_is_read(tmp_path: Path) -> None:
    for name, (data, _) in DOCUMENTS.items():
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    done = parse(tmp_path)
    found = {name: words for name, words in done.found.items() if name in DOCUMENTS}
    found["cut.warc"] |= done.found.get("1", set())
    assert found == {name: words for name, (_, words) in DOCUMENTS.items()}
    assert done.peak < 700 * MiB
