"""How far a real width may be from the promised one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from mediamirror.errors import UsageError

_TOLERANCE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(px|%)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``amount`` pixels, or ``amount`` percent of the promised width when ``percent`` is set."""

    amount: Fraction
    percent: bool = False

    def allows(self, promised: int, real: int) -> bool:
        """Whether a real width, in pixels, is near enough to the promised one."""
        most = self.amount * promised / 100 if self.percent else self.amount
        return abs(real - promised) <= most

    def __str__(self) -> str:
        return f"{float(self.amount):g}{'%' if self.percent else 'px'}"


def parse_tolerance(text: str) -> Tolerance:
    """Parse ``1px`` or ``1%`` (decimals allowed). Raises `UsageError` for anything else."""
    found = _TOLERANCE.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"{text!r} is no tolerance: write pixels or percent, such as 1px or 0.5%.")
    tolerance = Tolerance(Fraction(found[1]), percent=found[2] == "%")
    if tolerance.percent and tolerance.amount > 100:
        raise UsageError(f"A tolerance of {text} would allow any width: write at most 100%.")
    return tolerance
