"""One request over libcurl: the easy handle that carries it, the answer as it comes, and what went wrong with it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pycurl

from mediamirror.errors import AddressRefused
from mediamirror.fetch.answer import MOST_LINES, BadHead, TooManyHeaders, check_trailers, read_head
from mediamirror.first_use import pattern
from mediamirror.wire import (
    Broken,
    CutOff,
    Head,
    HeaderFlood,
    Late,
    NotConnected,
    ProxyFailed,
    Silent,
    Timeouts,
    UnreadableHead,
    UnsaidEnd,
    Unwritable,
    WireRequest,
)

if TYPE_CHECKING:
    from mediamirror.fetch.pump import Pump

_MOST_HELD = 256 * 1024
"""Bytes of a body that wait for their reader."""
_TINY, _MOST_TINY = 4096, 200
"""In one turn of the loop no more than so many chunks below so many bytes are taken from one connection."""
_SUPPRESS_CONNECT_HEADERS = 265  # pycurl has no name for it
_NO_TIMEOUT = 7 * 86_400_000
_LINE_BREAK = pattern(rb"[\0\r\n]")


class Way(NamedTuple):
    """Where to dial for a request: lines for `pycurl.RESOLVE` and `pycurl.CONNECT_TO`, and who is asked for each address.

    ``admit`` gets an address and a port that are about to be dialled, and raises `AddressRefused`.
    """

    resolve: list[str]
    connect_to: list[str]
    admit: Callable[[str, int], None]


class Reply:
    """An answer: whole, or still coming. It is read to its end, or closed, which closes its connection."""

    __slots__ = ("_wake", "answered_by", "came", "done", "error", "held", "pieces", "size", "slot")

    def __init__(self, slot: Slot) -> None:
        self.slot: Slot | None = slot
        self.came: Head | None = None
        """Its head, once that is there."""
        self.answered_by: str | None = None
        self.pieces: list[bytes] = []
        self.held = 0
        self.size = 0
        self.done = False
        self.error: Exception | None = None
        self._wake: asyncio.Future[None] | None = None

    @property
    def head(self) -> Head:
        """Its head, of which the transport has waited."""
        assert self.came is not None  # noqa: S101 - for mypy: handed over once it is there
        return self.came

    @property
    def address(self) -> str | None:
        """The IP address that answered; None where a proxy stands between."""
        return self.answered_by if self.slot is None else self.slot.address

    def stir(self) -> None:
        """Wake whoever waits."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def finish(self, error: Exception | None) -> None:
        """Take note of the end."""
        self.done, self.error, self.slot = True, error, None
        self.stir()

    def abandon(self) -> None:
        """Close the connection of an answer that is still coming."""
        if self.slot is not None:
            self.slot.end(Broken("closed before its end"))

    async def news(self) -> None:
        """Wait until there is more than a little, or something for a while, or the end."""
        if not self.done:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    # Not a generator: one that is left early would be closed by the event loop, some time later.
    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body, in pieces of whatever size."""
        return self

    async def __anext__(self) -> bytes:
        """Return what has come; raise what cut it off."""
        while not self.pieces:
            if self.done:
                if self.error is not None:
                    raise self.error
                raise StopAsyncIteration
            await self.news()
        piece = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.held = 0
        if self.slot is not None:
            self.slot.resume()
        return piece

    async def aclose(self) -> None:
        """Close the connection, if the answer is not whole."""
        self.abandon()


class Slot:
    """An easy handle, set up once and used again and again, and what libcurl calls on it.

    These callbacks run inside of libcurl: no await, no exception (it would be printed and passed over), no call into the pump.
    ``ended`` is called with each request's end; ``setup`` are options for every request.
    """

    def __init__(
        self,
        pump: Pump,
        ended: Callable[[Slot], None],
        *,
        proxy: str | None,
        max_field: int,
        setup: Callable[[pycurl.Curl], None],
    ) -> None:
        self.reply: Reply
        self.lines: list[bytes] = []
        self._pump = pump
        self._ended = ended
        self._proxy = proxy
        self._max_field = max_field
        self._request: WireRequest
        self._way: Way
        self._timeouts: Timeouts
        self._refusal: Exception | None = None
        self._paused = False
        self._turn = self._tiny = 0
        self._mark: object = None
        self._since = 0.0
        self._body = b""
        self._sent = 0
        self._fed = True
        self.streams = False
        """Whether the request's body comes piece by piece: then `feed` is to be awaited."""
        self._set_to: dict[int, object] = {}
        self.curl = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.HTTP_CONTENT_DECODING, 0),
            (pycurl.BUFFERSIZE, 64 * 1024),
            (pycurl.UPLOAD_BUFFERSIZE, 256 * 1024),
            (pycurl.PROXY, proxy or ""),  # without it libcurl would read the environment's
            (pycurl.NOPROXY, ""),
            (_SUPPRESS_CONNECT_HEADERS, 1),
            (pycurl.HEADERFUNCTION, self.lines.append),
            (pycurl.WRITEFUNCTION, self._on_body),
            (pycurl.READFUNCTION, self._on_read),
            (pycurl.SEEKFUNCTION, self._on_seek),
            (pycurl.OPENSOCKETFUNCTION, self._on_socket),
        ):
            self.curl.setopt(option, value)
        setup(self.curl)

    def begin(self, request: WireRequest, way: Way, timeouts: Timeouts) -> None:
        """Send a request off: `reply` is its answer from now on. Raises what is wrong with the request itself."""
        self._request, self._way, self._timeouts = request, way, timeouts
        self._refusal, self._paused, self._mark = None, False, None
        self.lines.clear()
        target = request.target
        if _LINE_BREAK.search(target):
            raise Unwritable("A request's target holds a line break.")
        if self._proxy is not None and request.origin.startswith("http:"):
            target = request.origin.encode() + target
        fields = _header_lines(tuple(request.fields))
        if fields is None:
            raise Unwritable("A header holds a line break.")
        self._set_method(request)
        connect = timeouts.connect
        for option, value in (
            (pycurl.URL, request.origin),
            (pycurl.REQUEST_TARGET, target),
            (pycurl.HTTPHEADER, fields),
            (pycurl.RESOLVE, way.resolve),
            (pycurl.CONNECT_TO, way.connect_to),
            (pycurl.CONNECTTIMEOUT_MS, _NO_TIMEOUT if connect is None else max(1, round(connect * 1000))),
        ):
            self._set(option, value)
        self.reply = Reply(self)
        self._pump.add(self.curl, self._on_end)

    def end(self, error: Exception | None) -> None:
        """End the request, if it is under way; with an error its connection is closed."""
        reply = self.reply
        if reply.done:
            return
        reply.answered_by = self.address
        self._pump.remove(self.curl, whole=error is None)
        reply.finish(error)
        self._ended(self)

    @property
    def address(self) -> str | None:
        """The IP address that answers; None where a proxy stands between. Not to be asked for within a callback."""
        return None if self._proxy is not None else self.curl.getinfo(pycurl.PRIMARY_IP) or None

    async def feed(self) -> None:
        """Give libcurl the pieces of a streamed body as it asks for them, until there is an answer."""
        reply = self.reply
        assert not isinstance(self._request.body, bytes)  # noqa: S101 - for mypy
        async for piece in self._request.body:
            self._body, self._sent = piece, 0
            self.resume()
            while not reply.done and self._sent < len(piece):
                await reply.news()
            if reply.done or reply.came is not None:
                return
        self._fed = True
        self.resume()

    def resume(self) -> None:
        """Go on, if the request was held up."""
        if self._paused:
            self._paused = False
            self._pump.go_on(self.curl)

    def look(self, now: float) -> None:
        """Look in from time to time: end what takes too long, and tell whoever waits of what has come."""
        reply = self.reply
        if len(self.lines) > MOST_LINES:
            self.end(self._flood())
        elif reply.came is None and self.lines and not self._read_head() and self._refusal is not None:
            self.end(self._refusal)
        elif self._is_silent(now):
            self.end(Silent("the peer sent nothing for too long"))
        elif reply.came is not None:
            reply.stir()

    def _on_end(self, code: int, words: str) -> None:
        self.end(self._outcome(code, words))

    def _set(self, option: int, value: Any) -> None:
        """Set what is not set so already."""
        old = self._set_to.get(option)
        # Equal lines for a name may have been replaced in libcurl's memory meanwhile: those of each `Way` are set anew.
        if old is not value and (option == pycurl.RESOLVE or old != value):
            self.curl.setopt(option, value)
            self._set_to[option] = value

    def _set_method(self, request: WireRequest) -> None:
        method, body = request.method, request.body
        self._body, self._sent, self._fed, self.streams = b"", 0, True, False
        if isinstance(body, bytes):
            self._body, length = body, len(body)
        elif request.length is not None:
            self.streams, self._fed, length = True, False, request.length
        else:
            raise Unwritable("The length of a body that comes in pieces must be known.")
        uploads = length > 0 or method in {"PUT", "POST", "PATCH"}
        if self._set_to.get(pycurl.CUSTOMREQUEST) != (method, uploads):
            self._set_to[pycurl.CUSTOMREQUEST] = (method, uploads)
            self.curl.unsetopt(pycurl.CUSTOMREQUEST)
            self.curl.setopt(pycurl.HTTPGET, 1)
            if uploads:
                self.curl.setopt(pycurl.UPLOAD, 1)
            if method == "HEAD":
                self.curl.setopt(pycurl.NOBODY, 1)
            elif method != ("PUT" if uploads else "GET"):
                self.curl.setopt(pycurl.CUSTOMREQUEST, method)
        if uploads:
            self.curl.setopt(pycurl.INFILESIZE_LARGE, length)

    def _is_silent(self, now: float) -> bool:
        mark = (len(self.lines), self.reply.size, self._sent)
        if mark != self._mark or self._paused:
            self._mark, self._since = mark, now
            return False
        if self._timeouts.read is None or now - self._since < self._timeouts.read:
            return False
        if self.curl.getinfo(pycurl.PRETRANSFER_TIME) == 0:
            self._since = now  # still connecting, which has a time of its own
        else:  # of half a line of a header libcurl tells nothing
            self._since = max(self._since, self._pump.heard(self.curl))
        return now - self._since >= self._timeouts.read

    def _outcome(self, code: int, words: str) -> Exception | None:
        """What became of a transfer that ended: None for a whole answer."""
        reply = self.reply
        if reply.came is None and self._refusal is None:
            self._read_head()  # also of what broke off: its status is told, and the end of its body is an error
        if self._refusal is not None:
            return self._refusal
        if code:
            return failure(code, words, self.curl.getinfo(pycurl.OS_ERRNO), reply.came)
        if reply.came is None:
            return CutOff("cut off in its headers")
        try:
            check_trailers(self.lines[reply.came.lines :], self._max_field)
        except BadHead as error:
            return Broken(str(error))
        return None

    def _read_head(self) -> bool:
        """Read the head, if it is whole by now. What may not stand in one is kept as a refusal."""
        try:
            self.reply.came = read_head(self.lines, self._max_field)
        except TooManyHeaders:
            self._refusal = self._flood()
        except BadHead as error:
            self._refusal = UnreadableHead(str(error))
        return self.reply.came is not None

    def _flood(self) -> Exception:
        return HeaderFlood("more headers than are accepted")

    def _on_body(self, chunk: bytes) -> int | None:
        reply = self.reply
        if reply.came is None and not self._read_head():
            return 0  # fewer bytes than were given: libcurl ends the transfer
        if reply.held >= _MOST_HELD or (len(chunk) < _TINY and self._too_many()):
            self._paused = True
            return pycurl.WRITEFUNC_PAUSE  # libcurl keeps this chunk, and gives it again
        reply.pieces.append(chunk)
        reply.held += len(chunk)
        reply.size += len(chunk)
        if reply.held >= _MOST_HELD:
            reply.stir()
        return None

    def _too_many(self) -> bool:
        """Whether tiny chunks have held up the loop for long enough; they go on in its next turn."""
        if self._turn != self._pump.turn:
            self._turn, self._tiny = self._pump.turn, 0
        self._tiny += 1
        if self._tiny <= _MOST_TINY:
            return False
        self._turn = -1
        reply = self.reply
        asyncio.get_running_loop().call_soon(lambda: None if reply.done else self.resume())
        return True

    def _on_read(self, most: int) -> bytes | int:
        rest = len(self._body) - self._sent
        if rest == 0 and not self._fed:
            self._paused = True
            self.reply.stir()
            return pycurl.READFUNC_PAUSE
        whole = self._sent == 0 and rest <= most
        piece = self._body if whole else self._body[self._sent : self._sent + most]
        self._sent += len(piece)
        return piece

    def _on_seek(self, offset: int, origin: int) -> int:
        """Begin the body again on a new connection, when a kept one turned out to be dead."""
        if self.streams or origin != 0:
            return pycurl.SEEKFUNC_FAIL
        self._sent = offset
        return pycurl.SEEKFUNC_OK

    def _on_socket(self, purpose: int, address: Any) -> int:
        del purpose
        try:
            self._way.admit(*address.addr[:2])
            fd = socket.socket(address.family, address.socktype, address.protocol).detach()
        except AddressRefused as error:
            self._refusal = error
        except OSError as error:  # no more sockets are to be had
            self._refusal = _with_cause(NotConnected(str(error)), error)
        except Exception as error:
            self._refusal = error
        else:
            self._pump.opened(fd)
            return fd
        return int(pycurl.SOCKET_BAD)


