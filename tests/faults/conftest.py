"""Runs that are still going: images that never come, and the command started but not waited for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.images import make_image
from fixtures.looping import call_in, loop_in_thread
from fixtures.patience import PATIENCE
from fixtures.site import Resource, Site, running_site

Command = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]

NEVER = 40


@dataclass(frozen=True, slots=True)
class Waiting:
    """A site with three quick images, and a host with forty that never come; ``asked`` says how often that was asked."""

    site: Site
    port: int
    asked: list[bytes]

    def arguments(self) -> list[str]:
        return [*self.site.arguments(), "--connect-to", f"never.example:80:127.0.0.1:{self.port}"]


@pytest.fixture
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Waiting]:
    body = make_image(64, 64, "webp")
    quick = [Resource("quick.example", f"/{n}.webp", body, "image/webp") for n in range(3)]
    asked: list[bytes] = []
    ends: list[asyncio.StreamWriter] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        while (line := (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]).startswith(b"GET /robots.txt"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        asked.append(line)

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(hang, "127.0.0.1", 0)

    with running_site(tmp_path_factory.mktemp("quick"), quick) as site, loop_in_thread("never") as loop:
        server = call_in(loop, listen())
        yield Waiting(site, server.sockets[0].getsockname()[1], asked)
        loop.call_soon_threadsafe(server.close)


@pytest.fixture
def urls(waiting: Waiting, tmp_path: Path) -> Path:
    """A list of the three quick images, and then of those that never come."""
    path = tmp_path / "urls.txt"
    never = [f"http://never.example/{n}.webp" for n in range(NEVER)]
    path.write_text("\n".join([*(resource.url for resource in waiting.site.library), *never]))
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command line with a state and a temporary folder of the test's own; ``before`` is Python run in it first."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}
    (tmp_path / "tmp").mkdir()
    own = {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp"), "NO_COLOR": "1"}
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, before: str = "", **extra: str) -> subprocess.Popen[str]:
        script = f"import sys\n{before}\nsys.argv = ['mediamirror', *sys.argv[1:]]\n"
        script += "from mediamirror.__main__ import main\nmain()\n"
        child = subprocess.Popen(
            [sys.executable, "-c", script, *words],
            env=kept | own | extra,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield run
    for child in started:
        child.kill()
        child.communicate()


def wait_for(what: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    """Return when it is so; a child that ends before is a failure."""
    while not what():
        assert child.poll() is None, child.communicate()
        time.sleep(0.005)


@pytest.fixture
def start_under(tmp_path: Path) -> Command:
    """Run the command line to its end under another program, such as strace."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MEDIAMIRROR_"))}

    def run(program: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, sys.executable, "-m", "mediamirror", *words],
            env=kept | {"XDG_STATE_HOME": str(tmp_path / "state")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run
