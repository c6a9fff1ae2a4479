"""The aiohttp transport by itself: rewiring, TLS, the guard's seam, bodies, and what cancelling leaves behind."""

from __future__ import annotations

import asyncio
import socket
import ssl

import httpx2
import pytest

from mediamirror.errors import AddressRefused
from mediamirror.fetch import parse_connect_to
from mediamirror.fetch.guard import Guard, allow_all
from mediamirror.fetch.transport import AiohttpTransport, make_ssl_context

OPEN = Guard(allow_all)
"""For the transport by itself: its origins listen on this machine."""


def get(url, **extensions):
    return httpx2.Request("GET", url, stream=httpx2.ByteStream(b""), extensions=extensions)


async def read(transport, request):
    response = await transport.handle_async_request(request)
    try:
        return b"".join([chunk async for chunk in response.stream])
    finally:
        await response.aclose()


def rewired(*texts):
    return [parse_connect_to(text) for text in texts]


async def test_connect_to_dials_elsewhere_and_keeps_the_host_header(serve, make_reply):
    origin = await serve(make_reply(b"x"))
    rules = rewired(f"media.example.com:80:127.0.0.1:{origin.port}")
    async with AiohttpTransport(connect_to=rules) as transport:
        assert await read(transport, get("http://media.example.com/a.webp")) == b"x"
    assert origin.seen[0].headers["host"] == "media.example.com"


async def test_connect_to_works_for_a_literal_address_and_for_a_name_as_its_goal(serve, make_reply):
    origin = await serve(make_reply(b"x"))
    rules = rewired(f"192.0.2.1:80:localhost:{origin.port}", f"[2001:db8::1]:80:127.0.0.1:{origin.port}")
    async with AiohttpTransport(connect_to=rules) as transport:
        await read(transport, get("http://192.0.2.1/a"))
        await read(transport, get("http://[2001:db8::1]/a"))
    assert [seen.headers["host"] for seen in origin.seen] == ["192.0.2.1", "[2001:db8::1]"]


async def test_tls_names_and_checks_the_host_of_the_url(serve, make_reply, tls, cacert):
    origin = await serve(make_reply(b"x"), context=tls("media.example.com"))
    rules = rewired(f"::127.0.0.1:{origin.port}")
    async with AiohttpTransport(connect_to=rules, ssl_context=make_ssl_context(str(cacert))) as transport:
        assert await read(transport, get("https://media.example.com/a")) == b"x"
        with pytest.raises(httpx2.ConnectError) as caught:
            await read(transport, get("https://other.example.com/a"))
    assert (origin.seen[0].sni, origin.seen[0].headers["host"]) == ("media.example.com", "media.example.com")
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_tls_with_a_literal_address_checks_the_address(serve, make_reply, tls, cacert):
    origin = await serve(make_reply(b"x"), context=tls("127.0.0.1"))
    async with AiohttpTransport(guard=OPEN, ssl_context=make_ssl_context(str(cacert))) as transport:
        assert await read(transport, get(origin.url())) == b"x"


async def test_an_unknown_authority_is_a_connect_error(serve, make_reply, tls):
    origin = await serve(make_reply(b"x"), context=tls("127.0.0.1"))
    async with AiohttpTransport(guard=OPEN) as transport:
        with pytest.raises(httpx2.ConnectError):
            await read(transport, get(origin.url()))


async def test_the_system_authorities_stay_trusted_beside_a_file(cacert):
    system = ssl.create_default_context()
    assert len(make_ssl_context(str(cacert)).get_ca_certs()) == len(system.get_ca_certs()) + 1


async def test_the_guard_sees_every_address_with_the_host_that_was_asked(serve, make_reply):
    dials = []
    origin = await serve(make_reply(b"x"), keep=False)
    rules = rewired(f"media.example.com:80:127.0.0.1:{origin.port}")
    async with AiohttpTransport(guard=Guard(policy=dials.append), connect_to=rules) as transport:
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
    async with AiohttpTransport(guard=guard) as transport:
        with pytest.raises(AddressRefused, match=r"mixed\.example was not contacted at 10\.0\.0\.1: it is private"):
            await read(transport, get("http://mixed.example/"))
    assert origin.connections == 0


async def test_an_address_that_bypassed_the_guard_is_not_dialled(serve, make_reply, monkeypatch):
    import aiohttp

    from mediamirror.fetch import transport as module

    origin = await serve(make_reply(b"x"))
    monkeypatch.setattr(module._GuardedConnector, "_resolve_host", aiohttp.TCPConnector._resolve_host)
    async with AiohttpTransport(guard=OPEN) as transport:
        with pytest.raises(AddressRefused, match="did not pass the guard"):
            await read(transport, get(origin.url()))
    assert origin.connections == 0


