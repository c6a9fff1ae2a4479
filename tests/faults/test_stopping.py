"""Ctrl-C and SIGTERM: what is finished is kept, and the process is gone in time."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from bench.fillings import FILLINGS
from fixtures.images import make_image
from fixtures.patience import PATIENCE
from tests.faults.conftest import Start, Waiting, wait_for
from torture.places import DirectoryPlace, read_catalog

MiB = 1024**2

STUCK = """
import threading
from pathlib import Path
from mediamirror.store import files
def stuck(*_):
    Path(sys.argv[-1]).touch()
    threading.Event().wait()
files._publish = stuck
"""
"""A system call that does not come back, as on a network file system whose server is gone."""


def mirror(urls: Path, waiting: Waiting, dest: Path) -> tuple[str, ...]:
    return ("mirror", str(urls), "--as", "urls", "--to", str(dest), *waiting.arguments())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_with_its_state_saved_and_says_what_is_left(
    start: Start, waiting: Waiting, urls: Path, tmp_path: Path, number: signal.Signals
) -> None:
    dest = DirectoryPlace(tmp_path / "m")
    catalog = tmp_path / "catalog.sqlite"
    child = start(*mirror(urls, waiting, dest.root), "--catalog", str(catalog), "--format", "jsonl")
    assert child.stdout is not None
    told = 0
    while told < 3:  # an outcome is told when it is recorded
        told += '"status":"stored"' in next(child.stdout).replace(" ", "")
    wait_for(lambda: len(waiting.asked) == 6, child)
    child.send_signal(number)
    _, said = child.communicate(timeout=PATIENCE)
    left = re.search(r"Interrupted with (\d+) variants left", said)
    assert child.returncode == 130, said
    assert left is not None, said
    assert (dest.leftovers(), list((tmp_path / "tmp").iterdir())) == ([], [])
    rows = {key for key, _ in read_catalog(catalog).of(str(dest.root))}
    # A file is there a moment before its row is: what is told as finished has one, and no row is without its file.
    assert 40 <= int(left[1]) <= 43
    assert 43 - int(left[1]) <= len(rows)
    assert rows <= set(dest.held())


SLOWLY = """
import time
from mediamirror.store import files
publish = files._publish
def slowly(*words):
    time.sleep(0.02)
    return publish(*words)
files._publish = slowly
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sync_that_is_stopped_says_what_is_left_and_the_next_one_does_that(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    tree, dest = tmp_path / "tree", DirectoryPlace(tmp_path / "m")
    for n in range(300):
        (tree / f"{n % 3}").mkdir(parents=True, exist_ok=True)
        (tree / f"{n % 3}" / f"{n}.webp").write_bytes(b"%d" % n)
    (dest.root / "0").mkdir(parents=True)
    (dest.root / "0" / "0.webp").write_bytes(b"0")
    command = ("sync", str(tree), str(dest.root), "--format", "jsonl", "--concurrency", "2")
    child = start(*command, before=SLOWLY)
    wait_for(lambda: len(dest.held()) > 20, child)
    child.send_signal(number)
    out, said = child.communicate(timeout=PATIENCE)
    summary = json.loads(out.splitlines()[-1])
    assert (child.returncode, summary["exit_code"], dest.leftovers()) == (130, 130, []), said
    left = 300 - sum(summary["statuses"].values())
    assert f"Interrupted with {left} objects left: run the same command again to go on." in said
    assert 0 < left < 290
    again = start(*command)
    out, said = again.communicate(timeout=PATIENCE)
    assert (again.returncode, len(dest.held())) == (0, 300), said
    assert json.loads(out.splitlines()[-1])["statuses"]["copied"] <= left


def test_a_reading_of_a_mirror_that_is_stopped_says_how_to_go_on(start: Start, tmp_path: Path) -> None:
    tree, dest = tmp_path / "tree", tmp_path / "m"
    tree.mkdir()
    for n in range(40):
        (tree / f"{n:02}.webp").write_bytes(make_image(48, 32, "webp", seed=n) + bytes(50_000))
    made = start("sync", str(tree), str(dest))
    assert (made.communicate(timeout=PATIENCE), made.returncode)[1] == 0
    command = ("verify", "--mirror", str(dest), "--format", "jsonl", "--concurrency", "1")
    child = start(*command, "--limit-rate", "500k")
    assert child.stdout is not None
    for _ in range(3):
        next(child.stdout)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130, said
    assert "Interrupted: run the same command again to go on after these." in said
    assert "variant" not in said
    again = start(*command)
    out, said = again.communicate(timeout=PATIENCE)
    assert (again.returncode, "Going on after" in said + out) == (0, True), said
    assert json.loads(out.splitlines()[-1])["statuses"]["checked"] < 40


def test_a_run_stopped_while_it_still_reads_its_input_says_so(start: Start, waiting: Waiting, tmp_path: Path) -> None:
    child = start("mirror", "http://never.example/page.html", "--to", str(tmp_path / "m"), *waiting.arguments())
    wait_for(lambda: bool(waiting.asked), child)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, "Interrupted before the first image was found" in said) == (130, True), said


def test_a_thread_that_never_comes_back_does_not_keep_the_process_alive(
    start: Start, waiting: Waiting, urls: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "stuck"
    child = start(*mirror(urls, waiting, tmp_path / "m"), "--exclude", str(mark), before=STUCK)
    wait_for(mark.exists, child)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, "stopped after 4 s" in said) == (130, True), said


