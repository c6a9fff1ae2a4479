"""The transport by itself: rewiring, TLS, the guard's seam, bodies, and what cancelling leaves behind."""

from __future__ import annotations

import asyncio
import socket
import ssl
from hashlib import sha256

import pytest
import trustme

from mediamirror.errors import AddressRefused
from mediamirror.fetch.guard import Guard, allow_all, parse_connect_to
from mediamirror.fetch.transfer import Slot
from mediamirror.fetch.transport import CurlTransport, Names
from mediamirror.wire import CutOff, Late, NotConnected, ProxyFailed, Silent, Timeouts, Unwritable, WireRequest

OPEN = Guard(allow_all)
"""For the transport by itself: its origins listen on this machine."""


def get(url, **more):
    return ask("GET", url, **more)


def ask(method, url, fields=(), **more):
    scheme, _, rest = url.partition("://")
    authority, slash, target = rest.partition("/")
    target = more.pop("target", (slash + target or "/").encode())
    fields = [(name.encode(), value.encode()) for name, value in fields]
    return WireRequest(method, f"{scheme}://{authority}", target, fields, **more)


async def read(transport, request):
    reply = await transport.send(request)
    try:
        return b"".join([chunk async for chunk in reply])
    finally:
        await reply.aclose()


def rewired(*texts):
    return [parse_connect_to(text) for text in texts]


async def test_connect_to_dials_elsewhere_and_keeps_the_host_header(serve, make_reply):
    origin = await serve(make_reply(b"x"))
    rules = rewired(f"media.example.com:80:127.0.0.1:{origin.port}")
    async with CurlTransport(connect_to=rules) as transport:
        assert await read(transport, get("http://media.example.com/a.webp")) == b"x"
    assert origin.seen[0].headers["host"] == "media.example.com"


async def test_connect_to_works_for_a_literal_address_and_for_a_name_as_its_goal(serve, make_reply):
    origin = await serve(make_reply(b"x"))
    rules = rewired(f"192.0.2.1:80:localhost:{origin.port}", f"[2001:db8::1]:80:127.0.0.1:{origin.port}")
    async with CurlTransport(connect_to=rules) as transport:
        await read(transport, get("http://192.0.2.1/a"))
        await read(transport, get("http://[2001:db8::1]/a"))
    assert [seen.headers["host"] for seen in origin.seen] == ["192.0.2.1", "[2001:db8::1]"]


async def test_tls_names_and_checks_the_host_of_the_url(serve, make_reply, tls, cacert):
    origin = await serve(make_reply(b"x"), context=tls("media.example.com"))
    rules = rewired(f"::127.0.0.1:{origin.port}")
    async with CurlTransport(connect_to=rules, cacert=cacert) as transport:
        assert await read(transport, get("https://media.example.com/a")) == b"x"
        with pytest.raises(NotConnected) as caught:
            await read(transport, get("https://other.example.com/a"))
    assert (origin.seen[0].sni, origin.seen[0].headers["host"]) == ("media.example.com", "media.example.com")
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_tls_with_a_literal_address_checks_the_address(serve, make_reply, tls, cacert):
    origin = await serve(make_reply(b"x"), context=tls("127.0.0.1"))
    async with CurlTransport(guard=OPEN, cacert=cacert) as transport:
        assert await read(transport, get(origin.url())) == b"x"


async def test_an_unknown_authority_is_a_connect_error(serve, make_reply, tls):
    origin = await serve(make_reply(b"x"), context=tls("127.0.0.1"))
    async with CurlTransport(guard=OPEN) as transport:
        with pytest.raises(NotConnected):
            await read(transport, get(origin.url()))


