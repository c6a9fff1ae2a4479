"""Run as a program: prints every regular expression of the code base as JSON, with the methods that are called on it.

`first_use.pattern` is watched while every module is imported, so that none is missed, whatever builds it. Calls of `re` are read from
the source: a pattern there has to be a plain string within a function.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from mediamirror import first_use

ROOT = Path(__file__).parents[2]
CODE = ROOT / "mediamirror"
METHODS = frozenset({"match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"})
MODULES = [path for path in sorted(CODE.rglob("*.py")) if path.stem not in {"__main__", "first_use"}]
_KEPT = ("pattern", "flags", "groups", "groupindex")


@dataclass
class Found:
    """One pattern: where it is compiled, its source, its flags, and the methods that are called on it (all, if unknown)."""

    file: str
    line: int
    pattern: str | bytes
    flags: int
    methods: set[str] = field(default_factory=set)

    def row(self) -> dict[str, Any]:
        is_bytes = isinstance(self.pattern, bytes)
        text = self.pattern.decode("latin-1") if isinstance(self.pattern, bytes) else self.pattern
        return {**asdict(self), "pattern": text, "is_bytes": is_bytes, "methods": sorted(self.methods)}


def watched() -> list[tuple[str, int, re.Pattern[Any]]]:
    """Import every module, and return the patterns that were made, with the file and line that did it."""
    made: list[tuple[str, int, re.Pattern[Any]]] = []

    def pattern(source: Any, flags: int = 0) -> Any:
        frame = sys._getframe(1)
        made.append((frame.f_code.co_filename, frame.f_lineno, re.compile(source, flags)))
        return made[-1][-1]

    first_use.pattern = pattern
    for path in MODULES:
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    return made


def name_at(tree: ast.Module, line: int) -> str | None:
    """The name that what is compiled in a line is assigned to, if there is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno <= line <= (node.end_lineno or 0):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            return target.id if isinstance(target, ast.Name) else None
    return None


def uses(tree: ast.Module) -> dict[str, set[str]]:
    """The methods called on each name of a module; ``*`` for a name that is handed on."""
    found: dict[str, set[str]] = defaultdict(set)
    called = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else None
            if name is not None and node.attr in (*METHODS, *_KEPT):
                found[name].add(node.attr)
                called.add(id(owner))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in called:
            found[node.id].add("*")
    return found


def in_functions(tree: ast.Module, file: str, built: set[tuple[str, int]]) -> Iterator[Found]:
    """The patterns in calls such as ``re.sub(r"…", …)`` that no import runs."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for node in ast.walk(function):
            if _is_call_of_re(node) and (file, node.lineno) not in built:
                pattern, flags = node.args[0], next((k.value for k in node.keywords if k.arg == "flags"), None)
                at = 2 if node.func.attr in {"match", "search", "fullmatch", "split", "findall", "finditer"} else 4
                at = 1 if node.func.attr == "compile" else at
                flags = flags or (node.args[at] if len(node.args) > at else None)
                if not isinstance(pattern, ast.Constant):
                    raise SystemExit(f"{file}:{node.lineno}: compile this pattern when the module is imported")
                value = eval(compile(ast.Expression(flags), file, "eval"), {"re": re}) if flags is not None else 0
                methods = METHODS if node.func.attr == "compile" else {node.func.attr}
                yield Found(file, node.lineno, pattern.value, re.compile(pattern.value, value).flags, set(methods))


def _is_call_of_re(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    return isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in (*METHODS, "compile")


def collected() -> list[Found]:
    """Every pattern of the code base."""
    made = watched()
    trees = {str(path): ast.parse(path.read_text("utf-8")) for path in MODULES}
    called = {file: uses(tree) for file, tree in trees.items()}
    found: dict[tuple[str, int, Any, int], Found] = {}
    for file, line, pattern in made:
        name = name_at(trees[file], line) or "*"
        where = [file] if name.startswith("_") else list(called)
        methods = {method for each in where for method in called[each].get(name, set())}
        methods = (METHODS if "*" in methods else methods & METHODS) or METHODS
        key = (file, line, pattern.pattern, pattern.flags)
        found.setdefault(key, Found(file, line, pattern.pattern, pattern.flags)).methods.update(methods)
    built = {(file, line) for file, line, _ in made}
    rows = list(found.values())
    for file, tree in trees.items():
        rows += in_functions(tree, file, built)
    return rows


if __name__ == "__main__":
    sys.stdout.write(json.dumps([{**row.row(), "file": str(Path(row.file).relative_to(ROOT))} for row in collected()]))
