"""The guard over real connections: hostile hosts, names, redirects, ports, proxies, and what the user opens."""

from __future__ import annotations

import socket

import pytest

from fixtures.hostile import REFUSED_ADDRESSES, REFUSED_URLS
from fixtures.patience import PATIENCE
from mediamirror import errors
from mediamirror.fetch.guard import BLOCKED_PORTS, Guard, guard_for, parse_allow_host, parse_connect_to
from mediamirror.fetch.open import open_fetcher
from mediamirror.fetch.request import Request, parse_target
from mediamirror.settings import FetchOptions


@pytest.fixture
def stack(tmp_path):
    """Open the stack of a run with options of the test's own."""

    def make(**options):
        return open_fetcher(FetchOptions(robots=False, retries=0, timeout=PATIENCE, **options), spool_dir=tmp_path)

    return make


@pytest.fixture
def answers(monkeypatch):
    """Let the system's resolver give answers of the test's own, one list of addresses after the other."""

    def make(*lists):
        turns = iter(lists)
        last = []

        def resolve(host, port, *rest, **more):
            last[:] = next(turns, last)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in last]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return make


@pytest.mark.parametrize("host", REFUSED_ADDRESSES)
async def test_an_address_that_is_not_public_is_refused_whatever_its_form(stack, host):
    async with stack() as fetcher:
        with pytest.raises(errors.AddressRefused) as caught:
            await fetcher.fetch(Request(f"http://{host}/x.png"))
    assert caught.value.code == "address-refused"
    assert "--allow-host" in caught.value.message


@pytest.mark.parametrize(("url", "code"), REFUSED_URLS)
async def test_a_url_that_may_not_be_asked_is_refused_by_its_code(stack, url, code):
    async with stack() as fetcher:
        with pytest.raises(errors.FetchError) as caught:
            await fetcher.fetch(Request(url))
    assert caught.value.code == code
    assert "secret" not in caught.value.message


async def test_a_refusal_is_not_tried_again(serve, make_reply, tmp_path):
    origin = await serve(make_reply(b"x"))
    options = FetchOptions(retries=3)  # a try more would wait, and then ask robots.txt once more
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.AddressRefused) as caught:
            await fetcher.fetch(Request(origin.url()))
    assert not caught.value.retryable
    assert origin.connections == 0


async def test_one_private_address_among_a_thousand_refuses_the_name(stack, answers):
    answers([f"93.184.{n >> 8}.{n & 255}" for n in range(999)] + ["10.0.0.1"])
    async with stack() as fetcher:
        with pytest.raises(errors.AddressRefused, match=r"flood\.example was not contacted at 10\.0\.0\.1"):
            await fetcher.fetch(Request("http://flood.example/x.png"))


async def test_a_name_that_turns_to_another_address_is_judged_again(serve, make_reply, stack, answers):
    origin = await serve(make_reply(b"x"), keep=False)
    answers(["127.0.0.1"], ["127.0.0.2"])
    async with stack(allow_hosts=("127.0.0.1",)) as fetcher:
        await fetcher.fetch(Request(f"http://turning.example:{origin.port}/a"))
        fetcher.transport.names._fresh = 0  # ten seconds of it, otherwise
        with pytest.raises(errors.AddressRefused, match=r"turning\.example was not contacted at 127\.0\.0\.2"):
            await fetcher.fetch(Request(f"http://turning.example:{origin.port}/b"))
    assert origin.targets == ["/a"]


async def test_every_hop_meets_the_guard(serve, make_reply, stack):
    hidden = await serve(make_reply(b"secret"))
    origin = await serve(make_reply(b"", "302 x", Location=hidden.url("/x", host="localhost")))
    async with stack(allow_hosts=(f"127.0.0.1:{origin.port}",)) as fetcher:
        with pytest.raises(errors.AddressRefused, match="localhost was not contacted"):
            await fetcher.fetch(Request(origin.url()))
    assert (origin.connections, hidden.connections) == (1, 0)


