"""Pages of the HTML report from their templates, and the counts and the verdict on top of the first one.

Escaping is Jinja's, on for everything; nothing here touches the disk.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mediamirror.first_use import dataclass
from mediamirror.model import Problem, SetResult, Severity, Summary, Suppressed
from mediamirror.report.cards import Card, Shown, place_of
from mediamirror.report.data import ACCEPTED, GRAVITY, SOUND, UNCHECKED, RuleNote, entries_of, explain, verdict_of
from mediamirror.report.escape import link, shorten, visible
from mediamirror.report.events import headline, human_bytes, plural


class Highlights:
    """The first few sets in trouble: those with errors before those with warnings, and of each those with a picture first."""

    def __init__(self, room: int = 8) -> None:
        self._room = room
        self._kept: dict[tuple[str, bool], list[Shown]] = {
            (severity.value, pictured): []
            for severity in (Severity.ERROR, Severity.WARNING)
            for pictured in (True, False)
        }

    def offer(self, card: Card) -> None:
        """Keep the set if it is in trouble and there is room."""
        frames = [frame for strip in card.strips for frame in strip["frames"]]
        thumb = next((frame["thumb"] for frame in frames if frame["thumb"]), None)
        kept = self._kept.get((card.verdict, thumb is not None))
        if kept is None or len(kept) >= self._room:
            return
        first = card.notes[0]
        fault = first["name"] or first["lines"][0]["message"]
        told = {"number": card.number, "title": card.title, "severity": card.verdict}
        kept.append(told | {"fault": shorten(fault, 120), "thumb": thumb})

    def chosen(self) -> list[Shown]:
        """At most as many as there is room for."""
        return [highlight for kept in self._kept.values() for highlight in kept][: self._room]


class Tally:
    """Counts while sets go by."""

    def __init__(self) -> None:
        self.sets = 0
        self.verdicts: Counter[str] = Counter()
        """Sets by their verdict."""
        self.having: Counter[str] = Counter()
        """Sets by each severity that they have a finding of, else by their verdict."""
        self.findings: Counter[Severity] = Counter()
        self._rules: Counter[str] = Counter()
        self._sets_of: Counter[str] = Counter()
        self._severity: dict[str, Severity] = {}
        self._seen: set[int] = set()

    def add(self, image_set: SetResult) -> None:
        """Count one set. A variant's finding counts once however many sets share the variant."""
        entries = entries_of(image_set)
        self.sets += 1
        verdict = verdict_of(image_set)
        self.verdicts[verdict] += 1
        self.having.update({entry.severity.value for entry in entries} or {verdict})
        self._sets_of.update({entry.rule for entry in entries})
        for entry in entries:
            self._severity[entry.rule] = min(
                entry.severity, self._severity.get(entry.rule, entry.severity), key=GRAVITY.__getitem__
            )
            if hash(entry) not in self._seen:
                self._seen.add(hash(entry))
                self._rules[entry.rule] += 1
                self.findings[entry.severity] += 1

    def rules(self) -> list[Shown]:
        """The rules that fired, gravest first, then by code; the share (0..100) is of the most frequent."""
        most = max(self._rules.values(), default=1)
        codes = sorted(self._rules, key=lambda code: (GRAVITY[self._severity[code]], code))
        return [
            {
                "note": _visible(explain(code)),
                "severity": self._severity[code].value,
                "findings": self._rules[code],
                "sets": self._sets_of[code],
                "share": round(100 * self._rules[code] / most, 1),
            }
            for code in codes
        ]

    def verdict(self, summary: Summary) -> str:
        """The headline, in one sentence."""
        wrong = self.verdicts[Severity.ERROR.value]
        odd = self.verdicts[Severity.WARNING.value]
        unseen = self.verdicts[UNCHECKED]
        told = headline(summary)
        if told is not None and (summary.variants or not self.sets):
            return told + self._rest(odd)
        if unseen:
            return self._partly(wrong, unseen) + self._rest(odd)
        if wrong == self.sets:
            return "The only image is not as declared." if wrong == 1 else f"None of {wrong:,} images is as declared."
        if wrong:
            return f"{wrong:,} of {plural(self.sets, 'image')} {'is' if wrong == 1 else 'are'} not as declared."
        if self.verdicts[ACCEPTED]:
            return f"Nothing new is wrong in {plural(self.sets, 'image')}" + self._rest(odd)
        every = "The only image is" if self.sets == 1 else f"All {self.sets:,} images are"
        return f"{every} as declared" + self._rest(odd)

    def _partly(self, wrong: int, unseen: int) -> str:
        """The headline where some images were not looked at: nothing is said of those."""
        seen = self.sets - unseen
        if not seen:
            return "The only image was not checked" if unseen == 1 else f"None of {unseen:,} images was checked"
        told = f"{seen:,} of {plural(self.sets, 'image')} {'was' if seen == 1 else 'were'} checked: "
        if wrong:
            return told + f"{wrong:,} {'is' if wrong == 1 else 'are'} not as declared"
        if self.verdicts[ACCEPTED]:
            return told + "nothing new is wrong"
        return told + f"{'it is' if seen == 1 else 'all are'} as declared"

    def _rest(self, odd: int) -> str:
        accepted = self.verdicts[ACCEPTED]
        told = f"; {odd:,} {'deserves' if odd == 1 else 'deserve'} a look" if odd else ""
        return told + (f"; the findings of {accepted:,} are known or switched off." if accepted else ".")


