"""Names that no name server answers: whoever asks has an answer in bounded time, and nobody else is held up."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections import Counter

import pytest

from mediamirror.errors import ConnectFailed, HostUnavailable
from mediamirror.fetch.open import open_fetcher
from mediamirror.fetch.request import Request
from mediamirror.fetch.transport import Address, Names, NameServerSilent
from mediamirror.settings import FetchOptions

HERE = Address(socket.AF_INET, "127.0.0.1")


class Resolver:
    """Stands for getaddrinfo: names with "silent" in them block until the test ends or ``release`` is called."""

    def __init__(self):
        self.asked = Counter()
        self.blocked = 0
        self.gate = threading.Event()

    def __call__(self, host, port, **flags):
        self.asked[host] += 1
        if "silent" in host:
            self.blocked += 1
            self.gate.wait()
            self.blocked -= 1
        if "missing" in host:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def release(self):
        self.gate.set()


@pytest.fixture
def resolver():
    made = Resolver()
    yield made
    made.release()


async def test_a_silent_name_ends_in_its_time_and_what_is_found_later_serves_the_next(resolver, until):
    names = Names(0.01, ask=resolver)
    for _ in range(3):
        with pytest.raises(NameServerSilent):
            await names.look_up("silent.example")
    assert (resolver.asked["silent.example"], names.found("silent.example")) == (1, False)
    resolver.release()
    await until(lambda: names.found("silent.example"))
    assert await names.look_up("silent.example") == (HERE,)
    assert resolver.asked["silent.example"] == 1


async def test_all_who_ask_for_a_name_at_once_share_one_look_up_and_its_addresses_are_kept(resolver):
    names = Names(ask=resolver)
    found = await asyncio.gather(*(names.look_up("a.example") for _ in range(20)), names.look_up("b.example"))
    assert found == [(HERE,)] * 21
    await names.look_up("a.example")
    assert resolver.asked == {"a.example": 1, "b.example": 1}


async def test_a_name_that_is_not_found_is_asked_for_again(resolver):
    names = Names(ask=resolver)
    for _ in range(2):
        with pytest.raises(socket.gaierror, match="not known"):
            await names.look_up("missing.example")
    assert resolver.asked["missing.example"] == 2


async def test_who_gives_up_waiting_takes_nothing_from_the_others(resolver, until):
    names = Names(60, ask=resolver)
    first, second = (asyncio.create_task(names.look_up("silent.example")) for _ in range(2))
    await until(lambda: resolver.blocked)
    first.cancel()
    resolver.release()
    assert await second == (HERE,)


async def test_threads_are_bounded_and_a_name_that_was_found_before_needs_no_turn(resolver, until):
    names = Names(0.01, ask=resolver, at_once=3)
    await names.look_up("known.example")
    silent = [asyncio.create_task(names.look_up(f"silent{n}.example")) for n in range(9)]
    await until(lambda: resolver.blocked == 3)
    names._fresh = 0
    assert await names.look_up("known.example") == (HERE,)
    queued = asyncio.create_task(names.look_up("new.example"))
    await until(lambda: sum(task.done() for task in silent) == 3)
    assert (resolver.blocked, queued.done()) == (3, False)
    resolver.release()
    assert await queued == (HERE,)
    await asyncio.gather(*silent, return_exceptions=True)


def test_only_addresses_and_names_that_were_found_need_no_look_up():
    names = Names()
    assert [names.found(host) for host in ("127.0.0.1", "::1", "fe80::1", "localhost", "1.example")] == [
        *(True, True, True),
        *(False, False),
    ]


@pytest.mark.parametrize("robots", [True, False])
async def test_100_silent_names_in_front_hold_up_none_of_40_hosts(
    resolver, serve, make_routes, make_reply, tmp_path, robots
):
    origin = await serve(make_routes({"/a": make_reply(b"x")}))
    options = FetchOptions(concurrency=2, host_concurrency=1, allow_private=True, robots=robots)
    async with open_fetcher(options, spool_dir=tmp_path, names=Names(3600, ask=resolver)) as fetcher:
        silent = [
            asyncio.create_task(fetcher.fetch(Request(f"http://silent{n}.example:{origin.port}/a"))) for n in range(100)
        ]
        sound = [fetcher.fetch(Request(f"http://n{n}.example:{origin.port}/a")) for n in range(40)]
        assert [download.body.data for download in await asyncio.gather(*sound)] == [b"x"] * 40
        assert not any(task.done() for task in silent)
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)


@pytest.mark.parametrize("redirect", ["/a", "/robots.txt"])
async def test_a_redirect_to_a_silent_name_holds_no_connection(
    redirect, resolver, serve, make_routes, make_reply, tmp_path
):
    away = make_reply(b"", "302 x", Location="http://silent.example/x")
    routes = {"/a": make_reply(b"x"), redirect: away}
    if redirect != "/robots.txt":
        routes["/robots.txt"] = make_reply(b"")
    origin = await serve(make_routes(routes))
    options = FetchOptions(allow_private=True)
    async with open_fetcher(options, spool_dir=tmp_path, names=Names(0.05, ask=resolver)) as fetcher:
        with pytest.raises(ConnectFailed, match="the name server did not answer"):
            await fetcher.fetch(Request(origin.url("/a")))
        assert fetcher.transport.connections == 0


async def test_a_silent_name_is_looked_up_once_and_its_host_left_alone(resolver, tmp_path):
    async with open_fetcher(FetchOptions(retries=4), spool_dir=tmp_path, names=Names(0.01, ask=resolver)) as fetcher:
        with pytest.raises(
            ConnectFailed, match=r"silent\.example/a: the name of its host was not found in 0\.01 s"
        ) as caught:
            await fetcher.fetch(Request("http://silent.example/a"))
        assert (caught.value.deferred, caught.value.retryable) == (True, False)
        with pytest.raises(HostUnavailable):
            await fetcher.fetch(Request("http://silent.example/b"))
    assert resolver.asked == {"silent.example": 1}


async def test_a_name_that_no_dns_can_hold_is_an_ordinary_failure():
    with pytest.raises(socket.gaierror, match="can't be looked up"):
        await Names().look_up("a..b")


async def test_when_no_thread_can_be_started_the_look_up_fails(resolver, monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    names = Names(ask=resolver)
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(OSError, match="can't start new thread"):
        await names.look_up("a.example")
    monkeypatch.undo()
    assert await names.look_up("a.example") == (HERE,)


ENDS = """
import asyncio, socket, sys, threading
real = socket.getaddrinfo
def ask(host, *rest, **more):
    if "silent" in host:
        threading.Event().wait()  # for ever
    return real(host, *rest, **more)
socket.getaddrinfo = ask
from mediamirror import mirror
from mediamirror.settings import FetchOptions, MirrorOptions
options = MirrorOptions(fetch=FetchOptions(allow_private=True, connect_timeout=0.1))
summary = asyncio.run(mirror([sys.argv[1]], to=sys.argv[2], options=options))
print(summary.statuses)
"""


def test_a_run_ends_though_its_look_ups_never_do(tmp_path):
    text = tmp_path / "in.txt"
    text.write_text("".join(f"date x http://silent{n}.example/a_480.webp 480w, end\n" for n in range(30)))
    ran = subprocess.run(
        [sys.executable, "-c", ENDS, str(text), str(tmp_path / "out")],
        env={"XDG_STATE_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=240,  # it would be for ever
        check=False,
    )
    assert (ran.stderr, ran.stdout.strip()) == ("", "{'failed': 30}")
