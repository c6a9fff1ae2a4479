"""What is sent to a server and what comes back, between whoever asks and whatever carries it: values, errors and one contract.

`fetch.transport.CurlTransport` carries over libcurl. A transport of the caller's own is one of httpx2, which `fetch.handed_in`
makes one of these. Values of our own cost less than httpx2's, and a run without such a transport loads no httpx2
(docs/decisions/0001).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import httpx2

Transport: TypeAlias = "httpx2.AsyncBaseTransport"
"""A transport of the caller's own, as the jobs take it."""

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields, names as they are written, in their order."""


class Broken(Exception):
    """A request without a whole answer. ``__cause__`` is the system's error, or TLS's, where there is one."""


class NotConnected(Broken):
    """No connection came about."""


class ProxyFailed(NotConnected):
    """The proxy could not be reached, or does not let us through."""


class Late(Broken):
    """No connection, or none free, in time."""


class Silent(Broken):
    """The peer gave no sign of life in time."""


class Unwritable(Broken):
    """The request itself can't be written as HTTP."""


class CutOff(Broken):
    """The peer broke off, or does not speak HTTP."""


class HeaderFlood(CutOff):
    """More headers than are accepted."""


class UnreadableHead(CutOff):
    """A head that came whole and can't be read."""


class UnsaidEnd(CutOff):
    """A TLS connection ended in a body without saying so first (no close_notify)."""


class Timeouts(NamedTuple):
    """Seconds: to connect, between two signs of life, and until a connection is free; None for as long as it takes."""

    connect: float | None
    read: float | None
    free: float | None = None


class WireRequest(NamedTuple):
    """One request. ``origin`` is a serialised ``scheme://host[:port]``; ``target`` goes out byte for byte: path and query.

    ``fields`` go out as they are; a Host is added where there is none. A ``body`` that comes in pieces has ``length`` bytes.
    """

    method: str
    origin: str
    target: bytes
    fields: Fields
    body: bytes | AsyncIterable[bytes] = b""
    length: int | None = None
    timeouts: Timeouts | None = None
    """None for the transport's own."""


class Head(NamedTuple):
    """Status, reason and fields of an answer, and its bytes; ``lines`` is how many lines of all that came lie before its body."""

    status: int
    reason: bytes
    fields: Fields
    lines: int
    raw: bytes


class WireReply(Protocol):
    """An answer whose head is there. Its body is what it yields, in pieces of whatever size: read to its end, or closed."""

    @property
    def head(self) -> Head:
        """What came before the body."""
        ...

    @property
    def address(self) -> str | None:
        """The IP address that answered, where it is known. Asked for before the body was read to its end."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the body, with its transfer coding undone and its content coding as it came. Raises `Broken`."""
        ...

    async def aclose(self) -> None:
        """Let go of it; of one that is not whole the connection is closed."""
        ...


class Carrier(Protocol):
    """Carries requests; serves many tasks of one event loop.

    ``send`` raises `Broken`, and `errors.AddressRefused` where a guard stands before it.
    """

    async def send(self, request: WireRequest) -> WireReply:
        """Send one request and wait for the head of its answer."""
        ...
