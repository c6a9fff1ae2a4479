"""What a run learns of each host, on a clock of the test's own; and how requests and redirects follow from it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest

from mediamirror.errors import (
    AddressRefused,
    ConnectFailed,
    ConnectionLost,
    HostBusy,
    HostUnavailable,
    HTTPStatus,
    NotHTTP,
    RobotsTagRefused,
    TooSlow,
    UsageError,
)
from mediamirror.fetch.answer import check_robots_tag, directives
from mediamirror.fetch.body import Bucket
from mediamirror.fetch.hosts import BREAK_AFTER, LAST_PROBE, LONGEST_CRAWL_DELAY, NOW, PROBES, Hosts, Polite
from mediamirror.fetch.open import BUDGET, REFUND, RetryBudget, Retrying, open_fetcher
from mediamirror.fetch.request import Request, default_user_agent, user_agent
from mediamirror.settings import FetchOptions, Rewired
from tests.virtual_time import run

LOST = ConnectionLost("x")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def hosts(clock):
    return Hosts(FetchOptions(), clock=clock, random=Random(3))


def fail(hosts, error, times=1):
    host = hosts.get("h")
    for _ in range(times):
        hosts.failed(host, error, hosts._clock())


def test_the_breaker_opens_after_so_many_failures_in_a_row(hosts):
    fail(hosts, LOST, BREAK_AFTER - 1)
    assert hosts.outlook("h") == NOW
    fail(hosts, TooSlow("x"))
    assert hosts.outlook("h").seconds == PROBES[0]
    with pytest.raises(HostUnavailable, match=r"could not be reached several times in a row \(too-slow\)"):
        hosts.check("h", "http://h/1")
    assert hosts.outlook("other") == NOW


@pytest.mark.parametrize("answer", [None, HTTPStatus("x", status=404), NotHTTP("an odd head")])
def test_an_answer_in_between_keeps_the_breaker_closed(hosts, answer):
    fail(hosts, LOST, BREAK_AFTER - 1)
    hosts.answered(hosts.get("h")) if answer is None else fail(hosts, answer)
    fail(hosts, LOST, BREAK_AFTER - 1)
    assert hosts.outlook("h") == NOW


def test_answers_that_are_no_http_open_no_breaker(hosts):
    fail(hosts, NotHTTP("an odd head"), 3 * BREAK_AFTER)
    assert hosts.outlook("h") == NOW


def test_what_says_nothing_of_the_host_neither_opens_nor_closes(hosts):
    fail(hosts, LOST, BREAK_AFTER - 1)
    fail(hosts, AddressRefused("x"), BREAK_AFTER)
    assert hosts.outlook("h") == NOW
    fail(hosts, LOST)
    assert hosts.outlook("h").seconds > 0


def test_probes_come_ever_later_and_one_answer_closes_the_breaker(hosts, clock):
    hosts.answered(hosts.get("h"))
    fail(hosts, LOST, BREAK_AFTER)
    for pause, hopeful in ((*PROBES[:1], True), (*PROBES[1:], True), (LAST_PROBE, False), (LAST_PROBE, False)):
        view = hosts.outlook("h")
        assert (view.seconds, view.hopeful, view.probe) == (pause, hopeful, True)
        clock.now += pause
        assert hosts.outlook("h").seconds == 0
        hosts.check("h", "http://h/1")
        assert hosts.start(hosts.get("h")) == 0
        with pytest.raises(HostUnavailable):  # one probe, no more
            hosts.check("h", "http://h/2")
        fail(hosts, LOST)
    clock.now += LAST_PROBE
    hosts.start(hosts.get("h"))
    hosts.answered(hosts.get("h"))
    assert hosts.outlook("h") == NOW


def test_a_probe_that_is_cancelled_is_still_owed(hosts, clock):
    fail(hosts, LOST, BREAK_AFTER)
    clock.now += PROBES[0]
    hosts.start(hosts.get("h"))
    hosts.abandoned(hosts.get("h"))
    hosts.check("h", "http://h/1")


def test_a_host_that_never_answered_is_not_worth_waiting_for(hosts):
    fail(hosts, LOST, BREAK_AFTER)
    assert not hosts.outlook("h").hopeful


def test_503_without_a_time_quiets_the_host_for_longer_each_time_and_a_volley_counts_once(hosts, clock):
    longest = []
    for _ in range(12):
        began = clock.now
        for _ in range(6):
            hosts.failed(hosts.get("h"), HTTPStatus("x", status=503), began)
        longest.append(hosts.outlook("h").seconds)
        assert hosts.get("h").strikes == len(longest)
        clock.now = max(clock.now, hosts.get("h").quiet_until) + 0.001
    assert all(pause <= min(30.0, 0.5 * 2.0**n) for n, pause in enumerate(longest))
    assert max(longest) > 5
    hosts.answered(hosts.get("h"))
    assert hosts.get("h").strikes == 0


def test_a_crawl_delay_is_kept_up_to_the_cap_and_never_shortens_our_own(clock):
    hosts = Hosts(FetchOptions(delay=2.0), clock=clock, random=Random(3))
    assert hosts.get("h").spacing == 2.0
    for asked, kept in ((1.0, 2.0), (7.5, 7.5), (3600.0, LONGEST_CRAWL_DELAY)):
        hosts.space("h", asked)
        assert hosts.get("h").spacing == kept


def test_a_retry_budget_ends_and_is_earned_back_by_successes():
    budget = RetryBudget()
    assert [budget.take("h") for _ in range(60)].count(True) == BUDGET
    assert budget.take("other")
    for _ in range(101):
        budget.succeeded("h")
    assert [budget.take("h") for _ in range(60)].count(True) == int(101 * REFUND)
    for _ in range(1000):
        budget.succeeded("h")
        budget.succeeded("other")
    assert not budget._left


async def test_when_the_breaker_opens_meanwhile_the_items_own_error_is_raised_to_be_handed_in_again():
    script = [ConnectFailed("no route"), HostUnavailable("not asked")]

    class Scripted:
        async def fetch(self, request):
            raise script.pop(0)

    async def no_time(seconds):
        return None

    with pytest.raises(ConnectFailed, match="no route") as caught:
        await Retrying(Scripted(), FetchOptions(), sleep=no_time).fetch(Request("http://h/1"))
    assert caught.value.deferred
    assert not script


async def test_a_pause_over_the_cap_says_that_the_item_may_be_handed_in_again():
    class Busy:
        async def fetch(self, request):
            raise HTTPStatus("busy", status=503, retry_after=121)

    with pytest.raises(HTTPStatus) as caught:
        await Retrying(Busy(), FetchOptions(retry_after_cap=120)).fetch(Request("http://h/1"))
    assert caught.value.deferred


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_of_a_real_answer_quiets_its_host_and_no_other(form, serve, make_reply, client):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=500), usegmt=True)
    origin = await serve(make_reply(b"", "503 Service Unavailable", Retry_After="500" if form == "seconds" else at))
    polite = Polite(client(), FetchOptions(retry_after_cap=120))
    with pytest.raises(HTTPStatus):
        await polite.fetch(Request(origin.url()))
    with pytest.raises(HostBusy, match=r"for (499|500) s more"):
        await polite.fetch(Request(origin.url("/b")))
    with pytest.raises(HTTPStatus):
        await polite.fetch(Request(origin.url("/c", host="localhost")))
    assert origin.targets == ["/a.webp", "/c"]


def rewired(*pairs):
    return tuple(Rewired(host, None, "127.0.0.1", origin.port) for host, origin in pairs)


async def test_a_redirect_waits_for_a_place_at_its_goal_and_counts_there(serve, make_reply, tmp_path, until):
    inside = most = 0
    gate = asyncio.Event()

    async def slow(seen, writer):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await gate.wait()
        inside -= 1
        writer.write(make_reply(b"x"))

    goal = await serve(slow)

    async def away(seen, writer):
        writer.write(make_reply(b"", "302 Found", Location=f"http://goal.example{seen.target.decode()}"))

    doors = [await serve(away) for _ in range(4)]
    names = [f"door{n}.example" for n in range(4)]
    options = FetchOptions(
        robots=False, host_concurrency=2, connect_to=rewired(("goal.example", goal), *zip(names, doors, strict=True))
    )
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        tasks = [asyncio.create_task(fetcher.fetch(Request(f"http://{name}/{n}"))) for name in names for n in range(3)]
        await until(
            lambda: inside == 2 and sum(len(door.seen) for door in doors) == 12
        )  # nobody who waits at the goal keeps a door shut
        gate.set()
        await asyncio.gather(*tasks)
    assert most == 2
    assert len(goal.seen) == 12


async def test_crawl_delay_in_robots_txt_spaces_the_requests(serve, make_routes, make_reply, tmp_path, caplog):
    rules = make_reply(b"User-agent: mediamirror\nCrawl-delay: 90\n\nUser-agent: *\nCrawl-delay: 1")
    origin = await serve(make_routes({"/robots.txt": rules, "/a": make_reply(b"x")}))
    async with open_fetcher(FetchOptions(allow_private=True), spool_dir=tmp_path) as fetcher:
        await fetcher.fetch(Request(origin.url("/a")))
        assert 1 < fetcher.outlook(f"127.0.0.1:{origin.port}").seconds <= LONGEST_CRAWL_DELAY
    assert "asks for a Crawl-delay of 90 s; 30 s are kept" in caplog.text


async def test_sitemaps_are_told_from_the_robots_txt_that_was_read_already(serve, make_routes, make_reply, tmp_path):
    rules = make_reply(
        b"\xef\xbb\xbfSitemap: /one.xml\nUser-agent: *\nDisallow:\nsitemap: https://x.example/two.xml # x"
    )
    origin = await serve(make_routes({"/robots.txt": rules, "/a": make_reply(b"x")}))
    home = origin.url("").rstrip("/")
    async with open_fetcher(FetchOptions(allow_private=True), spool_dir=tmp_path) as fetcher:
        await fetcher.fetch(Request(origin.url("/a")))
        assert await fetcher.sitemaps(home) == ("/one.xml", "https://x.example/two.xml")
    assert origin.targets == ["/robots.txt", "/a"]
    async with open_fetcher(FetchOptions(robots=False, allow_private=True), spool_dir=tmp_path) as fetcher:
        assert await fetcher.sitemaps(home) is None


async def test_not_to_ask_robots_txt_is_logged(tmp_path, caplog):
    async with open_fetcher(FetchOptions(robots=False, allow_private=True), spool_dir=tmp_path):
        pass
    assert [(r.levelno, r.getMessage()) for r in caplog.records if "--ignore-robots" in r.getMessage()] == [
        (logging.WARNING, "robots.txt is ignored, by --ignore-robots: forbidden paths and Crawl-delay are not obeyed.")
    ]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["noindex, NoArchive"], {"noindex", "noarchive"}),
        (["googlebot: noindex", "noai"], {"noai"}),
        (["googlebot: noindex, mediamirror: noimageindex, nofollow"], {"noimageindex", "nofollow"}),
        (["mediamirror: none"], {"none"}),
        (["otherbot: noai, noimageai"], set()),
        (
            ["unavailable_after: 25 Jun 2030 15:00:00 PST, noai"],
            {"unavailable_after: 25 jun 2030 15:00:00 pst", "noai"},
        ),
        (["max-snippet:20", " , "], {"max-snippet:20"}),
        (
            ["unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noai"],
            {"unavailable_after: wed, 03 dec 2025 13:09:53 gmt", "noai"},
        ),
        (["otherbot: unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noai", "nosnippet"], {"nosnippet"}),
        (["otherbot: noai", "mediamirror: noindex, otherbot: none"], {"noindex"}),
    ],
)
def test_the_directives_of_a_tag_are_those_for_all_and_those_for_us(values, found):
    headers = [("content-type", "image/webp"), *(("x-robots-tag", value) for value in values)]
    assert directives(headers, "mediamirror") == found


@pytest.mark.parametrize("said", ["none", "noindex", "noimageindex", "noai", "noimageai", "mediamirror: noai"])
async def test_a_tag_refuses_an_image_on_request_alone(said, serve, make_reply, client):
    origin = await serve(make_reply(b"x", X_Robots_Tag=said))
    found = await client().fetch(Request(origin.url()))
    assert found.header("x-robots-tag") == said
    with pytest.raises(RobotsTagRefused, match=r"not stored: its X-Robots-Tag says \w+, which") as caught:
        await client(respect_x_robots_tag=True).fetch(Request(origin.url()))
    assert (caught.value.code, caught.value.retryable) == ("robots-tag-refused", False)
    await client(respect_x_robots_tag=True).fetch(Request(origin.url(), accept="text/html"))


TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT", True),
        ("unavailable_after: Wednesday, 03-Dec-25 13:09:53 GMT", True),
        ("unavailable_after: 2025-12-03T13:09:53Z", True),
        ("unavailable_after: 2026-11-24", True),
        ("unavailable_after: 24 Nov 2026 11:59:59 GMT", True),
        ("noarchive, unavailable_after: 24 Nov 2026 13:30:00 +0200, nosnippet", True),
        ("mediamirror: unavailable_after: 1 Jan 2026 00:00:00 GMT", True),
        ("unavailable_after: 24 Nov 2026 12:00:01 GMT", False),
        ("unavailable_after: 24 Nov 2026 09:30:00 PST", False),
        ("otherbot: unavailable_after: 1 Jan 2026 00:00:00 GMT", False),
        ("unavailable_after: some day", False),
        ("unavailable_after:", False),
        ("unavailable_after", False),
        ("unavailable_after: 99999999999999999999", False),
    ],
)
def test_after_its_time_an_image_is_refused_and_not_before(said, refused):
    headers = [("x-robots-tag", said)]
    with pytest.raises(RobotsTagRefused, match="unavailable_after: ") if refused else nullcontext():
        check_robots_tag(headers, "mediamirror", "http://x.example/a.webp", TODAY)


@pytest.mark.parametrize("ours", [TODAY - timedelta(days=3000), TODAY, TODAY + timedelta(days=3000)])
def test_the_time_of_an_image_is_over_by_the_origins_clock_however_wrong_ours_is(ours):
    until = ("x-robots-tag", "unavailable_after: 24 Nov 2026 12:00:00 GMT")
    check_robots_tag([("date", "Tue, 24 Nov 2026 11:59:59 GMT"), until], "mediamirror", "http://x.example/a.webp", ours)
    with pytest.raises(RobotsTagRefused):
        check_robots_tag(
            [("date", "Tue, 24 Nov 2026 12:00:01 GMT"), until], "mediamirror", "http://x.example/a.webp", ours
        )


async def test_an_image_whose_time_is_over_is_refused_on_request(serve, make_reply, client):
    origin = await serve(make_reply(b"x", X_Robots_Tag="unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT"))
    await client().fetch(Request(origin.url()))
    with pytest.raises(RobotsTagRefused, match="unavailable_after"):
        await client(respect_x_robots_tag=True).fetch(Request(origin.url()))


async def test_a_tag_for_others_or_about_other_things_refuses_nothing(serve, make_reply, client):
    origin = await serve(make_reply(b"x", X_Robots_Tag="otherbot: noai, nosnippet"))
    assert (await client(respect_x_robots_tag=True).fetch(Request(origin.url()))).body.size == 1


async def test_an_image_that_did_not_change_is_refused_by_its_tag_too(serve, make_reply, client):
    origin = await serve(make_reply(b"", "304 Not Modified", X_Robots_Tag="noai"))
    with pytest.raises(RobotsTagRefused):
        await client(respect_x_robots_tag=True).fetch(Request(origin.url(), etag='"1"'))


def test_a_contact_goes_into_the_user_agent():
    assert (
        user_agent(FetchOptions(contact="https://x.example/bot")) == f"{default_user_agent()} (+https://x.example/bot)"
    )
    assert user_agent(FetchOptions(user_agent="my/1", contact="a@x.example")) == "my/1 (+a@x.example)"
    for bad in ("", " ", "a\nb", "a)b", "ж@x.example"):
        with pytest.raises(UsageError, match="--contact"):
            user_agent(FetchOptions(contact=bad))


@pytest.mark.parametrize("downloads", [1, 40])
def test_the_rate_is_kept_within_two_percent_over_all_downloads(downloads):
    rate, chunk, chunks = 500_000, 16_384, 4_000

    async def work():
        loop = asyncio.get_running_loop()
        bucket = Bucket(rate, clock=loop.time)

        async def download():
            for _ in range(chunks // downloads):
                await bucket.take(chunk)

        await asyncio.gather(*(download() for _ in range(downloads)))
        return chunk * chunks / loop.time()

    assert run(work()) == pytest.approx(rate, rel=0.02)
