"""Data classes and patterns that are finished at their first use are what the standard library's are."""

import dataclasses
import pickle
import re
from collections.abc import Callable, Hashable
from typing import Any

import pytest

from mediamirror.first_use import dataclass, pattern, replace

KINDS: list[dict[str, Any]] = [
    {},
    {"slots": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "order": True},
    {"frozen": True, "slots": True, "kw_only": True},
    {"slots": True, "eq": False},
]


def fields_of(word: str) -> Any:
    class Thing:
        """A thing."""

        width: int
        name: str = "a"
        tags: list[str] = dataclasses.field(default_factory=list)
        unit: str = dataclasses.field(default="px", init=False)

        def __post_init__(self) -> None:
            if self.width < 0:
                raise ValueError(word)

    return Thing


def tried(act: Callable[[], object]) -> object:
    try:
        return act()
    except (TypeError, ValueError, AttributeError) as error:
        return type(error), str(error)


def answers(made: Any) -> list[object]:
    one, two = made(width=1), made(width=2, name="b", tags=["x"])
    return [
        repr(one),
        one.unit,
        one == two,
        one == made(width=1),
        dataclasses.asdict(two),
        dataclasses.replace(two, width=3).width,
        [field.name for field in dataclasses.fields(made)],
        repr(made.__dataclass_params__),
        isinstance(one, Hashable),
        tried(lambda: one < two),
        tried(lambda: setattr(one, "width", 5)),
        tried(lambda: delattr(one, "name")),
        tried(lambda: made(width=-1)),
        tried(made),
    ]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_data_class_is_the_one_that_the_standard_library_makes(kind: dict[str, Any]) -> None:
    assert answers(dataclass(**kind)(fields_of("no"))) == answers(dataclasses.dataclass(**kind)(fields_of("no")))


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int = 0


def test_a_frozen_one_is_pickled_and_hashed() -> None:
    assert pickle.loads(pickle.dumps(Size(1, 2))) == Size(1, 2)
    assert {Size(1), Size(1), Size(2)} == {Size(1), Size(2)}


def test_a_pattern_is_compiled_at_its_first_use_and_has_every_method() -> None:
    made = pattern(r"(?P<number>[0-9]+)", re.ASCII)
    assert (made.pattern, made.flags, dict(made.groupindex)) == (r"(?P<number>[0-9]+)", re.ASCII, {"number": 1})
    assert [match["number"] for match in made.finditer("1 22")] == ["1", "22"]
    assert (made.sub("x", "a1"), made.split("a1b"), made.groups) == ("ax", ["a", "1", "b"], 1)
    broken = pattern("(")
    with pytest.raises(re.error):
        broken.search("")


def test_a_copy_has_the_fields_that_were_not_changed() -> None:
    assert replace(Size(1, 2), height=3) == Size(1, 3)
    with pytest.raises(TypeError, match="'depth'"):
        replace(Size(1, 2), depth=3)
