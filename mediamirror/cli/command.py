"""How commands and options are made: click, with the habits of this program.

An option is one row: how it is typed, what it does, and the option group of `mediamirror.settings` that holds its default.
What the words after its names stand for (``N``, ``SIZE``, ``FILE``) says how its value is read. A command is a function that
takes what was given.
"""

from __future__ import annotations

import copy
import inspect
import os
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import click
from click.exceptions import Exit

from mediamirror.cli.config import Config, byte_size, duration, glob, pair, seconds, shown
from mediamirror.cli.needs import refusal
from mediamirror.cli.running import EXIT_CODES, complain, fail
from mediamirror.errors import MediamirrorError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PANELS = (
    "What to read", "Storage", "Which images", "Which rows", "With --mirror", "Comparing", "Checks", "HTTP requests",
    "Speed", "Limits", "Output",
)  # fmt: skip
WHAT, WHERE, WHICH, ROWS, MIRROR, COMPARE, CHECKS, ASK, SPEED, LIMITS, OUTPUT = PANELS

Given = Any
"""What was given to a command: an attribute for each of its options and arguments, read and checked."""
Body = Callable[[Given], None]

PATH = click.Path(path_type=Path)
"""A path; whoever takes it says what ``-`` is."""


class _FilePath(click.Path):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse ``-``, which is no file to who types it: one of that name would appear, or be missed."""
        if str(value) == "-":
            self.fail(
                "- is standard input or output, which this option can't use; a file of that name is ./-.", param, ctx
            )
        return super().convert(value, param, ctx)


_TYPES: dict[str, Any] = {
    "AGE": duration,
    "DIR": _FilePath(path_type=Path),
    "FILE": _FilePath(path_type=Path),
    "GLOB": glob,
    "K=V": pair,
    "S": seconds,
    "SIZE": byte_size,
    "TIME": duration,
}
_DEFAULT = click.core.ParameterSource.DEFAULT


class _Number(click.IntRange):
    """A whole number; what is wrong with another is said in ordinary words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number. Ends the command with one sentence for another word, or a number out of bounds."""
        least, most = self.min or 0, self.max
        wanted = f"give a whole number from {least} " + (f"to {most}." if most is not None else "on.")
        if isinstance(value, list | dict):
            raise TypeError(value)
        if isinstance(value, bool | float) or not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", str(value)):
            self.fail(f"{value!r} is not a whole number: {wanted}", param, ctx)
        number = int(value)
        if number < least or (most is not None and number > most):
            self.fail(f"{number} is {'too small' if number < least else 'too large'}: {wanted}", param, ctx)
        return number


class _Named(click.Parameter):
    """A bad value says where it stands, when that is not the command line; what is missing says what it would be."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Read a value. Ends the command with one sentence where there has to be one."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter as missing:
            raise click.UsageError(f"{missing.format_message()} {getattr(self, 'help', None) or ''}", ctx) from None

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Read a value; a default needs no reading. Ends the command with one sentence for a bad one."""
        if ctx.get_parameter_source(self.name or "") is _DEFAULT:
            return value
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise click.BadParameter(f"{error.message}{self._source(ctx)}", ctx, self) from error
        except MediamirrorError as error:
            complain(f"{error.message}{self._source(ctx)}")
            raise Exit(error.exit_code) from None
        except TypeError:
            raise click.BadParameter(f"{value!r} is not a value for this.{self._source(ctx)}", ctx, self) from None

    def _source(self, ctx: click.Context) -> str:
        source = configured(ctx).source(ctx, self.name)
        return f" It comes from {source}." if source else ""


class Option(_Named, click.Option):
    """An option and the panel of ``--help`` that it stands in. ``written`` says that its file is written, not read."""

    panel = ""
    written = False

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what is said in brackets; sizes and times as people write them."""
        extra = super().get_help_extra(ctx)
        if "default" in extra:
            extra["default"] = shown(extra["default"], self.metavar or "")
        return extra


