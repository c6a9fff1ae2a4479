"""The geometry of the charts: pure numbers in, coordinates out. The templates draw them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mediamirror.first_use import dataclass
from mediamirror.report.events import human_bytes

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
