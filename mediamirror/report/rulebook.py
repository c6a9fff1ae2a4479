"""What a code means, for the reader of a report: from the registry of rules, or from the tree of errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mediamirror import errors
from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.lint import get_rule


@dataclass(frozen=True, slots=True)
class RuleNote:
    """A rule or error code explained: a short name, what it says, why it matters, how to fix it (the last two may be empty)."""

    code: str
    name: str
    summary: str
    why: str = ""
    fix: str = ""

    @property
    def title(self) -> str:
        """The name as people write it: ``Width differs from descriptor``; empty where it only repeats the code."""
        words = self.name.replace("-", " ")
        return "" if self.name == self.code else words[:1].upper() + words[1:]


def explain(code: str) -> RuleNote:
    """Explain a code; one that nobody knows explains itself by its name only."""
    try:
        rule = get_rule(code)
    except UsageError:
        return _explain_error(code)
    return RuleNote(rule.code, rule.name, rule.summary, rule.why, rule.fix)


def _explain_error(code: str) -> RuleNote:
    for kind in _tree(MediamirrorError):
        if kind.code == code and kind.__module__ == errors.__name__:
            sentence = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            return RuleNote(code, code, sentence.replace("``", ""))
    return RuleNote(code, code, "")


def _tree(kind: type[MediamirrorError]) -> Iterator[type[MediamirrorError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
