"""``catalog rebuild`` that is killed: the same command, run again, does it."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.images import make_image
from tests.faults.conftest import Start

DAMAGED = b"SQLite format 3\0" + b"damaged" * 1000
KILL = """
import os, signal
from pathlib import Path
from mediamirror.jobs.catalog import adopt
def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""
MADE_HALF = """
adopt.finish_run = lambda *_: die()
"""
AT_A_MOVE = """
replace, moves = Path.replace, [0]
def counted(self, target):
    moves[0] += 1
    if moves[0] == {}:
        die()
    return replace(self, target)
Path.replace = counted
"""
ALL_DONE = """
in_place = adopt._put_in_place
def put(*words):
    in_place(*words)
    die()
adopt._put_in_place = put
"""
MOMENTS = {
    "when it is made": MADE_HALF,
    "before the old one is moved": AT_A_MOVE.format(1),
    "between the old one and its log": AT_A_MOVE.format(2),
    "before the new one comes": AT_A_MOVE.format(3),
    "when all is done": ALL_DONE,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_rebuild_that_was_killed_is_done_by_the_same_command(start: Start, tmp_path: Path, moment: str) -> None:
    place, catalog = tmp_path / "m", tmp_path / "c.sqlite"
    place.mkdir()
    for n in range(3):
        (place / f"{n}.webp").write_bytes(make_image(48, 32, "webp", seed=n))
    catalog.write_bytes(DAMAGED)
    catalog.with_name("c.sqlite-wal").write_bytes(b"and its log")
    command = ("catalog", "rebuild", str(place), "--catalog", str(catalog), "--format", "jsonl")
    killed = start(*command, before=KILL + MOMENTS[moment])
    _, said = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, said
    again = start(*command)
    out, said = again.communicate(timeout=60)
    assert (again.returncode, json.loads(out.splitlines()[-1])["counts"]) == (0, {"objects recorded": 3}), said
    with closing(sqlite3.connect(catalog)) as db:
        assert db.execute("SELECT count(*) FROM holdings").fetchall() == [(3,)]
    assert {"c.sqlite.rebuilding", "c.sqlite-wal"}.isdisjoint(path.name for path in tmp_path.iterdir())
    kept = [path.read_bytes() for path in tmp_path.glob("c.sqlite.old-*")]
    assert {DAMAGED, b"and its log"} <= set(kept)
