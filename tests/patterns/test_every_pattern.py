"""No regular expression of the code base takes longer than its text grows, whatever a stranger writes into the text.

Every pattern is taken, not a list of them: `collect` watches the import of each module. `pump` derives from each the texts that might
make it slow. What a time is compared with is the time of the same pattern on a shorter text of the same kind.
"""

from __future__ import annotations

import json
import re
import re._constants as sre
import subprocess
import sys
from pathlib import Path
from re._parser import SubPattern, parse
from typing import Any

import pytest

from tests.patterns.pump import slow_text

ROOT = Path(__file__).parents[2]
ROOMS = sorted({str(path.parent.relative_to(ROOT)) for path in (ROOT / "mediamirror").rglob("*.py")})


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    program = ROOT / "tests" / "patterns" / "collect.py"
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def compiled(row: dict[str, Any]) -> re.Pattern[Any]:
    pattern = row["pattern"].encode("latin-1") if row["is_bytes"] else row["pattern"]
    return re.compile(pattern, row["flags"])


@pytest.mark.parametrize("room", ROOMS)
def test_no_pattern_of_a_room_grows_faster_than_its_text(room: str, rows: list[dict[str, Any]]) -> None:
    slow = {}
    for row in rows:
        if str(Path(row["file"]).parent) == room and (found := slow_text(compiled(row), row["methods"])) is not None:
            slow[f"{row['file']}:{row['line']} {row['pattern']}"] = found
    assert slow == {}


def test_patterns_are_found_wherever_they_are_compiled(rows: list[dict[str, Any]]) -> None:
    files = {row["file"] for row in rows}
    named = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "mediamirror").rglob("*.py")
        if re.search(
            r"\b(?:pattern|re\.(?:match|search|sub|fullmatch|split|findall|finditer))\(", path.read_text("utf-8")
        )
    } - {"mediamirror/first_use.py"}
    assert named == files
    # A row of the table of dialects is compiled by a function that runs during the import; this one within a function that does not.
    assert sum(row["file"] == "mediamirror/dialects.py" for row in rows) > 20
    assert any(row["pattern"] == r"(?<=[a-z])(?=[A-Z])" and row["methods"] == ["sub"] for row in rows)


SLOW = {
    "two repeats of one class": (r"\(*\s*type\s*:\s*([^)]*?)\s*\)*", "fullmatch"),
    "a repeat within a repeat": (r"(?:[a-z]+)*;", "match"),
    "a start that is tried anew": (r"<!--.*?-->", "finditer"),
    "a prefix that repeats": (r"\bhttps?:[^/?#]*@", "sub"),
    "white space that is tried anew": (r"\s*,\s*x", "search"),
    "an alternative that overlaps": (r"(?:a|ab|b)*c", "match"),
    "a class that takes the next round too": (r"/m/(?:/?(?:smart|filters:[^/]*))*/?\Z", "match"),
    "a suffix that is looked for from each place": (r"[^)]*\.(?:png|webp)\Z", "search"),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_pattern_that_grows_is_found(kind: str) -> None:
    pattern, method = SLOW[kind]
    assert slow_text(re.compile(pattern), [method]) is not None


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"\(*+\s*+type\s*+:\s*+([^)]*+)\)*+", "fullmatch"),
        (r"[a-z]++;", "match"),
        (r"(?<![a-z])[a-z]++;", "finditer"),
        (r"<[^<>]{0,1000}\bstyle\s*+=", "search"),
    ],
)
def test_a_pattern_that_is_linear_is_not_accused(pattern: str, method: str) -> None:
    assert slow_text(re.compile(pattern), [method]) is None


def unguarded(parsed: Any) -> bool:
    """Whether a possessive repeat of more than one character stands in a pattern whose last alternative is not ``(?!)``."""
    for op, args in parsed:
        if op is sre.POSSESSIVE_REPEAT and args[2][0][0] not in {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}:
            body = args[2]
            while len(body) == 1 and body[0][0] is sre.SUBPATTERN:
                body = body[0][1][3]
            if len(body) != 1 or body[0][0] is not sre.BRANCH or str(body[0][1][1][-1]) != str(parse("(?!)")):
                return True
        if any(map(unguarded, inner(args))):
            return True
    return False


def inner(args: Any) -> list[Any]:
    """The patterns within the arguments of one operation."""
    if isinstance(args, SubPattern):
        return [args]
    return [found for each in args for found in inner(each)] if isinstance(args, (tuple, list)) else []


def test_no_pattern_is_read_otherwise_by_python_before_3_11_5(rows: list[dict[str, Any]]) -> None:
    """There the turn of a possessive group that failed leaves its place moved on; ``(?!)`` as the last alternative puts it back."""
    wrong = [
        f"{row['file']}:{row['line']}"
        for row in rows
        if unguarded(parse(compiled(row).pattern, row["flags"] & ~re.UNICODE))
    ]
    assert wrong == []
    assert unguarded(parse(r"<!--(?:[^-]++|-(?!->))*+-->"))
    assert not unguarded(parse(r"<!--(?:[^-]++|-(?!->)|(?!))*+-->"))
