"""Defaults from ``mediamirror.toml`` and ``MEDIAMIRROR_*``: flag beats environment beats file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mediamirror.errors import UsageError
from mediamirror.settings import PerPath, environment_options, find_config, inherited_endpoint, read_config


class Parameter(Protocol):
    """What is used of a command's parameter."""

    name: str | None
    multiple: bool


Commands = dict[str, dict[str, bool]]
"""Per command, its options by name (underscores), and whether each may be repeated."""


def options_to_read(group: Any, invoked: str | None, config: Path | None) -> Commands:
    """Return the options that `read` has to know: a config file speaks of every command, the environment says nothing wrong."""
    alone = None if config or find_config(Path.cwd()) else invoked
    return options_of(group, [alone] if alone in group.commands else None)


def options_of(group: Any, names: Iterable[str | None] | None = None, *, above: str = "") -> Commands:
    """Return the options of every command of a group, or of those named; one of a group within is called ``catalog ls``."""
    found: Commands = {}
    for name in group.commands if names is None else names:
        command = group.commands[name]
        if hasattr(command, "commands"):
            found |= options_of(command, above=f"{above}{name} ")
        else:
            found[f"{above}{name}"] = {p.name: getattr(p, "multiple", False) for p in command.params if p.name}
    return found


def nested(defaults: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the defaults as typer wants them: those of ``catalog ls`` under ``ls`` within ``catalog``."""
    found: dict[str, Any] = {}
    for name, values in defaults.items():
        *above, last = name.split(" ")
        place = found
        for word in above:
            place = place.setdefault(word, {})
        place[last] = values
    return found


@dataclass(frozen=True, slots=True)
class Config:
    """What a config file and the environment say: defaults by command and option, and what is no option."""

    defaults: dict[str, dict[str, Any]]
    per_path: tuple[PerPath, ...] = ()


def read(commands: Commands, config: Path | None) -> Config:
    """Return what is configured for every command. Raises `UsageError` for a file or key that can't be used."""
    known = {option for options in commands.values() for option in options}
    path = config or find_config(Path.cwd())
    table = _read(path) if path else {}
    result: dict[str, dict[str, Any]] = {name: {} for name in commands}
    verify = table.get("verify")
    rows = verify.pop("per-path", None) if isinstance(verify, dict) else None
    per_path = _read_per_path(rows, path) if rows is not None and path is not None else ()
    for key, value in table.items():
        meant = {name: options for name, options in commands.items() if name == key or name.startswith(f"{key} ")}
        if isinstance(value, dict) and meant:
            own = {option for options in meant.values() for option in options}
            for option, inner in value.items():
                _put(result, meant, _option(option, own, path), inner)
        else:
            _put(result, commands, _option(key, known, path), value)
    if (endpoint := inherited_endpoint()) is not None:
        # Said here, a catalog and a lock belong to that server, as they do where an option names it.
        _put(result, commands, "endpoint_url", endpoint)
    for name, text in environment_options().items():
        _put(result, commands, _spelled(name, known), text)
    return Config(result, per_path)


def _read(path: Path) -> dict[str, object]:
    try:
        return read_config(path)
    except OSError as error:
        raise UsageError(f"The config file {path} can't be read ({error.strerror}).") from error
    except ValueError as error:
        raise UsageError(f"The config file {path} is not valid TOML: {error}.") from error


def _option(key: str, known: set[str], path: Path | None) -> str:
    name = _spelled(key, known)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0].strip('_').replace('_', '-')}?" if near else ""
        raise UsageError(f"{path}: there is no option {key!r}.{hint}")
    return name


def _spelled(key: str, known: set[str]) -> str:
    """Return the parameter's name in the code: ``as`` and ``format`` have an underscore at the end there."""
    name = key.replace("-", "_")
    return name if name in known else f"{name}_" if f"{name}_" in known else name


def _several(option: str, text: str) -> list[str]:
    """Several values in one text: words, but a header has spaces in it, so those stand one a line."""
    return [line for line in text.splitlines() if line.strip()] if option == "header" else text.split()


def _put(result: dict[str, dict[str, Any]], commands: Commands, option: str, value: object) -> None:
    for command, options in commands.items():
        if option not in options:
            continue
        if options[option]:
            values = _several(option, value) if isinstance(value, str) else value
            result[command][option] = values if isinstance(values, list) else [values]
        else:
            result[command][option] = value


_KEYS = ("path", "image", "ignore", "reason")


def _read_per_path(value: object, config: Path) -> tuple[PerPath, ...]:
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