async def test_the_system_authorities_stay_trusted_beside_a_file(serve, make_reply, tls, cacert, tmp_path, monkeypatch):
    system = trustme.CA()
    system.cert_pem.write_to_path(str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    certified = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    system.issue_cert("127.0.0.1").configure_cert(certified)
    trusted = await serve(make_reply(b"x"), context=certified)
    given = await serve(make_reply(b"x"), context=tls("127.0.0.1"))
    async with CurlTransport(guard=OPEN, cacert=cacert) as transport:
        assert [await read(transport, get(each.url())) for each in (trusted, given, trusted)] == [b"x"] * 3
    async with CurlTransport(guard=OPEN) as transport:
        assert await read(transport, get(trusted.url())) == b"x"
        with pytest.raises(NotConnected):
            await read(transport, get(given.url()))


async def test_the_guard_sees_every_address_with_the_host_that_was_asked(serve, make_reply):
    dials = []
    origin = await serve(make_reply(b"x"), keep=False)
    rules = rewired(f"media.example.com:80:127.0.0.1:{origin.port}")
    async with CurlTransport(guard=Guard(policy=dials.append), connect_to=rules) as transport:
        await read(transport, get(origin.url()))
        await read(transport, get(origin.url(host="localhost")))
        await read(transport, get("http://media.example.com/"))
    seen = {(dial.host, dial.port, str(dial.ip), dial.ip_port) for dial in dials}
    assert ("127.0.0.1", origin.port, "127.0.0.1", origin.port) in seen
    assert ("localhost", origin.port, "127.0.0.1", origin.port) in seen
    assert ("media.example.com", 80, "127.0.0.1", origin.port) in seen


async def test_one_refused_address_refuses_the_whole_name(serve, make_reply, monkeypatch):
    origin = await serve(make_reply(b"x"))

    def mixed(host, port, *rest, **more):
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", origin.port)), (*kind, ("10.0.0.1", origin.port))]

    monkeypatch.setattr(socket, "getaddrinfo", mixed)
    guard = Guard(policy=lambda dial: "it is private" if str(dial.ip) == "10.0.0.1" else None)
    async with CurlTransport(guard=guard) as transport:
        with pytest.raises(AddressRefused, match=r"mixed\.example was not contacted at 10\.0\.0\.1: it is private"):
            await read(transport, get("http://mixed.example/"))
    assert origin.connections == 0


async def test_an_address_that_bypassed_the_guard_is_not_dialled(serve, make_reply, monkeypatch):
    from mediamirror.fetch import transport as module

    origin = await serve(make_reply(b"x"))
    monkeypatch.setattr(module, "_resolve", lambda host, port, found: [f"+{host}:{port}:127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("127.0.0.2", 0))])
    async with CurlTransport(guard=OPEN) as transport:
        with pytest.raises(AddressRefused, match="did not pass the guard"):
            await read(transport, get(origin.url(host="name.example")))
    assert origin.connections == 0


async def test_the_same_name_is_checked_again_for_every_new_connection(serve, make_reply):
    dials = []
    origin = await serve(make_reply(b"x"))
    async with CurlTransport(guard=Guard(policy=lambda dial: dials.append(dial.host))) as transport:
        for _ in range(3):
            await read(transport, get(origin.url()))
    assert (origin.connections, dials) == (3, ["127.0.0.1"] * 3)


async def echo(seen, writer):
    body = seen.body or b"none"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def test_a_put_of_bytes_goes_out_with_its_headers_exactly_as_given(serve, transport):
    origin = await serve(echo)
    headers = [("Host", "bucket.example"), ("x-amz-date", "20261124T000000Z"), ("Authorization", "AWS4 sig=~/+")]
    request = ask("PUT", origin.url("/b/k%7E/~%20?x=%2F"), headers, body=b"pixels")
    assert await read(transport, request) == b"pixels"
    assert origin.seen[0].line == b"PUT /b/k%7E/~%20?x=%2F HTTP/1.1"
    assert origin.seen[0].fields == [
        ("host", "bucket.example"),
        ("x-amz-date", "20261124T000000Z"),
        ("authorization", "AWS4 sig=~/+"),
        ("content-length", "6"),
    ]


async def test_a_put_of_an_async_stream_with_a_length_is_not_chunked(serve, transport):
    async def stream():
        yield b"pix"
        yield b"els"

    origin = await serve(echo)
    request = ask("PUT", origin.url("/b/k"), body=stream(), length=6)
    assert await read(transport, request) == b"pixels"
    assert dict(origin.seen[0].fields).keys() == {"host", "content-length"}


async def test_an_empty_put_says_that_it_is_empty(serve, transport):
    origin = await serve(echo)
    await read(transport, ask("PUT", origin.url("/b/k")))
    assert origin.seen[0].headers["content-length"] == "0"


async def test_a_head_and_a_delete_go_through(serve, transport, make_reply):
    async def answer(seen, writer):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" if seen.line.startswith(b"HEAD") else make_reply()
        )

    origin = await serve(answer)
    assert await read(transport, ask("HEAD", origin.url())) == b""
    assert await read(transport, ask("DELETE", origin.url())) == b""


async def test_redirects_and_codings_are_left_to_the_caller(serve, transport, make_reply):
    origin = await serve(make_reply(b"packed", "302 Found", Location="/b", Content_Encoding="gzip"))
    reply = await transport.send(get(origin.url()))
    assert reply.head.status == 302
    assert b"".join([chunk async for chunk in reply]) == b"packed"


async def test_closing_an_unread_response_frees_its_connection(serve, transport):
    async def stall(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(60)

    origin = await serve(stall)
    response = await transport.send(get(origin.url()))
    assert transport.connections == 1
    await response.aclose()
    assert transport.connections == 0


async def test_cancelling_loses_no_slot_of_the_pool(serve, make_reply):
    async def slowly(seen, writer):
        await asyncio.sleep(0.003)
        writer.write(make_reply(b"x" * 1000))

    origin = await serve(slowly)
    async with CurlTransport(guard=OPEN, limit=4) as transport:

        async def churn(seed):
            for step in range(30):
                task = asyncio.create_task(read(transport, get(origin.url())))
                await asyncio.sleep(0.0005 * ((seed + step) % 9))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        await asyncio.gather(*(churn(seed) for seed in range(12)))
        assert transport.connections == 0
        assert await asyncio.gather(*(read(transport, get(origin.url())) for _ in range(8))) == [b"x" * 1000] * 8


@pytest.mark.parametrize(
    ("answer", "seconds", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None, CutOff),
        (b"nonsense\r\n\r\n", None, CutOff),
        (b"", None, CutOff),
        ("silence", Timeouts(None, 0.02), Silent),
    ],
    ids=["short", "nonsense", "nothing", "silence"],
)
async def test_failures_of_an_origin_are_told_by_their_kind(serve, transport, answer, seconds, kind):
    async def silence(seen, writer):
        await asyncio.sleep(60)

    origin = await serve(silence if answer == "silence" else answer)
    with pytest.raises(kind):
        await read(transport, get(origin.url(), timeouts=seconds))


async def test_half_a_line_that_grows_is_no_silence(serve, transport):
    async def drip(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        for _ in range(40):
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"\r\nContent-Length: 5\r\n\r\nwhole")

    origin = await serve(drip)
    assert await read(transport, get(origin.url(), timeouts=Timeouts(None, 0.2))) == b"whole"


async def test_a_refused_connection_is_a_connect_error(transport, closed_port):
    with pytest.raises(NotConnected):
        await read(transport, get(f"http://127.0.0.1:{closed_port}/"))


async def test_waiting_too_long_for_a_free_connection_is_a_connect_timeout(serve, until):
    async def silence(seen, writer):
        await asyncio.sleep(60)

    origin = await serve(silence)
    async with CurlTransport(guard=OPEN, limit=1) as transport:
        holder = asyncio.create_task(read(transport, get(origin.url())))
        await until(lambda: transport.connections)
        with pytest.raises(Late):
            await read(transport, get(origin.url(), timeouts=Timeouts(0.01, None, 0.01)))
        holder.cancel()


async def test_an_http_proxy_gets_the_absolute_url(serve, make_reply):
    proxy = await serve(make_reply(b"via proxy"))
    async with CurlTransport(proxy=proxy.url("")) as transport:
        assert await read(transport, get("http://media.example.com/a%7E?")) == b"via proxy"
    assert proxy.seen[0].target == b"http://media.example.com/a%7E?"


async def test_closing_twice_is_fine():
    transport = CurlTransport(guard=OPEN)
    await transport.aclose()
    await transport.aclose()


async def test_bytes_on_a_kept_connection_that_nobody_asked_for_are_no_answer(serve, transport, make_reply, until):
    idle, spoken = asyncio.Event(), asyncio.Event()

    async def answer(seen, writer):
        writer.write(make_reply(f"answer to {seen.target.decode()}".encode()))
        if seen.target == b"/1":
            await writer.drain()
            await idle.wait()
            writer.write(make_reply(b"bytes that nobody asked for"))
            await writer.drain()
            spoken.set()

    origin = await serve(answer)
    assert await read(transport, get(origin.url("/1"))) == b"answer to /1"
    idle.set()
    await spoken.wait()
    assert await read(transport, get(origin.url("/2"))) == b"answer to /2"
    assert origin.connections == 2


async def test_a_quiet_kept_connection_is_used_again(serve, transport, make_reply):
    async def answer(seen, writer):
        writer.write(make_reply(seen.target))

    origin = await serve(answer)
    for number in range(20):
        assert await read(transport, get(origin.url(f"/{number}"))) == f"/{number}".encode()
    assert origin.connections == 1


async def test_tiny_chunks_without_end_leave_the_loop_to_others(serve, transport, monkeypatch):
    taken: dict[int, int] = {}
    on_body = Slot._on_body

    def counted(slot, chunk):
        taken[slot._pump.turn] = taken.get(slot._pump.turn, 0) + 1
        return on_body(slot, chunk)

    async def flood(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\na\r\n" * 4096)
            await writer.drain()

    monkeypatch.setattr(Slot, "_on_body", counted)
    origin = await serve(flood)
    response = await transport.send(get(origin.url()))
    size = 0
    async for piece in response:
        size += len(piece)
        if size > 30_000:
            break
    await response.aclose()
    assert len(taken) > 2
    assert max(taken.values()) <= 2 * 200 + 1


async def test_a_reader_that_does_not_read_holds_up_its_own_origin_and_memory_stays_small(serve, transport):
    sent = 0

    async def endless(seen, writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 200 * 2**20:
            writer.write(bytes(2**20))
            sent += 2**20
            await writer.drain()

    origin = await serve(endless)
    response = await transport.send(get(origin.url()))
    await asyncio.sleep(0.5)
    assert response.held <= 512 * 1024
    assert sent < 32 * 2**20
    await response.aclose()


async def test_the_environment_names_no_proxy_and_no_exception_from_one(serve, make_reply, closed_port, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "*")
    origin = await serve(make_reply(b"straight"))
    proxy = await serve(make_reply(b"via proxy"))
    async with CurlTransport(guard=OPEN) as transport:
        assert await read(transport, get(origin.url())) == b"straight"
    async with CurlTransport(proxy=proxy.url("")) as transport:
        assert await read(transport, get(origin.url())) == b"via proxy"


async def test_a_proxy_is_asked_to_connect_for_tls_and_its_own_answer_is_not_the_origins(
    serve, make_reply, tls, cacert
):
    origin = await serve(make_reply(b"pixels", ETag="a"), context=tls("media.example.com"))

    async def tunnel(seen, writer):
        assert seen.line == b"CONNECT media.example.com:443 HTTP/1.1"
        back, forth = await asyncio.open_connection("127.0.0.1", origin.port)
        writer.write(b"HTTP/1.1 200 Connected\r\nX-Proxy: p\r\n\r\n")
        relayed = asyncio.create_task(relay(back, writer))
        reader = writer._transport.get_protocol()._stream_reader
        await relay(reader, forth)
        await relayed

    async def relay(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    proxy = await serve(tunnel)
    async with CurlTransport(proxy=proxy.url(""), cacert=cacert) as transport:
        reply = await transport.send(get("https://media.example.com/a"))
        assert b"".join([chunk async for chunk in reply]) == b"pixels"
    names = [name.lower() for name, _ in reply.head.fields]
    assert (b"etag" in names, b"x-proxy" in names) == (True, False)


async def test_a_proxy_that_refuses_is_a_proxy_error(serve, make_reply, closed_port):
    proxy = await serve(make_reply(b"", "407 Proxy Authentication Required"))
    for url in (proxy.url(""), f"http://127.0.0.1:{closed_port}"):
        async with CurlTransport(proxy=url) as transport:
            with pytest.raises(ProxyFailed):
                await read(transport, get("https://media.example.com/a"))


async def test_names_are_looked_up_by_us_alone_and_a_name_that_moves_is_followed(make_reply):
    """The resolver of libcurl knows none of these names, and would say so."""
    seen, now = [], 0.0
    found = {"moving.invalid": "127.0.0.1", "dotted.invalid.": "127.0.0.1"}

    def ask(host, *rest, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found[host], 0))]

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        seen.append(writer.get_extra_info("sockname")[0])
        writer.write(make_reply(b"x", Connection="close"))
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as one:
        port = one.sockets[0].getsockname()[1]
        async with await asyncio.start_server(handle, "127.0.0.2", port):
            names = Names(ask=ask, clock=lambda: now)
            async with CurlTransport(guard=OPEN, names=names) as transport:
                for step, address in enumerate(["127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"]):
                    found["moving.invalid"] = address
                    now = 100.0 * (step + 1)
                    await asyncio.gather(
                        *(read(transport, get(f"http://moving.invalid:{port}/")) for _ in range(1 + step % 2 * 2))
                    )
                await read(transport, get(f"http://dotted.invalid.:{port}/"))
    assert seen == ["127.0.0.1", *["127.0.0.2"] * 3, "127.0.0.1", *["127.0.0.2"] * 3, "127.0.0.1"]


async def test_where_one_address_of_a_name_is_dead_the_next_is_dialled(serve, make_reply):
    def ask(host, *rest, **more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ("127.0.0.9", "127.0.0.1")]

    origin = await serve(make_reply(b"x"))
    async with CurlTransport(guard=OPEN, names=Names(ask=ask)) as transport:
        assert await read(transport, get(origin.url(host="two.invalid"))) == b"x"


async def test_a_put_whose_kept_connection_is_dead_is_sent_once_more_and_whole(serve, transport, make_reply):
    async def answer(seen, writer):
        if len(origin.seen) == 2:
            writer.transport.abort()
            return
        writer.write(make_reply(seen.body))

    origin = await serve(answer)
    for number in range(2):
        request = ask("PUT", origin.url("/b/k"), body=b"%d" % number * 1000)
        assert await read(transport, request) == b"%d" % number * 1000
    assert [len(seen.body) for seen in origin.seen] == [1000] * 3


async def test_a_stream_that_fails_sends_no_whole_body_and_its_own_error_is_raised(serve, transport):
    async def stream():
        yield b"pix"
        raise OSError("the file is gone")

    origin = await serve(echo)
    request = ask("PUT", origin.url("/b/k"), body=stream(), length=6)
    with pytest.raises(OSError, match="the file is gone"):
        await read(transport, request)
    assert (origin.seen, transport.connections) == ([], 0)


async def test_a_long_stream_goes_out_as_it_is(serve, transport):
    async def stream():
        for number in range(40):
            yield bytes([number]) * 50_000

    async def answer(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + sha256(seen.body).hexdigest().encode())

    origin = await serve(answer)
    request = ask("PUT", origin.url("/b/k"), body=stream(), length=2_000_000)
    whole = b"".join(bytes([number]) * 50_000 for number in range(40))
    assert await read(transport, request) == sha256(whole).hexdigest().encode()


async def test_a_line_break_in_a_header_or_a_target_is_never_written(serve, transport, make_reply):
    origin = await serve(make_reply(b"x"))
    smuggled = get(origin.url(), fields=[("A", "b\r\nHost: c")])
    for request in (smuggled, get(origin.url(), target=b"/a HTTP/1.1\r\nX: y")):
        with pytest.raises(Unwritable):
            await read(transport, request)
    assert origin.seen == []


async def test_an_empty_header_goes_out_and_none_is_added(serve, transport, make_reply):
    origin = await serve(make_reply(b"x"))
    request = get(origin.url(), fields=[("X-Empty", "")])
    await read(transport, request)
    assert dict(origin.seen[0].fields) == {"host": f"127.0.0.1:{origin.port}", "x-empty": ""}
