"""A connection that takes no more answers than a server has to give: aiohttp queues whatever comes, without end."""

from __future__ import annotations

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

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
