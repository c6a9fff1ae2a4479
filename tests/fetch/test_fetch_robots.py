"""robots.txt by RFC 9309, against real origins and on a clock of the test's own."""

from __future__ import annotations

import asyncio

import pytest

from mediamirror import errors
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import Request, parse_target
from mediamirror.fetch.robots import Robots

RULES = b"User-agent: *\nDisallow: /\n\nUser-agent: mediamirror\nDisallow: /private/\nAllow: /private/free.webp\n"


def target(url):
    return parse_target(url, Guard())


@pytest.fixture
def robots(client):
    def make(clock=lambda: 0.0):
        return Robots(client(), token="mediamirror", clock=clock)

    return make


async def test_our_own_group_decides(serve, robots, make_routes, make_reply):
    origin = await serve(make_routes({"/robots.txt": make_reply(RULES)}))
    asked = robots()
    await asked.require(target(origin.url("/a.webp")))
    await asked.require(target(origin.url("/private/free.webp")))
    with pytest.raises(errors.RobotsRefused, match=r"by http://127.0.0.1:\d+/robots.txt; .*--ignore-robots"):
        await asked.require(target(origin.url("/private/a.webp")))
    assert origin.targets == ["/robots.txt"]


async def test_the_group_for_everyone_decides_when_there_is_none_of_ours(serve, robots, make_reply):
    origin = await serve(make_reply(b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /a\r\n"))
    asked = robots()
    await asked.require(target(origin.url("/b")))
    with pytest.raises(errors.RobotsRefused):
        await asked.require(target(origin.url("/a?x")))


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden", "410 Gone", "429 Slow Down"])
async def test_4xx_allows_everything(serve, robots, make_reply, status):
    origin = await serve(make_reply(b"User-agent: *\nDisallow: /", status))
    await robots().require(target(origin.url("/a")))


async def test_an_empty_file_allows_everything(serve, robots, make_reply):
    origin = await serve(make_reply(b""))
    await robots().require(target(origin.url("/a")))


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy"])
async def test_5xx_allows_nothing_for_now(serve, robots, make_reply, status):
    origin = await serve(make_reply(b"", status))
    with pytest.raises(errors.RobotsRefused, match=rf"answered {status[:3]}"):
        await robots().require(target(origin.url("/a")))


async def test_no_connection_is_said_as_it_is_and_not_worth_a_retry(robots, closed_port):
    asked = robots()
    for _ in range(2):
        with pytest.raises(errors.ConnectFailed) as caught:
            await asked.require(target(f"http://127.0.0.1:{closed_port}/a"))
        assert not caught.value.retryable


async def test_64_tasks_ask_once(serve, robots, make_reply):
    async def slowly(seen, writer):
        await asyncio.sleep(0.02)
        writer.write(make_reply(RULES))

    origin = await serve(slowly)
    asked = robots()
    await asyncio.gather(*(asked.require(target(origin.url(f"/{n}.webp"))) for n in range(64)))
    assert origin.targets == ["/robots.txt"]


async def test_when_the_one_who_asks_is_cancelled_the_next_one_asks(serve, robots, make_reply, until):
    async def slowly(seen, writer):
        await asyncio.sleep(0.02)
        writer.write(make_reply(RULES))

    origin = await serve(slowly)
    asked = robots()
    first = asyncio.create_task(asked.require(target(origin.url("/a"))))
    second = asyncio.create_task(asked.require(target(origin.url("/b"))))
    await until(lambda: origin.seen)
    first.cancel()
    await second
    assert origin.targets == ["/robots.txt", "/robots.txt"]


async def test_rules_are_kept_for_a_day_and_failures_for_minutes(serve, robots, make_reply):
    answers = [make_reply(b"", "500 x"), make_reply(RULES), make_reply(RULES)]

    async def answer(seen, writer):
        writer.write(answers.pop(0))

    now = [0.0]
    origin = await serve(answer)
    asked = robots(clock=lambda: now[0])
    with pytest.raises(errors.RobotsRefused):
        await asked.require(target(origin.url("/a")))
    for later, asks in ((0, 1), (301, 2), (23 * 3600, 2), (2 * 3600, 3)):
        now[0] += later
        try:
            await asked.require(target(origin.url("/a")))
        except errors.RobotsRefused:
            assert later == 0
        assert len(origin.seen) == asks


async def test_only_the_first_500_kib_count(serve, robots, make_reply):
    filler = b"# filler\n" * 60_000
    origin = await serve(make_reply(b"User-agent: *\nDisallow: /a\n" + filler + b"Disallow: /b\n"))
    asked = robots()
    await asked.require(target(origin.url("/b")))
    with pytest.raises(errors.RobotsRefused):
        await asked.require(target(origin.url("/a")))


async def test_an_endless_file_allows_nothing(serve, robots):
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
    with pytest.raises(errors.BodyTooLarge):
        await robots().require(target(origin.url("/a")))


async def test_a_redirected_robots_txt_is_followed_to_another_host(serve, robots, make_reply):
    other = await serve(make_reply(RULES))
    origin = await serve(make_reply(b"", "301 x", Location=other.url("/r.txt", host="localhost")))
    with pytest.raises(errors.RobotsRefused):
        await robots().require(target(origin.url("/private/x")))


async def test_nonsense_is_no_rule(serve, robots, make_reply):
    origin = await serve(make_reply(bytes(range(256)) * 100))
    await robots().require(target(origin.url("/a")))


async def test_the_request_says_that_it_wants_text(serve, robots, make_reply):
    origin = await serve(make_reply(RULES))
    await robots().require(target(origin.url("/a")))
    assert origin.seen[0].headers["accept"].startswith("text/plain")
    assert Request("http://a/").accept.startswith("image/")
