"""A large run in a few lines: what became of how many images, host by host, which rules fired, and the first sets in trouble."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from mediamirror.model import Event, Finding, ImageSet, ObjectEvent, Outcome, Problem, SetResult
from mediamirror.report.data import GRAVITY, entries_of, explain
from mediamirror.report.escape import clean
from mediamirror.report.events import human_bytes, in_order, plural, problems_of
from mediamirror.report.table import Block, Column, Words, object_verb, set_result

_MOST_ROWS = 10
"""Hosts, rules and problems that are named; the rest is counted."""
_FIRST = 5
"""Image sets in trouble that are shown."""


class Digest:
    """Counts a run's events. Memory grows with the hosts, the rules and the codes of problems alone."""

    def __init__(self) -> None:
        self._hosts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._bytes: Counter[str] = Counter()
        self._rules: Counter[tuple[int, str, str]] = Counter()
        self._problems: Counter[str] = Counter()
        self._example: dict[str, Problem] = {}
        self._verbs: Counter[str] = Counter()
        self._troubled: defaultdict[int, list[SetResult]] = defaultdict(list)
        self._in_trouble = 0
        self._noun = "object"

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Outcome():
                host = _host(event.variant.url)
                self._hosts[host][event.status.value] += 1
                self._bytes[host] += event.size or 0
                for finding in event.findings:
                    self._count(finding)
            case Finding():
                self._count(event)
            case ImageSet() | Problem():
                for problem in problems_of(event):
                    self._problems[problem.code] += 1
                    self._example.setdefault(problem.code, problem)
            case ObjectEvent():
                self._verbs["failed" if event.error else object_verb(event)] += 1
            case SetResult() if not event.sound:
                self._in_trouble += 1
                if any(row.carrier != "object" for row in event.rows):
                    self._noun = "image set"
                grave = min((GRAVITY[entry.severity] for entry in entries_of(event)), default=0)
                if len(self._troubled[grave]) < _FIRST:
                    self._troubled[grave].append(event)

    def _count(self, finding: Finding) -> None:
        self._rules[GRAVITY[finding.severity], finding.severity.value, finding.rule] += 1

    def blocks(self, *, width: int) -> Iterator[Block]:
        """Render what was counted, the most telling first."""
        if self._verbs:
            rows = [(f"{count:,}", verb) for verb, count in self._verbs.most_common()]
            yield Block(Words("Objects", "bold"), (Column("objects", right=True), Column("what")), rows)
        if self._hosts:
            yield self._by_host()
        if self._rules:
            yield self._by_rule()
        if self._problems:
            yield self._by_problem()
        if self._troubled:
            told = plural(self._in_trouble, self._noun)
            first = f"{_FIRST} of {told}" if self._in_trouble > _FIRST else told
            yield Block(Words(f"{first} with findings or errors, the most severe first:", "bold"))
            gravest = [result for grave in sorted(self._troubled) for result in self._troubled[grave]]
            for result in gravest[:_FIRST]:
                yield set_result(result, width=width)

    def _by_host(self) -> Block:
        total = sum(self._hosts.values(), Counter[str]())
        names = [status for status, _ in in_order(dict(total))]
        columns = (*(Column(name, right=True) for name in ("images", *names, "bytes")), Column("host"))
        hosts = sorted(self._hosts, key=lambda host: (-self._hosts[host].total(), host))
        shown = [self._row(self._hosts[host], names, self._bytes[host], host) for host in hosts[:_MOST_ROWS]]
        if len(hosts) > 1:
            shown.append(self._row(total, names, self._bytes.total(), f"all {len(hosts):,} hosts"))
        return _counted("Images", columns, shown, len(hosts), "host")

    @staticmethod
    def _row(counts: Counter[str], names: list[str], size: int, host: str) -> tuple[str, ...]:
        return (
            f"{counts.total():,}",
            *(f"{counts[name]:,}" if counts[name] else "" for name in names),
            human_bytes(size),
            host,
        )

    def _by_rule(self) -> Block:
        columns = (Column("findings", right=True), Column("severity"), Column("rule"), Column("says"))
        rules = sorted(self._rules, key=lambda rule: (rule[0], -self._rules[rule], rule[2]))
        rows = [
            (f"{self._rules[rule]:,}", rule[1], clean(rule[2]), clean(explain(rule[2]).title))
            for rule in rules[:_MOST_ROWS]
        ]
        return _counted("Findings", columns, rows, len(rules), "rule")

    def _by_problem(self) -> Block:
        columns = (Column("problems", right=True), Column("code"), Column("the first of them"))
        rows = []
        for code, count in self._problems.most_common(_MOST_ROWS):
            first = self._example[code]
            place = f"{clean(first.document)}:{first.line}" if first.line else clean(first.document)
            rows.append((f"{count:,}", clean(code), place))
        return _counted("Problems", columns, rows, len(self._problems), "kind")


def _counted(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], all_of: int, noun: str) -> Block:
    more = all_of - _MOST_ROWS
    notes = [Words(f"  and {plural(more, f'more {noun}')}", "dim")] if more > 0 else []
    return Block(Words(title, "bold"), columns, rows, notes)


def _host(url: str) -> str:
    """Where an image comes from: the host with its port, without what else may stand before it."""
    try:
        parts = urlsplit(url)
        return clean(parts.netloc.rpartition("@")[2] or parts.scheme or "(files)")
    except ValueError:
        return "-"
