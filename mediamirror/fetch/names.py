"""Host names to addresses: the system's own look-up (getaddrinfo), in threads of our own.

A name server that stays silent holds a look-up up for as long as the system's resolver likes, 10 to 30 s, and nothing can
break that off. So a look-up shares no thread with anything else, a name has one at a time, whoever asks has an answer
after a bounded time whatever the thread does, and nobody waits for the thread when the run ends.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from mediamirror.fetch.guard import literal

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
            answer = _resolve(ask, host)
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


def _resolve(ask: Callable[..., Any], host: str) -> Answer:
    try:
        entries = ask(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        return error
    except Exception as error:  # UnicodeError for a..b, and for labels that are too long
        return socket.gaierror(socket.EAI_NONAME, f"{host!r} can't be looked up: {error}")
    return tuple(Address(family, _scoped(*where[:1], *where[3:4])) for family, _, _, _, where in entries)


def _scoped(ip: str, scope: int = 0) -> str:
    return f"{ip}%{scope}" if scope and "%" not in ip else ip
