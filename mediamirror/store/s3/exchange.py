"""One signed request to a bucket, tried again where that may help. The only place that sends to S3 without boto3."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import aiofiles
from ada_url import URL

from mediamirror.errors import BodyCutOff, FetchError, StoreError
from mediamirror.first_use import dataclass, replace
from mediamirror.model import Body
from mediamirror.settings import StoreOptions
from mediamirror.store.base import checked_body
from mediamirror.store.s3.errors import (
    EXPIRED,
    Refusal,
    Where,
    causes,
    explain,
    is_error_document,
    read_refusal,
    unreachable,
)
from mediamirror.store.s3.headers import EMPTY_SHA256, Connection, Signer, encoded_path
from mediamirror.wire import Broken, Carrier, Head, Timeouts, WireReply, WireRequest

T = TypeVar("T")

_CHUNK = 256 * 1024
_LONGEST_ANSWER = 256 * 1024
_SLOWEST = 128 * 1024
"""Bytes a second, for what a body may take beyond the timeout."""
_LEAST = 1024
"""Bytes a second, for what an object's body may take beyond the timeout: as many as of an origin (`FetchOptions.min_rate`)."""

_LONGEST_ASKED = 30.0
_LENGTH = "content-length"
_AS_STORED = {"accept-encoding": "gzip"}
"""Never signed: a proxy of the service's may change it (Google's does)."""
_PERMISSIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``key`` is whole, with the store's prefix, or empty for the bucket; ``what`` is how people call it."""

    method: str
    key: str
    what: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Body | None = None
    longest: int = _LONGEST_ANSWER
    """Bytes of the answer that are read at most."""

    @property
    def needs(self) -> str | None:
        """The permission that it takes, where it concerns one object."""
        return _PERMISSIONS.get(self.method) if self.key else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A success (or, to HEAD and DELETE, a 404): headers have lower-case names, the body is whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why one try failed, and what may be done about it."""

    error: StoreError
    passing: bool = False
    ambiguous: bool = False
    slow_down: bool = False
    expired: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling delays with jitter, in seconds."""

    base: float = 0.2
    cap: float = 10.0

    def delay(self, attempt: int, chance: float, asked: float | None = None) -> float:
        """Return the seconds to wait after try number ``attempt`` (from 0).

        ``chance`` is in [0, 1). What the server asked for (Retry-After) counts as the least, up to 30 s.
        """
        own = min(self.cap, self.base * 2.0**attempt) * (0.5 + chance / 2)
        return max(own, min(asked or 0.0, _LONGEST_ASKED))


class Pause:
    """One moment before which nobody sends: an endpoint that says SlowDown means everyone."""

    def __init__(self) -> None:
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        """Hold every later `wait` back for that long from now."""
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    async def wait(self) -> None:
        """Return once nobody asks for a pause any more."""
        loop = asyncio.get_running_loop()
        while (rest := self._until - loop.time()) > 0:  # noqa: ASYNC110 - one sleep, longer if another asked meanwhile
            await asyncio.sleep(rest)


