"""An httpx2 transport over aiohttp's connection pool. docs/decisions/0001 has the figures behind the choice.

Nothing is added and nothing is changed: the request target goes out byte for byte, headers exactly as given (Host is
added when absent), no cookies, no redirects, no decompression, no proxy from the environment.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

import aiohttp
import httpx2
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader
from aiohttp.tracing import Trace

from mediamirror.errors import AddressRefused, UsageError
from mediamirror.fetch.guard import Guard, allow_all, own_machine, rewire, rule_for
from mediamirror.fetch.names import Names
from mediamirror.settings import Rewired

_READ_BUFFER = 256 * 1024
_MAX_LINE = 16 * 1024
_MAX_FIELD = 64 * 1024
_MAX_FIELDS = 128
_AUTO_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
_SENT_BY_US = frozenset({"accept", "accept-encoding", "user-agent"})


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Send httpx2 requests over aiohttp. One instance serves many tasks of one event loop.

    The URL is taken from ``request.url``, or, where its target must survive httpx2's own normalisation, the target
    (path and query, bytes) from ``request.extensions["target"]`` as in httpcore. ``extensions["timeout"]`` has httpx2's
    meaning: connect, read and pool, in seconds. A body is bytes, or an async stream with a Content-Length.

    Raises errors of httpx2 (`ConnectError`, `ConnectTimeout`, `ReadError`, `ReadTimeout`, `RemoteProtocolError`,
    `LocalProtocolError`, `ProxyError`, `UnsupportedProtocol`, `InvalidURL`), and our own `AddressRefused` from the guard.
    A TLS failure is a `ConnectError` whose ``__cause__`` chain holds the `ssl.SSLError`. A message cut short by the
    peer is a `RemoteProtocolError` while the body is read.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        connect_to: Sequence[Rewired] = (),
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        limit: int = 256,
        connect_timeout: float | None = 10.0,
        read_timeout: float | None = 30.0,
        max_field: int = _MAX_FIELD,
        names: Names | None = None,
    ) -> None:
        # What is dialled with a proxy is the proxy, which the user named; the guard judges the URLs that it is told.
        dialling, rules = (guard or Guard(), tuple(connect_to)) if proxy is None else (Guard(allow_all), ())
        self.names = names or Names()
        self._connector = _GuardedConnector(dialling, rules, ssl_context, self.names, limit=limit)
        self._timeout = _timeout(connect_timeout, read_timeout, None)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            proxy=proxy,
            timeout=self._timeout,
            read_bufsize=_READ_BUFFER,
            max_line_size=_MAX_LINE,
            max_field_size=max_field,
            max_headers=_MAX_FIELDS,
        )

    @property
    def connections(self) -> int:
        """Connections in use right now: 0 once every response was read to its end or closed."""
        return len(self._connector._acquired)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the response's stream must be read to its end or closed."""
        wanted = request.extensions.get("timeout")
        timeout = _timeout(wanted.get("connect"), wanted.get("read"), wanted.get("pool")) if wanted else self._timeout
        headers = _headers(request)
        body = _body(request)
        try:
            response = await self._session.request(
                request.method,
                _url(request),
                headers=headers,
                skip_auto_headers=_not_to_be_added(headers, body),
                data=body,
                allow_redirects=False,
                timeout=timeout,
            )
        except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError, ValueError) as error:
            raise _as_httpx2(error, request) from error
        return httpx2.Response(
            response.status,
            headers=list(response.raw_headers),
            stream=_ResponseStream(response, request),
            request=request,
            extensions={
                "http_version": b"HTTP/1.1",
                "reason_phrase": (response.reason or "").encode("utf-8", "surrogateescape"),
            },
        )

    async def aclose(self) -> None:
        """Close every connection; safe to call twice."""
        await self._session.close()


def make_ssl_context(cacert: Path | str) -> ssl.SSLContext:
    """Trust the system's certificates, and those of a PEM file besides. Raises `UsageError` for the file."""
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=cacert)
    except ssl.SSLError as error:
        raise UsageError(f"--cacert {cacert} holds no PEM certificate.") from error
    except OSError as error:
        raise UsageError(f"--cacert {cacert} can't be read: {(error.strerror or str(error)).lower()}.") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class _ResponseStream(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, request: httpx2.Request) -> None:
        self._response = response
        self._request = request

    # Not a generator: one that is left early would be closed by the event loop, some time later.
    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise _as_httpx2(error, self._request) from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        # A connection with unread bytes on it can't be used again.
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class _GuardedConnector(aiohttp.TCPConnector):
    """Rewire, resolve, ask the guard: in this order, for every new connection.

    aiohttp does not send literal addresses through its resolver, so the seam is one step above it, in
    ``_resolve_host``; ``socket_factory`` then refuses whatever did not come that way, so that a change in aiohttp
    can close this gate but not open it.
    """

    def __init__(
        self, guard: Guard, rules: tuple[Rewired, ...], context: ssl.SSLContext | None, names: Names, *, limit: int
    ) -> None:
        super().__init__(
            resolver=_Resolver(names),
            use_dns_cache=False,  # `Names` keeps the addresses
            ssl=context or True,  # aiohttp holds a context of the system's certificates ready; another costs 50 ms
            limit=limit,
            socket_factory=self._open_socket,
        )
        self._factory = cast("partial[ResponseHandler]", partial(BoundedHandler, loop=self._loop))
        self._guard = guard
        self._rules = rules
        self._admitted: set[tuple[str, int]] = set()

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        rule = rule_for(host, port, self._rules)
        named = rule is not None and rule.to_host != ""
        to_host, to_port = rewire(host, port, self._rules)
        if (own := own_machine(to_host)) is not None:
            self._guard.admit(host, port, [(str(own), to_port)], named=named)
        found = await super()._resolve_host(to_host, to_port, traces)
        addresses = [(entry["host"], entry["port"]) for entry in found]
        self._guard.admit(host, port, addresses, named=named)
        self._admitted.update(addresses)
        return found

    def _open_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, address = info
        if (address[0], address[1]) not in self._admitted:
            # aiohttp swallows OSErrors here to try the next address, so this one must not be an OSError.
            raise AddressRefused(f"{address[0]} was not contacted: it did not pass the guard.")
        return socket.socket(family=family, type=kind, proto=proto)


