"""MM309 and MM312: variants that are not larger than a smaller one: generators that never upscale, and those that do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from math import sqrt

from mediamirror.first_use import dataclass, replace
from mediamirror.lint.likeness import alike
from mediamirror.lint.markup import describe
from mediamirror.lint.rules import rule
from mediamirror.lint.subject import Member, SetSubject, Violation
from mediamirror.model import SAYS_LITTLE, Candidate, Regained, Severity, Source

_NEAREST = 0.72
"""Ratio of widths above which two rungs are too near for a difference in detail to be told."""
_FURTHEST = 0.2
_ABOVE, _BELOW = 1.25, 0.6
"""Where detail is compared: a bit above the finest that the smaller rung can hold, and well below it."""
_NONE_LEFT = ((_FURTHEST, 0.33), (0.25, 0.33), (0.33, 0.28), (0.4, 0.26), (0.5, 0.24), (0.6, 0.20), (_NEAREST, 0.18))
"""By ratio of widths, the share of detail above the limit that still counts as none.

Measured on photographs, enlarged with bicubic, bilinear and Lanczos filters and saved as WebP, JPEG and AVIF of usual quality,
beside the same ones as they are: at a ratio of 0.5 the enlarged ones have 0.06 to 0.28, the others 0.32 and more.
"""
_REGAINED = ((0.2, 0.22), (0.25, 0.24), (0.34, 0.27), (0.5, 0.36), (0.667, 0.3), (0.8, 0.27), (0.85, 0.2))
"""By ratio of widths, the share of the detail below the limit that may be lost beyond it by a picture that was enlarged.

Measured on photographs that are sharp, and blurred by 0.5 to 2 pixels: sound ones lose 0.31 and more at 0.8, 0.38 at 0.667,
0.42 at 0.5, 0.33 at 0.333; enlarged ones saved as PNG at most 0.16. `bench.upscaling` prints what is found.
"""
_REPEATED = 0.8
"""The same for pixels that were repeated: sound pictures lose 0.94 and more."""
_REPEATING, _FEW_REPEATED = 0.7, 0.4
"""Ratio of widths above which few pixels are repeated, and the same for it: small type, saved as JPEG, came down to 0.8."""
_OF_DRAWN = 0.6
"""By how much less may be lost of pictures with few grey levels: their edges are regained where they lie well."""
_ROUGHER = 0.45
"""Share of a narrower variant's texture that a wider one always has, in both measures: docs/decisions/0011 has the figures."""
_STEP, _FINE = 2.0, 4.0
"""Grey levels of texture that the narrower one must have, to say anything."""
_VISIBLE = 4.0
"""Grey levels of detail that a picture must have at the smaller rung, to say anything about the larger one."""
_SMOOTHED = 0.7
"""AVIF takes fine detail out of sound pictures too: less has to be left of it before that says anything."""
_NOISE, _NOISE_SCALE = 0.6, 0.94
"""Grey levels of the finest detail that are taken for noise of compression, which is spread over all scales."""


@dataclass(frozen=True, slots=True)
class _Case:
    """Candidates of one source with different descriptors and the same pixels. ``stays`` is the one to keep of them."""

    source: Source
    twins: tuple[Member, ...]
    stays: Member
    liars: tuple[Member, ...]

    @property
    def real(self) -> int:
        """The width that all of them have, in pixels."""
        return self.stays.shown[0] if self.stays.shown else 0


@rule("MM309", "not-upscaled", Severity.ERROR)
def not_upscaled(subject: SetSubject) -> Iterator[Violation]:
    """Fire once for the set, with the corrected srcset of each source concerned."""
    cases = [case for source in subject.sources() for case in _cases(subject, source)]
    if not cases:
        return
    liars = [member for case in cases for member in case.liars]
    words = ", ".join(dict.fromkeys(describe(m.candidate) for m in liars))
    real = ", ".join(dict.fromkeys(f"{case.real} pixels" for case in cases))
    corrected = " and ".join(f'srcset="{_corrected(case)}"' for case in cases)
    message = f"Declared {words}, but nothing was enlarged: the files are {real} wide. Corrected: {corrected}."
    touched = [*liars, *(case.stays for case in cases)]
    # One that claims too little breaks its promise, whatever the others claim.
    small = {m.url for case in cases for m in case.twins if m not in liars and m is not case.stays}
    small |= {case.stays.url for case in cases if case.stays not in liars and not _is_true(subject, case.stays)}
    told = [(rule, m.url) for m in touched for rule in ("MM301", "MM302", "MM403")]
    explains = frozenset(row for row in told if row[1] not in small or row[0] == "MM403")
    yield Violation(message, words, real, liars[-1].candidate.reference, liars[-1].url, explains)


