"""Into a directory whose file system is case-insensitive. What it does is told by hand: none can be had here."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.jobs.sync.job import sync
from mediamirror.jobs.sync.listing import Folding
from mediamirror.model import ObjectEvent, SyncEvent
from mediamirror.settings import SyncOptions
from mediamirror.store import files


@pytest.fixture(autouse=True)
def _folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(files, "folds_case", lambda _: True)


def write(root: Path, **texts: str) -> Path:
    root.mkdir()
    for name, text in texts.items():
        (root / name).write_text(text)
    return root


async def test_the_second_of_two_keys_that_are_one_name_there_fails_and_the_rest_is_done(tmp_path: Path) -> None:
    src, told = write(tmp_path / "src", Case="1", case="2", other="3"), list[SyncEvent]()
    summary = await sync(str(src), str(tmp_path / "dst"), on_event=told.append)
    failed = {e.key: e.error.code for e in told if isinstance(e, ObjectEvent) and e.error}
    assert (summary.exit_code, summary.statuses, failed) == (1, {"copied": 2, "failed": 1}, {"case": "bad-key"})
    assert {path.name: path.read_text() for path in (tmp_path / "dst").iterdir()} == {"Case": "1", "other": "3"}


async def test_a_name_that_changed_its_case_is_not_deleted_under_its_old_one(tmp_path: Path) -> None:
    src, dst = write(tmp_path / "src", case="1"), write(tmp_path / "dst", Case="1", gone="2")
    summary = await sync(str(src), str(dst), options=SyncOptions(delete=True, force=True))
    assert summary.statuses == {"copied": 1, "deleted": 1}
    assert {path.name for path in dst.iterdir()} == {"case", "Case"}


@given(st.lists(st.text(max_size=6), max_size=12))
def test_two_keys_are_one_name_when_they_differ_by_case_alone(keys: list[str]) -> None:
    folding, taken = Folding(), set[str]()
    for key in keys:
        assert folding.has(key.upper().lower()) is (key.upper().lower().casefold() in taken) or not key.isascii()
        if key.isascii():
            assert folding.takes(key) is (key.casefold() not in taken)
            taken.add(key.casefold())
