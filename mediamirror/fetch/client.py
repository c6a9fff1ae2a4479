"""One URL to a whole body: limits while it streams, every failure named; and its redirects, hop by hop.

Each goal of a redirect is asked for like any other URL, by its host's rules and in its host's turn.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from mediamirror.errors import (
    BodyTooLarge,
    ConnectFailed,
    ConnectionLost,
    DeadlineExceeded,
    EmptyBody,
    FetchError,
    HeadersTooLarge,
    HTTPStatus,
    InvalidURL,
    NotHTTP,
    SpoolFailed,
    TLSFailed,
    TooManyRedirects,
    TooSlow,
    TransferTruncated,
)
from mediamirror.fetch.answer import REDIRECTS, check_robots_tag, check_status, parse_length, robots_token, sentence
from mediamirror.fetch.body import Bucket, Inflater, RateWatch, Spool, inflater_for, is_coded, too_large
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import Fetcher, Hop, Request, RequestHeaders, Target, conditions, parse_target
from mediamirror.first_use import replace
from mediamirror.model import Body, Capture, Download, Passed
from mediamirror.redact import redact_url
from mediamirror.settings import FetchOptions
from mediamirror.wire import (
    Broken,
    Carrier,
    CutOff,
    Fields,
    HeaderFlood,
    Late,
    NotConnected,
    ProxyFailed,
    Silent,
    UnreadableHead,
    UnsaidEnd,
    Unwritable,
    WireReply,
    WireRequest,
)

_DRAIN_BYTES = 64 * 1024
_DRAIN_SECONDS = 1.0


class _Answer(NamedTuple):
    """One reply with its headers decoded: all of them in order, and the first of each name."""

    reply: WireReply
    status: int
    target: Target
    headers: tuple[tuple[str, str], ...]
    named: dict[str, str]


class Client:
    """The innermost fetcher. Keeps the contract of `fetch.request.Fetcher`, in one try and for one hop.

    A redirect is an answer like another, without a body: a `Download` with its status. ``own_hosts`` are the hosts of the
    INPUTs, which may see secret headers; so may ``options.credentials_for``.
    """

    def __init__(
        self,
        transport: Carrier,
        options: FetchOptions,
        *,
        spool_dir: Path,
        guard: Guard | None = None,
        own_hosts: frozenset[str] = frozenset(),
        bucket: Bucket | None = None,
        user_agent: str = "mediamirror",
    ) -> None:
        self._transport = transport
        self._options = options
        self._spool_dir = spool_dir
        self._guard = guard or Guard()
        self._bucket = bucket
        self._token = robots_token(user_agent)
        self._headers = RequestHeaders(options, own_hosts=own_hosts, user_agent=user_agent)

    async def fetch(self, request: Request) -> Download:
        """Ask for one URL; raises only `FetchError`."""
        hop = request.hop or Hop(request.url, self._options.timeout)
        shown = redact_url(hop.first_url)
        try:
            target = parse_target(request.url, self._guard)
            async with asyncio.timeout(hop.seconds) as deadline:
                return await self._ask(request, target, deadline)
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"{shown} was not finished in {self._options.timeout:g} s; raise --timeout."
            ) from error
        except Exception as error:
            if isinstance(error, FetchError):
                raise
            raise as_fetch_error(error, shown) from error

    async def _ask(self, request: Request, target: Target, deadline: asyncio.Timeout) -> Download:
        started = time.monotonic()
        answer = await self._send(request, target)
        try:
            self._check_headers(answer)
            if answer.status in REDIRECTS and "location" in answer.named:
                body = None
                self._note(request, answer, *await _drain(answer, request))
            else:
                body = await self._receive(request, answer, deadline)
        finally:
            await answer.reply.aclose()
        return Download(
            url=request.url,
            final_url=target.href,
            http_status=answer.status,
            headers=answer.headers,
            body=body,
            fetched_at=datetime.now(UTC),
            seconds=time.monotonic() - started,
        )

    def _check_headers(self, answer: _Answer) -> None:
        limit = self._options.max_header_size
        if sum(len(name) + len(value) for name, value in answer.headers) > limit:
            raise HeadersTooLarge(
                f"{redact_url(answer.target.href)} answered with more than {limit:,} bytes of headers; "
                "raise --max-header-size to accept it."
            )

    async def _send(self, request: Request, target: Target) -> _Answer:
        fields = _encoded(self._headers.of(request, target))
        if request.conditional or request.range is not None:
            fields = (*fields, *((name.encode(), value.encode()) for name, value in conditions(request)))
        reply = await self._transport.send(WireRequest("GET", target.origin, target.target, fields))
        head = reply.head
        came = tuple([(_name(name), _text(value)) for name, value in head.fields])
        return _Answer(reply, head.status, target, came, dict(reversed(came)))

    def _note(
        self,
        request: Request,
        answer: _Answer,
        body: Body | bytes | None,
        cut: str | None = None,
        *,
        owned: bool = False,
    ) -> None:
        """Put an answer into the request's trace, where it has one."""
        if request.trace is None:
            return
        reply = answer.reply
        at, sent, href = datetime.now(UTC), self._headers.without_secrets(request), answer.target.href
        request.trace.append(Capture(href, at, answer.status, reply.head.raw, sent, reply.address, body, cut, owned))

    async def _receive(self, request: Request, answer: _Answer, deadline: asyncio.Timeout) -> Body | None:
        href = answer.target.href
        status = answer.status
        now = datetime.now(UTC)
        try:
            check_status(status, answer.named, request, href, now)
            if self._options.respect_x_robots_tag and request.for_image:
                check_robots_tag(answer.headers, self._token, href, now)
        except FetchError as error:
            drained, cut = await _drain(answer, request)
            if isinstance(error, HTTPStatus):
                self._note(request, answer, drained, cut)
            said = sentence(answer.named.get("content-type", "").lower(), drained)
            if said and isinstance(error, HTTPStatus) and 400 <= status < 500:
                raise error.saying(said) from None
            raise
        if status == 304:
            self._note(request, answer, None)
            return None
        limit = request.max_size if request.max_size is not None else self._options.max_size
        if (parse_length(answer.named.get("content-length")) or 0) > limit:
            self._note(request, answer, b"", "length")
            raise too_large(href, limit)
        # Codings may stand in several fields (RFC 9110, 5.3): a second one must not hide behind the first.
        coding = ", ".join(value for name, value in answer.headers if name == "content-encoding")
        spool = partial(Spool, self._spool_dir, spool_over=self._options.spool_over, limit=limit, href=href)
        if request.trace is None:
            body = await self._spooled(request, answer, spool(), deadline, inflater_for(coding, href))
        else:
            body = await self._traced(request, answer, spool, deadline, coding)
        if body.size == 0 and not request.allow_empty:
            raise EmptyBody(f"{redact_url(href)} is an empty file (HTTP status {status}).")
        return body

    async def _traced(
        self,
        request: Request,
        answer: _Answer,
        spool: Callable[[], Spool],
        deadline: asyncio.Timeout,
        coding: str,
    ) -> Body:
        """Receive a body as it comes, and take note of it; only then is its coding undone, which may fail."""
        raw = await self._spooled(request, answer, spool(), deadline, None)
        self._note(request, answer, raw, owned=is_coded(coding))
        if (inflater := inflater_for(coding, answer.target.href)) is None:
            return raw
        decoded = spool()
        try:
            await decoded.take_decoded(raw, inflater)
            return await decoded.finish(framed=raw.framed)
        except BaseException:
            await decoded.abandon()
            raise

    async def _spooled(
        self, request: Request, answer: _Answer, spool: Spool, deadline: asyncio.Timeout, inflater: Inflater | None
    ) -> Body:
        """Receive a body. What came of one that breaks off goes into the request's trace."""
        try:
            await self._pour(request, answer, spool, deadline, inflater)
            return await spool.finish(framed=_is_framed(answer))
        except BaseException as error:
            cut = None if request.trace is None else _why_cut(error, deadline)
            if cut is None:
                await spool.abandon()
            else:
                self._note(request, answer, await spool.finish(), cut, owned=True)
            raise

    async def _pour(
        self, request: Request, answer: _Answer, spool: Spool, deadline: asyncio.Timeout, inflater: Inflater | None
    ) -> None:
        href = answer.target.href
        options = self._options
        watch = RateWatch(options.min_rate, options.min_rate_window, time.monotonic())
        try:
            async for chunk in answer.reply:
                if watch.too_slow(len(chunk), time.monotonic()):
                    raise TooSlow(f"{redact_url(href)} came in slower than {options.min_rate} bytes a second.")
                for piece in (chunk,) if inflater is None else inflater.feed(chunk):
                    if spool.take(piece):
                        await spool.spill()
                if self._bucket is not None:
                    _extend(deadline, watch, await self._bucket.take(len(chunk)))
        except Broken as error:
            # Many servers end a connection so. An image shows whether it was whole, a document does not.
            if not isinstance(error, UnsaidEnd) or _is_framed(answer) or not request.for_image:
                raise _cut(error, href) from error
        if inflater is not None:
            inflater.finish()


