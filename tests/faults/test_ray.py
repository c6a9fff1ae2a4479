"""A run shared on a real Ray cluster of this machine: what is killed is done again, and nothing of Ray's gets into the output."""

from __future__ import annotations

import inspect
import json
import logging
import os
import pickle
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess, Popen

import pytest

from fixtures.patience import PATIENCE
from fixtures.processes import descendants, title
from fixtures.servers.many_hosts import ManyHosts, many_hosts
from mediamirror import __version__, errors
from mediamirror.first_use import replace
from mediamirror.jobs.mirror.ray_bridge import probe
from mediamirror.jobs.mirror.spread import Job
from mediamirror.settings import MirrorOptions
from tests.faults.conftest import Start
from tests.faults.test_workers import HOST_WIDTH, heard, outcomes
from torture.places import DirectoryPlace

Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def origin() -> Iterator[ManyHosts]:
    with many_hosts(300, 12, delay=0.02) as running:
        yield running


def words(origin: ManyHosts, tmp_path: Path, *more: str) -> tuple[str, ...]:
    urls = origin.write_list(tmp_path / "urls.txt")
    return (
        *("mirror", str(urls), "--as", "urls", "--to", str(tmp_path / "m"), "--allow-private", "--check", "header"),
        *("--engine", "ray", "--format", "jsonl", *more),
    )


def wait_until(what: Callable[[], bool], child: Popen[str], end: Callable[[], tuple[str, str]]) -> None:
    while not what():
        assert child.poll() is None, end()[1]
        time.sleep(0.005)


def test_a_killed_worker_costs_nothing_sigterm_ends_the_cluster_and_another_engine_goes_on(
    start: Start, origin: ManyHosts, tmp_path: Path
) -> None:
    origin.hold_after(60)
    child = start(*words(origin, tmp_path, "--workers", "2"))
    end = heard(child)
    wait_until(lambda: origin.asked.total() > 60, child, end)  # so it has requests that nobody has answered
    processes = descendants(child.pid)
    os.kill(next(pid for pid, name in processes.items() if name.startswith("ray::shard")), signal.SIGKILL)
    wait_until(lambda: max(origin.asked.values()) > 1, child, end)
    origin.go_on()
    wait_until(lambda: origin.asked.total() > 150, child, end)
    processes = descendants(child.pid)
    child.send_signal(signal.SIGTERM)
    told, said = end()
    assert child.returncode == 130, said
    kept = outcomes(told)["stored"]  # each line is JSON: nothing of Ray's stands between
    assert 0 < kept < len(origin.urls)
    assert "\x1b" not in told
    assert re.search(r"Shard \d+ lost its worker \(\w*WorkerCrashedError", told)
    assert any("raylet" in name for name in processes.values())
    limit = time.monotonic() + PATIENCE
    while (
        left := [pid for pid, name in processes.items() if name and title(pid) == name]
    ) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not left

    again = start(*("processes" if word == "ray" else word for word in words(origin, tmp_path, "--workers", "2")))
    told, said = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, said
    assert outcomes(told).total() == len(origin.urls)
    assert set(origin.asked) == set(origin.urls)
    assert (
        origin.asked.total() - len(origin.urls) <= 3 * 64
    )  # what was under way at the kill, and in two workers at the end
    assert max(origin.most.values()) <= 2 * HOST_WIDTH  # a dead worker's last requests may still be answered
    assert len(DirectoryPlace(tmp_path / "m").held()) == len(origin.urls)


def test_an_address_that_nobody_answers_at_is_told_at_once(
    mediamirror: Command, origin: ManyHosts, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = mediamirror(*words(origin, tmp_path, "--ray-address", f"127.0.0.1:{port}"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"mediamirror: No Ray cluster answers at 127.0.0.1:{port} (Connection refused): check --ray-address."
    )
    assert not origin.asked


def test_without_ray_it_says_what_to_install(start: Start, origin: ManyHosts, tmp_path: Path) -> None:
    missing = "import importlib.util as u\nfind = u.find_spec\nu.find_spec = lambda n, *a: None if n == 'ray' else find(n, *a)"
    child = start(*words(origin, tmp_path), before=missing)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 2
    assert said.splitlines()[-1] == (
        "mediamirror: --engine ray needs Ray, which is not installed: pip install 'mediamirror[ray]'."
    )
    assert origin.asked == Counter()


def test_no_cluster_to_be_found_is_one_sentence(mediamirror: Command, origin: ManyHosts, tmp_path: Path) -> None:
    done = mediamirror(
        *words(origin, tmp_path, "--ray-address", "auto"), TMPDIR=str(tmp_path), RAY_TMPDIR=str(tmp_path)
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("mediamirror: Ray can't be used at auto: ")
    assert not any(json.loads(line)["type"] == "variant" for line in done.stdout.splitlines())


def test_a_node_says_why_it_can_not_work(tmp_path: Path) -> None:
    job = Job(str(tmp_path), MirrorOptions(), frozenset(), True, False, 1, False, logging.ERROR)
    assert probe(job) == (__version__, None)
    version, why = probe(replace(job, to=str(tmp_path / "not-mounted")))
    assert version == __version__
    assert why is not None
    assert "not-mounted is not there" in why


def test_every_error_of_ours_comes_through_as_it_went() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MediamirrorError)
    ]
    assert len(kinds) > 50
    for kind in kinds:
        needed = [p for p in inspect.signature(kind).parameters.values() if p.default is p.empty][1:]
        sent = kind("why", **{p.name: 503 if "int" in str(p.annotation) else "this" for p in needed})
        came = pickle.loads(pickle.dumps(sent))
        assert (type(came), str(came), vars(came)) == (kind, "why", vars(sent))
