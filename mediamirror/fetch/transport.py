"""Requests over libcurl. docs/decisions/0001 has the figures behind the choice.

Nothing is added and nothing is changed: the request target goes out byte for byte, headers exactly as given (Host is
added when absent), no cookies, no redirects, no decompression; no proxy, no password and no host list of the environment.

Host names are looked up here too, by the system (getaddrinfo) in threads of our own. A name server that stays silent holds a
look-up up for as long as the system's resolver likes, 10 to 30 s, and nothing can break that off. So a look-up shares no
thread with anything else, a name has one at a time, whoever asks has an answer after a bounded time whatever the thread
does, and nobody waits for the thread when the run ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, Self, TypeVar

import ada_url
import pycurl

from mediamirror.errors import AddressRefused, UsageError
from mediamirror.fetch.guard import Guard, IPAddress, allow_all, literal, own_machine, rewire, rule_for
from mediamirror.fetch.pump import Pump
from mediamirror.fetch.request import split_origin
from mediamirror.fetch.transfer import Reply, Slot, Way
from mediamirror.settings import Rewired
from mediamirror.wire import Broken, Late, NotConnected, Timeouts, Unwritable, WireRequest

AT_ONCE = 256
"""Threads for names that were not found before, at most, stuck ones included: 25 KiB and one socket each."""

FRESH = 10.0
"""Seconds that addresses are used before they are looked up again."""

SILENT = 60.0
"""Seconds that a name without an answer counts as silent, unless it was found before or its answer comes late."""

KEPT = 4096
"""Names whose addresses are kept, at most, and names that count as silent."""


class Address(NamedTuple):
    """One address of a host. ``ip`` is as a resolver writes it, an IPv6 scope behind a ``%``."""

    family: int
    ip: str


class NameServerSilent(socket.gaierror):
    """A look-up had no answer in its time."""


T = TypeVar("T")
Answer = tuple[Address, ...] | OSError


class Names:
    """Looks names up, each for at most ``seconds`` from the moment its thread starts; the wait for a thread is not counted.

    A look-up that ends too late for whoever asked still serves those who ask next. A name that was found before needs no turn
    among the `AT_ONCE`: names that nobody answers can't keep a host that is there from being dialled again. Serves many
    tasks of one event loop. ``ask`` is called in threads, with getaddrinfo's arguments; None is the system's.
    """

    def __init__(
        self,
        seconds: float = 10.0,
        *,
        ask: Callable[..., Any] | None = None,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._ask = ask
        self._at_once = at_once
        self._clock = clock
        self._fresh = FRESH
        self._found: dict[str, tuple[float, tuple[Address, ...]]] = {}
        self._silent: dict[str, float] = {}
        self._asking: dict[str, asyncio.Future[Answer]] = {}
        self._queue: deque[str] = deque()
        self._threads = 0

    def found(self, host: str) -> bool:
        """Say whether a name was found before in this run, or is an address and needs no look-up."""
        return host in self._found or literal(host) is not None

    def known(self, host: str) -> tuple[Address, ...] | None:
        """Return the addresses of a name that was found a moment ago."""
        at, addresses = self._found.get(host, (0.0, ()))
        return addresses if addresses and self._clock() - at < self._fresh else None

    async def look_up(self, host: str) -> tuple[Address, ...]:
        """Return the addresses of a name, in the resolver's order.

        Raises `socket.gaierror` for a name that is not found, and `NameServerSilent` for one without an answer in time.
        """
        if (known := self.known(host)) is not None:
            return known
        _, addresses = self._found.get(host, (0.0, ()))
        asking = self._asking.get(host)
        if asking is None and not addresses and self._clock() - self._silent.get(host, -SILENT) < SILENT:
            raise self._no_answer()
        if asking is None:
            asking = self._asking[host] = asyncio.get_running_loop().create_future()
            if addresses:
                self._start(host)
            else:
                self._queue.append(host)
                self._start_queued()
        answer = await asyncio.shield(asking)
        if isinstance(answer, OSError):
            raise type(answer)(*answer.args)  # each caller has an error, and a traceback, of its own
        return answer

    def _start_queued(self) -> None:
        while self._queue and self._threads < self._at_once:
            self._start(self._queue.popleft())

    def _start(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.seconds, self._give_up, host)
        ask = self._ask or socket.getaddrinfo

        def run() -> None:
            answer = _asked(ask, host)
            with suppress(RuntimeError):  # the run is over, and its loop closed
                loop.call_soon_threadsafe(self._end, host, answer, timer)

        self._threads += 1
        try:
            Thread(target=run, name="name look-up", daemon=True).start()
        except RuntimeError as error:  # no more threads are to be had
            loop.call_soon(self._end, host, OSError(socket.EAI_AGAIN, str(error)), timer)

    def _give_up(self, host: str) -> None:
        _keep(self._silent, host, self._clock())
        self._asking[host].set_result(self._no_answer())

    def _no_answer(self) -> NameServerSilent:
        return NameServerSilent(socket.EAI_AGAIN, f"no answer in {self.seconds:g} s")

    def _end(self, host: str, answer: Answer, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._threads -= 1
        if not isinstance(answer, OSError):
            _keep(self._found, host, (self._clock(), answer))
        asking = self._asking.pop(host)
        if not asking.done():
            asking.set_result(answer)
        self._start_queued()


def _keep(memory: dict[str, T], host: str, value: T) -> None:
    if len(memory) >= KEPT:
        del memory[next(iter(memory))]
    memory[host] = value


def _asked(ask: Callable[..., Any], host: str) -> Answer:
    try:
        entries = ask(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        return error
    except Exception as error:  # UnicodeError for a..b, and for labels that are too long
        return socket.gaierror(socket.EAI_NONAME, f"{host!r} can't be looked up: {error}")
    return tuple(Address(family, _scoped(*where[:1], *where[3:4])) for family, _, _, _, where in entries)


def _scoped(ip: str, scope: int = 0) -> str:
    return f"{ip}%{scope}" if scope and "%" not in ip else ip


_MAX_FIELD = 64 * 1024
_MOST_PLACES = 4096


class _Place(NamedTuple):
    """What is known of a URL's host and port: the host that is dialled for them, its addresses, and the way there."""

    host: str
    addresses: tuple[Address, ...]
    way: Way


