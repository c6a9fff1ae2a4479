"""Images that redirect to another host, whose robots.txt is asked on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from aiohttp import web

from fixtures.images import make_image
from fixtures.looping import call_in, loop_in_thread

Command = Callable[..., CompletedProcess[str]]


async def answer(request: web.Request) -> web.Response:
    """Redirect from the pages' hosts to a host each has of its own."""
    host = request.host.partition(":")[0]
    if request.path == "/robots.txt":
        return web.Response(status=404)
    if host.startswith("from"):
        return web.Response(status=302, headers={"Location": f"http://to{host[4:]}{request.path}"})
    return web.Response(body=make_image(8, 6, "png"), content_type="image/png")


async def listen(port: list[int]) -> web.ServerRunner:
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port.append(runner.addresses[0][1])
    return runner


@pytest.mark.parametrize("places", [1, 2, 64])
def test_tasks_that_wait_for_the_robots_of_a_redirect_do_not_lock_the_others_out(
    mediamirror: Command, tmp_path: Path, places: int
) -> None:
    hosts = range(8)
    page = tmp_path / "page.html"
    page.write_text("".join(f'<img src="http://from{n}.example/{i}.png">' for n in hosts for i in range(2)))
    port: list[int] = []
    with loop_in_thread("redirects") as loop:
        runner = call_in(loop, listen(port))
        rules = [f"{way}{n}.example:80:127.0.0.1:{port[0]}" for n in hosts for way in ("from", "to")]
        words = ("--to", str(tmp_path / "m"), "--concurrency", str(places), "--check", "header", "--format", "jsonl")
        try:
            done = mediamirror("mirror", str(page), *words, *(w for rule in rules for w in ("--connect-to", rule)))
        finally:
            call_in(loop, runner.cleanup())
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["statuses"] == {"stored": 16}, done.stderr