def _cases(subject: SetSubject, source: Source) -> Iterator[_Case]:
    members = [m for m in subject.of(source) if m.facts is not None and m.candidate is not source.default]
    for twins in _twins(members):
        widths = [member.candidate.width for member in twins]
        if None in widths and any(width is not None for width in widths):
            continue
        stays = next((m for m in twins if _is_true(subject, m)), min(twins, key=_distance))
        liars = tuple(m for m in twins if _claim(m) > _claim(stays) or _is_too_much(subject, m))
        liars = tuple(m for m in liars if m.candidate.width is None or _is_too_much(subject, m))
        if liars:
            yield _Case(source, tuple(twins), stays, liars)


def _twins(members: Sequence[Member]) -> Iterator[list[Member]]:
    by_size: dict[tuple[int, int, str], list[Member]] = defaultdict(list)
    for member in members:
        if member.facts is not None:
            by_size[(*member.facts.natural, member.facts.format)].append(member)
    for group in by_size.values():
        same = [member for member in group if _same_pixels(member, group[0])]
        if len({_claim(member) for member in same}) > 1:
            yield same


def _same_pixels(one: Member, other: Member) -> bool:
    if one.known is None or other.known is None or one.url == other.url:
        return one.url == other.url
    if one.known.sha256 is not None and one.known.sha256 == other.known.sha256:
        return True
    return one.look is None or other.look is None or alike(one.look, other.look)


def _claim(member: Member) -> float:
    """What the descriptor says: a width, or a density, which is 1 where there is none."""
    candidate = member.candidate
    return candidate.width if candidate.width is not None else 1.0 if candidate.density is None else candidate.density


def _distance(member: Member) -> tuple[float, float]:
    """How far the claim of a width is from the real one; of densities the least comes first."""
    width, shown = member.candidate.width, member.shown
    return (abs(width - shown[0]) if width is not None and shown is not None else 0.0), _claim(member)


def _is_true(subject: SetSubject, member: Member) -> bool:
    width, shown = member.candidate.width, member.shown
    return width is not None and shown is not None and subject.options.tolerance.allows(width, shown[0])


def _is_too_much(subject: SetSubject, member: Member) -> bool:
    """Whether the width descriptor claims more pixels than the file has, whichever way up it is."""
    width, facts = member.candidate.width, member.facts
    if width is None or facts is None:
        return False
    real = max(facts.natural) if facts.on_its_side else facts.natural[0]
    return width > real and not subject.options.tolerance.allows(width, real)


def _corrected(case: _Case) -> str:
    """The srcset without the candidates that add no pixels, and the one that stays with its real width."""
    dropped = {id(member.candidate) for member in case.twins if member is not case.stays}
    kept = [candidate for candidate in case.source.candidates if id(candidate) not in dropped]
    if case.stays.candidate.width is not None:
        kept = [replace(c, width=case.real) if c is case.stays.candidate else c for c in kept]
        kept.sort(key=lambda candidate: candidate.width or 0)
    return ", ".join(_entry(candidate) for candidate in kept)


def _entry(candidate: Candidate) -> str:
    url = candidate.raw_url or candidate.url
    return f"{url} {describe(candidate)}" if candidate.width or candidate.density else url


@rule("MM312", "upscaled", Severity.WARNING)
def upscaled(subject: SetSubject) -> Iterator[Violation]:
    """Fire for each variant without detail of its own, beside the largest smaller one that has as much, or more."""
    for group in subject.groups:
        for member in group:
            better = _more_detailed(member, group)
            if better is not None:
                width, narrow = member.pixels[0], better.pixels[0]
                message = f"{width} pixels wide, with less detail than the variant of {narrow} pixels: a placeholder, enlarged."
                declared, actual = f"{width} pixels of detail", f"less than {narrow}"
                explains = frozenset((("MM404", member.url),))
                yield Violation(message, declared, actual, member.candidate.reference, member.url, explains)
                continue
            twin = _as_detailed(member, group)
            if twin is not None:
                width, narrow = member.pixels[0], twin.pixels[0]
                message = f"{width} pixels wide, with no more detail than the variant of {narrow} pixels."
                declared, actual = f"{width} pixels of detail", f"at most {narrow}"
                yield Violation(message, declared, actual, member.candidate.reference, member.url)