class CurlTransport:
    """Keeps the contract of `wire.Carrier` over libcurl. Use it as an async context manager.

    An answer is handed over with its whole body where that is small and comes at once, and as it comes otherwise. No more than
    256 KiB of it wait for their reader.

    Raises `AddressRefused` from the guard. A TLS failure is a `NotConnected` whose ``__cause__`` is the `ssl.SSLError`. A message
    cut short by the peer is a `CutOff` while the body is read.
    """

    def __init__(
        self,
        *,
        guard: Guard | None = None,
        connect_to: Sequence[Rewired] = (),
        cacert: Path | str | None = None,
        proxy: str | None = None,
        limit: int = 256,
        connect_timeout: float | None = 10.0,
        read_timeout: float | None = 30.0,
        max_field: int = _MAX_FIELD,
        names: Names | None = None,
    ) -> None:
        # What is dialled with a proxy is the proxy, which the user named; the guard judges the URLs that it is told.
        self._guard, self._rules = (guard or Guard(), tuple(connect_to)) if proxy is None else (Guard(allow_all), ())
        self._proxy = proxy
        self.names = names or Names()
        self._authorities = read_authorities(cacert) if cacert else None
        self._timeouts = Timeouts(connect_timeout, read_timeout)
        self._max_field = max_field
        self._room = asyncio.Semaphore(limit)
        self._places: dict[tuple[str, int], _Place] = {}
        self._free: list[Slot] = []
        self._busy: set[Slot] = set()
        self._pump = Pump(self._look_in, connections=limit)
        self._closed = False

    @property
    def connections(self) -> int:
        """Connections in use right now: 0 once every response was read to its end or closed."""
        return len(self._busy)

    async def send(self, request: WireRequest) -> Reply:
        """Send one request; its answer must be read to its end or closed."""
        slot = await self._begin(request, request.timeouts or self._timeouts)
        reply = slot.reply
        try:
            if slot.streams:
                await slot.feed()
            while reply.came is None and not reply.done:
                await reply.news()
        except BaseException:
            reply.abandon()
            raise
        if reply.came is None:
            raise reply.error or Broken("no answer")
        return reply

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for slot in list(self._busy):
            slot.end(Broken("the transport was closed"))
        for slot in self._free:
            slot.curl.close()
        self._free.clear()
        self._pump.close()

    async def _begin(self, request: WireRequest, timeouts: Timeouts) -> Slot:
        if not request.origin.startswith(("http://", "https://")):
            raise Unwritable("Only http and https are spoken.")
        if self._closed:
            raise Broken("the transport is closed")
        asked = split_origin(request.origin)
        place = self._known(asked) or await self._find(asked)
        if self._room.locked():
            await self._wait(None if timeouts.free is None else timeouts.free + (timeouts.connect or 0))
            place = self._places.get(asked, place)
        else:
            await self._room.acquire()
        try:
            slot = self._free.pop() if self._free else self._new_slot()
            slot.begin(request, place.way, timeouts)
        except BaseException:
            self._room.release()
            raise
        self._busy.add(slot)
        return slot

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._room.acquire()
        except TimeoutError as error:
            raise Late("no connection was free in time") from error

    def _new_slot(self) -> Slot:
        return Slot(self._pump, self._ended, proxy=self._proxy, max_field=self._max_field, setup=self._trust)

    def _trust(self, curl: pycurl.Curl) -> None:
        for option, value in trusted_places():
            curl.setopt(option, value)
        if self._authorities is not None:
            curl.set_ca_certs(self._authorities)

    def _ended(self, slot: Slot) -> None:
        self._busy.discard(slot)
        self._free.append(slot)
        self._room.release()

    def _look_in(self) -> None:
        now = time.monotonic()
        for slot in list(self._busy):
            slot.look(now)

    def _known(self, asked: tuple[str, int]) -> _Place | None:
        """What is known of a host and port, unless its name is to be looked up again."""
        place = self._places.get(asked)
        fresh = place is not None and (literal(place.host) or self.names.known(place.host) is place.addresses)
        return place if fresh else None

    async def _find(self, asked: tuple[str, int]) -> _Place:
        """Find the way: rewire, look up, ask the guard, in this order, for all addresses of a name; one refused refuses it.

        This is done whenever a name was looked up anew; every connection meets its `_Door` besides.
        """
        host, port = asked
        rule = rule_for(host, port, self._rules)
        named = rule is not None and rule.to_host != ""
        to_host, to_port = rewire(host, port, self._rules) if self._proxy is None else _authority(self._proxy)
        if (own := own_machine(to_host)) is not None:
            self._guard.admit(host, port, [(str(own), to_port)], named=named)
        try:
            ip = literal(to_host)
            found = (Address(socket.AF_UNSPEC, str(ip)),) if ip else await self.names.look_up(to_host)
        except OSError as error:
            raise NotConnected(str(error)) from error
        self._guard.admit(host, port, [(each.ip, to_port) for each in found], named=named)
        rewired = self._proxy is None and (to_host, to_port) != asked
        door = _Door(partial(self._guard.admit, host, port, named=named), [(each.ip, to_port) for each in found])
        way = Way(_resolve(to_host, to_port, found), _connect_to(to_host, to_port, found, rewired=rewired), door.admit)
        self._places.pop(asked, None)
        if len(self._places) >= _MOST_PLACES:
            del self._places[next(iter(self._places))]
        place = self._places[asked] = _Place(to_host, found, way)
        return place


