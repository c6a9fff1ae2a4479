"""Runs that several workers share: what is killed is done again, and no host is asked for more than it bears, or for nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.patience import PATIENCE
from fixtures.servers.many_hosts import ManyHosts, many_hosts
from fixtures.site import Site
from tests.faults.conftest import Start, wait_for
from torture.places import DirectoryPlace

HOST_WIDTH = 6
WORKERS = 3
TROUBLE = ("fixtures/seed/news-by.txt", "fixtures/demo/clock-tower.txt", "fixtures/demo/defects.txt")
"""Sound images, one narrower than promised, and one of each defect."""


@pytest.fixture
def origin() -> Iterator[ManyHosts]:
    with many_hosts(400, 12, delay=0.02) as running:
        yield running


def words(origin: ManyHosts, tmp_path: Path, *more: str) -> tuple[str, ...]:
    urls = origin.write_list(tmp_path / "urls.txt")
    return (
        *("mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m"), "--allow-private", "--check", "header"),
        *("--engine", "processes", "--workers", str(WORKERS), "--format", "jsonl", *more),
    )


def workers_of(pid: int) -> list[int]:
    """The worker processes that a run has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(told[1]) == pid and told[0] != "Z" and b"jobs.mirror.worker" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


def heard(child: subprocess.Popen[str]) -> Callable[[], tuple[str, str]]:
    """Read what a run says from now on: what it returns waits for its end."""
    told = ThreadPoolExecutor(1).submit(child.communicate, timeout=PATIENCE)
    return told.result


def outcomes(told: str) -> Counter[str]:
    rows = [json.loads(line) for line in told.splitlines()]
    return Counter(row["status"] for row in rows if row["type"] == "variant")


def test_workers_ask_for_each_image_once_and_never_more_of_a_host_than_it_bears(
    start: Start, origin: ManyHosts, tmp_path: Path
) -> None:
    child = start(*words(origin, tmp_path))
    told, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, said
    assert outcomes(told) == {"stored": len(origin.urls)}
    assert origin.asked == Counter(origin.urls)
    assert max(origin.most.values()) <= HOST_WIDTH
    assert len(DirectoryPlace(tmp_path / "m").held()) == len(origin.urls)
    assert f"shards on {WORKERS} workers" in told


def test_what_a_killed_worker_had_under_way_is_done_by_another(start: Start, origin: ManyHosts, tmp_path: Path) -> None:
    child = start(*words(origin, tmp_path))
    end = heard(child)
    killed = 0
    while killed < 3:
        before = origin.asked.total()
        wait_for(lambda: origin.asked.total() > before + 30, child)  # noqa: B023 - called at once
        for pid in workers_of(child.pid)[:1]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    told, said = end()
    assert child.returncode == 0, said
    assert outcomes(told) == {"stored": len(origin.urls)}
    lost = [json.loads(line) for line in told.splitlines() if '"worker-lost"' in line]
    assert 1 <= len(lost) <= 3
    assert all(
        re.search(r"Shard \d+ lost its worker \(process \d+ was ended by SIGKILL\)", row["message"]) for row in lost
    )
    assert set(origin.asked) == set(origin.urls)
    # What was under way at a death may be asked for once more: as much as a shard has at once.
    assert origin.asked.total() - len(origin.urls) <= 3 * 64
    assert max(origin.most.values()) <= 2 * HOST_WIDTH  # a dead worker's last requests may still be answered


def test_a_run_that_was_killed_with_its_workers_goes_on_where_it_was(
    start: Start, origin: ManyHosts, tmp_path: Path
) -> None:
    first = start(*words(origin, tmp_path))
    end = heard(first)
    wait_for(lambda: origin.asked.total() > 120, first)
    workers = workers_of(first.pid)
    first.kill()
    end()
    assert len(workers) == WORKERS
    limit = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < limit:
        time.sleep(0.01)
    second = start(*words(origin, tmp_path))
    told, said = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, said
    assert outcomes(told).total() == len(origin.urls)
    assert '"code":"resumed"' in told
    assert set(origin.asked) == set(origin.urls)
    assert origin.asked.total() - len(origin.urls) <= WORKERS * 64
    place = DirectoryPlace(tmp_path / "m")
    assert len(place.held()) == len(origin.urls)
    assert all(key.startswith("_mediamirror/results/") for key in place.leftovers())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_every_worker(
    start: Start, origin: ManyHosts, tmp_path: Path, number: signal.Signals
) -> None:
    child = start(*words(origin, tmp_path))
    end = heard(child)
    wait_for(lambda: origin.asked.total() > 60, child)
    workers = workers_of(child.pid)
    child.send_signal(number)
    told, said = end()
    assert child.returncode == 130, said
    assert "with work under way" not in said  # all of them ended in order, within the time they have
    assert workers
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    kept = outcomes(told)["stored"]
    assert 0 < kept < len(origin.urls)
    assert not list((tmp_path / "tmp").iterdir())


def test_a_run_that_no_worker_can_begin_says_why_once(start: Start, tmp_path: Path, origin: ManyHosts) -> None:
    gone = "import mediamirror.jobs.mirror.engines as e\nstart = e.start\ne.start = lambda m, **how: start(m + '_gone', **how)"
    child = start(*words(origin, tmp_path), before=gone)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 2, said
    assert re.findall("No worker can be started: .*", said)[0].endswith("_gone.")
    assert not origin.asked


def test_workers_make_of_every_promise_and_every_defect_what_one_process_makes(
    start: Start, site: Site, tmp_path: Path
) -> None:
    told = {}
    for engine in ("in-process", "processes"):
        catalog = tmp_path / f"{engine}.sqlite"
        child = start(
            *("mirror", *TROUBLE, "--rungs", "largest", "--to", str(tmp_path / engine), "--catalog", str(catalog)),
            *("--engine", engine, "--workers", "2", "--format", "jsonl", "--retries", "1", *site.arguments()),
        )
        said, errors = child.communicate(timeout=PATIENCE)
        assert child.returncode == 1, errors
        rows = [json.loads(line) for line in said.splitlines()]
        told[engine] = sorted(
            (row["url"], row["status"], row["key"], row.get("sha256"), (row["error"] or {}).get("code"))
            for row in rows
            if row["type"] == "variant"
        )
    assert told["in-process"] == told["processes"]
    assert len({status for _, status, *_ in told["processes"]}) >= 3
