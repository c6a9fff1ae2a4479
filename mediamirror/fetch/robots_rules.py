"""The rules of a robots.txt that are for us, by RFC 9309: kept as text, and matched at a bounded cost. Pure.

Plain rules are found by bisection. Rules with ``*`` or ``$`` are tried one after the other, each in time linear in the path:
every part of a pattern is looked for once, from where the part before it ended.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import field
from itertools import accumulate
from math import inf
from urllib.parse import quote

from mediamirror.first_use import dataclass, pattern

BLOCK = 64
"""Wildcard rules that are tried in one step."""

_FIELDS = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "agent"),
    **dict.fromkeys(("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    **dict.fromkeys(("sitemap", "sitemaps", "site-map"), "sitemap"),
    **dict.fromkeys(("crawl-delay", "crawl delay"), "delay"),
    **dict.fromkeys(("request-rate", "request rate", "visit-time", "visit time"), "other"),
    "allow": "allow",
    "host": "host",
}
"""How a field's name is written, also by mistake, and what it is."""
_OF_THE_SITE = frozenset({"sitemap", "host"})
_ESCAPE = pattern("%([0-9A-Fa-f]{2})")
_UNRESERVED = pattern(r"[A-Za-z0-9_.~=-]")
_NORMAL = pattern(r"[A-Za-z0-9_.~/=-]*")
_NOT_TOKEN = pattern(r"[^a-z_-].*")


class Rules:
    """What one robots.txt asks of the product ``token``: which paths it closes, its Crawl-delay, its sitemaps.

    Of the rules that match a path the longest decides, and of two as long the one that allows (2.2.2). The groups that
    name the token are joined into one; where none does, those for ``*`` are ours (2.2.1). ``sitemaps`` stand as written,
    ``crawl_delay`` is in seconds, ``size`` in bytes kept.
    """

    __slots__ = ("_plain", "_wild", "crawl_delay", "sitemaps", "size")

    def __init__(self, text: str, token: str) -> None:
        reader = _Reader(token.lower())
        for kind, value in _directives(text):
            reader.take(kind, value)
        group, self.sitemaps = reader.group, tuple(reader.sitemaps)
        self.crawl_delay = group.delay
        wild = [f"{'+' if allows else '-'}{p}" for p, allows in group.rules.items() if "*" in p or p[-1] == "$"]
        wild.sort(key=lambda rule: (-len(rule), rule[0]))  # the longest first, and "+" before "-"
        self._plain = _Prefixes({p: allows for p, allows in group.rules.items() if "*" not in p and p[-1] != "$"})
        self._wild = ["\n".join(wild[at : at + BLOCK]) for at in range(0, len(wild), BLOCK)]
        self.size = self._plain.size + sum(map(len, self._wild)) + sum(len(each) + 57 for each in self.sitemaps)

    @property
    def steps(self) -> int:
        """Steps of `search`, at most."""
        return len(self._wild)

    def search(self, path: str) -> Iterator[bool | None]:
        """Yield None after each step that tried `BLOCK` wildcard rules, and at last whether a path with its query is open."""
        if path.partition("?")[0] == "/robots.txt":
            yield True
        path = _normal(path, "/%=")
        length, allows = self._plain.longest(path)
        for block in self._wild:
            for rule in block.split("\n"):
                longer = len(rule) - 1 - length
                if longer < 0 or (longer == 0 and allows):
                    yield allows
                if _matches(rule[1:], path):
                    yield rule[0] == "+"
            yield None
        yield allows

    def allows(self, path: str) -> bool:
        """Say whether a path with its query is open, in all steps at once."""
        return next(answer for answer in self.search(path) if answer is not None)


class _Prefixes:
    """Sorted texts in one string, each with a flag: as objects they would take ten times the memory."""

    __slots__ = ("_ends", "_flags", "_text", "size")

    def __init__(self, flags: dict[str, bool]) -> None:
        texts = sorted(flags)
        self._text = "".join(texts)
        self._ends = array("I", accumulate(map(len, texts), initial=0))
        self._flags = bytes(flags[text] for text in texts)
        self.size = len(self._text) + 5 * len(texts)

    def __len__(self) -> int:
        return len(self._flags)

    def __getitem__(self, at: int) -> str:
        return self._text[self._ends[at] : self._ends[at + 1]]

    def longest(self, path: str) -> tuple[int, bool]:
        """Return the length of the longest text that the path begins with, and its flag; 0 and True where there is none."""
        start = path
        while at := bisect_right(self, start):
            found = self[at - 1]
            if path.startswith(found):
                return len(found), bool(self._flags[at - 1])
            # What the path begins with is no longer than what it has in common with its neighbour in the order.
            start = path[: _common(path, found)]
        return 0, True