async def test_the_same_name_is_checked_again_for_every_new_connection(serve, make_reply):
    dials = []
    origin = await serve(make_reply(b"x"))
    async with AiohttpTransport(guard=Guard(policy=lambda dial: dials.append(dial.host))) as transport:
        for _ in range(3):
            await read(transport, get(origin.url()))
    assert (origin.connections, dials) == (3, ["127.0.0.1"] * 3)


async def echo(seen, writer):
    body = seen.body or b"none"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def test_a_put_of_bytes_goes_out_with_its_headers_exactly_as_given(serve, transport):
    origin = await serve(echo)
    headers = [("Host", "bucket.example"), ("x-amz-date", "20261124T000000Z"), ("Authorization", "AWS4 sig=~/+")]
    request = httpx2.Request("PUT", origin.url("/b/k%7E/~%20?x=%2F"), headers=headers, content=b"pixels")
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
    request = httpx2.Request("PUT", origin.url("/b/k"), headers={"Content-Length": "6"}, content=stream())
    assert await read(transport, request) == b"pixels"
    assert dict(origin.seen[0].fields).keys() == {"host", "content-length"}


async def test_an_empty_put_says_that_it_is_empty(serve, transport):
    origin = await serve(echo)
    await read(transport, httpx2.Request("PUT", origin.url("/b/k"), content=b""))
    assert origin.seen[0].headers["content-length"] == "0"


async def test_a_head_and_a_delete_go_through(serve, transport, make_reply):
    async def answer(seen, writer):
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" if seen.line.startswith(b"HEAD") else make_reply()
        )

    origin = await serve(answer)
    assert await read(transport, httpx2.Request("HEAD", origin.url())) == b""
    assert await read(transport, httpx2.Request("DELETE", origin.url())) == b""


async def test_works_under_an_httpx2_client(serve, make_reply):
    origin = await serve(make_reply(b"pixels", Content_Type="image/webp"))
    async with httpx2.AsyncClient(transport=AiohttpTransport(guard=OPEN), trust_env=False) as client:
        response = await client.get(origin.url())
    assert (response.status_code, response.content, response.headers["content-type"]) == (200, b"pixels", "image/webp")


async def test_redirects_and_codings_are_left_to_the_caller(serve, transport, make_reply):
    origin = await serve(make_reply(b"packed", "302 Found", Location="/b", Content_Encoding="gzip"))
    response = await transport.handle_async_request(get(origin.url()))
    assert response.status_code == 302
    assert b"".join([chunk async for chunk in response.stream]) == b"packed"


async def test_closing_an_unread_response_frees_its_connection(serve, transport):
    async def stall(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(60)

    origin = await serve(stall)
    response = await transport.handle_async_request(get(origin.url()))
    assert transport.connections == 1
    await response.aclose()
    assert transport.connections == 0


async def test_cancelling_loses_no_slot_of_the_pool(serve, make_reply):
    async def slowly(seen, writer):
        await asyncio.sleep(0.003)
        writer.write(make_reply(b"x" * 1000))

    origin = await serve(slowly)
    async with AiohttpTransport(guard=OPEN, limit=4) as transport:

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
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None, httpx2.RemoteProtocolError),
        (b"nonsense\r\n\r\n", None, httpx2.RemoteProtocolError),
        (b"", None, httpx2.RemoteProtocolError),
        ("silence", {"read": 0.02}, httpx2.ReadTimeout),
    ],
    ids=["short", "nonsense", "nothing", "silence"],
)
async def test_failures_of_an_origin_are_errors_of_httpx2(serve, transport, answer, seconds, kind):
    async def silence(seen, writer):
        await asyncio.sleep(60)

    origin = await serve(silence if answer == "silence" else answer)
    with pytest.raises(kind):
        await read(transport, get(origin.url(), **({"timeout": seconds} if seconds else {})))


async def test_a_refused_connection_is_a_connect_error(transport, closed_port):
    with pytest.raises(httpx2.ConnectError):
        await read(transport, get(f"http://127.0.0.1:{closed_port}/"))


async def test_waiting_too_long_for_a_free_connection_is_a_connect_timeout(serve, until):
    async def silence(seen, writer):
        await asyncio.sleep(60)

    origin = await serve(silence)
    async with AiohttpTransport(guard=OPEN, limit=1) as transport:
        holder = asyncio.create_task(read(transport, get(origin.url())))
        await until(lambda: transport.connections)
        with pytest.raises(httpx2.ConnectTimeout):
            await read(transport, get(origin.url(), timeout={"connect": 0.01, "pool": 0.01}))
        holder.cancel()


async def test_an_http_proxy_gets_the_absolute_url(serve, make_reply):
    proxy = await serve(make_reply(b"via proxy"))
    async with AiohttpTransport(proxy=proxy.url("")) as transport:
        assert await read(transport, get("http://media.example.com/a%7E?")) == b"via proxy"
    assert proxy.seen[0].target == b"http://media.example.com/a%7E?"


async def test_closing_twice_is_fine():
    transport = AiohttpTransport(guard=OPEN)
    await transport.aclose()
    await transport.aclose()
