"""``--metrics-port``: what Prometheus reads while a run is at it."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.servers.many_hosts import many_hosts
from mediamirror.cli.metrics import Metrics, served
from mediamirror.errors import UsageError
from mediamirror.model import Download, ItemError, Outcome, Planned, Problem, Status, Variant
from tests.faults.conftest import start as start  # noqa: PLC0414 - a fixture
from tests.faults.conftest import wait_for
from tests.faults.test_workers import heard

Command = Callable[..., CompletedProcess[str]]
LINE = re.compile(r'(mediamirror_\w+)(?:\{(\w+)="([^"]*)"\})? (\S+)')


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def read(text: str) -> dict[tuple[str, str | None], float]:
    """The numbers by name and label; each line is a comment of a known kind, or one number."""
    found = {}
    for line in text.splitlines():
        if not line.startswith(("# HELP ", "# TYPE ")):
            name, _, value, number = LINE.fullmatch(line).groups()  # type: ignore[union-attr]
            found[name, value] = float(number)
    return found


def scraped(port: int) -> dict[tuple[str, str | None], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return read(answer.read().decode())


def exchange(seconds: float) -> Download:
    return Download("u", "u", 200, (), None, datetime.now(UTC), seconds)


def test_outcomes_are_counted_by_what_became_of_them() -> None:
    metrics = Metrics()
    variant = Variant("https://a.example/1.webp?token=secret")
    metrics.note(Planned(1, 3, 4, 3))
    metrics.note(Outcome(variant, Status.STORED, download=exchange(0.2), fetched_bytes=100, sent_bytes=90))
    metrics.note(Outcome(variant, Status.FAILED, error=ItemError("http-404", "gone"), download=exchange(7.0)))
    metrics.note(Outcome(variant, Status.SKIPPED))
    metrics.note(Problem("worker-lost", "it died"))
    numbers = read(metrics.text())
    assert numbers["mediamirror_images_total", "stored"] == 1
    assert numbers["mediamirror_failures_total", "http-404"] == 1
    assert numbers["mediamirror_queue_images", None] == 1
    assert numbers["mediamirror_received_bytes_total", None] == 100
    assert numbers["mediamirror_sent_bytes_total", None] == 90
    assert numbers["mediamirror_workers_lost_total", None] == 1
    counts = [numbers["mediamirror_request_seconds_bucket", bound] for bound in ("0.1", "0.25", "5", "10", "+Inf")]
    assert counts == [0, 1, 1, 2, 2]
    assert numbers["mediamirror_request_seconds_sum", None] == 7.2
    assert "secret" not in metrics.text()


@pytest.mark.parametrize("engine", ["in-process", "processes"])
def test_a_run_can_be_watched_while_it_is_at_it(start: Callable[..., object], tmp_path: Path, engine: str) -> None:
    port = free_port()
    with many_hosts(40, 3) as origin:
        urls = origin.write_list(tmp_path / "urls.txt")
        origin.hold_after(10)
        child = start(
            *("mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m"), "--allow-private", "--engine", engine),
            *("--workers", "1", "--check", "header", "--metrics-port", str(port)),
        )
        end = heard(child)  # type: ignore[arg-type]

        def stored() -> float:
            try:
                return scraped(port)["mediamirror_images_total", "stored"]
            except urllib.error.URLError:
                return 0  # it is starting still

        wait_for(lambda: stored() == 10, child)  # type: ignore[arg-type]
        assert scraped(port)["mediamirror_queue_images", None] == len(origin.urls) - 10
        origin.go_on()
        _, said = end()
    assert child.returncode == 0, said  # type: ignore[attr-defined]


def test_another_path_says_where_the_numbers_are() -> None:
    port = free_port()
    with (
        served(port, lambda event: None),
        pytest.raises(urllib.error.HTTPError, match="404"),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60),
    ):
        pass


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(UsageError, match=rf"--metrics-port {port} can't be listened at .*name another"),
            served(port, print),
        ):
            pass