class Argument(_Named, click.Argument):
    """An argument; the shell completes the names of files."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Return what the word may become."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


def argument(name: str, metavar: str, text: str, **more: Any) -> Argument:
    """Make an argument."""
    return Argument([name], metavar=metavar, help=text, **more)


def option(words: str, text: str, group: Any = None, *, panel: str = "", least: int = 1, **more: Any) -> Option:
    """Make an option from a row such as ``--max-size SIZE``: its names, and what its value is. Without a value it is a flag.

    ``group`` is a dataclass with a field of the option's name, whose default is the option's; one that is a tuple may be
    repeated. ``choices`` are the only values, ``least`` and ``most`` bound a number, ``name`` is the name in the code;
    the file of one that is ``written`` is an output. Where ``-`` may stand for a file, ``type=PATH`` says so.
    """
    names, written = [word for word in words.split() if word.startswith("-")], more.pop("written", False)
    metavar = words.removeprefix(" ".join(names)).strip() or None
    name = more.pop("name", None) or names[0].split("/")[0].strip("-").replace("-", "_")
    field = group.__dataclass_fields__[more.pop("field", name)].default if group else None
    if isinstance(field, tuple):
        more["multiple"] = True
    elif field is not None:
        more.setdefault("default", field)
    if choices := more.pop("choices", None):
        more["type"] = click.Choice(choices)
    elif metavar in {"N", "PX"}:
        more.setdefault("type", _Number(least, more.pop("most", None)))
    elif metavar is None:
        more |= {"is_flag": True, "default": more.get("default", False)}
    more.setdefault("type", _TYPES.get((metavar or "").split("|")[0], bool if metavar is None and not choices else str))
    made = Option([name, *names], metavar=metavar, help=text, **more)
    made.panel = panel
    made.written = written
    return made


class _Told:
    """The help of a command or a group: examples as they are typed, options by panel, exit codes."""

    help: str | None
    examples: tuple[str, ...] = ()

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return the words of the usage line; an option that has to be given is one of them."""
        command = cast("click.Command", self)
        first, *rest = click.Command.collect_usage_pieces(command, ctx)
        needed = [f"{max(p.opts, key=len)} {p.metavar}" for p in command.params if isinstance(p, Option) and p.required]
        more = ["COMMAND [ARGS]..."] if isinstance(command, click.Group) else []
        return [first, *needed, *rest, *more]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, then its examples, one a line and never broken."""
        click.Command.format_help_text(cast("click.Command", self), ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in self.examples))

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Leave arguments to `format_options`, which writes them first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each under its panel."""
        command = cast("click.Command", self)
        for panel, records in panels(command, ctx):
            with formatter.section(panel):
                formatter.write_dl(records)
        if isinstance(command, click.Group):
            command.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl(list(EXIT_CODES.items()))


