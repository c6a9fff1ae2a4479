"""Objects that only extra ones keep from being files: in a directory ``a`` and ``a/b`` can't both be.

Such a copy is set aside, what is in its way is deleted first, and it is tried again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cached_property

from mediamirror.errors import NameTaken
from mediamirror.jobs.sync.transfer import Done, Task

MOST = 10_000
"""Copies that are set aside; more of them fail, and the next run goes on with them."""

Handled = tuple[Task, Done]


class SetAside:
    """Keeps at most ``most`` copies that failed since a name is taken."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.tasks: list[Task] = []
        self.failures: list[Done] = []
        """What would be told of them, were they not tried again."""

    def around(self, handle: Callable[[Task], Awaitable[Done]]) -> Callable[[Task], Awaitable[Handled]]:
        """Return ``handle`` with the task beside what became of it."""

        async def both(task: Task) -> Handled:
            return task, await handle(task)

        return both

    def before(
        self, record: Callable[[Sequence[Done]], Awaitable[None]]
    ) -> Callable[[Sequence[Handled]], Awaitable[None]]:
        """Return ``record`` for what is not set aside."""

        async def rest(batch: Sequence[Handled]) -> None:
            await record([done for task, done in batch if not self._takes(task, done)])

        return rest

    def _takes(self, task: Task, done: Done) -> bool:
        error = done.event.error
        if error is None or error.code != NameTaken.code or len(self.tasks) >= self._most:
            return False
        self.tasks.append(task)
        self.failures.append(done)
        return True

    async def again(self) -> AsyncIterator[Task]:
        """Yield the copies."""
        for task in self.tasks:
            yield task

    def is_in_the_way(self, key: str) -> bool:
        """Whether a copy that was set aside lies under ``key``, or ``key`` under one of them. Ask when all are known."""
        if not self.tasks:
            return False
        at = bisect_left(self._keys, key + "/")
        below = at < len(self._keys) and self._keys[at].startswith(key + "/")
        return below or any(self._has(key[:end]) for end, letter in enumerate(key) if letter == "/")

    @cached_property
    def _keys(self) -> list[str]:
        return sorted(task.pair.key for task in self.tasks)

    def _has(self, key: str) -> bool:
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key