def _cut(error: Broken, href: str) -> FetchError:
    """What broke a body off in the middle."""
    shown = redact_url(href)
    if isinstance(error, (Silent, HeaderFlood)):  # of headers: in its trailers
        return as_fetch_error(error, shown)
    if isinstance(error, CutOff):
        return TransferTruncated(f"{shown} broke off before its end.")
    return ConnectionLost(f"{shown}: the connection broke off in the middle.")


@lru_cache(maxsize=64)
def _encoded(fields: tuple[tuple[str, str], ...]) -> Fields:
    return tuple((name.encode("ascii"), value.encode()) for name, value in fields)


def _extend(deadline: asyncio.Timeout, watch: RateWatch, seconds: float) -> None:
    """Extend the deadline and the rate's window by a wait for ``--limit-rate``, which is not the origin's fault."""
    when = deadline.when()
    if seconds > 0 and when is not None and not deadline.expired():
        deadline.reschedule(when + seconds)
        watch.pause(seconds)


async def _drain(answer: _Answer, request: Request) -> tuple[bytes, str | None]:
    """Read the rest of an unwanted body if it is short, so that its connection can be reused; and why it is cut.

    For an archive the beginning is read of one whose length is not known.
    """
    length = parse_length(answer.named.get("content-length"))
    if (length is None and request.trace is None) or (length or 0) > _DRAIN_BYTES:
        return b"", "length"
    came, size, cut = [], 0, None
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for chunk in answer.reply:
                came.append(chunk)
                size += len(chunk)
                if size > _DRAIN_BYTES:
                    cut = "length"
                    break
    except TimeoutError:
        cut = "time"
    except Broken:
        cut = "disconnect"
    return b"".join(came), cut