def panels(command: click.Command, ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the arguments and options of a command with their texts, by panel, in the order of ``--help``."""
    found: dict[str, list[tuple[str, str]]] = dict.fromkeys(("Arguments", *PANELS, "Options"), cast("Any", None))
    for param in command.get_params(ctx):
        panel = "Arguments" if isinstance(param, click.Argument) else getattr(param, "panel", "") or "Options"
        record = param.get_help_record(ctx)
        if record is not None:
            found[panel] = [*(found[panel] or ()), record]
    return [(panel, records) for panel, records in found.items() if records]


class Command(_Told, click.Command):
    """A command of ours. ``prints`` says that it does nothing but print."""

    prints = False


class Group(_Told, click.Group):
    """Commands that are loaded when they are asked for: who runs ``sync``, or asks for the list, need not wait for the other eight.

    ``places`` has a line for each command: its name, the module of this room that it is in, and how its help begins.
    """

    def __init__(self, name: str, places: str, **more: Any) -> None:
        super().__init__(name, no_args_is_help=True, **more)
        self._places = {name: told for name, *told in (line.split(None, 2) for line in places.strip().splitlines())}
        self.commands = dict.fromkeys(self._places, cast("Any", None))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of ``--help``."""
        return list(self._places)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name, made at its first use; None for one that is not there."""
        if cmd_name in self._places and self.commands[cmd_name] is None:
            module = import_module(f"mediamirror.cli.{self._places[cmd_name][0]}")
            self.commands[cmd_name] = getattr(module, f"{cmd_name}_command")
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands."""
        limit = formatter.width - 6 - max(map(len, self._places))
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._short(name, limit)) for name in self._places])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the word may become: a command or an option."""
        from click.shell_completion import CompletionItem

        names = [name for name in self._places if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self._short(name)) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def _short(self, name: str, limit: int = 45) -> str:
        return click.Command(name, help=self._places[name][1]).get_short_help_str(limit)


def command(
    name: str, *params: click.Parameter | Iterable[click.Parameter], defaults: Any = None, prints: bool = False
) -> Callable[[Body], Command]:
    """Make a command of a function that takes what is given. Its docstring is its help: text, then ``Examples:``, one a line.

    ``defaults`` is a dataclass whose fields say otherwise what shared options are by default.
    """

    def made(body: Body) -> Command:
        text, _, examples = inspect.cleandoc(body.__doc__ or "").partition("\n\nExamples:\n")
        flat = [p for each in params for p in ([each] if isinstance(each, click.Parameter) else each)]
        flat = [_as_in(defaults, param) for param in flat] if defaults else flat
        result = Command(name, params=flat, help=text, callback=lambda **given: _called(body, given))
        result.examples = tuple(line.strip() for line in examples.splitlines() if line.strip())
        result.prints = prints
        return result

    return made


def _called(body: Body, given: dict[str, Any]) -> None:
    """Call a command, unless an option that was typed would do nothing, or a file would be written over that is read or written."""
    params = click.get_current_context().command.params
    _refuse_idle({p.name or "": p for p in params}, SimpleNamespace(**given))
    for param in (p for p in params if getattr(p, "written", False) and given[p.name or ""]):
        mine = given[param.name or ""]
        for other in params:
            values = given.get(other.name or "")
            for value in values if isinstance(values, tuple) else (values,):
                if other is not param and {param.name, other.name} not in _UPDATED and _same_file(mine, value):
                    refuse(
                        f"{max(param.opts, key=len)} and {other.metavar if isinstance(other, Argument) else max(other.opts)} "
                        f"both name {mine}, which would be written over: name another file."
                    )
    body(SimpleNamespace(**given))


def _refuse_idle(params: dict[str, click.Parameter], given: Given) -> None:
    """End the command when an option stands in its command line where it would do nothing: see `mediamirror.cli.needs`."""

    def word(name: str) -> str:
        off = params[name].secondary_opts if getattr(given, name) is False else []
        return max(off or params[name].opts, key=len)

    _, *words = click.get_current_context().command_path.split(" ")
    if (why := refusal(" ".join(words), given, typed, word)) is not None:
        refuse(why)


_UPDATED = ({"baseline", "write_baseline"}, {"error_file", "inputs"})
"""What may be read and then written anew: a baseline, and the URLs that failed."""


def _same_file(one: Path, other: object) -> bool:
    """Whether two values name one file, which need not be there yet."""
    if not isinstance(other, str | Path) or not str(other):
        return False
    return os.path.realpath(one) == os.path.realpath(other) and (
        one.is_file() or not one.exists()
    )  # no pipe, no device


def typed(name: str) -> bool:
    """Whether an option stands in the command line itself; what a config file or a variable says is for other commands too."""
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _as_in(group: Any, param: click.Parameter) -> click.Parameter:
    field = group.__dataclass_fields__.get(param.name)
    if field is None or not isinstance(field.default, int | float | str):
        return param
    own = copy.copy(param)
    own.default = field.default
    return own


def without(params: Iterable[click.Parameter], *names: str) -> list[click.Parameter]:
    """Leave some of a group's options away."""
    return [param for param in params if param.name not in names]


def configured(ctx: click.Context | None = None) -> Config:
    """Return what the config file and the environment said to the command that runs."""
    found = (ctx or click.get_current_context()).find_object(Config)
    return found or Config()


def refuse(message: str) -> None:
    """End the command: what was asked for makes no sense."""
    fail(UsageError(message))
