"""Connections that break off at every stage, plain and over TLS, where the end of a stream may be a lie."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

import pytest

from fixtures.images import make_image
from fixtures.patience import PATIENCE
from mediamirror import errors, mirror
from mediamirror.fetch.open import open_fetcher
from mediamirror.fetch.request import IMAGES, Request
from mediamirror.settings import CheckOptions, FetchOptions, MirrorOptions, ReadOptions

BODY = bytes(range(256)) * 400
HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)
CLOSED = HEAD + b"\r\n"


@contextlib.contextmanager
def breaking_off(context: ssl.SSLContext | None, sent: bytes, end: str) -> Iterator[int]:
    """An origin that sends so much to each connection and ends it: by ``close`` (TLS says so first), ``fin`` or ``reset``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), raw:
                    _answer(raw, context, sent, end)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


def _answer(raw: socket.socket, context: ssl.SSLContext | None, sent: bytes, end: str) -> None:
    raw.settimeout(PATIENCE)
    if end == "handshake":
        raw.recv(65536)  # the ClientHello
        if sent:
            raw.sendall(sent)
        return
    stream = raw if context is None else context.wrap_socket(raw, server_side=True)
    asked = b""
    while not asked.endswith(b"\r\n\r\n"):
        asked += stream.recv(65536)
    stream.sendall(sent)
    if end == "close" and isinstance(stream, ssl.SSLSocket):
        with contextlib.suppress(OSError):
            stream.unwrap()
    if end == "reset":
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


async def fetched(port: int, scheme: str, tmp_path, cacert, **chosen) -> bytes:
    options = FetchOptions(allow_private=True, robots=False, retries=0, timeout=PATIENCE, cacert=cacert, **chosen)
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        download = await fetcher.fetch(Request(f"{scheme}://127.0.0.1:{port}/a.webp"))
        assert download.body is not None
        return download.body.data or b""


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x03\x00\x7a\x02\x00", b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 400 No\r\n\r\n"]
)
async def test_a_handshake_that_breaks_off_is_told_as_such(sent, tmp_path, cacert) -> None:
    with (
        breaking_off(None, sent, "handshake") as port,
        pytest.raises((errors.TLSFailed, errors.ConnectFailed)) as caught,
    ):
        await fetched(port, "https", tmp_path, cacert)
    assert caught.value.code in {"tls-failed", "connect-failed"}
    assert "Traceback" not in caught.value.message
    assert list(tmp_path.glob("*.part")) == []


CUT = [
    pytest.param(HEAD[:9], "connection-lost", id="in the status line"),
    pytest.param(HEAD + b"Content-Ty", "connection-lost", id="in a header"),
    pytest.param(LENGTH[:-2], "connection-lost", id="before the empty line"),
    pytest.param(LENGTH, "transfer-truncated", id="before a body with a length"),
    pytest.param(LENGTH + BODY[:-1], "transfer-truncated", id="in a body with a length"),
    pytest.param(CHUNKED, "transfer-truncated", id="before the first chunk"),
    pytest.param(CHUNKED + CHUNK[:-900], "transfer-truncated", id="in a chunk"),
    pytest.param(CHUNKED + CHUNK, "transfer-truncated", id="before the last chunk"),
    pytest.param(CHUNKED + CHUNK + b"0\r\n", "transfer-truncated", id="in the trailer"),
]