async def test_a_robots_txt_that_leads_inside_is_refused_and_closes_its_origin(
    serve, make_routes, make_reply, tmp_path
):
    hidden = await serve(make_reply(b"User-agent: *\nAllow: /"))
    robots = make_reply(b"", "302 x", Location=hidden.url("/robots.txt"))
    origin = await serve(make_routes({"/robots.txt": robots, "/a": make_reply(b"x")}))
    options = FetchOptions(allow_hosts=(f"127.0.0.1:{origin.port}",))
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.AddressRefused):
            await fetcher.fetch(Request(origin.url("/a")))
    assert (origin.targets, hidden.connections) == (["/robots.txt"], 0)


async def test_allow_private_opens_every_address(serve, make_reply, stack):
    origin = await serve(make_reply(b"x"))
    async with stack(allow_private=True) as fetcher:
        assert (await fetcher.fetch(Request(origin.url(host="localhost")))).body.data == b"x"


@pytest.mark.parametrize(
    ("permit", "opened", "closed"),
    [
        ("10.0.0.5", "http://10.0.0.5/", "http://10.0.0.6/"),
        ("10.0.0.5", "http://[::ffff:10.0.0.5]/", "http://[::ffff:10.0.0.6]/"),
        ("10.0.0.5:8080", "http://10.0.0.5:8080/", "http://10.0.0.5:8081/"),
        ("10.0.0.0/8", "http://10.255.255.255/", "http://192.168.0.1/"),
        ("10.0.0.0/8", "http://10.1.2.3:8080/", "http://172.16.0.1/"),
        ("10.0.0.0/8:81", "http://10.1.2.3:81/", "http://10.1.2.3/"),
        ("fd00::/8", "http://[fd00::1]/", "http://[fe80::1]/"),
        ("fd00::1", "http://[fd00::1]:99/", "http://[fd00::2]/"),
        ("[fd00::1]:81", "http://[fd00::1]:81/", "http://[fd00::1]:82/"),
        ("0x7f.1", "http://127.0.0.1/", "http://127.0.0.2/"),
        ("Intra.Example.", "http://intra.example/", "http://extra.example/"),
        ("intra.example", "http://intra.example./", "http://sub.intra.example/"),
        ("intra.example:82", "http://intra.example:82/", "http://intra.example/"),
        ("10.0.0.5:22", "http://10.0.0.5:22/", "http://10.0.0.5/"),
        ("intra.example:22", "http://intra.example:22/", "http://intra.example:25/"),
        ("intra.example", "http://intra.example/", "http://intra.example:22/"),
    ],
)
def test_allow_host_opens_what_it_names_and_nothing_else(permit, opened, closed):
    guard = guard_for(FetchOptions(allow_hosts=("unrelated.example", permit)))

    def dial(url):
        target = parse_target(url, guard)
        inside = target.host if target.host[0].isdigit() or ":" in target.host else "10.9.9.9"
        if inside == "11.0.0.0.127.0.0.1":
            inside = "127.0.0.1"
        guard.admit(target.host, target.port, [(inside, target.port)])

    dial(opened)
    with pytest.raises((errors.AddressRefused, errors.PortRefused)):
        dial(closed)


@pytest.mark.parametrize(
    "text", ["", "*", "a b", "http://x/", "10.0.0.0/33", "x/8", "x:y", "x:99999", "[::1", "a/b:80", "u@h"]
)
def test_a_malformed_allow_host_is_a_usage_error(text):
    with pytest.raises(errors.UsageError, match="--allow-host"):
        parse_allow_host(text)