class _Door:
    """The second lock, at the socket: lets the addresses pass that the guard has judged, and has them judged for each connection."""

    def __init__(self, judge: Callable[[list[tuple[str, int]]], None], admitted: Sequence[tuple[str, int]]) -> None:
        self._judge = judge
        self._admitted = frozenset(_same(*each) for each in admitted)
        self._just_judged = set(self._admitted)

    def admit(self, ip: str, port: int) -> None:
        """Raise `AddressRefused` for an address that is about to be dialled and may not be."""
        place = _same(ip, port)
        if place not in self._admitted:
            raise AddressRefused(f"{ip} was not contacted: it did not pass the guard.")
        if place in self._just_judged:
            self._just_judged.remove(place)
        else:
            self._judge([(ip, port)])


def _same(ip: str, port: int) -> tuple[IPAddress, int]:
    """An address in its one form: libcurl writes some otherwise than a resolver or a URL, and no scope."""
    return ip_address(ip.partition("%")[0]), port


def _resolve(host: str, port: int, found: Sequence[Address]) -> list[str]:
    """What libcurl is told of a name for the next minute, so that it looks up none; a literal address needs no word."""
    plain = [f"[{each.ip}]" if ":" in each.ip else each.ip for each in found if "%" not in each.ip]
    return [f"+{host}:{port}:{','.join(plain)}"] if plain and not literal(host) else []


def _connect_to(host: str, port: int, found: Sequence[Address], *, rewired: bool) -> list[str]:
    """Where libcurl is to dial in the place of the URL's host; for a name with scoped addresses alone, such an address."""
    if all("%" in each.ip for each in found):
        return [f"::[{found[0].ip}]:{port}"]
    bracketed = f"[{host}]" if ":" in host else host
    return [f"::{bracketed}:{port}"] if rewired else []


def _authority(proxy: str) -> tuple[str, int]:
    url = ada_url.URL(proxy)
    return url.hostname.strip("[]"), int(url.port or (443 if url.protocol == "https:" else 80))


def read_authorities(path: Path | str) -> str:
    """Read a PEM file of certificates that are trusted besides the system's. Raises `UsageError` for the file."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        return Path(path).read_text("ascii", "replace")
    except ssl.SSLError as error:
        raise UsageError(f"--cacert {path} holds no PEM certificate.") from error
    except OSError as error:
        raise UsageError(f"--cacert {path} can't be read: {(error.strerror or str(error)).lower()}.") from error


def trusted_places() -> list[tuple[int, str]]:
    """Options for the places of trusted certificates that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name, as OpenSSL reads them.

    Without them they are the system's, which `pycurl` looks for. A directory costs libcurl its cache of what it has read, so one
    that only holds the file is left out.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    options = []
    if file:
        options += [(pycurl.CAINFO, file), (pycurl.PROXY_CAINFO, file)]
    if folder and Path(file or "").parent != Path(folder):
        options += [(pycurl.CAPATH, folder), (pycurl.PROXY_CAPATH, folder)]
    return options