@pytest.mark.parametrize("end", ["close", "fin", "reset"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("sent", "code"), CUT)
async def test_what_is_cut_before_its_end_never_becomes_a_body(sent, code, scheme, end, tls, tmp_path, cacert) -> None:
    context = tls("127.0.0.1") if scheme == "https" else None
    with breaking_off(context, sent, end) as port, pytest.raises(errors.FetchError) as caught:
        await fetched(port, scheme, tmp_path, cacert, spool_over=1000)
    # A reset may overtake the bytes before it.
    assert caught.value.code in ({code, "connection-lost"} if end == "reset" else {code})
    assert caught.value.retryable
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize("end", ["close", "fin"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("sent", "framed"),
    [
        (CLOSED + BODY[:-900], False),
        (LENGTH + BODY, True),
        (CHUNKED + CHUNK + b"0\r\n\r\n", True),
    ],
)
async def test_a_body_that_only_the_connections_end_ended_is_marked(
    sent, framed, scheme, end, tls, tmp_path, cacert
) -> None:
    context = tls("127.0.0.1") if scheme == "https" else None
    options = FetchOptions(allow_private=True, robots=False, retries=0, timeout=PATIENCE, cacert=cacert)
    with breaking_off(context, sent, end) as port:
        async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
            download = await fetcher.fetch(Request(f"{scheme}://127.0.0.1:{port}/a.webp"))
    assert download.body is not None
    assert download.body.framed is framed


@pytest.mark.parametrize(
    ("scheme", "end", "accept"),
    [
        ("http", "reset", "text/html"),
        ("https", "reset", "text/html"),
        ("https", "fin", "text/html"),
        ("http", "reset", IMAGES),
    ],
)
async def test_without_a_length_an_end_that_was_not_said_is_none(scheme, end, accept, tls, tmp_path, cacert) -> None:
    """Of a document nobody sees that its second half is missing, images and all; a reset is no end to anything."""
    context = tls("127.0.0.1") if scheme == "https" else None
    options = FetchOptions(allow_private=True, robots=False, retries=0, timeout=PATIENCE, cacert=cacert)
    with breaking_off(context, CLOSED + BODY, end) as port:
        async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
            with pytest.raises(errors.FetchError) as caught:
                await fetcher.fetch(Request(f"{scheme}://127.0.0.1:{port}/page.html", accept=accept))
    # A reset may overtake the bytes before it.
    assert caught.value.code in {"transfer-truncated", *(["connection-lost"] if end == "reset" else [])}
    assert caught.value.retryable


@pytest.mark.parametrize("end", ["close", "fin"])
@pytest.mark.parametrize("coding", [b"junk", b"gzip", b"gzip, chunked"])
async def test_a_transfer_coding_that_nobody_asked_for_is_refused(coding, end, tmp_path, cacert) -> None:
    with (
        breaking_off(None, HEAD + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + BODY, end) as port,
        pytest.raises(errors.ConnectionLost),
    ):
        await fetched(port, "http", tmp_path, cacert)


@pytest.mark.parametrize("check", ["header", "decode"])
@pytest.mark.parametrize("kind", ["webp", "jpeg", "png", "gif", "avif"])
async def test_a_cut_image_without_a_length_is_not_stored_even_when_headers_alone_are_checked(
    kind, check, tls, tmp_path, cacert
) -> None:
    whole = make_image(480, 320, kind)
    for name, body, status in (("cut", whole[: len(whole) * 7 // 10], "rejected"), ("whole", whole, "stored")):
        with breaking_off(tls("127.0.0.1"), CLOSED + body, "fin") as port:
            (tmp_path / "urls.txt").write_text(f"https://127.0.0.1:{port}/{name}.{kind}")
            summary = await mirror(
                [str(tmp_path / "urls.txt")],
                to=str(tmp_path / "m"),
                catalog=tmp_path / "c.sqlite",
                options=MirrorOptions(
                    read=ReadOptions(as_="urls"),
                    fetch=FetchOptions(allow_private=True, robots=False, retries=0, cacert=cacert),
                    check=CheckOptions(check=check, workers=1),
                ),
            )
        assert summary.statuses == {status: 1}, name


async def test_a_file_that_changes_between_two_tries_is_never_a_mixture(serve, tmp_path, make_reply) -> None:
    """The first half of one version arrives, then the connection breaks; the next try begins anew, without a Range."""
    old, new = b"a" * 100_000, b"b" * 60_000

    async def changing(seen, writer) -> None:
        if seen.target == b"/robots.txt":
            writer.write(make_reply(b"", "404 Not Found"))
        elif len([one for one in origin.seen if one.target == b"/a.webp"]) == 1:
            writer.write(make_reply(old, ETag='"old"', Accept_Ranges="bytes")[:50_000])
            await writer.drain()
            writer.transport.abort()
        else:
            writer.write(make_reply(new, ETag='"new"', Last_Modified="Tue, 24 Nov 2026 12:00:00 GMT"))

    origin = await serve(changing)
    options = FetchOptions(allow_private=True, retries=2, spool_over=1000)
    async with open_fetcher(options, spool_dir=tmp_path) as fetcher:
        download = await fetcher.fetch(Request(origin.url()))
    assert download.body is not None
    assert download.body.path is not None
    assert (download.body.path.read_bytes(), download.header("etag")) == (new, '"new"')
    asked = [seen.headers for seen in origin.seen if seen.target == b"/a.webp"]
    assert [{"range", "if-range"} & set(headers) for headers in asked] == [set(), set()]


async def test_a_part_that_nobody_asked_for_is_not_taken_for_the_rest(serve, tmp_path, make_reply) -> None:
    rest = make_reply(b"b" * 50, "206 Partial Content", Content_Range="bytes 50-99/100", ETag='"new"')
    origin = await serve(rest)
    async with open_fetcher(FetchOptions(allow_private=True, robots=False), spool_dir=tmp_path) as fetcher:
        with pytest.raises(errors.HTTPStatus):
            await fetcher.fetch(Request(origin.url()))
