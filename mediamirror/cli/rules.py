"""``mediamirror rules``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from mediamirror.cli.command import Given, argument, command


@command("rules", argument("code", "[CODE]", "A code or a name; without one, all.", required=False), prints=True)
def rules_command(given: Given) -> None:
    """Explain the lint rules: meaning, reason, and how to fix a finding.

    Examples:
        mediamirror rules
        mediamirror rules MM301
    """
    from mediamirror.lint import all_rules, get_rule

    if given.code is None:
        for rule in all_rules():
            print(f"{rule.code}  {rule.severity:7}  {rule.name:32}  {rule.words.summary}")
        return
    rule = get_rule(given.code)
    words = rule.words
    print(f"{rule.code} {rule.name} ({rule.severity})\n")
    for label, text in (("What", words.summary), ("Why", words.why), ("Fix", words.fix)):
        print(textwrap.fill(text, 100, initial_indent=f"{label}: ", subsequent_indent="    ") + "\n")
    wanted = f" (with {words.options})" if words.options else ""
    print(f"Example{wanted}:\n{_shown(words.bad, words.bad_files)}")
    print(f"Use instead:\n{_shown(words.good, words.good_files)}")
    print(f"Switch off: --ignore {rule.code}\n")


def _shown(text: str, files: Mapping[str, str]) -> str:
    said = "".join(f"\n    {name}: {what}\n" for name, what in files.items())
    return textwrap.indent(text, "    ") + "\n" + said
