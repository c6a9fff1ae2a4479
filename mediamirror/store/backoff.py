"""How long to wait before the same thing is tried again. The delay is a pure function; the wait is shared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

_LONGEST_ASKED = 30.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling delays with jitter, in seconds."""

    base: float = 0.2
    cap: float = 10.0

    def delay(self, attempt: int, chance: float, asked: float | None = None) -> float:
        """Return the seconds to wait after try number ``attempt`` (from 0).

        ``chance`` is in [0, 1). What the server asked for (Retry-After) counts as the least, up to 30 s.
        """
        own = min(self.cap, self.base * 2.0**attempt) * (0.5 + chance / 2)
        return max(own, min(asked or 0.0, _LONGEST_ASKED))


class Pause:
    """One moment before which nobody sends: an endpoint that says SlowDown means everyone."""

    def __init__(self) -> None:
        self._until = 0.0

    def extend(self, seconds: float) -> None:
        """Hold every later `wait` back for that long from now."""
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    async def wait(self) -> None:
        """Return once nobody asks for a pause any more."""
        loop = asyncio.get_running_loop()
        while (rest := self._until - loop.time()) > 0:  # noqa: ASYNC110 - one sleep, longer if another asked meanwhile
            await asyncio.sleep(rest)
