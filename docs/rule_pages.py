"""The documentation of the rules, made from the registry: one page for each and an index, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from mediamirror.jobs.mirror.plan import SHORT
from mediamirror.lint import Rule, all_rules
from mediamirror.lint.rules import BLIND, Words

_FAMILIES = {
    "MM1": ("Markup", "Checks of the markup only, without the image files."),
    "MM2": ("Transport", "How the origin serves the files."),
    "MM3": ("Pixels", "Checks of each image file, and comparisons between the files of one set."),
    "MM4": ("Widths and file sizes", "The widths of an image set, and the sizes of its files in bytes."),
    "MM5": ("Mirror", "Whether a mirror still has what it recorded (`verify --mirror`)."),
}
_SEVERITIES = {
    "error": "something is broken or wrong: exit code 1",
    "warning": "probably a mistake: exit code 1 only with `--fail-on warning`",
    "note": "advice: no effect on the exit code",
}
_BEST = ". Where a server does not upscale, the largest image that it really has is stored all the same"


def rule_pages() -> dict[str, str]:
    """Every page by file name (``MM301.md``, ..., ``README.md`` for the index)."""
    rules = all_rules()
    return {"README.md": index_page(rules), **{f"{rule.code}.md": rule_page(rule) for rule in rules}}


def rule_page(rule: Rule) -> str:
    """The page of one rule."""
    words = rule.words
    keeps = ", not even with `--keep-rejected`" if rule.code in BLIND else " without `--keep-rejected`"
    best = _BEST if rule.code in SHORT else ""
    rejects = f"\n`mirror` does not store such an image{keeps}{best}.\n" if rule.rejects else ""
    limits = f"\n## What it does not find\n\n{words.limits.strip()}\n" if words.limits else ""
    return f"""# {rule.code}: {rule.name}

**{rule.severity}** ({_SEVERITIES[rule.severity]})

{words.summary}
{rejects}
## Why it matters

{words.why}

## What to do

{words.fix}
{_example(words)}{limits}
Switch it off with `--ignore {rule.code}`, or [for a project, some pages or one image](../switching-rules-off.md).
[All rules](README.md)
"""


def _example(words: Words) -> str:
    wanted = f" (with `{words.options}`)" if words.options else ""
    return f"""
## Example{wanted}

{_block(words.bad, words.bad_files)}
## Use instead

{_block(words.good, words.good_files)}"""


def _block(text: str, files: Mapping[str, str]) -> str:
    language = "http" if text.startswith("HTTP/") else "html"
    said = "".join(f"- `{name}`: {what}\n" for name, what in files.items())
    return f"```{language}\n{text}\n```\n" + (f"\n{said}" if said else "")


def index_page(rules: Sequence[Rule]) -> str:
    """The list of all rules, by family."""
    parts = ["# Rules\n", *(f"- **{name}**: {meaning}" for name, meaning in _SEVERITIES.items())]
    parts.append(
        "\n`--select` and `--ignore` take codes, names and code prefixes (`MM3`), and can be repeated. If both match, the longer "
        "value wins, and `--ignore` wins if they are equally long. "
        "How to switch rules off for a project, some pages or one image: [switching rules off](../switching-rules-off.md).\n\n"
        "In the examples a file is valid, and its width is the number in its name, unless a line below the markup says "
        "otherwise."
    )
    for family, members in groupby(rules, key=lambda rule: rule.code[:3]):
        title, about = _FAMILIES[family]
        parts.append(
            f"\n## {family}xx: {title}\n\n{about}\n\n| code | name | severity | what it says |\n|---|---|---|---|"
        )
        parts += [f"| [{r.code}]({r.code}.md) | {r.name} | {r.severity} | {r.words.summary} |" for r in members]
    return "\n".join(parts) + "\n"
