"""Defaults from ``mediamirror.toml`` and ``MEDIAMIRROR_*``: flag beats environment beats file."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Protocol

from mediamirror.errors import UsageError
from mediamirror.settings import environment_options, find_config, read_config


class Parameter(Protocol):
    """What is used of a command's parameter."""

    name: str | None
    multiple: bool


Commands = dict[str, dict[str, bool]]
"""Per command, its options by name (underscores), and whether each may be repeated."""


def default_map(commands: Commands, config: Path | None) -> dict[str, dict[str, Any]]:
    """Return the defaults of every command. Raises `UsageError` for a file or key that can't be used."""
    known = {option for options in commands.values() for option in options}
    path = config or find_config(Path.cwd())
    table = _read(path) if path else {}
    result: dict[str, dict[str, Any]] = {name: {} for name in commands}
    for key, value in table.items():
        if isinstance(value, dict) and key in commands:
            for option, inner in value.items():
                _put(result, {key: commands[key]}, _option(option, set(commands[key]), path), inner)
        else:
            _put(result, commands, _option(key, known, path), value)
    for name, text in environment_options().items():
        _put(result, commands, _spelled(name, known), text)
    return result


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


def _put(result: dict[str, dict[str, Any]], commands: Commands, option: str, value: object) -> None:
    for command, options in commands.items():
        if option not in options:
            continue
        if options[option]:
            values = value.split() if isinstance(value, str) else value
            result[command][option] = values if isinstance(values, list) else [values]
        else:
            result[command][option] = value
