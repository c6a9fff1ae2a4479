"""``[[verify.per-path]]`` of a ``mediamirror.toml``."""

from __future__ import annotations

import difflib
from pathlib import Path

from mediamirror.errors import UsageError
from mediamirror.settings import PerPath

_KEYS = ("path", "image", "ignore", "reason")


def read_per_path(value: object, config: Path) -> tuple[PerPath, ...]:
    """Read the entries. Raises `UsageError` that says which one is wrong, and how."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise UsageError(f"{config}: write each entry of per-path under its own [[verify.per-path]].")
    return tuple(_entry(row, number, config) for number, row in enumerate(value, 1))


def _entry(row: dict[str, object], number: int, config: Path) -> PerPath:
    where = f"{config}: [[verify.per-path]] number {number}"
    for key in row:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            raise UsageError(f"{where} has no key {key!r}." + (f" Did you mean {near[0]}?" if near else ""))
    path, image, reason = (_text(row, key, where) for key in ("path", "image", "reason"))
    ignore = row.get("ignore")
    words = [ignore] if isinstance(ignore, str) else ignore
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise UsageError(f'{where} wants ignore = ["MM105"], a list of rules.')
    if path is None and image is None:
        raise UsageError(f"{where} wants a path (a glob of pages), an image (a glob of files), or both.")
    if reason is None:
        raise UsageError(f'{where} gives no reason: say why in reason = "...".')
    return PerPath(tuple(words), reason, config, path, image)


def _text(row: dict[str, object], key: str, where: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: {key} is a text.")
    return value.strip() or None if value is not None else None
