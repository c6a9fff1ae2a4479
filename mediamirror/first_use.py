"""Patterns are compiled, and the methods of data classes written, when they are first used: a command uses few of those it loads.

Made when their modules are loaded, they would be a third of the time in which a command starts. This is the one way for the whole
house: `pattern` in place of `re.compile`, `dataclass` and `replace` in place of the standard library's.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Container, Iterable
from functools import cache, partial
from operator import attrgetter
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
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 -- told to mypy that they are ours too
    from dataclasses import replace as replace  # noqa: PLC0414
else:

    def dataclass(cls=None, /, *, slots=False, kw_only=False, **how):
        """Make a data class as `dataclasses.dataclass` does, but for what it writes: fields and methods come at their first use.

        One without slots is left to the standard library. A class with slots has no bases that are data classes.
        """

        def make(cls):
            cls.__doc__ = cls.__doc__ or cls.__name__  # else the standard library writes one, and takes long over it
            if not slots:
                return dataclasses.dataclass(kw_only=kw_only, **how)(cls)
            own = dict(vars(cls))
            made = _with_slots(cls, own, kw_only=kw_only)
            taken = {"__doc__", "__module__", "__annotations__", "__post_init__", *made.__slots__} & own.keys()
            body = {"__qualname__": cls.__qualname__, **{name: own[name] for name in taken}}
            alike = partial(type, made.__name__, (), body)
            made.__dataclass_fields__ = _Fields(alike, kw_only=kw_only)
            finish = _finisher(made, alike, own.keys(), kw_only=kw_only, **how)
            for name in _written(**how) - own.keys():
                setattr(made, name, _at_first_use(made, name, finish))
            if how.get("eq", True) and not how.get("frozen"):
                made.__hash__ = own.get("__hash__")
            if how.get("frozen"):
                made.__setattr__, made.__delattr__ = _refuse_to_set, _refuse_to_delete
                made.__reduce__ = _reducer(made)
            return made

        return make if cls is None else make(cls)

    def replace(thing, /, **changes):
        """Return a copy of a data class with some fields changed, as `dataclasses.replace` does and in a third of its time."""
        return type(thing)(**dict(_values_of(type(thing))(thing), **changes))


def _with_slots(cls: type, own: dict[str, Any], *, kw_only: bool) -> Any:
    """Make the class anew, with a slot for each field in the place of its default."""
    names = tuple(own.get("__annotations__", ()))
    kept = {name: value for name, value in own.items() if name not in names and name not in {"__dict__", "__weakref__"}}
    positional = () if kw_only else tuple(name for name in names if _is_positional(own.get(name)))
    new = {"__slots__": names, "__match_args__": positional, "__qualname__": cls.__qualname__}
    return type(cls)(cls.__name__, cls.__bases__, {**new, **kept})


def _is_positional(default: object) -> bool:
    return not isinstance(default, dataclasses.Field) or (default.init and default.kw_only is not True)


class _Fields:
    """The fields of a class as the standard library's functions ask for them."""

    def __init__(self, alike: Callable[[], type], *, kw_only: bool) -> None:
        self._alike = alike
        self._kw_only = kw_only

    def __get__(self, _: object, made: Any) -> Any:
        full: Any = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=self._kw_only)(self._alike())
        made.__dataclass_fields__ = full.__dataclass_fields__
        return made.__dataclass_fields__


def _written(*, eq: bool = True, order: bool = False, **_: bool) -> set[str]:
    """The methods that the standard library writes for such a class."""
    return {*_OF_DATA[:2], *(_OF_DATA[2:4] if eq else ()), *(_OF_DATA[4:] if order else ())}


def _finisher(
    made: Any, alike: Callable[[], type], own: Container[str], *, frozen: bool = False, eq: bool = True, **how: bool
) -> Callable[[], None]:
    def finish() -> None:
        """Have the standard library write the methods, for a class of the same fields, and take them.

        It would write more for a frozen one; all that is taken of that is the hash.
        """
        less = {"slots": not frozen, "init": not frozen, "unsafe_hash": frozen and eq}
        full = vars(dataclasses.dataclass(eq=eq, **less, **how)(alike()))
        for name in (*_OF_DATA, "__dataclass_fields__"):
            if name in full and name not in own:
                setattr(made, name, full[name])
        params = made.__dataclass_params__ = full["__dataclass_params__"]
        params.init, params.frozen, params.unsafe_hash = True, frozen, False
        if hasattr(params, "slots"):  # since Python 3.12
            params.slots = True
        if frozen:
            made.__init__ = _quick_init(made)

    return finish


def _quick_init(made: Any) -> Callable[..., None]:
    """Write the ``__init__`` of a frozen class with slots. It fills the slots, in half the time of ``object.__setattr__``."""
    names: dict[str, Any] = {"_missing": dataclasses.MISSING}
    taken: list[str] = []
    lines: list[str] = []
    for field in dataclasses.fields(made):
        name = field.name
        names |= {f"_set_{name}": vars(made)[name].__set__, f"_default_{name}": field.default}
        value, default = name, f"=_default_{name}" if field.default is not dataclasses.MISSING else ""
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = field.default_factory
            value, default = f"_make_{name}() if {name} is _missing else {name}", "=_missing"
        if field.init:
            taken += ["*"] if field.kw_only and "*" not in taken else []
            taken.append(f"{name}{default}")
        else:
            value = f"_make_{name}()" if f"_make_{name}" in names else f"_default_{name}"
        if field.init or default:
            lines.append(f" _set_{name}(self, {value})")
    lines += [" self.__post_init__()"] if hasattr(made, "__post_init__") else []
    exec(f"def __init__(self, {', '.join(taken)}):\n" + "\n".join(lines or [" pass"]), names)  # noqa: S102 -- as dataclasses does
    made_init: Any = names["__init__"]
    made_init.__qualname__ = f"{made.__qualname__}.__init__"
    made_init.__module__ = made.__module__
    made_init.__annotations__ = {field.name: field.type for field in dataclasses.fields(made) if field.init} | {
        "return": None
    }
    return cast("Callable[..., None]", made_init)


def _at_first_use(made: Any, name: str, finish: Callable[[], None]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        finish()
        return getattr(made, name)(self, *args, **kwargs)

    return method


def _refuse_to_set(self: Any, name: str, value: object) -> None:  # noqa: ARG001 -- the shape of the method
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:  # noqa: ARG001 -- the shape of the method
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


@cache
def _values_of(made: Any) -> Callable[[Any], Iterable[tuple[str, object]]]:
    names = [field.name for field in dataclasses.fields(made) if field.init]
    if len(names) < 2:
        return lambda thing: [(name, getattr(thing, name)) for name in names]
    values = attrgetter(*names)
    return lambda thing: zip(names, values(thing), strict=True)


def _reducer(made: Any) -> Callable[[Any], Any]:
    """How one is pickled: by its fields alone. Those that ``__init__`` does not take are made again."""

    def reduce(self: Any) -> Any:
        return _reducer_of(made)(self)

    return reduce


@cache
def _reducer_of(made: Any) -> Callable[[Any], Any]:
    names = [field.name for field in dataclasses.fields(made) if field.init]
    if not names or any(field.kw_only for field in dataclasses.fields(made)):
        return lambda self: (partial(made, **{name: getattr(self, name) for name in names}), ())
    values = attrgetter(*names) if len(names) > 1 else lambda self: (getattr(self, names[0]),)
    return lambda self: (made, values(self))
