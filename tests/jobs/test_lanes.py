"""Work handed out host by host, on virtual time: who is asked when, how many at once, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import pytest

from mediamirror.errors import ConnectFailed, FetchError, HTTPStatus
from mediamirror.fetch.hosts import PROBES, Hosts, Polite
from mediamirror.fetch.open import Retrying
from mediamirror.fetch.request import Request
from mediamirror.jobs.run import lanes
from mediamirror.jobs.run.lanes import Later, run_lanes
from mediamirror.settings import FetchOptions
from tests.virtual_time import run


class Source:
    """Items host by host, made when they are read; counts how many are read and not yet taken."""

    def __init__(self, counts):
        self.counts = counts
        self.read_in_all = 0
        self.most_at_once = 0

    async def lanes(self):
        first = 1
        for host, number in self.counts.items():
            yield host, first, first + number - 1
            first += number

    async def read(self, after, last, limit):
        places = range(after + 1, min(last, after + limit) + 1)
        self.read_in_all += len(places)
        self.most_at_once = max(self.most_at_once, len(places))
        first = 1
        for host, number in self.counts.items():
            if first <= after + 1 < first + number:
                return [(place, f"http://{host}/{place}") for place in places]
            first += number
        return []


class Web:
    """Origins with a latency each; ``fault(host, url, try)`` may raise. Remembers when who was asked, and the most at once."""

    def __init__(self, latency=lambda host: 0.1, fault=lambda host, url, tried: None):
        self.latency = latency
        self.fault = fault
        self.asked = defaultdict(list)
        self.tried = Counter()
        self.inside = Counter()
        self.most = Counter()
        self.busy = 0.0

    async def fetch(self, request):
        host = request.url.split("/")[2]
        loop = asyncio.get_running_loop()
        self.asked[host].append(loop.time())
        self.tried[request.url] += 1
        for name in (host, "all"):
            self.inside[name] += 1
            self.most[name] = max(self.most[name], self.inside[name])
        try:
            await asyncio.sleep(self.latency(host))
            self.busy += self.latency(host)
            self.fault(host, request.url, self.tried[request.url])
            return request.url
        finally:
            self.inside.subtract([host, "all"])


class Result(dict):
    """URL to what became of it, and when."""

    def __init__(self):
        super().__init__()
        self.at = {}
        self.handled = 0
        self.open = 0
        self.most_open = 0

    def codes(self, host):
        return Counter(code for url, code in self.items() if url.split("/")[2] == host)

    def ended(self, host):
        return max(at for url, at in self.at.items() if url.split("/")[2] == host)


def mirror(source, web, **chosen):
    """Run the items of a source through the real stack of retry, politeness and lanes."""
    options = FetchOptions(**chosen)
    results = Result()

    async def work():
        loop = asyncio.get_running_loop()
        hosts = Hosts(options, clock=loop.time, random=Random(1))
        polite = Polite(web, options, hosts=hosts, clock=loop.time)
        fetcher = Retrying(polite, options, clock=loop.time, random=Random(2))

        async def handle(url):
            results.handled += 1
            results.open += 1
            results.most_open = max(results.most_open, results.open)
            try:
                await fetcher.fetch(Request(url))
            except FetchError as error:
                result = (url, error.code)
                return Later(result) if error.deferred else result
            finally:
                results.open -= 1
            return url, "ok"

        async def record(batch):
            for url, code in batch:
                assert url not in results
                results[url] = code
                results.at[url] = loop.time()

        await run_lanes(
            source,
            handle,
            record,
            width=options.concurrency,
            host_width=options.host_concurrency,
            outlook=hosts.outlook,
        )

    run(work())
    return results


def test_200_hosts_are_all_kept_busy_and_none_is_asked_more_than_it_bears():
    source = Source({f"h{n}": 20 for n in range(200)})
    web = Web(latency=lambda host: 0.05 + int(host[1:]) % 7 / 1000)
    results = mirror(source, web, concurrency=64, host_concurrency=2)
    assert Counter(results.values()) == {"ok": 4_000}
    assert max(most for host, most in web.most.items() if host != "all") <= 2
    assert web.most["all"] == 64
    # 64 requests at once from the first to the last second, but for the last few.
    assert web.busy / (64 * max(results.at.values())) > 0.97
    assert max(times[0] for times in web.asked.values()) < 0.5


def test_with_room_for_all_every_host_is_asked_as_much_as_it_bears_from_start_to_end():
    web = Web(latency=lambda host: 0.1)
    results = mirror(Source({f"h{n}": 20 for n in range(200)}), web, concurrency=400, host_concurrency=2)
    assert max(results.at.values()) == pytest.approx(20 / 2 * 0.1, rel=0.03)  # results gather for 20 ms
    assert {most for host, most in web.most.items() if host != "all"} == {2}


def test_3000_urls_of_a_slow_host_in_front_of_all_others_hold_up_nobody():
    source = Source({"slow": 3_000, **{f"h{n}": 100 for n in range(50)}})
    web = Web(latency=lambda host: 20.0 if host == "slow" else 0.1)
    others = 50 * 100 * 0.1 / (64 - 6)
    results = mirror(source, web, concurrency=64, host_concurrency=6)
    assert Counter(results.values()) == {"ok": 8_000}
    assert max(results.ended(f"h{n}") for n in range(50)) < 1.1 * others
    assert web.most["slow"] == 6
    # 64 at work, and at every host no more that wait than it takes at once, but for one volley.
    assert results.most_open < 51 * 2 * 6 + 64


def test_what_is_read_ahead_is_bounded_whatever_the_number_of_items():
    source = Source({f"h{n}": 10_000 for n in range(100)})
    web = Web()
    begun = asyncio.Event()

    async def start():
        async def handle(url):
            begun.set()
            await asyncio.sleep(1e6)

        async def record(batch):
            raise AssertionError

        task = asyncio.create_task(
            run_lanes(
                source,
                handle,
                record,
                width=64,
                host_width=6,
                outlook=Hosts(FetchOptions(), clock=lambda: 0.0, random=Random(1)).outlook,
            )
        )
        await begun.wait()
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(start())
    assert 64 <= source.read_in_all <= lanes.READ_AHEAD
    assert not web.asked


def test_a_host_that_wants_a_pause_is_left_alone_and_the_others_go_on():
    def fault(host, url, tried):
        if host == "quiet" and web.tried.total() < 40:
            raise HTTPStatus("busy", status=503, retry_after=60)

    source = Source({"quiet": 100, **{f"h{n}": 100 for n in range(30)}})
    web = Web(fault=fault)
    results = mirror(source, web, concurrency=16, host_concurrency=4)
    assert Counter(results.values()) == {"ok": 3_100}
    assert max(results.ended(f"h{n}") for n in range(30)) < 1.1 * 3_000 * 0.1 / 15
    pauses = [later for later in web.asked["quiet"] if later > 1]
    assert min(pauses) >= 60


def test_over_the_cap_a_host_comes_back_at_the_end_if_it_is_ready_by_then():
    def fault(host, url, tried):
        if host == "quiet" and asyncio.get_running_loop().time() < 300:
            raise HTTPStatus("busy", status=429, retry_after=300)

    source = Source({"quiet": 30, "busy": 6_000})
    web = Web(fault=fault)
    results = mirror(source, web, host_concurrency=1, retry_after_cap=120)
    assert Counter(results.values()) == {"ok": 6_030}
    # Once before the pause, then nobody until it was over.
    assert len([at for at in web.asked["quiet"] if at < 300]) == 1


def test_over_the_cap_when_nothing_else_is_left_its_items_are_named_without_asking_it():
    def fault(host, url, tried):
        if host == "quiet":
            raise HTTPStatus("busy", status=429, retry_after=3600)

    web = Web(fault=fault)
    results = mirror(Source({"quiet": 500, "h": 10}), web, host_concurrency=2)
    assert results.codes("quiet") == {"http-status": 2, "host-backoff": 498}
    assert len(web.asked["quiet"]) == 2
    assert results.codes("h") == {"ok": 10}
    assert max(results.at.values()) < 10


def test_a_host_that_never_answers_costs_a_few_tries_and_no_time():
    def fault(host, url, tried):
        if host == "dead":
            raise ConnectFailed("no route")

    web = Web(fault=fault)
    results = mirror(Source({"dead": 5_000, **{f"h{n}": 20 for n in range(20)}}), web)
    assert set(results.codes("dead")) == {"connect-failed", "host-unavailable"}
    assert results.codes("dead").total() == 5_000
    assert len(web.asked["dead"]) < 40
    assert sum(results.codes(f"h{n}")["ok"] for n in range(20)) == 400
    assert max(results.at.values()) < 30


def test_a_host_that_falls_away_for_a_while_is_probed_and_loses_nothing():
    def fault(host, url, tried):
        if host == "flaky" and 5 < asyncio.get_running_loop().time() < 17:
            raise ConnectFailed("down")

    web = Web(fault=fault)
    results = mirror(Source({"flaky": 1_000}), web)
    assert results.codes("flaky") == {"ok": 1_000}
    # While it is down: what was under way, retries of that until the breaker opened, and one probe.
    down = [at for at in web.asked["flaky"] if 5 < at < 17]
    assert len(down) < 30
    assert len([at for at in down if at > 7]) == 1
    # What was under way or waited when the breaker opened is handed in again, and the probe.
    assert results.handled < 1_075


def test_a_host_that_falls_away_for_good_is_given_up_after_its_probes():
    def fault(host, url, tried):
        if asyncio.get_running_loop().time() > 2:
            raise ConnectFailed("down")

    web = Web(fault=fault)
    results = mirror(Source({"gone": 3_000}), web)
    assert results.codes("gone").total() == 3_000
    assert results.codes("gone")["ok"] > 50
    assert results.codes("gone")["host-unavailable"] > 2_500
    assert sum(PROBES) < max(results.at.values()) < sum(PROBES) + 20


def test_spacing_holds_at_one_place_while_others_are_asked():
    web = Web(latency=lambda host: 0.01)
    results = mirror(Source({"a": 20, "b": 20}), web, delay=2.0)
    assert Counter(results.values()) == {"ok": 40}
    for host in "ab":
        times = web.asked[host]
        assert min(b - a for a, b in pairwise(times)) >= 2.0
    assert max(results.at.values()) == pytest.approx(19 * 2.0, abs=0.5)


def test_one_place_in_all_is_enough_for_hosts_that_wait():
    def fault(host, url, tried):
        if tried == 1:
            raise HTTPStatus("busy", status=500)

    results = mirror(Source({f"h{n}": 7 for n in range(9)}), Web(fault=fault), concurrency=1, host_concurrency=1)
    assert Counter(results.values()) == {"ok": 63}


def test_no_more_tasks_wait_aside_at_once_than_memory_is_kept_for(monkeypatch):
    monkeypatch.setattr(lanes, "MOST_ASIDE", 20)

    def fault(host, url, tried):
        if tried == 1:
            raise HTTPStatus("busy", status=503, retry_after=60)

    results = mirror(Source({f"h{n}": 2 for n in range(300)}), Web(fault=fault), concurrency=8)
    assert Counter(results.values()) == {"ok": 600}
    # Those under way may all step aside when no more are begun.
    assert 20 <= results.most_open <= 20 + 2 * 8


def test_more_dead_hosts_than_lanes_do_not_keep_the_living_from_their_turn(monkeypatch):
    monkeypatch.setattr(lanes, "OPEN_LANES", 20)

    def fault(host, url, tried):
        if host.startswith("dead"):
            raise ConnectFailed("no route")

    source = Source({**{f"dead{n}": 30 for n in range(200)}, "alive": 200})
    results = mirror(source, Web(fault=fault), concurrency=8)
    assert results.codes("alive") == {"ok": 200}
    assert len(results) == 6_200


def test_a_sick_run_of_random_faults_ends_whole_and_the_same_way_twice():
    def once():
        random = Random(5)

        def fault(host, url, tried):
            if random.random() < 0.2:
                raise random.choice(
                    [ConnectFailed("x"), HTTPStatus("x", status=500), HTTPStatus("x", status=503, retry_after=1)]
                )

        web = Web(fault=fault)
        return mirror(Source({f"h{n}": 200 for n in range(20)}), web), web

    (results, web), (again, web_again) = once(), once()
    assert results == again
    assert web.asked == web_again.asked
    assert Counter(results.values())["ok"] >= 0.999 * 4_000
    assert web.tried.total() < 1.35 * 4_000


def test_a_host_that_only_fails_gets_no_more_retries_than_its_budget():
    def fault(host, url, tried):
        raise HTTPStatus("x", status=500)

    web = Web(fault=fault)
    mirror(Source({"sick": 2_000}), web)
    assert 2_000 < web.tried.total() <= 2_050


def test_when_cancelled_what_is_finished_is_recorded_and_tasks_aside_end():
    async def work():
        seen = []
        loop = asyncio.get_running_loop()
        options = FetchOptions(host_concurrency=1)
        hosts = Hosts(options, clock=loop.time, random=Random(1))
        polite = Polite(Web(latency=lambda host: 1.0), options, hosts=hosts, clock=loop.time)

        async def record(batch):
            seen.extend(batch)

        task = asyncio.create_task(
            run_lanes(
                Source({"a": 100}),
                lambda url: polite.fetch(Request(url)),
                record,
                width=4,
                host_width=1,
                outlook=hosts.outlook,
            )
        )
        await asyncio.sleep(10.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert len(run(work())) == 10