class Exchange:
    """Sends calls to one bucket; the tasks of one event loop share it.

    ``renew`` looks for fresh credentials when the server says that ours have expired; it blocks.
    """

    def __init__(
        self,
        connection: Connection,
        transport: Carrier,
        renew: Callable[[], Connection],
        options: StoreOptions,
        *,
        backoff: Backoff,
        chance: random.Random,
    ) -> None:
        self.connection = connection
        self._transport = transport
        self._renew = renew
        self._options = options
        self._backoff = backoff
        self._chance = chance
        self._pause = Pause()
        self._signer = Signer(connection.region)
        base = URL(connection.base_url)
        self._origin, self._host, self._path = base.origin, base.host, base.pathname
        self._timeouts = Timeouts(connect=5.0, read=30.0, free=options.timeout)

    async def call(
        self, call: Call, *, settled: Callable[[], Awaitable[Answer | None]] | None = None, retries: int | None = None
    ) -> Answer:
        """Return the answer to ``call``; a refusal is raised as the `StoreError` that fits it.

        After a failure that leaves open what the server did, ``settled`` is asked: an answer of its own ends the matter.
        """
        limit = self._options.timeout + (call.body.size / _SLOWEST if call.body else 0)

        async def once() -> Answer | Refusal:
            async with asyncio.timeout(limit):
                return await self._whole(call)

        return await self._tried(once, call, settled, self._options.retries if retries is None else retries)

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        """Yield the body of a success in chunks. The beginning is tried again; what breaks off later is raised."""

        async def once() -> WireReply | Refusal:
            async with asyncio.timeout(self._options.timeout):
                reply = await self._send(call)
                return reply if reply.head.status == 200 else _no_object(await _refusal(reply))

        reply = await self._tried(once, call, None, self._options.retries)
        waited, size = 0.0, 0
        loop, chunks = asyncio.get_running_loop(), aiter(reply)
        try:
            while True:
                # Only what the server takes counts: whoever reads may take long over each chunk.
                since = loop.time()
                async with asyncio.timeout(self._options.timeout + size / _LEAST - waited):
                    chunk = await anext(chunks, b"")
                waited += loop.time() - since
                size += len(chunk)
                if not chunk:
                    return
                yield chunk
        except TimeoutError as error:
            raise BodyCutOff(
                f"{call.what} came in slower than {_LEAST:,} bytes a second from {self.connection.endpoint}. Try again."
            ) from error
        except (Broken, OSError) as error:
            raise BodyCutOff(unreachable(error, self.where(call.what)).message) from error
        finally:
            await reply.aclose()

    def where(self, what: str, needs: str | None = None) -> Where:
        """What a sentence about ``what``, for which one may need a permission, has to know of this bucket."""
        held = self.connection
        where = Where(held.bucket, held.endpoint, held.region, what)
        return where if needs is None else replace(where, needs=needs)

    async def _tried(
        self,
        once: Callable[[], Awaitable[T | Refusal]],
        call: Call,
        settled: Callable[[], Awaitable[T | None]] | None,
        retries: int,
    ) -> T:
        """Try until it works, can't work, or ``retries`` are used up."""
        fresh = False
        for attempt in range(retries + 1):
            await self._pause.wait()
            failure = await self._try(once, call)
            if not isinstance(failure, _Failure):
                return failure
            if settled is not None and failure.ambiguous and (found := await settled()) is not None:
                return found
            if failure.expired and not fresh:
                fresh = await self._renewed()
            elif not failure.passing:
                raise failure.error
            if attempt == retries or (failure.expired and not fresh):
                raise failure.error
            if failure.passing:
                await self._wait(failure, attempt)
        raise AssertionError

    async def _try(self, once: Callable[[], Awaitable[T | Refusal]], call: Call) -> T | _Failure:
        """Do it once; whatever goes wrong on the way becomes a `_Failure`."""
        try:
            result = await once()
        except (Broken, OSError) as error:
            # A body that turned out not to be what was promised: the transport tells of it as of a connection that broke.
            own = next((cause for cause in causes(error) if isinstance(cause, StoreError)), None)
            if own is not None:
                return _Failure(own)
            reason = unreachable(error, self.where(call.what))
            return _Failure(reason, passing=reason.retryable, ambiguous=True)
        except FetchError as error:
            return _Failure(StoreError(f"{self.connection.endpoint} was not contacted: {error.message}"))
        if not isinstance(result, Refusal):
            return result
        return _Failure(
            explain(result, self.where(call.what, call.needs), datetime.now(UTC)),
            passing=result.passing,
            ambiguous=result.ambiguous,
            slow_down=result.slow_down,
            expired=result.code in EXPIRED,
            retry_after=result.retry_after,
        )

    async def _wait(self, failure: _Failure, attempt: int) -> None:
        seconds = self._backoff.delay(attempt, self._chance.random(), failure.retry_after)
        if failure.slow_down:
            self._pause.extend(seconds)
        else:
            await asyncio.sleep(seconds)

    async def _renewed(self) -> bool:
        """Look for credentials again; whether others than the expired ones were found."""
        before = self.connection.frozen()
        self.connection = await asyncio.to_thread(self._renew)
        return await asyncio.to_thread(self.connection.frozen) != before

    async def _whole(self, call: Call) -> Answer | Refusal:
        """Send, read the answer to its end, and tell success from refusal: a 200 may hold an error."""
        reply = await self._send(call)
        body = await _read(reply, call.longest)
        status, headers = reply.head.status, _named(reply.head)
        missing = status == 404 and call.method in {"HEAD", "DELETE"} and b"NoSuchBucket" not in body
        if missing or (status in {200, 204} and not is_error_document(body)):
            return Answer(status, headers, body)
        return read_refusal(status, headers, body)

    async def _send(self, call: Call) -> WireReply:
        """Send it. An object whose length the answer does not tell is being inflated on its way: it is asked for as it is stored.

        R2 and Google's store do that to what was stored with ``Content-Encoding: gzip``, for who does not accept gzip. To accept it
        from the start would not do: a proxy that compresses would then change other objects.
        """
        reply = await self._sent(call)
        if call.method not in {"GET", "HEAD"} or not call.key or reply.head.status != 200 or _tells_length(reply.head):
            return reply
        try:
            stored = await self._sent(call, _AS_STORED)
        except BaseException:
            await reply.aclose()
            raise
        used, other = (stored, reply) if _tells_length(stored.head) else (reply, stored)
        await other.aclose()
        return used

    async def _sent(self, call: Call, unsigned: Mapping[str, str] | None = None) -> WireReply:
        target = self._path + encoded_path(call.key) + (f"?{call.query}" if call.query else "")
        if self.connection.stale():
            await asyncio.to_thread(self.connection.frozen)
        headers = self._signer.sign(
            self.connection.frozen(),
            method=call.method,
            url=f"{self._origin}{target}",
            headers={"host": self._host, **call.headers},
            sha256=call.body.sha256 if call.body else EMPTY_SHA256,
        )
        if call.body is not None:
            headers[_LENGTH] = str(call.body.size)
        headers |= unsigned or {}
        fields = tuple([(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()])
        body, size = _content(call.body), call.body.size if call.body else 0
        return await self._transport.send(
            WireRequest(call.method, self._origin, target.encode("ascii"), fields, body, size, self._timeouts)
        )


def _content(body: Body | None) -> bytes | AsyncIterator[bytes]:
    if body is not None and body.data is None and body.path is not None:
        return _chunks(body, body.path)
    return (body and body.data) or b""


def _tells_length(head: Head) -> bool:
    return any(name.lower() == b"content-length" for name, _ in head.fields)


def _named(head: Head) -> dict[str, str]:
    """The header fields by their names in lower case; what came several times is one value (RFC 9110, 5.3)."""
    named: dict[str, str] = {}
    for field_name, value in head.fields:
        name, text = field_name.decode("latin-1").lower(), value.decode("latin-1")
        named[name] = f"{named[name]}, {text}" if name in named else text
    return named


async def _chunks(body: Body, path: Path) -> AsyncIterator[bytes]:
    """Read a spooled body and hash it on the way, each chunk sent only once the next is known.

    A file that changed is noticed before its last chunk goes out, so the server gets no whole body and stores nothing.
    Not every server compares x-amz-content-sha256 with what arrives.
    """
    digest, size, held = hashlib.sha256(), 0, b""
    async with aiofiles.open(path, "rb") as file:
        while chunk := await file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if held:
                yield held
            held = chunk
    checked_body(body, size=size, sha256=digest.hexdigest(), key=path.name)
    if held:
        yield held


async def _read(reply: WireReply, longest: int = _LONGEST_ANSWER) -> bytes:
    """Read an answer that is small by nature, and close it; what is longer is cut."""
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in reply:
            parts.append(chunk)
            size += len(chunk)
            if size > longest:
                break
    finally:
        await reply.aclose()
    return b"".join(parts)


async def _refusal(reply: WireReply) -> Refusal:
    return read_refusal(reply.head.status, _named(reply.head), await _read(reply))


def _no_object(refusal: Refusal) -> Refusal:
    """A 404 to a GET of a key, whatever its page says, means that there is no such object."""
    return replace(refusal, code="NoSuchKey") if refusal.status == 404 and not refusal.code else refusal
