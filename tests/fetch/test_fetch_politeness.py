"""Retry and politeness around a scripted fetcher, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from mediamirror.errors import ConnectFailed, HostBusy, HTTPStatus, InvalidURL
from mediamirror.fetch.hosts import Polite
from mediamirror.fetch.open import Retrying
from mediamirror.fetch.request import Request
from mediamirror.settings import FetchOptions


class Clock:
    """Time that passes only while someone sleeps; sleepers wake in order."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class Scripted:
    """Raises or returns, in turn, what the script says for a host; counts who is inside."""

    def __init__(self, clock, script=()):
        self.clock = clock
        self.script = list(script)
        self.starts = []
        self.inside = Counter()
        self.most = Counter()
        self.gate = None

    async def fetch(self, request):
        host = request.url.split("/")[2]
        self.starts.append((self.clock.now, request.url))
        for name in (host, "all"):
            self.inside[name] += 1
            self.most[name] = max(self.most[name], self.inside[name])
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
            step = self.script.pop(0) if self.script else "ok"
            if isinstance(step, Exception):
                raise step
            return step
        finally:
            self.inside.subtract([host, "all"])


def busy(status=503, after=None):
    return HTTPStatus("busy", status=status, retry_after=after)


def polite(fetcher, clock, **options):
    return Polite(fetcher, FetchOptions(**options), clock=clock, sleep=clock.sleep)


def retrying(fetcher, clock, **options):
    return Retrying(fetcher, FetchOptions(**options), clock=clock, random=Random(7), sleep=clock.sleep)


async def test_a_retry_comes_after_jitter_and_succeeds():
    clock = Clock()
    inner = Scripted(clock, [ConnectFailed("x"), busy(500), "found"])
    assert await retrying(inner, clock, retries=3).fetch(Request("http://a/1")) == "found"
    assert len(clock.slept) == 2
    assert 0 <= clock.slept[0] <= 0.5
    assert 0 <= clock.slept[1] <= 1.0


async def test_the_same_seed_gives_the_same_delays():
    async def delays():
        clock = Clock()
        await retrying(Scripted(clock, [ConnectFailed("x")] * 3), clock).fetch(Request("http://a/1"))
        return clock.slept

    assert await delays() == await delays()


async def test_retries_end_and_the_last_error_is_raised():
    clock = Clock()
    inner = Scripted(clock, [ConnectFailed(str(n)) for n in range(9)])
    with pytest.raises(ConnectFailed, match="2"):
        await retrying(inner, clock, retries=2).fetch(Request("http://a/1"))
    assert len(inner.starts) == 3


async def test_what_cannot_pass_is_not_tried_again():
    clock = Clock()
    inner = Scripted(clock, [InvalidURL("x")])
    with pytest.raises(InvalidURL):
        await retrying(inner, clock).fetch(Request("http://a/1"))
    assert (len(inner.starts), clock.slept) == (1, [])


async def test_retry_after_is_honoured_and_capped():
    clock = Clock()
    await retrying(Scripted(clock, [busy(429, 60)]), clock, retry_after_cap=120).fetch(Request("http://a/1"))
    assert 60 <= clock.slept[0] <= 66
    with pytest.raises(HTTPStatus):
        await retrying(Scripted(clock, [busy(429, 121)]), clock, retry_after_cap=120).fetch(Request("http://a/1"))


async def test_limits_hold_per_host_and_over_all():
    clock = Clock()
    inner = Scripted(clock)
    fetcher = polite(inner, clock, concurrency=5, host_concurrency=2)
    await asyncio.gather(*(fetcher.fetch(Request(f"http://{host}/{n}")) for n in range(20) for host in "abcdef"))
    assert len(inner.starts) == 120
    assert max(inner.most[host] for host in "abcdef") <= 2
    assert inner.most["all"] == 5


