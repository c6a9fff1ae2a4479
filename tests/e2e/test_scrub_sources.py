"""``verify --mirror``: partial sets, and with ``--source`` what the origin gives out today."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.servers.seaweed import running_seaweed

Command = Callable[..., CompletedProcess[str]]


class Quiet(SimpleHTTPRequestHandler):
    """A plain file server with Last-Modified and 304, which keeps what it was asked."""

    answers: list[tuple[str, int]]

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self.answers.append((self.path, int(code)))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[tuple[Path, str, list[tuple[str, int]]]]:
    folder = tmp_path / "origin"
    folder.mkdir()
    answers: list[tuple[str, int]] = []
    handler = type("Handler", (Quiet,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for width in (320, 480, 640, 960):
        (folder / f"a-{width}.webp").write_bytes(make_image(width, width * 9 // 16, "webp", seed=3))
    yield folder, f"http://127.0.0.1:{server.server_address[1]}", answers
    server.shutdown()
    server.server_close()


def page(folder: Path, base: str, *widths: int) -> str:
    entries = ", ".join(f"{base}/a-{width}.webp {width}w" for width in widths)
    (folder / "page.html").write_text(f'<img alt="quay" sizes="100vw" src="{base}/a-480.webp" srcset="{entries}">')
    return str(folder / "page.html")


def told(done: CompletedProcess[str], type_: str = "finding") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr
    return [row for row in rows if row["type"] == type_]


def test_what_changed_and_what_is_gone_is_told_and_what_only_looks_newer_is_not(
    mediamirror: Command, origin: tuple[Path, str, list[tuple[str, int]]], tmp_path: Path
) -> None:
    folder, base, answers = origin
    mirror = str(tmp_path / "m")
    mediamirror("mirror", page(tmp_path, base, 320, 480, 640, 960), "--to", mirror, "--allow-private")
    (folder / "a-480.webp").write_bytes(make_image(480, 270, "webp", seed=4))
    (folder / "a-640.webp").unlink()
    for name in ("a-480.webp", "a-960.webp"):
        os.utime(folder / name, (4_000_000_000, 4_000_000_000))
    answers.clear()
    words = ("verify", "--mirror", mirror, "--allow-private", "--format", "jsonl")
    assert (mediamirror(*words).returncode, answers) == (0, [])
    done = mediamirror(*words, "--source", "--fail-on", "warning")
    found = [(row["rule"], row["url"].rpartition("/")[2], row["severity"]) for row in told(done)]
    assert (done.returncode, sorted(found)) == (
        1,
        [("MM505", "a-480.webp", "warning"), ("MM506", "a-640.webp", "note")],
    )
    assert sorted(row for row in answers if row[0] != "/robots.txt") == [
        ("/a-320.webp", 304),
        ("/a-480.webp", 200),
        ("/a-640.webp", 404),
        ("/a-960.webp", 200),
    ]
    assert mediamirror(*words, "--source", "--fail-on", "warning", "--ignore", "MM505").returncode == 0


def test_an_origin_that_can_not_be_asked_fails_the_run_and_says_so(
    mediamirror: Command, origin: tuple[Path, str, list[tuple[str, int]]], tmp_path: Path
) -> None:
    _, base, _ = origin
    mirror = str(tmp_path / "m")
    mediamirror("mirror", page(tmp_path, base, 320, 480), "--to", mirror, "--allow-private")
    nowhere = ("--allow-private", "--retries", "0", "--ignore-robots", "--connect-to", "::127.0.0.1:1")
    done = mediamirror("verify", "--mirror", mirror, "--source", *nowhere, "--format", "jsonl")
    assert (done.returncode, {row["code"] for row in told(done, "problem")}) == (1, {"connect-failed"})
    assert mediamirror("verify", page(tmp_path, base, 320), "--source").returncode == 2


def test_a_partial_set_is_one_finding_with_its_reasons_and_a_whole_one_is_none(
    mediamirror: Command, origin: tuple[Path, str, list[tuple[str, int]]], tmp_path: Path
) -> None:
    folder, base, _ = origin
    (folder / "a-960.webp").write_bytes((folder / "a-640.webp").read_bytes())
    mirror = str(tmp_path / "m")
    mediamirror("mirror", page(tmp_path, base, 320, 480, 960, 1920), "--to", mirror, "--allow-private")
    words = ("verify", "--mirror", mirror, "--format", "jsonl")
    (found,) = told(mediamirror(*words))
    assert (found["rule"], found["line"], found["actual"]) == ("MM504", 1, "3 stored")
    assert "3 of 4" in found["message"]
    assert "1920w (http-status)" in found["message"]
    mediamirror("mirror", page(tmp_path, base, 320, 480), "--to", mirror, "--allow-private")
    assert told(mediamirror(*words)) == []


def test_a_bucket_without_its_catalog_tells_of_a_partial_set_by_its_manifest(
    mediamirror: Command, origin: tuple[Path, str, list[tuple[str, int]]], tmp_path: Path
) -> None:
    _, base, _ = origin
    with running_seaweed(tmp_path / "weed") as bucket:
        bucket.create_bucket("media")
        where = ("--endpoint-url", bucket.url)
        words = ("mirror", page(tmp_path, base, 320, 1920), "--to", "s3://media/n", *where, "--allow-private")
        mediamirror(*words, **bucket.environment())
        again = ("verify", "--mirror", "s3://media/n", *where, "--catalog", str(tmp_path / "none.sqlite"))
        (found,) = told(mediamirror(*again, "--format", "jsonl", **bucket.environment()))
        assert (found["rule"], "1920w (http-status)" in found["message"]) == ("MM504", True)
