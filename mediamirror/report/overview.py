"""The first lines of the HTML report: the verdict, the counts, and which rules fired how often."""

from __future__ import annotations

from collections import Counter

from mediamirror.first_use import dataclass
from mediamirror.model import SetResult, Severity, Summary
from mediamirror.report.cards import Card
from mediamirror.report.data import ACCEPTED, GRAVITY, UNCHECKED, RuleNote, entries_of, explain, verdict_of
from mediamirror.report.escape import shorten, visible
from mediamirror.report.events import headline, plural


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule that fired: its gravest severity, its findings, the image sets they are in, its share (0..100) of the most frequent."""

    note: RuleNote
    severity: str
    findings: int
    sets: int
    share: float


@dataclass(frozen=True, slots=True)
class Highlight:
    """A set to look at first: its number in the report, what it is, its gravest severity, what is wrong, a picture."""

    number: int
    title: str
    severity: str
    fault: str
    thumb: str | None


class Highlights:
    """The first few sets in trouble: those with errors before those with warnings, and of each those with a picture first."""

    def __init__(self, room: int = 8) -> None:
        self._room = room
        self._kept: dict[tuple[str, bool], list[Highlight]] = {
            (severity.value, pictured): []
            for severity in (Severity.ERROR, Severity.WARNING)
            for pictured in (True, False)
        }

    def offer(self, card: Card) -> None:
        """Keep the set if it is in trouble and there is room."""
        thumb = next((frame.thumb for strip in card.strips for frame in strip.frames if frame.thumb), None)
        kept = self._kept.get((card.verdict, thumb is not None))
        if kept is None or len(kept) >= self._room:
            return
        fault = card.notes[0].name or card.notes[0].lines[0].message
        kept.append(Highlight(card.number, card.title, card.verdict, shorten(fault, 120), thumb))

    def chosen(self) -> list[Highlight]:
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

    def rules(self) -> list[RuleCount]:
        """The rules that fired: gravest first, then by code."""
        most = max(self._rules.values(), default=1)
        codes = sorted(self._rules, key=lambda code: (GRAVITY[self._severity[code]], code))
        return [
            RuleCount(
                note=_visible(explain(code)),
                severity=self._severity[code].value,
                findings=self._rules[code],
                sets=self._sets_of[code],
                share=round(100 * self._rules[code] / most, 1),
            )
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
