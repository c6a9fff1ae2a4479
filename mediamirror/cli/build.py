"""Option groups from what was typed.

Every command begins with ``given = locals()``: its options by name, converted and checked by typer. A field of an option group
takes the option of the same name, so that an option is spelled twice (in the command, in the group) and not a third time
between them; only what is told in other words than it is kept is written out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

from mediamirror.cli.running import fail
from mediamirror.cli.values import pair
from mediamirror.errors import MediamirrorError, UsageError
from mediamirror.settings import (
    CheckOptions,
    CompareOptions,
    FetchOptions,
    ReadOptions,
    SelectOptions,
    StoreOptions,
    SyncOptions,
)

Given = Mapping[str, Any]
_Group = TypeVar("_Group")


def options_from(group: type[_Group], given: Given, **special: Any) -> _Group:
    """Build an option group: each field from what is given under its name, ``special`` ones as they are, else its default."""
    named = {
        field.name: _kept(field.default, given[field.name])
        for field in fields(cast("Any", group))  # no public type says "a dataclass"
        if field.name in given and field.name not in special
    }
    return group(**named, **special)


def _kept(default: Any, value: Any) -> Any:
    """A repeated option comes as a list, or as None if it was never given; a group keeps a tuple."""
    return tuple(value or ()) if isinstance(default, tuple) else value


def fetch_options(given: Given) -> FetchOptions:
    """Build the fetch options; a malformed header, rule or file ends the command with its sentence."""
    from mediamirror.fetch import parse_connect_to, parse_header

    try:
        return options_from(
            FetchOptions,
            given,
            headers=tuple(parse_header(text) for text in _lines(given["header"] or ())),
            connect_to=tuple(parse_connect_to(text) for text in given["connect_to"] or ()),
            proxy=_proxy(given["proxy"]),
            robots=not given["ignore_robots"],
            allow_hosts=tuple(given["allow_host"] or ()),
        )
    except MediamirrorError as error:
        fail(error)


def read_options(given: Given) -> ReadOptions:
    """Build the options for reading the INPUTs."""
    largest = {"max_document": given["max_document_size"]} if "max_document_size" in given else {}
    return options_from(ReadOptions, given, **largest)


def check_options(given: Given) -> CheckOptions:
    """Build the options for looking at the bytes."""
    return options_from(CheckOptions, given, sandbox=not given["no_sandbox"])


def select_options(given: Given) -> SelectOptions:
    """Build the choice of variants."""
    return options_from(SelectOptions, given)


def store_options(given: Given) -> StoreOptions:
    """Build the options of the place that is written to, or of the one mirror that is read."""
    return options_from(StoreOptions, given, metadata=tuple(pair(text) for text in given.get("metadata") or ()))


def source_store(given: Given) -> StoreOptions | None:
    """Return how to reach SRC when that differs from DEST, else None. What is only for writing is left out."""
    own = {name: given[f"source_{name}"] for name in ("endpoint_url", "region", "profile")}
    if all(value is None for value in own.values()):
        return None
    shared = {name: given[name] for name in ("no_sign_request", "cacert")}
    return StoreOptions(**shared, **{name: given[name] if value is None else value for name, value in own.items()})


def sync_options(given: Given) -> SyncOptions:
    """Build how two places are compared, reached and made alike."""
    compare, source = options_from(CompareOptions, given), source_store(given)
    return options_from(SyncOptions, given, compare=compare, store=store_options(given), source=source)


def words(values: list[str] | None) -> tuple[str, ...]:
    """Read an option that may be repeated and may hold several words with commas between them."""
    return tuple(word.strip() for value in values or () for word in value.split(",") if word.strip())


def _lines(given: Iterable[str]) -> Iterator[str]:
    """Headers as given, and for ``@FILE`` those in it, one a line, as curl has it."""
    for text in given:
        if text.startswith("@"):
            yield from filter(str.strip, _read(text[1:], "-H").splitlines())
        else:
            yield text


def _proxy(given: str | None) -> str | None:
    proxy = given
    if given is not None and given.startswith("@"):
        proxy = _read(given[1:], "--proxy").strip()
    if proxy is not None and not proxy.startswith(("http://", "https://")):
        raise UsageError("--proxy wants an address such as http://proxy.example:3128, or @FILE that holds one.")
    return proxy


def _read(name: str, option: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{option} @{name}: the file can't be read ({error.strerror or error}).") from None
    except ValueError:
        raise UsageError(f"{option} @{name}: the file is not UTF-8 text.") from None
