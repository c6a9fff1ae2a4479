"""URLs with a place for the width (``{width}``, ``{w}``, ``%7Bwidth%7D``, ``{.width}``), filled where the page lists the widths.

The script of lazysizes' rias, of Shopify's themes and of AEM's image component would ask for every listed width; where the list
is in the script, nothing is known, and the URL stays a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

PLACE = re.compile(r"(?:\{|%7b)\s*(\.?[a-z_]\w{0,40})\s*(?:\}|%7d)", re.IGNORECASE | re.ASCII)
_WIDTHS = frozenset({"width", "w"})
_LISTS = ("data-widths", "data-cmp-widths", "data-image-widths", "data-srcset-widths", "widths")
_NUMBER = re.compile(r"(?<![\w.])[0-9]{1,5}(?![\w.])", re.ASCII)
_LIST = re.compile(r"[\s\[\](){}\"',;0-9pxw]*")
MAX_WIDTHS = 100
_LONGEST_LIST = 2000


def is_template(text: str) -> bool:
    """Say whether a URL has a place for a width."""
    return any(match[1].lower().lstrip(".") in _WIDTHS for match in PLACE.finditer(text))


def listed_widths(attributes: Mapping[str, object]) -> tuple[int, ...]:
    """Return the widths in pixels that an element lists in an attribute of its own, in order; empty without a list."""
    for name in _LISTS:
        value = attributes.get(name)
        if isinstance(value, str) and len(value) <= _LONGEST_LIST and _LIST.fullmatch(value):
            numbers = re.sub(r"(?<=[0-9])(?:px|w)\b", "", value)
            found = [int(number) for number in _NUMBER.findall(numbers)]
            return tuple(dict.fromkeys(width for width in found if width))[:MAX_WIDTHS]
    return ()


def filled(text: str, widths: tuple[int, ...], attributes: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Yield a template's URL for every width.

    Other places are filled from the element's ``data-*`` attribute of that name, and ``{height}`` from ``data-ratio`` or
    ``data-aspectratio`` (width / height). What the page does not tell stays as it is.
    """
    for width in widths:
        yield PLACE.sub(lambda match, w=width: _value(match, w, attributes), text), width  # type: ignore[misc]


def _value(match: re.Match[str], width: int, attributes: Mapping[str, object]) -> str:
    name = match[1].lower()
    bare = name.lstrip(".")
    value: str | None = None
    if bare in _WIDTHS:
        value = str(width)
    elif isinstance(said := attributes.get(f"data-{bare}"), str) and PLACE.search(said) is None:
        value = quote(said, safe="/,:")
    elif bare in {"height", "h"} and (ratio := _ratio(attributes)):
        value = str(round(width / ratio))
    if value is None:
        return match[0]
    return f".{value}" if name.startswith(".") else value


def _ratio(attributes: Mapping[str, object]) -> float | None:
    for name in ("data-aspect-ratio", "data-aspectratio", "data-ratio"):
        value = attributes.get(name)
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,16})?", value):
            return float(value) or None
    return None