def _common(one: str, other: str) -> int:
    """The length of what two texts begin with, by halving: one comparison of slices costs less than many of characters."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _matches(pattern: str, path: str) -> bool:
    first, *parts = pattern.removesuffix("$").split("*")
    anchored = pattern.endswith("$")
    if not parts:
        return path == first
    if not path.startswith(first):
        return False
    at = len(first)
    last = parts.pop()
    for part in parts:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if anchored:
        return len(path) - len(last) >= at and path.endswith(last)
    return path.find(last, at) >= 0


@dataclass(slots=True)
class _Group:
    rules: dict[str, bool] = field(default_factory=dict)
    delay: float = 0.0

    def take(self, kind: str, value: str) -> None:
        if kind in {"allow", "disallow"}:
            self._add(value, allows=kind == "allow")
        elif kind == "delay":
            self.delay = _seconds(value, self.delay)

    def _add(self, pattern: str, *, allows: bool) -> None:
        if "$" in pattern:  # an end, or a dollar sign
            self._add(pattern.replace("$", "%24"), allows=allows)
        pattern = _normal_pattern(pattern)
        if pattern and not self.rules.get(pattern):
            self.rules[pattern] = allows
        if allows and pattern.endswith("/index.html"):
            self.rules[pattern.removesuffix("index.html") + "$"] = True


class _Reader:
    """Sorts directives into our group, everybody's, and neither."""

    def __init__(self, token: str) -> None:
        self.sitemaps: list[str] = []
        self.group = self._everybody = _Group()
        self._token = token
        self._current: list[_Group] = []
        self._before = ""

    def take(self, kind: str, value: str) -> None:
        if kind == "agent" and self._before not in {"", "agent"}:
            self._current = []
        if kind not in _OF_THE_SITE:
            self._before = kind
        if kind == "agent":
            self._begin(value.lower())
        elif kind == "sitemap" and value:
            self.sitemaps.append(value)
        elif value:
            for group in self._current:
                group.take(kind, value)

    def _begin(self, agent: str) -> None:
        if agent == "*":
            self._current.append(self._everybody)
        elif agent and self._token in {agent, _NOT_TOKEN.sub("", agent)}:
            if self.group is self._everybody:
                self.group = _Group()
            self._current.append(self.group)


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Yield what each line says; a field that nobody knows is "unknown"."""
    for written in text.splitlines():
        line = written.partition("#")[0].strip()
        name, colon, value = line.partition(":")
        if colon and (kind := _FIELDS.get(name.strip().lower())):
            yield kind, value.strip()
        elif colon and not value[:1].strip():
            yield "unknown", value.strip()
        elif line:
            yield from _without_colon(line, "unknown" if colon else "")


def _without_colon(line: str, otherwise: str) -> Iterator[tuple[str, str]]:
    words = line.split(None, 2)
    for count in (1, 2):
        if kind := _FIELDS.get(" ".join(words[:count]).lower()):
            yield kind, " ".join(words[count:])
            return
    if otherwise:
        yield otherwise, ""


def _seconds(text: str, otherwise: float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return otherwise
    return seconds if 0 <= seconds < inf else otherwise


def _normal_pattern(pattern: str) -> str:
    if pattern.startswith(("https://", "http://")):
        pattern = f"/{pattern}"
    anchor = "$" if pattern.endswith("$") else ""
    return re.sub("[*]+", "*", _normal(pattern.removesuffix("$"), "/%=*")) + anchor


def _normal(text: str, kept: str) -> str:
    """Write every octet in its one form (2.2.2): as itself if it is unreserved or ``=``, else percent-encoded."""
    if _NORMAL.fullmatch(text):
        return text
    return quote(_ESCAPE.sub(_unescaped, text), safe=kept)


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.match(character) else escape[0].upper()
