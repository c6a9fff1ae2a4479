"""What docs/architecture.md says of files and rooms is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ROOT / "mediamirror"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
READ_FIRST = re.findall(r"^\d+\. `([^`]+)`: ", PAGE, re.MULTILINE)
DRAWN = PAGE.partition("## The rooms")[2].partition("Where to add")[0]
MOST_MODULES = 25


def test_every_file_and_folder_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([\w/.\-]+(?:\.py|/))`", PAGE))
    assert named
    assert [name for name in named if not (ROOT / name).exists() and not (CODE / name).exists()] == []


def test_the_reading_list_is_short_enough_to_read() -> None:
    assert 10 < len(READ_FIRST) < 21
    assert all((ROOT / name).is_file() for name in READ_FIRST)


def test_every_room_is_drawn() -> None:
    drawn = set(re.findall(r"[a-z_0-9]+", DRAWN))
    rooms = {path.parent.name for path in CODE.glob("*/**/__init__.py")}
    alone = {path.stem for path in CODE.glob("*.py")} - {"__init__", "__main__"}
    assert (rooms | alone) - drawn == set()


@pytest.mark.parametrize("room", sorted({path.parent for path in CODE.rglob("*.py")}))
def test_no_room_is_too_full_to_look_over(room: Path) -> None:
    assert len([path for path in room.glob("*.py") if path.stem != "__init__"]) <= MOST_MODULES


def test_every_room_has_a_contract_that_says_which_way_its_imports_go() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [contract for contract in linter["contracts"] if contract["type"] == "layers"]
    held = {name for contract in layers if contract.get("exhaustive") for name in contract["containers"]}
    rooms = {path.parent for path in CODE.rglob("__init__.py")}
    full = {room for room in rooms if len([path for path in room.glob("*.py") if path.stem != "__init__"]) > 1}
    assert {".".join(room.relative_to(ROOT).parts) for room in full} - held == set()
