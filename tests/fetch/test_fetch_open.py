"""The whole stack, as a job opens it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import ssl
import subprocess
import sys

import pytest
import trustme

from mediamirror import errors
from mediamirror.fetch.answer import robots_token
from mediamirror.fetch.guard import Guard, parse_connect_to
from mediamirror.fetch.open import open_fetcher
from mediamirror.fetch.request import Request
from mediamirror.settings import FetchOptions


def loopback(**chosen):
    """Options for origins on this machine, which the guard refuses otherwise."""
    return FetchOptions(allow_private=True, **chosen)


async def test_a_run_asks_robots_first_and_names_itself(serve, make_routes, make_reply, tmp_path):
    origin = await serve(make_routes({"/a.webp": make_reply(b"pixels")}))
    async with open_fetcher(loopback(), spool_dir=tmp_path) as fetcher:
        download = await fetcher.fetch(Request(origin.url("/a.webp")))
    assert download.body.data == b"pixels"
    assert origin.targets == ["/robots.txt", "/a.webp"]
    version = importlib.metadata.version("mediamirror")
    assert {seen.headers["user-agent"] for seen in origin.seen} == {f"mediamirror/{version}"}


async def test_robots_refuse_and_can_be_switched_off(serve, make_routes, make_reply, tmp_path):
    pages = {"/robots.txt": make_reply(b"User-agent: *\nDisallow: /"), "/a": make_reply(b"x")}
    origin = await serve(make_routes(pages))
    async with open_fetcher(loopback(), spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.RobotsRefused):
            await fetcher.fetch(Request(origin.url("/a")))
    async with open_fetcher(loopback(robots=False), spool_dir=tmp_path) as fetcher:
        await fetcher.fetch(Request(origin.url("/a")))
    assert origin.targets == ["/robots.txt", "/a"]


async def test_waiting_for_a_robots_txt_keeps_no_slot(serve, make_routes, make_reply, until, tmp_path):
    async def silence(seen, writer):
        await asyncio.sleep(60)

    stuck = await serve(silence)
    origin = await serve(make_routes({"/a": make_reply(b"x")}))
    options = loopback(concurrency=1, host_concurrency=1)
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        tasks = [asyncio.create_task(fetcher.fetch(Request(stuck.url(f"/{n}")))) for n in range(5)]
        await until(lambda: stuck.seen)
        assert (await fetcher.fetch(Request(origin.url("/a")))).body.data == b"x"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert stuck.targets == ["/robots.txt"]


async def test_a_redirect_meets_the_robots_of_its_goal(serve, make_routes, make_reply, tmp_path):
    goal = await serve(make_routes({"/robots.txt": make_reply(b"User-agent: *\nDisallow: /"), "/b": make_reply(b"x")}))
    origin = await serve(make_routes({"/a": make_reply(b"", "302 x", Location=goal.url("/b"))}))
    async with open_fetcher(loopback(), spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.RobotsRefused):
            await fetcher.fetch(Request(origin.url("/a")))
    assert goal.targets == ["/robots.txt"]


async def test_a_broken_transfer_is_tried_again(serve, make_reply, tmp_path):
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", make_reply(b"whole")]

    async def answer(seen, writer):
        writer.write(answers.pop(0))

    class Soon:
        def uniform(self, low, high):
            return 0.0

    origin = await serve(answer, keep=False)
    async with open_fetcher(loopback(robots=False), spool_dir=tmp_path, random=Soon()) as fetcher:
        assert (await fetcher.fetch(Request(origin.url()))).body.data == b"whole"


async def test_seed_paths_over_tls_with_connect_to_and_cacert(serve, make_routes, make_reply, tls, cacert, tmp_path):
    path = "/media/2/14/abc-sm-___webp_480.webp"
    origin = await serve(make_routes({path: make_reply(b"pixels")}), context=tls("news.example"))
    options = loopback(connect_to=(parse_connect_to(f"news.example:443:127.0.0.1:{origin.port}"),), cacert=cacert)
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        download = await fetcher.fetch(Request(f"https://news.example{path}"))
    assert download.final_url == f"https://news.example{path}"
    assert origin.seen[-1].sni == origin.seen[-1].headers["host"] == "news.example"


async def test_an_untrusted_certificate_is_a_tls_failure_that_names_the_way_out(serve, make_reply, tls, tmp_path):
    origin = await serve(make_reply(b"x"), context=tls("127.0.0.1"))
    async with open_fetcher(loopback(retries=0), spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.TLSFailed, match=r"not trusted.*--cacert"):
            await fetcher.fetch(Request(origin.url()))


async def test_tls_to_a_server_without_tls_is_a_tls_failure(tmp_path):
    async def greet(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_fetcher(loopback(retries=0, robots=False), spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.TLSFailed, match="handshake"):
            await fetcher.fetch(Request(f"https://127.0.0.1:{port}/"))


async def test_secrets_do_not_follow_from_https_to_http(serve, make_routes, make_reply, tls, cacert, tmp_path):
    plain = await serve(make_reply(b"x"))
    origin = await serve(make_reply(b"", "302 x", Location=plain.url("/b")), context=tls("127.0.0.1"))
    options = loopback(headers=(("Cookie", "c=1"),), cacert=cacert, robots=False)
    async with open_fetcher(options, spool_dir=tmp_path, own_hosts=frozenset({"127.0.0.1"})) as fetcher:
        await fetcher.fetch(Request(origin.url("/a")))
    assert ("cookie" in origin.seen[0].headers, "cookie" in plain.seen[0].headers) == (True, False)


async def test_robots_txt_is_asked_without_secrets(serve, make_routes, make_reply, tmp_path):
    origin = await serve(make_routes({"/a": make_reply(b"x")}))
    options = loopback(headers=(("Cookie", "c=1"),))
    async with open_fetcher(options, spool_dir=tmp_path, own_hosts=frozenset({"127.0.0.1"})) as fetcher:
        await fetcher.fetch(Request(origin.url("/a")))
    assert [("cookie" in seen.headers) for seen in origin.seen] == [False, True]


async def test_every_hop_of_the_stack_passes_the_guard(serve, make_routes, make_reply, tmp_path):
    dials = []
    goal = await serve(make_routes({"/b": make_reply(b"x")}))
    origin = await serve(make_routes({"/a": make_reply(b"", "302 x", Location=goal.url("/b", host="localhost"))}))
    guard = Guard(policy=lambda dial: dials.append((dial.host, dial.port)))
    async with open_fetcher(loopback(robots=False), spool_dir=tmp_path, guard=guard) as fetcher:
        await fetcher.fetch(Request(origin.url("/a")))
    assert {("127.0.0.1", origin.port), ("localhost", goal.port)} <= set(dials)


async def test_nothing_is_left_open_after_a_run(serve, until, tmp_path):
    async def silence(seen, writer):
        await asyncio.sleep(60)

    origin = await serve(silence)
    async with open_fetcher(loopback(robots=False), spool_dir=tmp_path) as fetcher:
        task = asyncio.create_task(fetcher.fetch(Request(origin.url())))
        await until(lambda: origin.seen)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert fetcher.transport.connections == 0


async def test_a_missing_or_senseless_cacert_is_a_usage_error(tmp_path):
    senseless = tmp_path / "ca.pem"
    senseless.write_text("no certificate")
    for cacert in (tmp_path / "nowhere.pem", senseless):
        with pytest.raises(errors.UsageError, match="--cacert"):
            async with open_fetcher(loopback(cacert=cacert), spool_dir=tmp_path):
                pass


def test_the_robots_token_is_the_product_of_the_user_agent():
    agents = ["mediamirror/0.1", "My Bot/2 (+x)", "", " / ", "Solo"]
    assert [robots_token(agent) for agent in agents] == ["mediamirror", "my", "mediamirror", "mediamirror", "solo"]


def test_reading_options_does_not_import_the_http_client():
    code = (
        "import sys; from mediamirror.fetch.request import parse_header; from mediamirror.fetch.guard import parse_connect_to;"
        "print('pycurl' in sys.modules or 'httpx2' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


async def test_a_certificate_of_another_host_or_of_nobody_is_refused_beside_a_cacert(
    serve, make_reply, tls, cacert, tmp_path
):
    unknown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(unknown)
    for context in (tls("127.0.0.2"), unknown):
        origin = await serve(make_reply(b"x"), context=context)
        async with open_fetcher(loopback(retries=0, robots=False, cacert=cacert), spool_dir=tmp_path) as fetcher:
            with pytest.raises(errors.TLSFailed, match="not trusted"):
                await fetcher.fetch(Request(origin.url()))
        assert origin.seen == []
