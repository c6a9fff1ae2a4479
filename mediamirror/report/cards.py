"""An image set as the HTML report shows it: every word, link and number decided here, so that the templates only draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from mediamirror.first_use import dataclass
from mediamirror.model import SetResult, SetRow, Severity, Status, Suppressed, descriptor
from mediamirror.report.data import GRAVITY, Entry, entries_of, entries_of_row, explain, verdict_of
from mediamirror.report.escape import file_name, link, shorten, shown_url, visible
from mediamirror.report.events import human_bytes

_WORDS_ROOM = 1500
_LONGEST_LINK = 8192
_PROMISES = {"MM4": "Wanted", "MM5": "Recorded"}
"""What the first of two values is called, by family of rules, where no page declared it."""
_AS_IT_SHOULD = (None, Status.STORED, Status.UNCHANGED, Status.CHECKED)
"""Statuses that nobody has to be told of below each picture."""

_WITH_ALT = frozenset({"img", "source", "picture", "lazy"})
"""Carriers that are elements with an alt text."""

Thumb = Callable[[bytes], str | None]
"""Keeps a thumbnail and returns its address relative to the page, or None when the bytes are no picture we show."""


Shown = dict[str, Any]
"""Words, links and numbers by the names that the templates know them by; each is made in one place, and only drawn there."""


@dataclass(frozen=True, slots=True)
class Card:
    """One image set. ``words`` is what the search box looks in, lower case; ``verdict`` is that of `verdict_of`."""

    number: int
    title: str
    titled_by_alt: bool
    alt_note: str
    context: str
    document: str
    place: str
    places: int
    inferred: bool
    verdict: str
    counts: tuple[tuple[str, int], ...]
    strips: tuple[Shown, ...]
    notes: tuple[Shown, ...]
    switched_off: tuple[Shown, ...]
    chart: Chart | None
    rules: tuple[str, ...]
    severities: tuple[str, ...]
    words: str


def make_card(image_set: SetResult, number: int, thumb: Thumb) -> Card:
    """Decide how a set is shown; ``number`` counts from 1 over the whole report."""
    entries = entries_of(image_set)
    alt = shorten(visible(image_set.alt or ""), 500)
    name = file_name(image_set.rows[0].url) if image_set.rows else "An element without a usable address"
    severities = tuple(dict.fromkeys(entry.severity.value for entry in entries))
    verdict = verdict_of(image_set)
    return Card(
        number=number,
        title=shorten(alt or name, 140),
        titled_by_alt=bool(alt),
        alt_note=_alt_note(image_set),
        context=shorten(visible(image_set.context or ""), 200),
        document=shorten(shown_url(image_set.document) or "-", 2000),
        place=f"line {image_set.line}" if image_set.line > 0 else "",
        places=image_set.places,
        inferred=image_set.inferred,
        verdict=verdict,
        counts=tuple((s, sum(entry.severity.value == s for entry in entries)) for s in severities),
        strips=tuple(_strips(image_set, thumb)),
        notes=_notes(entries, image_set),
        switched_off=tuple(map(_off, image_set.suppressed)),
        chart=ladder_chart(_samples(image_set)),
        rules=tuple(sorted({visible(entry.rule) for entry in entries})),
        severities=severities or (verdict,),
        words=_words(image_set, entries),
    )


def _alt_note(image_set: SetResult) -> str:
    """Say that an image element has no alt text, or an empty one; a background or a line of text can have none."""
    if image_set.alt is not None:
        return "" if image_set.alt.strip() else "empty alt text"
    return "no alt text" if any(row.carrier in _WITH_ALT for row in image_set.rows) else ""


def place_of(document: str, line: int) -> str:
    """Where something stands, for people."""
    shown = shown_url(document) or "-"
    return f"{shown}:{line}" if line > 0 else shown


def _strips(image_set: SetResult, thumb: Thumb) -> list[Shown]:
    """The rows of each source, under its condition."""
    widest = max((max(row.width or 0, row.declared_width or 0) for row in image_set.rows), default=0)
    return [
        {"label": _strip_label(*key), "frames": [_frame(row, image_set, widest, thumb) for row in rows]}
        for key, rows in groupby(image_set.rows, key=lambda row: (row.carrier, row.mime, row.media))
    ]


def _strip_label(carrier: str, mime: str | None, media: str | None) -> str:
    return " · ".join(shorten(visible(part), 120) for part in (carrier, mime, media) if part)


def _frame(row: SetRow, image_set: SetResult, widest: int, thumb: Thumb) -> Shown:
    """One picture on the contact sheet, with its caption.

    The shares are 0..100 of the widest; ``now`` is where a rewritten page points for it.
    """
    entries = entries_of_row(row, image_set)
    gravest = min((entry.severity for entry in entries), key=GRAVITY.__getitem__, default=None)
    status = row.status.value if row.status else ""
    return {
        "promise": _promise(row),
        "real": f"{row.width:,} × {row.height:,}" if row.width and row.height else "",
        "size": human_bytes(row.size),
        "format": visible(row.format or ""),
        "name": shorten(file_name(row.url), 120),
        "shown": shorten(shown_url(row.url), 2000),
        "href": link(row.url) if len(row.url) <= _LONGEST_LINK else None,
        "now": shorten(shown_url(row.address or ""), 2000),
        "now_href": link(row.address) if row.address and len(row.address) <= _LONGEST_LINK else None,
        "thumb": thumb(row.thumbnail) if row.thumbnail else None,
        "absent": _absent(row),
        "alt": f"{_promise(row)} variant: {shorten(file_name(row.url), 120)}",
        "status": "" if row.status in _AS_IT_SHOULD else status,
        "severity": gravest.value if gravest else "",
        "rules": tuple(dict.fromkeys(visible(entry.rule) for entry in entries)),
        "mismatch": bool(entries and row.width and row.declared_width and row.width != row.declared_width),
        "real_share": _share(row.width, widest),
        "declared_share": _share(row.declared_width, widest),
    }


def _promise(row: SetRow) -> str:
    return descriptor(row.declared_width, row.density) or visible(row.attribute or row.carrier)


def _absent(row: SetRow) -> str:
    if row.error is not None:
        return visible(row.error.code).replace("-", " ")
    if row.aside:
        return visible(row.aside)
    return "no preview" if row.size else "not fetched"


def _share(width: int | None, widest: int) -> float | None:
    return round(100 * width / widest, 1) if width and widest else None


def _notes(entries: tuple[Entry, ...], image_set: SetResult) -> tuple[Shown, ...]:
    """Everything that each rule says of the set."""
    by_rule: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        by_rule.setdefault((entry.severity.value, entry.rule), []).append(entry)
    return tuple(
        {"severity": severity, **_rule(rule), "lines": [_line(entry, image_set) for entry in told]}
        for (severity, rule), told in by_rule.items()
    )


def _rule(code: str) -> Shown:
    return {"rule": visible(code), "name": visible(explain(code).title)}


def _off(each: Suppressed) -> Shown:
    """A finding that somebody switched off: the sentence, the reason, and where that is written."""
    texts = {"message": (each.finding.message, 1000), "reason": (each.reason, 500), "where": (each.where, 300)}
    return _rule(each.finding.rule) | {name: shorten(visible(text), room) for name, (text, room) in texts.items()}


def _line(entry: Entry, image_set: SetResult) -> Shown:
    """One finding: the sentence, the two values that disagree, what the first is called, the file, and its place when elsewhere."""
    here = (entry.document, entry.line) == (image_set.document, image_set.line)
    return {
        "message": shorten(visible(entry.message), 1000),
        "promise": _PROMISES.get(entry.rule[:3], "Declared"),
        "declared": shorten(visible(entry.declared or ""), 2000),
        "actual": shorten(visible(entry.actual or ""), 2000),
        "name": shorten(file_name(entry.url), 120) if entry.url else "",
        "place": "" if here else place_of(entry.document, entry.line),
    }


def _samples(image_set: SetResult) -> list[Sample]:
    return [
        Sample(
            series=_series_name(row),
            width=row.width,
            size=row.size,
            declared=row.declared_width,
            grave=any(finding.severity is Severity.ERROR for finding in row.findings),
        )
        for row in image_set.rows
        if row.width and row.size
    ]


def _series_name(row: SetRow) -> str:
    return " · ".join(shorten(visible(part), 40) for part in (row.format, row.media) if part)


def _words(image_set: SetResult, entries: tuple[Entry, ...]) -> str:
    parts = [image_set.document, image_set.alt or "", image_set.context or ""]
    parts += [entry.rule for entry in entries]
    parts += [f"{each.finding.rule} {each.reason}" for each in image_set.suppressed]
    parts += [file_name(row.url) for row in image_set.rows]
    parts += [shown_url(row.url) for row in image_set.rows]
    return shorten(visible(" ".join(dict.fromkeys(parts))).lower(), _WORDS_ROOM)


WIDTH, HEIGHT = 400, 232
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 22, 14, 40
_MOST_SERIES = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """One file of a ladder: its series (a source or format), real width in pixels, bytes, and what was declared."""

    series: str
    width: int
    size: int
    declared: int | None = None
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A grid line: where it is on its axis, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Point:
    """A file as drawn. ``ghost`` is the x where the declared width would be, when that is elsewhere."""

    x: float
    y: float
    label: str
    ghost: float | None
    grave: bool


@dataclass(frozen=True, slots=True)
class Series:
    """The files of one source, joined by a line in the order of their widths."""

    name: str
    path: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Width against bytes for one image set, both axes from zero."""

    series: tuple[Series, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    description: str
    has_ghosts: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def ladder_chart(samples: Sequence[Sample]) -> Chart | None:
    """Draw a ladder; None where there are not two files of different width or declared width to compare."""
    samples = list(dict.fromkeys(samples))
    if len({(s.width, s.declared) for s in samples}) < 2:
        return None
    x_step = nice_step(max(max(s.width, s.declared or 0) for s in samples), 4)
    y_step = byte_step(max(s.size for s in samples), 4)
    x_top = _top(max(max(s.width, s.declared or 0) for s in samples), x_step)
    y_top = _top(max(s.size for s in samples), y_step)
    frame = _Frame(x_top, y_top)
    names = list(dict.fromkeys(s.series for s in samples))[:_MOST_SERIES]
    return Chart(
        series=tuple(_series(name, [s for s in samples if s.series == name], frame) for name in names),
        x_ticks=tuple(Tick(frame.x(v), f"{v:,.0f}") for v in _multiples(x_step, x_top)),
        y_ticks=tuple(Tick(frame.y(v), _bytes_label(v)) for v in _multiples(y_step, y_top)),
        description=_describe(samples),
        has_ghosts=any(map(_misplaced, samples)),
    )


def nice_step(top: float, count: int) -> float:
    """A round step (1, 2 or 5 times a power of ten) that cuts 0..top into at most ``count`` and a bit."""
    rough = max(top, 1) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def byte_step(top: int, count: int) -> float:
    """A step that is round in the unit that its labels will be written in."""
    unit = 1.0
    while top / unit >= 1000:
        unit *= 1024
    return nice_step(top / unit, count) * unit if unit > 1 or top >= count else 1.0


@dataclass(frozen=True, slots=True)
class _Frame:
    x_top: float
    y_top: float

    def x(self, value: float) -> float:
        return round(_LEFT + value / self.x_top * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - value / self.y_top * (HEIGHT - _TOP - _BOTTOM), 1)


def _top(value: float, step: float) -> float:
    return max(1, math.ceil(value / step - 1e-9)) * step


def _multiples(step: float, top: float) -> list[float]:
    return [step * n for n in range(round(top / step) + 1)]


def _series(name: str, samples: Sequence[Sample], frame: _Frame) -> Series:
    ordered = sorted(samples, key=lambda s: (s.width, s.size))
    points = tuple(_point(s, frame) for s in ordered)
    return Series(name, "M" + "L".join(f"{p.x} {p.y}" for p in points), points)


def _point(sample: Sample, frame: _Frame) -> Point:
    promised = sample.declared if _misplaced(sample) else None
    label = f"{sample.width:,} px, {human_bytes(sample.size)}"
    if promised is not None:
        label += f", declared {promised}w"
    ghost = frame.x(promised) if promised is not None else None
    return Point(frame.x(sample.width), frame.y(sample.size), label, ghost, sample.grave)


def _describe(samples: Sequence[Sample]) -> str:
    small, large = min(samples, key=lambda s: s.width), max(samples, key=lambda s: s.width)
    told = (
        f"{len(samples)} files from {small.width:,} pixels wide ({human_bytes(small.size)})"
        f" to {large.width:,} pixels wide ({human_bytes(large.size)})."
    )
    wrong = sum(map(_misplaced, samples))
    return told + (f" {wrong} of them not as wide as declared." if wrong else "")


def _misplaced(sample: Sample) -> bool:
    # A pixel or two of rounding would draw a ring on top of its own dot.
    return sample.declared is not None and abs(sample.declared - sample.width) > max(1, sample.declared / 100)


def _bytes_label(value: float) -> str:
    return human_bytes(round(value)).replace(".0 ", " ") if value else "0"
