"""Patterns are compiled, and the methods of data classes written, when they are first used: a command uses few of those it loads.

Made when their modules are loaded, they would be a third of the time in which a command starts. This is the one way for the whole
house: `pattern` in place of `re.compile`, `dataclass` in place of the standard library's.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, AnyStr, cast

_OF_PATTERNS = ("match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer", "flags", "groupindex")
_OF_DATA = ("__init__", "__repr__", "__eq__", "__hash__", "__lt__", "__le__", "__gt__", "__ge__")


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` would: a pattern, which is compiled (and a fault in it raised) at its first use."""
    return cast("re.Pattern[AnyStr]", _Pattern(source, flags))


class _Pattern:
    """Compiles itself when a method is asked for; from then on it has the methods of what it compiled, as its own."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self.pattern = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(self.pattern, self._flags)
        vars(self).update((each, getattr(compiled, each)) for each in _OF_PATTERNS)
        return getattr(compiled, name)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 -- told to mypy that it is ours too
else:

    def dataclass(cls=None, /, *, slots=False, kw_only=False, **how):
        """Make a data class as `dataclasses.dataclass` does, but for the methods that it writes: they come at their first use."""

        def make(cls):
            cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard library writes one, and takes long over it
            own = dict(vars(cls))
            made = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only, slots=slots)(cls)
            finish = _finisher(made, own, {**how, "kw_only": kw_only, "slots": slots})
            for name in _written(**how) - own.keys():
                setattr(made, name, _at_first_use(made, name, finish))
            if how.get("eq", True) and not how.get("frozen"):
                made.__hash__ = own.get("__hash__")
            if how.get("frozen"):
                made.__setattr__, made.__delattr__ = _refuse_to_set, _refuse_to_delete
                made.__getstate__, made.__setstate__ = _state, _set_state
            return made

        return make if cls is None else make(cls)


def _written(*, eq: bool = True, order: bool = False, **_: bool) -> set[str]:
    """The methods that the standard library writes for such a class."""
    return {*_OF_DATA[:2], *(_OF_DATA[2:4] if eq else ()), *(_OF_DATA[4:] if order else ())}


def _finisher(made: Any, own: dict[str, Any], how: dict[str, bool]) -> Callable[[], None]:
    taken = {"__doc__", "__module__", "__annotations__", "__post_init__", *own.get("__annotations__", ())}
    body = {"__qualname__": made.__qualname__, **{name: own[name] for name in taken & own.keys()}}

    def finish() -> None:
        """Have the standard library write the methods, for a class of the same fields, and take them."""
        full = vars(dataclasses.dataclass(**how)(type(made.__name__, (), body)))
        for name in (*_OF_DATA, "__dataclass_params__"):
            if name in full and name not in own:
                setattr(made, name, full[name])

    return finish


def _at_first_use(made: Any, name: str, finish: Callable[[], None]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        finish()
        return getattr(made, name)(self, *args, **kwargs)

    return method


def _refuse_to_set(self: Any, name: str, value: object) -> None:  # noqa: ARG001 -- the shape of the method
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:  # noqa: ARG001 -- the shape of the method
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _set_state(self: Any, state: list[object]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)