@pytest.mark.parametrize(
    ("url", "at", "allow"),
    [
        ("http://localhost:18801/", "localhost was not contacted at 127.0.0.1, port 18801: ", "localhost:18801, "),
        ("http://[::1]:8080/", "::1 was not contacted at ::1, port 8080: ", "[::1]:8080, "),
        ("http://10.0.0.1/", "10.0.0.1 was not contacted at 10.0.0.1: ", "10.0.0.1, "),
        ("https://10.0.0.1/", "10.0.0.1 was not contacted at 10.0.0.1: ", "10.0.0.1, "),
    ],
)
async def test_a_refusal_names_a_port_that_does_not_go_without_saying_and_what_opens_it_alone(stack, url, at, allow):
    async with stack() as fetcher:
        with pytest.raises(errors.AddressRefused) as caught:
            await fetcher.fetch(Request(url))
    assert caught.value.message.startswith(at)
    assert f"allow it with --allow-host {allow}or every such address" in caught.value.message
    word = caught.value.message.partition("--allow-host ")[2].partition(",")[0]
    target = parse_target(url, Guard())
    inside = "127.0.0.1" if target.host == "localhost" else target.host
    guard_for(FetchOptions(allow_hosts=(word,))).admit(target.host, target.port, [(inside, target.port)])


@pytest.mark.parametrize("port", sorted(BLOCKED_PORTS))
def test_the_blocked_ports_of_the_fetch_standard_are_refused(port):
    with pytest.raises(errors.PortRefused, match=f"not contacted at port {port}: .* --allow-host news.example:{port}"):
        parse_target(f"http://news.example:{port}/", Guard())


@pytest.mark.parametrize("port", [80, 443, 8080, 8443, 81, 3000, 5000, 8000, 10081, 65535])
def test_other_ports_pass(port):
    assert parse_target(f"https://news.example:{port}/", Guard()).port == port


def test_there_are_as_many_blocked_ports_as_in_the_standard():
    assert len(BLOCKED_PORTS) == 83


async def test_what_connect_to_names_is_dialled_and_the_rest_is_judged(serve, make_reply, stack):
    origin = await serve(make_reply(b"x"))
    named = parse_connect_to(f"named.example:22:127.0.0.1:{origin.port}")
    only_port = parse_connect_to(f":80::{origin.port}")
    async with stack(connect_to=(named, only_port)) as fetcher:
        assert (await fetcher.fetch(Request("http://named.example:22/"))).body.data == b"x"
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(errors.AddressRefused):
                await fetcher.fetch(Request(f"http://{host}/"))
    assert origin.connections == 1


async def test_with_a_proxy_addresses_in_urls_are_still_judged_on_every_hop(serve, make_routes, make_reply, stack):
    proxy = await serve(
        make_routes(
            {
                "http://news.example/a": make_reply(b"x"),
                "http://news.example/b": make_reply(b"", "302 x", Location="http://10.0.0.1/x"),
            }
        )
    )
    async with stack(proxy=proxy.url("")) as fetcher:
        assert (await fetcher.fetch(Request("http://news.example/a"))).body.data == b"x"
        inside = ("127.0.0.1", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "localhost", "LOCALHOST.", "x.localhost")
        for url in ("http://news.example/b", *(f"http://{host}/x" for host in inside), "https://127.0.0.1/x"):
            with pytest.raises(errors.AddressRefused):
                await fetcher.fetch(Request(url))
    assert proxy.targets == ["http://news.example/a", "http://news.example/b"]


async def test_what_the_user_opens_is_open_behind_a_proxy_too(serve, make_reply, stack):
    proxy = await serve(make_reply(b"x"))
    async with stack(proxy=proxy.url(""), allow_hosts=("localhost", "10.0.0.1")) as fetcher:
        for host in ("localhost", "10.0.0.1"):
            assert (await fetcher.fetch(Request(f"http://{host}/"))).body.data == b"x"


async def test_a_proxy_and_connect_to_together_are_a_usage_error(stack):
    with pytest.raises(errors.UsageError, match="--connect-to and --proxy"):
        async with stack(proxy="http://127.0.0.1:1", connect_to=(parse_connect_to("a:1:b:2"),)):
            pass


async def test_a_malformed_allow_host_stops_the_run_before_its_first_item(stack):
    with pytest.raises(errors.UsageError, match="--allow-host"):
        async with stack(allow_hosts=("*",)):
            pass