def test_a_second_ctrl_c_ends_the_process_at_once(start: Start, waiting: Waiting, urls: Path, tmp_path: Path) -> None:
    mark = tmp_path / "stuck"
    patient = f"{STUCK}\nfrom mediamirror.cli import running\nrunning._PATIENCE = 3600\n"
    child = start(*mirror(urls, waiting, tmp_path / "m"), "--exclude", str(mark), before=patient)
    wait_for(mark.exists, child)
    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, "stopped at once" in said) == (130, True), said


def test_a_huge_page_is_dropped_and_what_read_it_is_gone(start: Start, tmp_path: Path) -> None:
    FILLINGS["attributes"].write(tmp_path / "page.html", 40 * MiB)
    child = start("parse", str(tmp_path / "page.html"), "--base-url", "https://a.example/")
    wait_for(lambda: readers_of(child.pid), child)
    (reader,) = readers_of(child.pid)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, "Interrupted before the first image" in said, "Traceback" in said) == (
        130,
        True,
        False,
    ), said
    assert (
        not Path(f"/proc/{reader}/cmdline").exists()
        or b"reader_process" not in Path(f"/proc/{reader}/cmdline").read_bytes()
    )
    assert list((tmp_path / "tmp").iterdir()) == []


def readers_of(pid: int) -> list[int]:
    """The reader processes of a process."""
    tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
    children = [int(word) for task in tasks for word in task.read_text().split()]
    return [each for each in children if b"reader_process" in Path(f"/proc/{each}/cmdline").read_bytes()]


FULL = """
import fcntl, os
for end in (1, 2):
    flags = fcntl.fcntl(end, fcntl.F_GETFL)
    fcntl.fcntl(end, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while True:
            os.write(end, bytes(4096))
    except BlockingIOError:
        fcntl.fcntl(end, fcntl.F_SETFL, flags)
import threading
from mediamirror.cli import running
enter = running._until_stopped
async def entered(job):
    open(sys.argv[-1] + ".entered", "w").close()
    return await enter(job)
running._until_stopped = entered
"""
"""Nobody reads what the program prints, and both pipes are full from the beginning."""


@pytest.mark.parametrize("times", [1, 2])
def test_outputs_that_nobody_reads_do_not_keep_the_process(start: Start, tmp_path: Path, times: int) -> None:
    page = tmp_path / "page.html"
    page.write_text("<img src=a.webp>" * 100)
    child = start("parse", "--format", "jsonl", "--base-url", "https://a.example/", str(page), before=FULL)
    wait_for(Path(f"{page}.entered").exists, child)
    for _ in range(times):
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE) == 130


NO_THREADS = """
import threading
from mediamirror.cli import running
class None_(threading.Timer):
    def start(self):
        raise RuntimeError("can't start new thread")
running.threading.Timer = None_
"""


def test_a_system_without_a_thread_left_ends_the_run_at_once(
    start: Start, waiting: Waiting, urls: Path, tmp_path: Path
) -> None:
    child = start(*mirror(urls, waiting, tmp_path / "m"), before=NO_THREADS)
    wait_for(lambda: bool(waiting.asked), child)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, "stopped at once" in said, "Traceback" in said) == (130, True, False), said


def test_a_signal_while_the_program_is_loading_ends_it_as_ctrl_c_does(start: Start) -> None:
    loading = """
import builtins, os, signal
real = builtins.__import__
def slow(name, *rest, **more):
    if name == "mediamirror.cli.app":
        os.kill(os.getpid(), signal.SIGTERM)
    return real(name, *rest, **more)
builtins.__import__ = slow
"""
    child = start("rules", before=loading)
    out, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, out, said) == (130, "", "")


AT_THE_END = """
import os, signal
class Late:
    def __del__(self, kill=os.kill, me=os.getpid()):
        kill(me, signal_number)
signal_number = {number}
late = Late()
"""
"""Python itself gives signals back their default while it ends, before it drops the last objects of modules."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_last_line_of_a_run_leaves_its_exit_code_as_it_is(
    start: Start, number: signal.Signals
) -> None:
    child = start("rules", "MM101", before=AT_THE_END.format(number=int(number)))
    out, said = child.communicate(timeout=PATIENCE)
    assert (child.returncode, said, "MM101" in out) == (0, "", True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [("catalog", "gc", "m", "-n"), ("sync", "src", "m"), ("parse", "p.html")])
def test_a_signal_at_any_module_that_a_command_loads_ends_it_quietly(
    start: Start, tmp_path: Path, command: tuple[str, ...], number: signal.Signals
) -> None:
    """At each module of our own in turn: those that load first, some in the middle, those that a run loads late."""
    counting = """
import os, signal, sys, threading
patient = threading.Timer
threading.Timer = lambda seconds, *rest: patient(5 * seconds, *rest)  # how long it takes to end is not what is asked here
class Finder:
    seen = 0
    def find_spec(self, name, path=None, target=None):
        if name.startswith("mediamirror.") and name != "mediamirror.__main__":
            Finder.seen += 1
            if Finder.seen == {at}:
                os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
os.chdir({folder!r})
"""
    (tmp_path / "src").mkdir()
    (tmp_path / "m").mkdir()
    (tmp_path / "p.html").write_text("<img srcset='http://h.example/a.webp 480w'>")
    for at in (1, 2, 5, 9, 14, 20, 27, 35):
        before = counting.format(at=at, number=int(number), folder=str(tmp_path))
        child = start(*command, before=before)
        out, said = child.communicate(timeout=PATIENCE)
        assert (child.returncode, out, said.removesuffix("mediamirror: interrupted.\n")) == (130, "", ""), (at, said)
