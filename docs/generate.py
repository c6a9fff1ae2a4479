"""Write docs/commands.md, docs/configuration.md and docs/rules/ anew from the code itself: ``python -m docs.generate``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from docs.configuration_page import configuration_page
from docs.rule_pages import rule_pages
from mediamirror.cli.app import app
from mediamirror.cli.command import Group, panels
from mediamirror.cli.running import EXIT_CODES

COMMANDS = Path(__file__).parent / "commands.md"
CONFIGURATION = Path(__file__).parent / "configuration.md"
RULES = Path(__file__).parent / "rules"


def command_page() -> str:
    """Return docs/commands.md: every command with its examples, arguments and options, as ``--help`` has them."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    root = click.Context(app, info_name="mediamirror", **app.context_settings)
    parts = ["# Commands", *_parts(app, root), "## Exit codes", f"| code | meaning |\n|---|---|\n{codes}"]
    return "\n\n".join(parts) + "\n"


def _parts(command: click.Command, context: click.Context) -> Iterator[str]:
    """Tell of one command, and of those within it."""
    if context.parent is not None:
        yield f"## `{context.command_path}`"
    yield command.help or ""
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {context.command_path} {usage}"
    if examples := getattr(command, "examples", ()):
        yield "Examples:\n\n" + textwrap.indent("\n".join(examples), "    ")
    for panel, rows in panels(command, context):
        if panel != "Options" or context.parent is None:  # that is --help alone
            yield f"**{panel}**\n\n" + "\n".join(f"* `{name}`: {text}" for name, text in rows)
    if isinstance(command, Group):
        within = [click.Context(command.commands[name], parent=context, info_name=name) for name in _loaded(command)]
        yield "**Commands**\n\n" + "\n".join(f"* `{each.info_name}`: {_first_line(each.command)}" for each in within)
        for each in within:
            yield from _parts(each.command, each)


def _loaded(group: Group) -> list[str]:
    return [name for name in group.commands if group.get_command(None, name)]


def _first_line(command: click.Command) -> str:
    return (command.help or "").partition("\n")[0]


def main() -> None:
    """Write every page, and remove those of rules that are gone."""
    COMMANDS.write_text(command_page(), encoding="utf-8")
    CONFIGURATION.write_text(configuration_page(), encoding="utf-8")
    RULES.mkdir(exist_ok=True)
    pages = rule_pages()
    for path in RULES.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (RULES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
