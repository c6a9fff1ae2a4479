"""Write docs/configuration.md: every key of ``mediamirror.toml`` with its variable, kind of value, and commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from mediamirror.cli.app import app
from mediamirror.settings import ENV_PREFIX

_HEAD = """# mediamirror.toml and the environment

An option that is the same in every run can stand in a file or in a variable. A flag on the command line beats the
variable, the variable beats the file, and the file beats the default. What a file or a variable says is left alone where it does
not count (`cache-control` of a directory, say); the same on the command line is refused, with the reason.

## The file

`mediamirror.toml` is looked for in the current folder, then in the folders above it; the nearest one is read, and no other.
`--config FILE` names another. A file that belongs to another user is not read unless `--config` names it: it could lead requests
to another machine.

```toml
concurrency = 32                      # for every command that has the option
contact = "images@example.org"

[mirror]                              # for mirror alone
to = "s3://media/site"
fresh-for = "20h"
exclude = ["*/avatars/*", "*.gif"]    # an option that may be repeated is a list

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

A key is the option's name without its dashes in front. A key that does not exist stops the run (exit code 2), and the
message names the nearest one. Passwords and tokens do not belong here: credentials of a bucket come from where the AWS
CLI has them, and `header = ["@/path/to/file"]` reads headers from a file of its own.

## The environment

`MEDIAMIRROR_` and the option's name in capitals, with `_` for `-`: `MEDIAMIRROR_HOST_CONCURRENCY=2`. Flags take `true` or `false`. An
option that may be repeated takes several words with blanks between; `MEDIAMIRROR_HEADER` takes one header a line.
Other variables that are read: those of the AWS CLI (`AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL`, …), `HTTPS_PROXY`,
`HTTP_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, `NO_COLOR`, and `XDG_STATE_HOME`, below which catalogs are kept.

## Every key

| key | variable | value | default | commands |
|---|---|---|---|---|
"""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    found: dict[str, list[tuple[str, click.Option]]] = {}
    for name, command in _commands(app, ""):
        for param in command.params:
            if isinstance(param, click.Option) and param.name != "help":
                found.setdefault(_key(param), []).append((name, param))
    total = sum(1 for _ in _commands(app, ""))
    return _HEAD + "".join(_row(key, options, total) for key, options in sorted(found.items()))


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
