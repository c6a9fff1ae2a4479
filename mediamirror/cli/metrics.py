"""``--metrics-port``: the numbers of a run for Prometheus, while it runs.

The text format 0.0.4, at ``http://127.0.0.1:PORT/metrics``. It can be reached from this machine alone, and shows no URL and no key.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from mediamirror.errors import UsageError, WorkerLost
from mediamirror.model import Event, Outcome, Planned, Problem, Status

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram of request times, in seconds."""
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts the events of a run; `text` may be called from another thread."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._images: Counter[str] = Counter({status.value: 0 for status in Status})
        self._failures: Counter[str] = Counter()
        self._buckets = [0] * len(BUCKETS)
        self._requests = self._received = self._sent = self._wanted = self._done = self._lost = 0
        self._seconds = 0.0

    def note(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Outcome):
            self._images[event.status.value] += 1
            self._done += event.status is not Status.SKIPPED
            self._received += event.fetched_bytes
            self._sent += event.sent_bytes
            if event.error is not None:
                self._failures[event.error.code] += 1
            if event.download is not None:
                self._time(event.download.seconds)
        elif isinstance(event, Planned):
            self._wanted = event.wanted
        elif isinstance(event, Problem) and event.code == WorkerLost.code:
            self._lost += 1

    def _time(self, seconds: float) -> None:
        self._requests += 1
        self._seconds += seconds
        for at, bound in enumerate(BUCKETS):
            self._buckets[at] += seconds <= bound

    def text(self) -> str:
        """Return all numbers as they are now."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        left, seconds = max(0, self._wanted - self._done), round(time.monotonic() - self._began, 3)
        yield from _family("images_total", "counter", "Images by what became of them", _by("status", self._images))
        yield from _family(
            "failures_total", "counter", "Failed and rejected images by reason", _by("code", self._failures)
        )
        yield from _family("received_bytes_total", "counter", "Bytes of bodies from origins", {"": self._received})
        yield from _family("sent_bytes_total", "counter", "Bytes handed to the store", {"": self._sent})
        yield from _family(
            "workers_lost_total", "counter", "Workers that died with a shard under way", {"": self._lost}
        )
        yield from _family("queue_images", "gauge", "Images that nothing has become of yet", {"": left})
        yield from _family("run_seconds", "gauge", "Seconds since the run began", {"": seconds})
        times: dict[str, float] = {
            f'_bucket{{le="{bound:g}"}}': count for bound, count in zip(BUCKETS, self._buckets, strict=True)
        }
        times |= {'_bucket{le="+Inf"}': self._requests, "_sum": round(self._seconds, 6), "_count": self._requests}
        yield from _family("request_seconds", "histogram", "From the first dial to the last byte of an answer", times)


def _by(label: str, counts: Counter[str]) -> dict[str, float]:
    return {f'{{{label}="{value}"}}': count for value, count in sorted(dict(counts).items())}


def _family(name: str, kind: str, told: str, values: Mapping[str, float]) -> Iterator[str]:
    """The lines of one name; ``values`` by what is written behind it."""
    yield f"# HELP mediamirror_{name} {told}."
    yield f"# TYPE mediamirror_{name} {kind}"
    yield from (f"mediamirror_{name}{more} {value}" for more, value in values.items())


@contextmanager
def served(port: int, then: Callable[[Event], None]) -> Iterator[Callable[[Event], None]]:
    """Serve the numbers until the block ends, and give what takes events and hands them on to ``then``.

    Raises `UsageError` for a port that is taken.
    """
    metrics = Metrics()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/metrics"
            body = metrics.text().encode() if found else b"The numbers are at /metrics.\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: standard error is the run's."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise UsageError(
            f"--metrics-port {port} can't be listened at ({error.strerror}): name another port."
        ) from error
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()

    def take(event: Event) -> None:
        metrics.note(event)
        then(event)

    try:
        yield take
    finally:
        server.shutdown()
        server.server_close()
