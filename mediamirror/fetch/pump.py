"""libcurl in an event loop: its sockets and its timer, driven in the loop's own thread, without a task and without a thread.

All of libcurl's sockets lie in one epoll, which the loop watches as a single reader: that is cheaper than a reader and a writer
for each transfer. docs/decisions/0001 has the figures.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pycurl

Ended = Callable[[int, str], None]
"""Called with libcurl's code for how a transfer ended (0: well), and its words."""

_NEVER = float("inf")
_TICK = 0.05
_EPOLL = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_BROKEN = select.EPOLLERR | select.EPOLLHUP


class Pump:
    """Owns one multi handle, which keeps up to ``connections`` open.

    ``tick`` is called every 50 ms while transfers are under way. It and `Ended` are called between libcurl's own calls, so they
    may add and remove handles.
    """

    def __init__(self, tick: Callable[[], None], *, connections: int) -> None:
        self._tick = tick
        self._loop = asyncio.get_running_loop()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_interest)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._epoll = select.epoll()
        self._busy: set[int] = set()
        """Sockets that libcurl wants to hear of."""
        self._idle: set[int] = set()
        """Sockets of kept connections, on which nobody has asked for anything."""
        self._heard: dict[int, float] = {}
        self._due = _NEVER
        self._set_for = _NEVER
        self._timer: asyncio.Handle | None = None
        self._ticker: asyncio.Handle | None = None
        self._under_way: dict[pycurl.Curl, Ended] = {}
        self.turn = 0
        """How often libcurl was called."""
        self._loop.add_reader(self._epoll.fileno(), self._on_sockets)

    def add(self, curl: pycurl.Curl, ended: Ended) -> None:
        """Begin a transfer; whoever is told of its end removes it."""
        self._multi.add_handle(curl)
        self._under_way[curl] = ended
        if self._ticker is None:
            self._ticker = self._loop.call_later(_TICK, self._on_tick)

    def remove(self, curl: pycurl.Curl, *, whole: bool) -> None:
        """End a transfer. The connection of one that is not ``whole`` is closed; of one that is, it is kept, and watched."""
        kept = curl.getinfo(pycurl.ACTIVESOCKET) if whole else -1
        self._multi.remove_handle(curl)
        del self._under_way[curl]
        # libcurl may have given the connection to the next transfer already.
        if kept >= 0 and kept not in self._busy:
            self._idle.add(kept)
            with suppress(OSError):
                self._epoll.register(kept, select.EPOLLIN)

    def go_on(self, curl: pycurl.Curl) -> None:
        """Let a paused transfer go on."""
        with suppress(pycurl.error):  # what it ended by is told by `Ended`
            curl.pause(pycurl.PAUSE_CONT)
        self._on_timer(0)

    def heard(self, curl: pycurl.Curl) -> float:
        """Say when the socket of a transfer was last ready to be read or written, by `time.monotonic`; 0 before that."""
        return self._heard.get(curl.getinfo(pycurl.ACTIVESOCKET), 0.0)

    def opened(self, fd: int) -> None:
        """Learn of a new socket, which may have the number of one that is closed."""
        self._idle.discard(fd)

    def close(self) -> None:
        """Let go of all sockets. No transfer may be under way."""
        self._loop.remove_reader(self._epoll.fileno())
        for handle in (self._timer, self._ticker):
            if handle is not None:
                handle.cancel()
        self._multi.close()
        self._epoll.close()

    def _on_interest(self, what: int, fd: int, multi: object, data: object) -> None:
        del multi, data
        if what == pycurl.POLL_REMOVE:  # finished, paused, or about to be closed
            self._busy.discard(fd)
            with suppress(OSError):
                self._epoll.unregister(fd)
            return
        known = fd in self._busy or fd in self._idle
        self._busy.add(fd)
        self._idle.discard(fd)
        try:
            (self._epoll.modify if known else self._epoll.register)(fd, _EPOLL[what])
        except OSError:  # closed meanwhile, and its number given again
            (self._epoll.register if known else self._epoll.modify)(fd, _EPOLL[what])

    def _on_timer(self, milliseconds: int) -> None:
        """Wake up by then. A timer that is early stays, and looks again: cheaper than a new one for each transfer."""
        self._due = self._loop.time() + milliseconds / 1000 if milliseconds >= 0 else _NEVER
        if self._due < self._set_for:
            if self._timer is not None:
                self._timer.cancel()
            self._set()

    def _set(self) -> None:
        delay = self._due - self._loop.time()
        self._set_for = self._due
        self._timer = self._loop.call_later(delay, self._on_time) if delay > 0 else self._loop.call_soon(self._on_time)

    def _on_time(self) -> None:
        self._timer, self._set_for = None, _NEVER
        if self._due <= self._loop.time() + 0.001:
            self.turn += 1
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._collect()
        elif self._due < _NEVER:
            self._set()

    def _on_sockets(self) -> None:
        self.turn += 1
        now = time.monotonic()
        for fd, events in self._epoll.poll(0):
            self._heard[fd] = now
            if fd in self._idle:
                self._unasked(fd)
                continue
            what = (pycurl.CSELECT_IN if events & select.EPOLLIN else 0) | (
                pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
            )
            self._multi.socket_action(fd, what | (pycurl.CSELECT_ERR if events & _BROKEN else 0))
        self._collect()

    def _unasked(self, fd: int) -> None:
        """Bytes that nobody asked for, or the end, on a kept connection.

        libcurl could take them for the answer to the next request (RFC 9112, 9.2). So it is left with a dead socket in the
        connection's place, and opens another.
        """
        self._idle.discard(fd)
        with suppress(OSError):
            self._epoll.unregister(fd)
        with suppress(OSError):
            dead, other = socket.socketpair()
            with dead, other:
                os.dup2(dead.fileno(), fd, inheritable=False)

    def _collect(self) -> None:
        more = 1
        while more:
            more, whole, broken = self._multi.info_read()
            for curl, code, words in [*((curl, 0, "") for curl in whole), *broken]:
                if curl in self._under_way:
                    self._under_way[curl](code, words)

    def _on_tick(self) -> None:
        self._ticker = self._loop.call_later(_TICK, self._on_tick) if self._under_way else None
        self._tick()
