"""How long a batch waits for company before it is written."""

from __future__ import annotations

_SECONDS = 0.01
_AGAIN = 16


class Linger:
    """A hop to another thread and a sync cost the same for one item and for twenty, so it pays to wait a little for more.

    One caller that comes again and again, and alone, must not wait each time: where a wait brought nobody, it is left out, and only
    every sixteenth such batch tries again.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._alone = 0

    @property
    def seconds(self) -> float:
        """For how long the next batch should wait."""
        return 0.0 if self._alone % _AGAIN else self._seconds

    def gathered(self, items: int) -> None:
        """Learn how many items a batch had in the end."""
        self._alone = 0 if items > 1 else self._alone + 1
