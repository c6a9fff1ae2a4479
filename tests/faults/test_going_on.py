"""A mirror run that was cut off and is run again: it is the rest of that run, and asks for nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures.images import make_image
from tests.faults.conftest import Start, wait_for

COUNT = 24
BEFORE = 9
"""Images that the origin gives out before it falls silent."""


@dataclass
class Origin:
    """Gives out images without a validator; after some it falls silent, until it is told to speak."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    speaks: threading.Event = field(default_factory=threading.Event)

    def urls(self) -> str:
        return "\n".join(f"http://127.0.0.1:{self.port}/{n:02}.webp" for n in range(COUNT))


@contextmanager
def running_origin() -> Iterator[Origin]:
    origin = Origin()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/robots.txt":
                self.answer(404, b"")
                return
            origin.asked.append(self.path)
            if len(origin.asked) > BEFORE:
                origin.speaks.wait(60)
            self.answer(200, make_image(48, 32, "webp", seed=int(self.path[1:3])))

        def answer(self, status: int, body: bytes) -> None:
            with suppress(BrokenPipeError):  # the one who asked was killed
                self.write(status, body)

        def write(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "image/webp")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        origin.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield origin
        origin.speaks.set()
        server.shutdown()


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as found:
        yield found


@pytest.fixture
def words(origin: Origin, tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "urls.txt").write_text(origin.urls())
    command = ("mirror", str(tmp_path / "urls.txt"), "--as", "urls", "--to", str(tmp_path / "m"), "--allow-private")
    return (*command, "--host-concurrency", "1", "--format", "jsonl")


def told(child: subprocess.Popen[str]) -> tuple[dict[str, int], list[str], int]:
    """What became of how many, the codes of the problems, and the exit code."""
    out, said = child.communicate(timeout=120)
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[-1]["type"] == "summary", said
    return rows[-1]["statuses"], [row["code"] for row in rows if row["type"] == "problem"], child.returncode


def cut_off(child: subprocess.Popen[str], number: signal.Signals) -> set[str]:
    """Stop a run when it has told of all that the origin gave out; return the names of these."""
    stored: set[str] = set()
    assert child.stdout is not None
    while len(stored) < BEFORE:
        row = json.loads(next(child.stdout))
        if row.get("status") == "stored":
            stored.add(row["key"].rpartition("/")[2])
    child.send_signal(number)
    child.communicate(timeout=60)
    return stored


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_cut_off_asks_for_nothing_twice_when_it_is_run_again(
    start: Start, origin: Origin, words: tuple[str, ...], number: signal.Signals
) -> None:
    stored = cut_off(start(*words), number)
    origin.asked.clear()
    origin.speaks.set()
    assert told(start(*words)) == ({"stored": COUNT - BEFORE, "unchanged": BEFORE}, ["resumed"], 0)
    assert {path[1:] for path in origin.asked} & stored == set()
    assert len(origin.asked) == COUNT - BEFORE


def test_the_run_after_one_that_came_to_its_end_asks_for_everything(
    start: Start, origin: Origin, words: tuple[str, ...]
) -> None:
    cut_off(start(*words), signal.SIGKILL)
    origin.speaks.set()
    told(start(*words))
    origin.asked.clear()
    assert told(start(*words)) == ({"unchanged": COUNT}, [], 0)
    assert len(origin.asked) == COUNT


def test_a_run_that_is_cut_off_again_and_again_asks_for_nothing_twice(
    start: Start, origin: Origin, words: tuple[str, ...]
) -> None:
    cut_off(start(*words), signal.SIGKILL)
    child = start(*words)
    wait_for(lambda: child.stdout is not None and '"unchanged"' in next(child.stdout), child)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)
    origin.asked.clear()
    origin.speaks.set()
    assert told(start(*words)) == ({"stored": COUNT - BEFORE, "unchanged": BEFORE}, ["resumed"], 0)
    assert len(origin.asked) == COUNT - BEFORE


def test_what_was_taken_away_from_the_place_meanwhile_is_asked_for_again(
    start: Start, origin: Origin, words: tuple[str, ...], tmp_path: Path
) -> None:
    cut_off(start(*words), signal.SIGKILL)
    next((tmp_path / "m").rglob("*.webp")).unlink()
    origin.asked.clear()
    origin.speaks.set()
    assert told(start(*words))[0] == {"stored": COUNT - BEFORE + 1, "unchanged": BEFORE - 1}
