"""Each limit by its option: what is over it is refused by a code of its own, and the rest of the run goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread

import pytest
from PIL import Image

Command = Callable[..., CompletedProcess[str]]


def picture(width: int, height: int, frames: int = 1) -> bytes:
    file = BytesIO()
    first, *rest = [Image.new("RGB", (width, height), (n, 0, 0)) for n in range(frames)]
    first.save(file, "PNG" if frames == 1 else "GIF", save_all=True, append_images=rest)
    return file.getvalue()


PAGES = {
    "/ok.png": picture(40, 40),
    "/large.png": picture(200, 200),
    "/frames.gif": picture(10, 10, 20),
    "/heavy.png": picture(40, 40) + b"\0" * 100_000,
    "/bomb.png": picture(40, 40) + b"\0" * 1_000_000,
    "/headers.png": picture(40, 40),
    "/hop.png": b"",
}


class Origin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGES.get(self.path)
        self.send_response(404 if body is None else 302 if self.path == "/hop.png" else 200)
        if self.path == "/hop.png":
            self.send_header("Location", "/ok.png")
        if self.path == "/headers.png":
            self.send_header("X-Filler", "y" * 8000)
        body = body or b""
        if self.path == "/bomb.png":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        del words


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Origin) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("over", "option", "code"),
    [
        ("/large.png", ("--max-pixels", "10000"), "over-budget"),
        ("/frames.gif", ("--max-frames", "10"), "over-budget"),
        ("/frames.gif", ("--max-total-pixels", "1900"), "over-budget"),
        ("/large.png", ("--max-decode-memory", "100k"), "over-budget"),
        ("/heavy.png", ("--max-size", "50k"), "too-large"),
        ("/bomb.png", ("--max-size", "50k"), "too-large"),
        ("/headers.png", ("--max-header-size", "4k"), "headers-too-large"),
        ("/hop.png", ("--max-redirects", "0"), "too-many-redirects"),
    ],
)
def test_what_is_over_a_limit_is_refused_and_the_rest_is_checked(
    mediamirror: Command, origin: str, tmp_path: Path, over: str, option: tuple[str, str], code: str
) -> None:
    page = tmp_path / "page.html"
    page.write_text(f'<img src="{origin}/ok.png"><img src="{origin}{over}">')
    words = ("verify", str(page), "--allow-host", "127.0.0.1", "--ignore-robots", "--retries", "0", "--format", "jsonl")
    fine = {row["url"]: row for row in rows(mediamirror(*words, "--fail-on", "never"), "variant")}
    assert [row["error"] for row in fine.values()] == [None, None]
    found = {row["url"]: row for row in rows(mediamirror(*words, *option), "variant")}
    assert found[f"{origin}/ok.png"]["error"] is None
    row = found[f"{origin}{over}"]
    assert (code in row["findings"] or row["error"]["code"] == code) or option[0] in row["error"]["message"]


def rows(done: CompletedProcess[str], kind: str) -> list[dict[str, object]]:
    return [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == kind]


@pytest.mark.parametrize(
    ("option", "code", "left"),
    [
        (("--max-documents", "2"), "too-many-documents", 6),
        (("--max-sets", "2"), "too-many-sets", 6),
        (("--max-candidates", "2"), "too-many-candidates", 9),
        (("--max-document-size", "60"), "document-too-large", 0),
    ],
)
def test_a_document_over_a_limit_gives_what_is_within_it(
    mediamirror: Command, tmp_path: Path, option: tuple[str, str], code: str, left: int
) -> None:
    for name in "abc":
        sets = "".join(
            f'<img srcset="/{name}{n}-1.png 100w, /{name}{n}-2.png 200w, /{name}{n}-3.png 300w">' for n in range(3)
        )
        (tmp_path / f"{name}.html").write_text(sets)
    words = ("parse", str(tmp_path), "--base-url", "https://example.org/", "--format", "jsonl")
    assert len(rows(mediamirror(*words), "image-set")) == 9
    done = mediamirror(*words, *option)
    sets = rows(done, "image-set")
    told = [p["code"] for p in rows(done, "problem")] + [p["code"] for s in sets for p in s["problems"]]  # type: ignore[attr-defined]
    assert code in told
    assert len(sets) == left
    if code == "too-many-candidates":
        assert {len(s["candidates"]) for s in sets} == {2}  # type: ignore[arg-type]