class _Resolver(AbstractResolver):
    """`Names` in the form aiohttp asks in."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        found = await self._names.look_up(host)
        return [
            ResolveResult(hostname=host, host=each.ip, port=port, family=each.family, proto=0, flags=numeric)
            for each in found
            if family in {socket.AF_UNSPEC, each.family}
        ]

    async def close(self) -> None:
        pass


@lru_cache(maxsize=64)
def _timeout(connect: float | None, read: float | None, pool: float | None) -> aiohttp.ClientTimeout:
    whole = None if pool is None else pool + (connect or 0)
    return aiohttp.ClientTimeout(total=None, connect=whole, sock_connect=connect, sock_read=read)


@lru_cache(maxsize=1024)
def _origin(origin: str) -> yarl.URL:
    return yarl.URL(origin, encoded=True)


def _url(request: httpx2.Request) -> yarl.URL:
    # The whole target goes in as a path: yarl would drop the "?" of an empty query otherwise.
    url = request.url
    target: bytes = request.extensions.get("target") or url.raw_path
    return _origin(f"{url.scheme}://{url.netloc.decode('ascii')}").with_path(target.decode("utf-8"), encoded=True)


def _headers(request: httpx2.Request) -> list[tuple[str, str]]:
    # aiohttp writes UTF-8, so these bytes come out as they went in.
    try:
        return [(name.decode(), value.decode()) for name, value in request.headers.raw]
    except UnicodeDecodeError as error:
        raise httpx2.LocalProtocolError("A header's value must be UTF-8.", request=request) from error


def _body(request: httpx2.Request) -> bytes | AsyncIterator[bytes] | None:
    if isinstance(request.stream, httpx2.ByteStream):
        return b"".join(request.stream) or None
    if isinstance(request.stream, httpx2.AsyncByteStream):
        return aiter(request.stream)
    raise httpx2.UnsupportedProtocol("The request body must be bytes or an async stream.", request=request)


def _not_to_be_added(headers: list[tuple[str, str]], body: object) -> frozenset[str] | None:
    """Names that aiohttp may not add by itself. None when all it would add is there: that spares aiohttp a copy."""
    given = {name.lower() for name, _ in headers}
    return None if body is None and given >= _SENT_BY_US else _AUTO_HEADERS


def _as_httpx2(error: Exception, request: httpx2.Request) -> Exception:
    """The httpx2 error for one of aiohttp's, or of the socket's."""
    if isinstance(error, aiohttp.InvalidURL):
        return httpx2.InvalidURL(str(error))
    kind = next((mapped for foreign, mapped in _ERRORS if isinstance(error, foreign)), httpx2.ReadError)
    return kind(str(error) or kind.__name__, request=request)


# The first match decides. aiohttp's timeouts are TimeoutErrors, and its connect errors are OSErrors.
_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientHttpProxyError, httpx2.ProxyError),
    (aiohttp.ClientProxyConnectionError, httpx2.ProxyError),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ClientSSLError, httpx2.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx2.RemoteProtocolError),
    (HttpProcessingError, httpx2.RemoteProtocolError),
    (aiohttp.ClientOSError, httpx2.ReadError),
    (TimeoutError, httpx2.ReadTimeout),
    (OSError, httpx2.ConnectError),
    (RuntimeError, httpx2.ConnectError),
    (ValueError, httpx2.LocalProtocolError),
)


MOST_INTERIM = 50
"""Interim answers (1xx) to one request that are passed over; also the most answers that may lie unread."""


class BoundedHandler(ResponseHandler):
    """Closes a connection that floods us with interim answers, or with answers to questions that nobody asked."""

    _interim = 0
    _cut = False

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Queue one answer's head, or close."""
        if self._cut:
            return
        self._interim = self._interim + 1 if 100 <= data[0].code < 200 else 0
        if self._interim <= MOST_INTERIM and len(self) <= MOST_INTERIM:
            super().feed_data(data, size)
            return
        self._cut = True
        self.set_exception(BadHttpMessage("Too many headers received"))
        if self.transport is not None:
            self.transport.close()
