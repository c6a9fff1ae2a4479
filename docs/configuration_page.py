"""Write docs/configuration.md: every key of ``mediamirror.toml`` with its variable, kind of value, and commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from mediamirror.cli.app import app
from mediamirror.settings import ENV_PREFIX

_HEAD = """# mediamirror.toml and the environment

Options can be set in a file or in environment variables. The command line overrides the variable, the variable overrides the
file, and the file overrides the default. A setting in a file or variable that does not apply to a run is ignored (such as
`cache-control` for a directory); on the command line it is an error.

## The file

`mediamirror.toml` is searched for in the current folder, then in the folders above it; only the nearest one is read. `--config FILE`
reads another file. A relative path in it is relative to the folder of the file, wherever the command runs. A file of another user
is read only with `--config`, because it could send requests to another machine.

```toml
concurrency = 32                      # for every command that has the option
contact = "images@example.org"

[mirror]                              # only for mirror
to = "s3://media/site"
fresh-for = "20h"
exclude = ["*/avatars/*", "*.gif"]    # an option that can be repeated is a list

[verify]
root = "dist"
fail-on = "warning"

[[verify.per-path]]                   # switches rules off for some pages: switching-rules-off.md
path = "blog/2014/**"
ignore = ["MM105"]
reason = "pages of the old site are not edited any more"

[catalog]                             # for every command of catalog
catalog = "site.sqlite"
```

A key is the option's name without the leading dashes. An unknown key is an error (exit code 2), and the message suggests the most
similar one. Do not put passwords or tokens here: bucket credentials are read from the same places as in the AWS CLI, and
`header = ["@/path/to/file"]` reads headers from a separate file.

## The environment

A variable is `MEDIAMIRROR_` and the option's name in capitals, with `_` for `-`: `MEDIAMIRROR_HOST_CONCURRENCY=2`. Flags are
`true` or `false`. An option that can be repeated takes several values separated by spaces; `MEDIAMIRROR_HEADER` takes one
header per line. mediamirror also reads the variables of the AWS CLI (`AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …),
`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, `NO_COLOR`, and `XDG_STATE_HOME`, the folder of the catalogs.

## Every key

| key | variable | value | default | commands |
|---|---|---|---|---|
"""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    found: dict[tuple[str, bool], list[tuple[str, click.Option]]] = {}
    for name, command in _commands(app, ""):
        for param in command.params:
            if isinstance(param, click.Option) and param.name != "help":
                # An option of one name may have a list of values in one command and none in another: --rungs.
                found.setdefault((_key(param), isinstance(param.type, click.Choice)), []).append((name, param))
    total = sum(1 for _ in _commands(app, ""))
    return _HEAD + "".join(_row(key, options, total) for (key, _), options in sorted(found.items()))


def _commands(group: click.Group, above: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.commands:
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{above}{name} ")
        elif command is not None:
            yield f"{above}{name}", command


def _key(option: click.Option) -> str:
    return max((o for o in option.opts if o.startswith("--")), key=len).removeprefix("--")


def _row(key: str, options: list[tuple[str, click.Option]], total: int) -> str:
    commands = "all" if len(options) == total else ", ".join(name for name, _ in options)
    variable = f"{ENV_PREFIX}{key.replace('-', '_').upper()}"
    option = options[0][1]
    choices = {str(c): None for _, each in options if isinstance(each.type, click.Choice) for c in each.type.choices}
    _, text = option.get_help_record(click.Context(app, **app.context_settings)) or ("", "")
    default = re.search(r"\[default: ([^;\]]*)", text)
    return f"| `{key}` | `{variable}` | {_kind(option, choices)} | {default[1] if default else ''} | {commands} |\n"


def _kind(option: click.Option, choices: Iterable[str]) -> str:
    one = "true or false" if option.is_flag else ", ".join(choices)
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
        one = "number"
    elif not one:
        one = (option.metavar or "text").replace("|", "\\|")
    return f"list of {one}" if option.multiple else one
