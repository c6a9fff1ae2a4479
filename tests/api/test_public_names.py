"""What the package promises: names that are there, typed, and nothing that is misspelled."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mediamirror

STUB = Path(mediamirror.__file__).with_suffix(".pyi")


def stub_names() -> set[str]:
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    return {alias.asname or "" for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_type_checkers_see_the_names_that_are_there() -> None:
    assert stub_names() == set(mediamirror.__all__)


@pytest.mark.parametrize("name", mediamirror.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(mediamirror, name) is not None


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="miror"):
        mediamirror.miror  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("line", "accepted"),
    [("from mediamirror import mirror, Outcome", True), ("from mediamirror import miror", False)],
    ids=["as-it-is", "misspelled"],
)
def test_a_strict_type_checker_refuses_a_misspelled_name(line: str, accepted: bool, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(line + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path / "user.py")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is accepted, done.stdout + done.stderr


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import mediamirror, sys; print(sorted(m for m in sys.modules if m.startswith('mediamirror.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
