"""Commands that are loaded when they are asked for: who runs ``sync`` need not wait for the other eight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from typer.core import TyperGroup

Load = Callable[[str], Any]
"""Makes a command by its name."""


class LateCommands(MutableMapping[str, Any]):
    """Commands by name, in the order they are listed; each is made once, at its first use."""

    def __init__(self, names: tuple[str, ...], load: Load) -> None:
        self._load = load
        self._made: dict[str, Any] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            self._made[name] = self._load(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def group_of(names: tuple[str, ...], load: Load) -> type[TyperGroup]:
    """Return the class of a group that has these commands."""

    class LateGroup(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = LateCommands(names, load)

    return LateGroup