def _why_cut(error: BaseException, deadline: asyncio.Timeout) -> str | None:
    """Why a body is not there to its end, in the words of WARC 1.1, 5.13; None for what an archive doesn't tell."""
    if isinstance(error, BodyTooLarge):
        return "length"
    if isinstance(error, (TooSlow, Silent)) or deadline.expired():
        return "time"
    return "disconnect" if isinstance(error, (FetchError, Broken)) else None


def _is_framed(answer: _Answer) -> bool:
    coded = ",".join(value for name, value in answer.headers if name == "transfer-encoding")
    return "content-length" in answer.named or coded.rpartition(",")[2].strip().lower() == "chunked"


@lru_cache(maxsize=1024)
def _name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


Admit = Callable[[Target], Awaitable[None]]
"""Asked before each hop: waits until the URL may be asked for, or raises a `FetchError` to refuse it (robots.txt)."""


async def admit_all(target: Target) -> None:
    """Let every URL be asked for at once."""


class Following:
    """Follows redirects over a fetcher of single hops, such as `client.Client`.

    ``options.timeout`` bounds all hops together; what ``admit`` waits for is not counted.
    """

    def __init__(self, hops: Fetcher, options: FetchOptions, guard: Guard, admit: Admit = admit_all) -> None:
        self._hops = hops
        self._options = options
        self._guard = guard
        self._admit = admit

    async def fetch(self, request: Request) -> Download:
        """Fetch one URL, following redirects; raises only `FetchError`."""
        if request.trace is not None:
            request.trace.forget()
        target = parse_target(request.url, self._guard)
        await self._admit(target)
        started = time.monotonic()
        answer = await self._hops.fetch(request)
        passed: list[Download] = []
        hop = Hop(request.url, self._options.timeout)
        while (location := _location(answer)) is not None:
            passed.append(answer)
            following = parse_target(location, self._guard, base=target.href)
            self._check(following, [each.final_url for each in passed])
            downgraded = target.scheme == "https" and following.scheme == "http"
            hop = Hop(request.url, hop.seconds - answer.seconds, hop.trusted and not downgraded)
            target = following
            await self._admit(target)
            answer = await self._hops.fetch(replace(request, url=target.href, hop=hop))
        return _joined(request, answer, passed, time.monotonic() - started) if passed else answer

    def _check(self, target: Target, passed: list[str]) -> None:
        first = redact_url(passed[0])
        if target.href in passed:
            raise TooManyRedirects(f"{first} redirects in a circle.")
        if len(passed) > self._options.max_redirects:
            raise TooManyRedirects(f"{first} redirects more than {self._options.max_redirects} times.")


