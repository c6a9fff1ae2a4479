"""A transport of httpx2 that the caller hands in, as one of our carriers."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager

import httpx2

from mediamirror import wire
from mediamirror.wire import Head, WireRequest

_OURS: tuple[tuple[type[Exception], type[wire.Broken]], ...] = (
    (httpx2.ConnectTimeout, wire.Late),
    (httpx2.PoolTimeout, wire.Late),
    (httpx2.TimeoutException, wire.Silent),
    (httpx2.ProxyError, wire.ProxyFailed),
    (httpx2.ConnectError, wire.NotConnected),
    (httpx2.LocalProtocolError, wire.Unwritable),
    (httpx2.RemoteProtocolError, wire.CutOff),
    (httpx2.HTTPError, wire.Broken),
)
"""Its errors and ours: the first that fits counts."""


class OverHttpx2:
    """Sends over a transport that stays its owner's to close. It is given whole URLs, and looks names up as it likes."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: WireRequest) -> _Reply:
        """See `wire.Carrier`."""
        url = httpx2.URL(request.origin).copy_with(raw_path=request.target)
        limits = request.timeouts
        times = (
            {"connect": limits.connect, "read": limits.read, "write": limits.read, "pool": limits.free}
            if limits
            else {}
        )
        body = request.body
        asked = httpx2.Request(
            request.method,
            url,
            headers=list(request.fields),
            stream=httpx2.ByteStream(body) if isinstance(body, bytes) else _Pieces(body),
            extensions={"timeout": times} if times else {},
        )
        with _in_our_words():
            return _Reply(await self._transport.handle_async_request(asked))


class _Pieces(httpx2.AsyncByteStream):
    """A body that comes in pieces."""

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Read it."""
        return aiter(self._pieces)


class _Reply:
    """Its answer as `wire.WireReply`; the head's bytes are written anew where it does not tell them."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        fields = response.headers.raw
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        reason = response.reason_phrase.encode()
        raw = b"HTTP/1.1 %d %b\r\n%b\r\n" % (response.status_code, reason, lines)
        self.head = Head(response.status_code, reason, fields, 0, raw)
        self.address: str | None = response.extensions.get("server_addr")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body as it comes."""
        with _in_our_words():
            async for piece in self._response.stream:  # type: ignore[union-attr]
                yield piece

    async def aclose(self) -> None:
        """Close it."""
        await self._response.stream.aclose()  # type: ignore[union-attr]


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except httpx2.HTTPError as error:
        kind = next(ours for theirs, ours in _OURS if isinstance(error, theirs))
        raise kind(str(error)) from error
    except httpx2.InvalidURL as error:
        raise wire.Unwritable(str(error)) from error
