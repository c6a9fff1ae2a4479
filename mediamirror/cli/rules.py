"""``mediamirror rules``."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from mediamirror.cli.running import fail
from mediamirror.errors import MediamirrorError


def command(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="A code or a name; without one, all.")] = None,
) -> None:
    """Say what the lint rules mean, why they matter, and how to mend what they find.

    Examples:

        mediamirror rules

        mediamirror rules MM301
    """
    from mediamirror.lint import all_rules, get_rule

    if code is None:
        for rule in all_rules():
            print(f"{rule.code}  {rule.severity:7}  {rule.name:32}  {rule.summary}")
        return
    try:
        rule = get_rule(code)
    except MediamirrorError as error:
        fail(error)
    print(f"{rule.code} {rule.name} ({rule.severity})\n")
    parts = (("What", rule.summary), ("Why", rule.why), ("Fix", rule.fix), ("Switch off", f"--ignore {rule.code}"))
    for label, text in parts:
        print(textwrap.fill(text, 100, initial_indent=f"{label}: ", subsequent_indent="    ") + "\n")