def _location(answer: Download) -> str | None:
    return answer.header("location") if answer.http_status in REDIRECTS else None


def _joined(request: Request, answer: Download, passed: list[Download], seconds: float) -> Download:
    return replace(
        answer,
        url=request.url,
        seconds=seconds,
        hops=tuple(Passed(each.final_url, each.http_status, each.headers, each.fetched_at) for each in passed),
    )


def as_fetch_error(error: Exception, shown_url: str) -> FetchError:
    """Return the most specific `FetchError` for what a request raised."""
    if isinstance(error, FetchError):
        return error
    if isinstance(error, Broken):
        return _from_wire(error, shown_url)
    if isinstance(error, TimeoutError):
        return DeadlineExceeded(f"{shown_url} was not finished in time; raise --timeout to wait longer.")
    if isinstance(error, ValueError):  # UnicodeError is one
        return InvalidURL(f"{shown_url} is not a URL that can be requested.")
    if isinstance(error, OSError):
        return SpoolFailed(
            f"{shown_url} could not be kept in a temporary file ({_words(error)}): free some space in "
            f"{tempfile.gettempdir()}, or set TMPDIR to another folder."
        )
    return FetchError(f"{shown_url} failed in an unforeseen way ({type(error).__name__}).")


def _from_wire(error: Broken, shown_url: str) -> FetchError:
    match error:
        case Late():
            return ConnectFailed(f"{shown_url}: no connection in time; is the host up, and the port right?")
        case Silent():
            return TooSlow(f"{shown_url}: the origin sent nothing for too long; run the same command again later.")
        case NotConnected():
            return _from_connect(error, shown_url)
        case Unwritable():
            return FetchError(f"{shown_url} can't be asked for: a header or the URL can't be written as HTTP.")
        case HeaderFlood():
            return HeadersTooLarge(f"{shown_url} answered with more headers than are accepted; see --max-header-size.")
        case UnreadableHead():
            return NotHTTP(f"{shown_url}: the origin did not answer in the form of HTTP ({error}).")
        case CutOff():
            return ConnectionLost(f"{shown_url}: the origin broke off or did not speak HTTP.")
        case _:
            return ConnectionLost(f"{shown_url}: the connection broke off.")


def _from_connect(error: NotConnected, shown_url: str) -> FetchError:
    for cause in _causes(error):
        if why := getattr(cause, "verify_message", None):
            return TLSFailed(f"{shown_url}: the certificate is not trusted ({why}); see --cacert.")
        if isinstance(cause, ssl.SSLError) and (why := getattr(cause, "reason", None)):
            return TLSFailed(f"{shown_url}: the TLS handshake failed ({why}).")
        if isinstance(cause, socket.gaierror):
            return ConnectFailed(f"{shown_url}: the host name was not found.")
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return TLSFailed(f"{shown_url}: the TLS handshake failed.")
    reason = next((_words(c) for c in _causes(error) if isinstance(c, OSError) and c.errno), "no connection")
    via = "the proxy " if isinstance(error, ProxyFailed) else ""
    return ConnectFailed(f"{shown_url}: {via}could not be reached ({reason}).")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _words(error: OSError) -> str:
    # Event loops put words of their own in place of the system's.
    text = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or type(error).__name__
    return text.rstrip(".").lower()
