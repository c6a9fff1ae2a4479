"""Waits of our own making count neither against the timeout nor against the origin's rate. On virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from mediamirror.errors import DeadlineExceeded, TooSlow
from mediamirror.fetch import client as client_module
from mediamirror.fetch.body import Bucket
from mediamirror.fetch.client import Client, Following
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.handed_in import OverHttpx2
from mediamirror.fetch.request import Request, Target
from mediamirror.model import Download
from mediamirror.settings import FetchOptions
from tests import virtual_time

GOAL = "http://goal.example/"


class Pieces(httpx2.AsyncByteStream):
    """Two hundred bytes in two pieces, each after a pause."""

    def __init__(self, pause: float) -> None:
        self._pause = pause

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(2):
            await asyncio.sleep(self._pause)
            yield b"x" * 100


class Scripted(httpx2.AsyncBaseTransport):
    """Redirects from everywhere to the goal, which answers in pieces."""

    def __init__(self, pause: float) -> None:
        self._pause = pause

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "goal.example":
            return httpx2.Response(
                302, headers={"Location": GOAL, "Content-Length": "0"}, stream=httpx2.ByteStream(b"")
            )
        return httpx2.Response(200, headers={"Content-Length": "200"}, stream=Pieces(self._pause))


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time())
    monkeypatch.setattr(client_module, "time", clock)


def fetched(
    tmp_path: Path, options: FetchOptions, *, rate: int | None = None, turn: float = 0, pause: float = 0.01
) -> Download:
    async def work() -> Download:
        async def admit(_: Target) -> None:
            await asyncio.sleep(turn)

        bucket = Bucket(rate, clock=asyncio.get_running_loop().time) if rate else None
        client = Client(OverHttpx2(Scripted(pause)), options, spool_dir=tmp_path, bucket=bucket)
        return await Following(client, options, Guard(), admit).fetch(Request("http://door.example/"))

    return virtual_time.run(work())


STRICT = FetchOptions(timeout=0.3, min_rate=10_000, min_rate_window=0.1)


def test_a_rate_limit_does_not_make_its_own_downloads_too_slow(tmp_path: Path) -> None:
    download = fetched(tmp_path, STRICT, rate=400)
    assert download.body is not None
    assert download.body.size == 200
    assert download.seconds == pytest.approx(0.5)


def test_waiting_at_a_redirects_goal_does_not_count_against_the_timeout(tmp_path: Path) -> None:
    assert fetched(tmp_path, STRICT, turn=60).final_url == GOAL


def test_an_origin_that_is_slow_by_itself_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(TooSlow):
        fetched(tmp_path, STRICT, pause=0.12)
    with pytest.raises(DeadlineExceeded):
        fetched(tmp_path, STRICT, pause=1)
