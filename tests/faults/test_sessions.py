"""Every command that runs a job: interrupted at any moment, it ends with its summary and exit code 130, and leaves nothing behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fixtures.images import make_image
from tests.faults.conftest import Start

STRUCK = """
import os, signal
from mediamirror.jobs.run import session
opened = session.Session.open
async def struck(self):
    await opened(self)
    os.kill(os.getpid(), signal.SIGTERM)
session.Session.open = struck
"""
"""The signal comes when all is open, and before the first item."""

BEFORE_ANYTHING = STRUCK.replace("    await opened(self)\n", "").replace("SIGTERM)", "SIGTERM)\n    await opened(self)")
"""The signal comes before anything is open."""


@pytest.fixture
def place(start: Start, tmp_path: Path) -> Path:
    """A mirror with its catalog, and a page."""
    tree, dest = tmp_path / "tree", tmp_path / "m"
    tree.mkdir()
    for n in range(3):
        (tree / f"{n}.webp").write_bytes(make_image(48, 32, "webp", seed=n))
    (tmp_path / "page.html").write_text('<img src="a.webp" alt="">')
    made = start("sync", str(tree), str(dest))
    assert (made.communicate(timeout=60), made.returncode)[1] == 0
    return tmp_path


COMMANDS = {
    "mirror": ("mirror", "page.html", "--base-url", "http://never.example/", "--to", "m", "--format", "jsonl"),
    "verify": ("verify", "page.html", "--base-url", "http://never.example/", "--format", "jsonl"),
    "verify --mirror": ("verify", "--mirror", "m", "--format", "jsonl"),
    "parse": ("parse", "page.html", "--format", "jsonl"),
    "sync": ("sync", "tree", "m", "--format", "jsonl"),
    "check": ("check", "tree", "m", "--format", "jsonl"),
    "gc": ("catalog", "gc", "m", "--format", "jsonl"),
    "rebuild": ("catalog", "rebuild", "m", "--force", "--format", "jsonl"),
    "import": ("catalog", "import", "m", "--format", "jsonl"),
    "rewrite": ("rewrite", "page.html", "--mirror", "m", "--to", "out", "--format", "jsonl"),
    "rewrite --undo": ("rewrite", "page.html", "--undo", "--format", "jsonl"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupted_command_ends_with_its_summary_and_130(start: Start, place: Path, command: str) -> None:
    child = start(*COMMANDS[command], before=f"import os; os.chdir({str(place)!r})\n{STRUCK}")
    out, said = child.communicate(timeout=60)
    told = [json.loads(line) for line in out.splitlines()]
    ends = [row["exit_code"] for row in told if row["type"] == "summary"]
    assert (child.returncode, ends, told[-1]["type"]) == (130, [130], "summary"), said
    assert "interrupted" in said
    assert list((place / "tmp").iterdir()) == []
    held = [path for path in (place / "m").rglob("*") if path.is_file() and path.parent.name != "manifest"]
    assert sorted(path.name for path in held) == ["0.webp", "1.webp", "2.webp"]


SLOW_DISK = """
import time
from mediamirror.catalog import catalog
connect = catalog._connect
def slowly(*words):
    time.sleep(0.5)
    return connect(*words)
catalog._connect = slowly
"""
"""A catalog takes its time to open, as on a busy machine: the signal comes meanwhile."""


def test_a_catalog_that_is_being_opened_leaves_nothing_behind_when_the_run_is_interrupted(
    start: Start, place: Path
) -> None:
    child = start(*COMMANDS["verify"], before=f"import os; os.chdir({str(place)!r})\n{STRUCK}{SLOW_DISK}")
    out, said = child.communicate(timeout=60)
    assert (child.returncode, "Traceback" in said) == (130, False), said
    assert json.loads(out.splitlines()[-1])["exit_code"] == 130
    assert list((place / "tmp").iterdir()) == []


@pytest.mark.parametrize("command", ["mirror", "gc", "rebuild"])
def test_a_command_that_is_interrupted_before_it_began_has_nothing_to_tell(
    start: Start, place: Path, command: str
) -> None:
    child = start(*COMMANDS[command], before=f"import os; os.chdir({str(place)!r})\n{BEFORE_ANYTHING}")
    assert (*child.communicate(timeout=60), child.returncode) == ("", "mediamirror: interrupted.\n", 130)
    assert list((place / "tmp").iterdir()) == []


def test_an_interrupted_report_says_so(start: Start, place: Path) -> None:
    listed = place / "list.jsonl"
    listed.write_text(
        "".join(json.dumps({"url": f"http://never.example/{n}.webp", "key": f"{n}.webp"}) + "\n" for n in range(3))
    )
    taken = start("catalog", "import", str(place / "m"), "--list", str(listed))
    assert (taken.communicate(timeout=60), taken.returncode)[1] == 0
    child = start("report", str(place / "m"), "-o", str(place / "r"), "--no-progress", before=STRUCK)
    out, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert re.search(r"(?i)interrupted.*run the same command again", out + said), out + said
    assert list((place / "tmp").iterdir()) == []


def test_an_interrupted_web_archive_is_not_kept_and_that_is_said(start: Start, place: Path) -> None:
    archive = place / "m.warc"
    child = start("catalog", "export", str(place / "m"), "-o", str(archive), before=STRUCK)
    _, said = child.communicate(timeout=60)
    assert (child.returncode, archive.exists()) == (130, False)
    assert "Interrupted: the archive is not whole. Run the same command again." in said