@lru_cache(maxsize=256)
def _header_lines(fields: tuple[tuple[bytes, bytes], ...]) -> list[bytes] | None:
    """Header fields as libcurl takes them, and nothing of its own; None when one holds a line break."""
    names = {name.lower() for name, _ in fields}
    # libcurl writes the length; a field without a value has a spelling of its own, or it would be left out.
    lines = [
        b"%b: %b" % field if field[1] else field[0] + b";" for field in fields if field[0].lower() != b"content-length"
    ]
    if _LINE_BREAK.search(b"".join(lines)):
        return None
    return lines + [name + b":" for name in (b"accept", b"user-agent", b"expect") if name not in names]


_TLS = frozenset({35, 51, 53, 54, 58, 59, 60, 66, 77, 80, 82, 83, 90, 91, 98})
_UNTRUSTED = frozenset({51, 60, 83, 90, 91})
_PROBLEM = pattern(r"(?:SSL certificate problem|SSL): (.*)")
_NO_CHUNKS = pattern("^chunk |in chunked-encoding")
_REASON = pattern(r"error:[0-9A-F]+:[^:]*:[^:]*:([^,]+)")


def failure(code: int, words: str, errno: int, head: Head | None) -> Broken:
    """Return our error for one of libcurl's, with the system's or TLS's own error as its cause.

    ``words`` are libcurl's, ``head`` is that of the answer, where there was one.
    """
    if code == pycurl.E_URL_MALFORMAT:
        return Unwritable(words)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Late(words)
    if code == 100 or "Too large response headers" in words:
        return HeaderFlood(words)
    if head is not None:
        return _cut(code, words)
    if code in _TLS:
        return _with_cause(NotConnected(words), _tls_error(code, words))
    if code in {pycurl.E_COULDNT_RESOLVE_PROXY, 97} or "CONNECT" in words or "proxy" in words.lower():
        return ProxyFailed(words)
    if code in {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_INTERFACE_FAILED}:
        cause = OSError(errno, os.strerror(errno)) if errno else None
        return _with_cause(NotConnected(words), cause)
    return CutOff(words)


def _cut(code: int, words: str) -> Broken:
    """An answer that broke off in its body."""
    if "unexpected eof" in words:
        return UnsaidEnd(words)
    if code == pycurl.E_PARTIAL_FILE or (code == pycurl.E_RECV_ERROR and not _NO_CHUNKS.search(words)):
        return CutOff(words)
    return Broken(words)


def _tls_error(code: int, words: str) -> ssl.SSLError:
    if code in _UNTRUSTED:
        found = _PROBLEM.search(words)
        untrusted = ssl.SSLCertVerificationError(1, words)
        untrusted.verify_message = found[1] if found else words
        return untrusted
    reason = _REASON.search(words)
    error = ssl.SSLError(1, words)
    error.reason = reason[1].strip() if reason else ""
    return error


def _with_cause(error: Broken, cause: Exception | None) -> Broken:
    error.__cause__ = cause
    return error