def _more_detailed(member: Member, group: Sequence[Member]) -> Member | None:
    """The largest narrower variant that has far more texture at one and the same size, which a wider one never lacks."""
    narrower = [
        m for m in group if 0 < m.pixels[0] < member.pixels[0] and _is_rougher(m, member) and _related(m, member)
    ]
    return max(narrower, key=lambda m: m.pixels[0], default=None)


def _is_rougher(other: Member, member: Member) -> bool:
    """Compared at the largest size at which both were measured."""
    if other.look is None or member.look is None:
        return False
    measured = {side: (step, fine) for side, step, fine in member.look.texture}
    for side, step, fine in other.look.texture:
        if side in measured:
            mine = measured[side]
            return step >= _STEP and fine >= _FINE and (mine[0] < _ROUGHER * step or mine[1] < _ROUGHER * fine)
    return False


def _as_detailed(member: Member, group: Sequence[Member]) -> Member | None:
    if member.facts is None or member.look is None:
        return None
    width, detail = member.pixels[0], member.look.detail
    smaller = [m for m in group if 0 < m.pixels[0] < width and _related(m, member)]
    smaller.sort(key=lambda m: m.pixels[0], reverse=True)
    strict = _SMOOTHED if member.facts.format == "avif" else 1.0
    measured = {each.width: each for each in member.look.regained}
    for other in smaller:
        narrow = other.pixels[0]
        if narrow in measured and is_regained(measured[narrow], narrow / width, strict=strict):
            return other
        is_open = _is_open(narrow, measured, {m.pixels[0] for m in smaller})
        if is_open and gains_nothing(detail, narrow / width, strict=strict):
            return other
    return None


def _is_open(narrow: int, measured: Mapping[int, Regained], siblings: Set[int]) -> bool:
    """Whether the curve of detail may still say something about a narrower variant.

    Where a picture was measured against other siblings alone, it may just be soft. Where none was known, it was measured at one
    width: what has more than that has more than each narrower one.
    """
    if narrow in measured:
        return not measured[narrow].has_more
    if siblings & measured.keys():
        return False
    return not any(each.has_more for width, each in measured.items() if width >= narrow)


def _related(one: Member, other: Member) -> bool:
    return one.look is not None and other.look is not None and alike(one.look, other.look)


def is_regained(measured: Regained, ratio: float, *, strict: float = 1.0) -> bool:
    """Whether a picture shows nothing but what the one of ``ratio`` times its width shows, enlarged.

    True only where it has detail near the limit of the narrower one. ``strict`` below 1 asks for a better likeness.
    """
    if measured.below < SAYS_LITTLE or not _REGAINED[0][0] <= ratio <= _REGAINED[-1][0]:
        return False
    limit = strict * measured.below * (_OF_DRAWN if measured.drawn else 1.0)
    repeated = _REPEATED if ratio <= _REPEATING else _FEW_REPEATED
    return measured.blocks <= repeated * limit or measured.soft <= _between(_REGAINED, ratio) * limit


def gains_nothing(detail: Sequence[tuple[float, float]], ratio: float, *, strict: float = 1.0) -> bool:
    """Whether a picture with this `Look.detail` shows nothing that one of ``ratio`` times its width can't show.

    True only where the picture does have detail near the limit of the smaller one, and next to none beyond it: a soft
    picture, which has little of either, says nothing. ``strict`` below 1 asks for still less beyond it.
    """
    if not _FURTHEST <= ratio <= _NEAREST:
        return False
    below, above = _lost(detail, _BELOW * ratio), _without_noise(detail, _ABOVE * ratio)
    return below >= _VISIBLE and above <= strict * _between(_NONE_LEFT, ratio) * below


def _without_noise(detail: Sequence[tuple[float, float]], scale: float) -> float:
    noise = min(_NOISE, _lost(detail, _NOISE_SCALE)) ** 2 * (1 - scale**2) / (1 - _NOISE_SCALE**2)
    return sqrt(max(0.0, _lost(detail, scale) ** 2 - noise))


def _lost(detail: Sequence[tuple[float, float]], scale: float) -> float:
    """What shrinking to a scale takes away, between the scales that were measured."""
    return _between(sorted([(1.0, 0.0), *detail]), scale)


def _between(points: Sequence[tuple[float, float]], at: float) -> float:
    """The value at a place between points, which ascend."""
    for (low, value), (high, next_value) in pairwise(points):
        if low <= at <= high:
            return value + (next_value - value) * (at - low) / (high - low)
    return points[0][1] if at < points[0][0] else points[-1][1]