async def test_a_host_gets_all_of_its_slots():
    clock = Clock()
    inner = Scripted(clock)
    fetcher = polite(inner, clock, host_concurrency=3)
    await asyncio.gather(*(fetcher.fetch(Request(f"http://a/{n}")) for n in range(20)))
    assert inner.most["a"] == 3


async def test_two_ports_are_one_host():
    clock = Clock()
    inner = Scripted(clock)
    fetcher = polite(inner, clock, host_concurrency=1)
    await asyncio.gather(*(fetcher.fetch(Request(f"http://h:{port}/")) for port in range(1, 9)))
    assert inner.most["all"] == 1


async def test_waiting_for_a_busy_host_keeps_no_global_slot():
    clock = Clock()
    inner = Scripted(clock)
    inner.gate = asyncio.Event()
    fetcher = polite(inner, clock, concurrency=3, host_concurrency=1)
    stuck = [asyncio.create_task(fetcher.fetch(Request(f"http://busy/{n}"))) for n in range(10)]
    other = [asyncio.create_task(fetcher.fetch(Request(f"http://{host}/"))) for host in "ab"]
    for _ in range(5):
        await asyncio.sleep(0)
    assert inner.inside["all"] == 3
    assert {url for _, url in inner.starts} == {"http://busy/0", "http://a/", "http://b/"}
    inner.gate.set()
    await asyncio.gather(*stuck, *other)


async def test_starts_to_one_host_are_spaced_and_other_hosts_are_not_held_up():
    clock = Clock()
    inner = Scripted(clock)
    fetcher = polite(inner, clock, delay=2.0, host_concurrency=3)
    await asyncio.gather(
        *(fetcher.fetch(Request(f"http://a/{n}")) for n in range(4)), fetcher.fetch(Request("http://b/"))
    )
    times = [at for at, url in inner.starts if url.startswith("http://a/")]
    assert [later - earlier for earlier, later in pairwise(times)] == [2.0, 2.0, 2.0]
    assert next(at for at, url in inner.starts if url == "http://b/") == 1000.0


async def test_one_429_quiets_the_host_for_everyone():
    clock = Clock()
    inner = Scripted(clock, [busy(429, 30)])
    fetcher = polite(inner, clock, host_concurrency=1)
    with pytest.raises(HTTPStatus):
        await fetcher.fetch(Request("http://a/1"))
    await fetcher.fetch(Request("http://b/1"))
    assert clock.now == 1000.0
    await fetcher.fetch(Request("http://a/2"))
    assert inner.starts[-1] == (1030.0, "http://a/2")


async def test_a_pause_over_the_cap_fails_at_once_without_asking_the_origin():
    clock = Clock()
    inner = Scripted(clock, [busy(503, 500)])
    fetcher = polite(inner, clock, retry_after_cap=120)
    with pytest.raises(HTTPStatus):
        await fetcher.fetch(Request("http://a/1"))
    with pytest.raises(HostBusy, match=r"wants no requests for 500 s more \(it answered 503\)") as caught:
        await fetcher.fetch(Request("http://a/2"))
    assert (caught.value.code, caught.value.retryable) == ("host-backoff", False)
    assert len(inner.starts) == 1
    clock.now += 400
    await fetcher.fetch(Request("http://a/3"))


async def test_cancelled_waiters_give_their_place_back():
    clock = Clock()
    inner = Scripted(clock)
    inner.gate = asyncio.Event()
    fetcher = polite(inner, clock, concurrency=1, host_concurrency=1)
    tasks = [asyncio.create_task(fetcher.fetch(Request("http://a/"))) for _ in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    inner.gate.set()
    assert await fetcher.fetch(Request("http://a/")) == "ok"


async def test_hosts_nobody_asks_any_more_are_forgotten():
    clock = Clock()
    fetcher = polite(Scripted(clock), clock)
    for n in range(5000):
        await fetcher.fetch(Request(f"http://host-{n}/"))
    assert len(fetcher._hosts) <= 1024