def _visible(note: RuleNote) -> RuleNote:
    return RuleNote(visible(note.code), visible(note.name), note.summary, note.why, note.fix)


CHIPS = {
    **{"error": "errors", "warning": "warnings", "note": "notes"},
    **{SOUND: "sound", ACCEPTED: "accepted", UNCHECKED: "not checked"},
}
"""What the filters are called. The last two are there when they are wanted."""
_MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class Page:
    """One page of sets: its number from 1, how many pages there are, the rendered sets and their place in the whole."""

    number: int
    of: int
    sets: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What every page is told of the whole report."""

    title: str
    created: datetime
    tally: Tally
    highlights: Highlights
    summary: Summary
    problems: Sequence[Problem]
    off: Sequence[Suppressed]
    """Problems that are switched off."""
    per_page: int

    def address(self, number: int) -> str:
        """Where set ``number`` stands, relative to the folder."""
        return f"{page_name((number - 1) // self.per_page + 1)}#set-{number}"


def page_name(number: int) -> str:
    """The file name of a page."""
    return "index.html" if number == 1 else f"sets-{number:03d}.html"


def render_sets(cards: Sequence[Card]) -> str:
    """Render the sets of one page, under the heading of each document."""
    return _environment().get_template("sets.html").render(cards=cards)


def render_page(whole: Whole, page: Page) -> str:
    """Render a whole page around sets that are already rendered."""
    style, script = _asset("report.css"), _asset("report.js")
    problems = [
        (place_of(p.document, p.line), visible(p.code), shorten(visible(p.message), 500))
        for p in whole.problems[:_MOST_PROBLEMS]
    ]
    off = [(visible(each.finding.rule), _switched_off(each)) for each in whole.off[:_MOST_PROBLEMS]]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=shorten(visible(whole.title), 300),
            created=whole.created,
            version=version("mediamirror"),
            page=page,
            sets=Markup(page.sets),  # noqa: S704  our own template's output
            page_name=page_name,
            address=whole.address,
            tally=whole.tally,
            summary=whole.summary,
            highlights=whole.highlights.chosen(),
            rules=whole.tally.rules(),
            chips={
                kind: words
                for kind, words in CHIPS.items()
                if kind not in (ACCEPTED, UNCHECKED) or whole.tally.having[kind]
            },
            facts=_facts(whole.tally, whole.summary),
            problems=problems,
            more_problems=len(whole.problems) - len(problems),
            problems_in_all=len(whole.problems),
            off=off,
            style=Markup(style),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            policy=_policy(style, script, page.of),
        )
    )


def _facts(tally: Tally, summary: Summary) -> list[tuple[str, str]]:
    # Elements without a usable URL, and elements that repeat a set, have cards for their findings.
    besides = tally.sets - summary.sets if summary.sets else 0
    of_objects = bool(summary.variants) and not summary.sets
    facts = [] if of_objects else [(plural(tally.sets - max(0, besides), "image set"), "")]
    if besides > 0:
        facts.append((plural(besides, "other element"), "with findings"))
    if summary.variants:
        facts.append((plural(summary.variants, "object" if of_objects else "file"), ""))
    if summary.documents:
        facts.append((plural(summary.documents, "document"), ""))
    if summary.bytes_in:
        facts.append((human_bytes(summary.bytes_in), "read"))
    if summary.suppressed:
        facts.append((plural(summary.suppressed, "finding"), "switched off, with reasons"))
    if summary.seconds:
        facts.append((f"{summary.seconds:,.1f} s", ""))
    return facts


def _switched_off(each: Suppressed) -> str:
    told = f"{each.finding.message} Switched off: {each.reason} ({each.where})"
    return shorten(visible(told), 500)


def _policy(style: str, script: str, pages: int) -> str:
    # Inline style and script by their hashes. `file:` stands for 'self' where a browser gives a file no origin of its own.
    scripts = f"'{_hash(script)}'" + (" 'self' file:" if pages > 1 else "")
    return (
        f"default-src 'none'; img-src 'self' file:; style-src '{_hash(style)}'; script-src {scripts};"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return files("mediamirror.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mediamirror.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plural": plural, "anchor": _anchor, "link": link, "by_document": _by_document}
    return environment


def _by_document(cards: Sequence[Card]) -> list[tuple[str, list[Card]]]:
    return [(document, list(group)) for document, group in groupby(cards, key=lambda card: card.document)]


def _anchor(code: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in code)
