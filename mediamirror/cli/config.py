"""Defaults from ``mediamirror.toml`` and ``MEDIAMIRROR_*``: flag beats environment beats file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from mediamirror.cli.values import glob_fault
from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass
from mediamirror.settings import ENV_PREFIX, PerPath, environment_options, find_config, inherited_endpoint, read_config


class Takes(NamedTuple):
    """What an option takes: ``several`` values; the path of a file or folder, or a DEST, which may be one: a ``place``.

    ``choices`` are the only values; empty: any.
    """

    several: bool = False
    place: bool = False
    choices: tuple[str, ...] = ()


Commands = dict[str, dict[str, Takes]]
"""Per command, its options by name (underscores)."""
Defaults = dict[str, dict[str, Any]]


def options_to_read(group: Any, invoked: str | None, config: Path | None) -> Commands:
    """Return the options that `read` has to know: a config file speaks of every command, the environment says nothing wrong."""
    alone = None if config or find_config(Path.cwd())[0] else invoked
    if alone not in group.commands:
        return options_of(group)
    own = options_of(group, [alone])
    taken = {name: takes.choices for options in own.values() for name, takes in options.items() if takes.choices}
    odd = any(
        value not in taken.get(_spelled(name, set(taken)), (value,)) for name, value in environment_options().items()
    )
    return options_of(group) if odd else own  # perhaps another command takes it


def options_of(group: Any, names: Iterable[str | None] | None = None, *, above: str = "") -> Commands:
    """Return the options of every command of a group, or of those named; one of a group within is called ``catalog ls``."""
    found: Commands = {}
    for name in group.commands if names is None else names:
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            found |= options_of(command, above=f"{above}{name} ")
        else:
            found[f"{above}{name}"] = {p.name: _takes(p) for p in command.params if p.name}
    return found


def _takes(param: click.Parameter) -> Takes:
    place = isinstance(param.type, click.Path) or param.metavar in {"DEST", "OUT"}
    return Takes(getattr(param, "multiple", False), place, tuple(getattr(param.type, "choices", ())))


def nested(defaults: Defaults) -> dict[str, Any]:
    """Return the defaults as click wants them: those of ``catalog ls`` under ``ls`` within ``catalog``."""
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
    """What a config file and the environment say: defaults by command and option, and what is no option.

    ``sources`` says for each command and option in which file or variable it stands. ``path`` is the file that was read,
    ``passed`` are those on the way to it that belong to somebody else, and were not.
    """

    defaults: Defaults = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)
    per_path: tuple[PerPath, ...] = ()
    path: Path | None = None
    passed: tuple[Path, ...] = ()

    def source(self, context: click.Context, option: str | None) -> str | None:
        """Return where a command has an option's value from, if that is a file or a variable."""
        words: list[str] = []
        at = context
        while at.parent is not None:
            words, at = [at.info_name or "", *words], at.parent
        if context.get_parameter_source(option or "") is not ParameterSource.DEFAULT_MAP:
            return None
        return self.sources.get((" ".join(words), option or ""))

    def put(self, commands: Commands, option: str, value: object, source: str, folder: Path | None = None) -> None:
        """Make a value the default of every command that has the option. A path is relative to ``folder``, if there is one.

        ``format = "sarif"`` is for the commands that can write it: where one command takes a value, others whose choices are
        others are left alone.
        """
        having = {command: options[option] for command, options in commands.items() if option in options}
        meant = {command for command, takes in having.items() if not takes.choices or value in takes.choices}
        for command, takes in having.items():
            if command in meant or not meant:
                if takes.place and folder is not None and isinstance(value, str):
                    value = _placed(value, folder)
                told = _several(option, value) if takes.several and isinstance(value, str) else value
                self.defaults[command][option] = [told] if takes.several and not isinstance(told, list) else told
                self.sources[command, option] = source


def read(commands: Commands, named: Path | None) -> Config:
    """Return what is configured for every command. Raises `UsageError` for a file or key that can't be used.

    The file is ``named``, whoever it belongs to, or the nearest one that is our own.
    """
    known = {option for options in commands.values() for option in options}
    path, passed = (named, ()) if named else find_config(Path.cwd())
    table = _read(path, ours=named is None) if path else {}
    verify = table.get("verify")
    rows = verify.pop("per-path", None) if isinstance(verify, dict) else None
    per_path = _read_per_path(rows, path) if rows is not None and path is not None else ()
    config = Config({name: {} for name in commands}, {}, per_path, path, passed)
    # As with other tools: who runs the command in a folder below means the same files.
    folder = None if path is None or path.parent.resolve() == Path.cwd() else path.parent
    for key, value in table.items():
        meant = {name: options for name, options in commands.items() if name == key or name.startswith(f"{key} ")}
        if isinstance(value, dict) and meant:
            own = {option for options in meant.values() for option in options}
            for option, inner in value.items():
                config.put(meant, _option(option, own, path), inner, str(path), folder)
        else:
            config.put(commands, _option(key, known, path), value, str(path), folder)
    if (endpoint := inherited_endpoint()) is not None:
        # Said here, a catalog and a lock belong to that server, as they do where an option names it.
        config.put(commands, "endpoint_url", endpoint, "AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3")
    for name, text in environment_options().items():
        config.put(commands, _spelled(name, known), text, f"{ENV_PREFIX}{name.upper()}")
    return config


def _placed(value: str, folder: Path) -> str:
    return value if value in {"", "-"} or "://" in value else str(folder / value)


def _read(path: Path, *, ours: bool) -> dict[str, object]:
    try:
        return read_config(path, ours=ours)
    except OSError as error:
        raise UsageError(
            f"The config file {path} can't be read ({error.strerror}): name another with --config."
        ) from error
    except ValueError as error:
        raise UsageError(f"The config file {path} is not valid TOML: {error}. Fix it, or give another one.") from error


def _option(key: str, known: set[str], path: Path | None) -> str:
    name = _spelled(key, known)
    if name not in known:
        near = _near(name, known)
        hint = f" Did you mean {near[0].strip('_').replace('_', '-')}?" if near else ""
        raise UsageError(f"{path}: there is no option {key!r}.{hint}")
    return name


def _near(word: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # for who mistyped something

    return get_close_matches(word, list(known), 1)


def _spelled(key: str, known: set[str]) -> str:
    """Return the parameter's name in the code: ``as`` and ``format`` have an underscore at the end there."""
    name = key.replace("-", "_")
    return name if name in known else f"{name}_" if f"{name}_" in known else name


def _several(option: str, text: str) -> list[str]:
    """Several values in one text: words, but a header has spaces in it, so those stand one a line."""
    return [line for line in text.splitlines() if line.strip()] if option == "header" else text.split()


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
            near = _near(key, _KEYS)
            raise UsageError(f"{where} has no key {key!r}." + (f" Did you mean {near[0]}?" if near else ""))
    path, image, reason = (_text(row, key, where) for key in ("path", "image", "reason"))
    ignore = row.get("ignore")
    words = [ignore] if isinstance(ignore, str) else ignore
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise UsageError(f'{where} needs ignore = ["MM105"], a list of rules.')
    if path is None and image is None:
        raise UsageError(f"{where} needs a path (a glob of pages), an image (a glob of files), or both.")
    if fault := next(filter(None, map(glob_fault, filter(None, (path, image)))), ""):
        raise UsageError(f"{where}: {fault}")
    if reason is None:
        raise UsageError(f'{where} gives no reason: say why in reason = "...".')
    return PerPath(tuple(words), reason, config, path, image)


def _text(row: dict[str, object], key: str, where: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: {key} is a text.")
    return value.strip() or None if value is not None else None
