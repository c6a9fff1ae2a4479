"""Values of options: how a word is read, and what ``mediamirror.toml`` and ``MEDIAMIRROR_*`` say: flag, environment, then file."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.redact import redact_url
from mediamirror.settings import ENV_PREFIX, PerPath, environment_options, find_config, inherited_endpoint, read_config

if TYPE_CHECKING:
    from mediamirror.settings import Rewired

_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SPANS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def byte_size(text: str) -> int:
    """Read ``500k``, ``2M``, ``1.5GiB`` or plain bytes; powers of 1024, as curl and rclone do."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)(?:i?b)?", str(text).strip().lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size: write 500k, 2M, 1G or plain bytes.")
    size = int(float(match[1]) * _UNITS[match[2]])
    if not size:
        raise click.BadParameter(f"{text!r} is no size to work with: omit the option for no limit.")
    return size


def duration(text: str) -> float:
    """Read ``90``, ``90s``, ``30m``, ``24h``, ``7d``; seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhdw]?)", str(text).strip().lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a duration: write 90, 30m, 24h or 7d.")
    return float(match[1]) * _SPANS[match[2]]


def seconds(text: str) -> float:
    """Read a number of seconds: finite, not negative."""
    try:
        value = float(str(text))
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise click.BadParameter(f"{text!r} is not a number of seconds: write 30 or 0.5.")
    return value


def more_seconds(text: str) -> float:
    """Read a number of seconds that is more than none."""
    value = seconds(text)
    if not value:
        raise click.BadParameter(f"{text!r} leaves no time at all: give more seconds.")
    return value


def share(text: str) -> float:
    """Read ``5%`` or ``0.05``: a share, more than 0 and at most 1."""
    word = str(text).strip()
    try:
        value = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise click.BadParameter(f"{text!r} is not a share such as 5% or 0.05.")
    return value


def pair(text: str) -> tuple[str, str]:
    """Read ``key=value``."""
    key, equals, value = str(text).partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", key):
        raise click.BadParameter(f"{text!r} is not of the form key=value (letters, digits, - and _ in the key).")
    return key.lower(), value


_HOST = pattern(r"(?:https?://)?(?:\[[0-9a-f:.]+\]|[^\s*?@#%/\\:\[\]]+)(?::[0-9]{1,5})?|[0-9a-f:.]+", re.IGNORECASE)


def host_name(text: str) -> str:
    """Read one host of ``--credentials-for``: ``host``, ``host:port`` or an origin, and no pattern of hosts."""
    if not _HOST.fullmatch(text):
        raise click.BadParameter(
            f"{text!r} is not one host: write cdn.example.org or cdn.example.org:8443, once for each."
        )
    return text


def width_range(text: str) -> tuple[int, int]:
    """Read ``480``, ``480-1280``, ``>=480``, ``>480``, ``<=480`` or ``<480``: pixels, both ends included."""
    most = 2**63 - 1
    match = re.fullmatch(r"(>=|<=|>|<|=?)([0-9]{1,9})(?:px|w)?(?:-([0-9]{1,9})(?:px|w)?)?", str(text).replace(" ", ""))
    if match is None or (match[3] and match[1]):
        raise click.BadParameter(f"{text!r} is not a width: write 480, 480-1280, '>=1280' or '<480' (pixels).")
    number = int(match[2])
    if match[3] and int(match[3]) < number:
        raise click.BadParameter(f"{text!r} ends before it begins: write the smaller width first.")
    if match[3]:
        return number, int(match[3])
    return {">=": (number, most), ">": (number + 1, most), "<=": (0, number), "<": (0, number - 1)}.get(
        match[1], (number, number)
    )


def glob(text: str) -> str:
    """Read a pattern of URLs, keys or hosts (``*``, ``?``, ``[abc]``), as `fnmatch` has it."""
    if fault := glob_fault(str(text)):
        raise click.BadParameter(fault)
    return str(text)


def glob_fault(word: str) -> str:
    """Say why nothing can match a pattern, or nothing."""
    if not word.strip():
        return "An empty pattern matches nothing: write one such as '*.webp', or omit it."
    if _has_open_class(word):
        return f"{word!r} has a [ without its ]: close it, or write [[] for the character itself."
    if "(?!)" in fnmatch.translate(word):
        return f"{word!r} has a range that ends before it begins, so that nothing matches it: turn it round."
    return ""


def _has_open_class(word: str) -> bool:
    """Whether a ``[`` is never closed; a ``]`` that comes first in it is one of its characters."""
    at = word.find("[")
    while at >= 0:
        end = word.find("]", at + 2 + word.startswith("!", at + 1))
        if end < 0:
            return True
        at = word.find("[", end)
    return False


def kind(text: str) -> str:
    """Read a kind of document. Raises `KindUnknown`."""
    from mediamirror.markup.extract import check_kind

    check_kind(text)
    return text


def absolute_url(text: str) -> str:
    """Read an address with its scheme and host, for ``--base-url``. Raises `UsageError`."""
    from mediamirror.markup.places.urls import resolve

    if not isinstance(resolve(str(text), None), str):
        raise UsageError(f"--base-url {text!r} is not an absolute URL such as https://example.org/.")
    return text


def endpoint(text: str) -> str:
    """Read the address of an S3 server."""
    if not re.match(r"https?://[^/\s]", str(text)):
        raise click.BadParameter(f"{redact_url(str(text))!r} is no address of a server: write http://127.0.0.1:8333.")
    return text


def proxy_url(given: str) -> str:
    """Read a proxy's address, or ``@FILE`` that holds it. Raises `UsageError`."""
    proxy = _text_of(given[1:], "--proxy").strip() if given.startswith("@") else given
    if not proxy.startswith(("http://", "https://")):
        raise UsageError("--proxy needs a URL such as http://proxy.example:3128, or @FILE that contains one.")
    return proxy


