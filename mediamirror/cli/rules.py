"""``mediamirror rules``."""

from __future__ import annotations

import textwrap

from mediamirror.cli.command import Given, argument, command


@command("rules", argument("code", "[CODE]", "A code or a name; without one, all.", required=False), prints=True)
def rules_command(given: Given) -> None:
    """Say what the lint rules mean, why they matter, and how to mend what they find.

    Examples:
        mediamirror rules
        mediamirror rules MM301
    """
    from mediamirror.lint import all_rules, get_rule

    if given.code is None:
        for rule in all_rules():
            print(f"{rule.code}  {rule.severity:7}  {rule.name:32}  {rule.summary}")
        return
    rule = get_rule(given.code)
    print(f"{rule.code} {rule.name} ({rule.severity})\n")
    parts = (("What", rule.summary), ("Why", rule.why), ("Fix", rule.fix), ("Switch off", f"--ignore {rule.code}"))
    for label, text in parts:
        print(textwrap.fill(text, 100, initial_indent=f"{label}: ", subsequent_indent="    ") + "\n")