def headers(given: str) -> list[tuple[str, str]]:
    """Read one header, or for ``@FILE`` those in it, one a line, as curl has it."""
    from mediamirror.fetch.request import parse_header

    lines = filter(str.strip, _text_of(given[1:], "-H").splitlines()) if given.startswith("@") else [given]
    return [parse_header(line) for line in lines]


def rewired(given: str) -> Rewired:
    """Read one ``HOST:PORT:HOST2:PORT2``. Raises `UsageError`."""
    from mediamirror.fetch.guard import parse_connect_to

    return parse_connect_to(given)


def allowed_host(given: str) -> str:
    """Read a host, an address or a block of addresses. Raises `UsageError`."""
    from mediamirror.fetch.guard import parse_allow_host

    parse_allow_host(given)
    return given


def rungs(given: str) -> str:
    """Read which widths are wanted. Raises `UsageError`."""
    from mediamirror.jobs.mirror.plan import check_rungs

    check_rungs(given)
    return given


def tolerance(given: str) -> str:
    """Read how far a width may be off. Raises `UsageError`."""
    from mediamirror.lint import parse_tolerance

    parse_tolerance(given)
    return given


def _text_of(name: str, option: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} @{name}: the file can't be read ({error.strerror or error}).") from None
    except ValueError:
        raise UsageError(f"{option} @{name}: the file is not UTF-8 text.") from None


def shown(value: str, metavar: str) -> str:
    """Say a default as people write it: bytes as ``256M``, seconds as ``24h`` or ``60``."""
    if metavar == "SIZE" and value.isdigit():
        power = next(power for power in range(4, -1, -1) if int(value) % 1024**power == 0)
        return f"{int(value) // 1024**power}{' KMGT'[power].strip()}"
    if metavar in {"AGE", "TIME"} and float(value) % 3600 == 0:
        return f"{float(value) / 3600:g}h"
    return value.removesuffix(".0") if metavar == "S" else value


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
