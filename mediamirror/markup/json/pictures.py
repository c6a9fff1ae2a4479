"""Pictures in any JSON: by the shapes that scripts use, and by what the strings look like.

| in an object there is                                        | it is                                               |
|--------------------------------------------------------------|-----------------------------------------------------|
| a ``srcset`` (``srcSet``, ``image_srcset``, …)               | one picture with its ``src``, ``sources``, ``fallback`` |
| a list or map of renditions (``sizes``, ``formats``, …)      | one picture with the object's own URL               |
| names that all are image URLs                                | one picture                                         |
| any other string that is an image's URL                      | a picture of its own                                |

No width is taken from JSON: it is the layout's as often as the file's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.json.names import PAGES
from mediamirror.markup.naming import is_image_url, is_one_word, is_reference, is_srcset_like, joined
from mediamirror.markup.places.json_text import Array, Json, Object, Text
from mediamirror.model import Span

_SRC = frozenset({"src", "url", "sourceurl", "contenturl", "imageurl", "href", "uri"})
_FALLBACKS = frozenset({"fallback", "img"})
_SOURCES = frozenset({"sources"})
_RENDITIONS = frozenset(
    {"sizes", "formats", "variants", "renditions", "resolutions", "thumbnails", "derivatives", "crops"}
)
_RENDITIONS_WITHIN = frozenset({"mediadetails"})
_ALTS = frozenset({"alt", "alttext", "alternativetext"})
_SEPARATORS = pattern(r"[\s_\-.:@]+")
_MAX_NAMES = 1000
_OTHER = '<"'
"""What no srcset has, but HTML and JSON within a string: those are read for themselves."""

IsImage = Callable[[str], bool]
"""Says whether a string without a telling name is an image's URL."""


@dataclass(frozen=True, slots=True)
class Part:
    """One string of a picture: a srcset, or a URL. ``text`` is a plain string where it is a name, which has no place.

    ``within`` is the place of the URL in a string that joins several.
    """

    text: Text | str
    is_srcset: bool = False
    mime: str | None = None
    media: str | None = None
    sizes: str | None = None
    within: Span | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: its strings in order."""

    parts: tuple[Part, ...]
    alt: str | None = None


def pictures(values: list[Json], is_image: IsImage = is_image_url) -> Iterator[Picture]:
    """Yield every picture in order; without recursion."""
    pending: list[Json] = list(reversed(values))
    while pending:
        node = pending.pop()
        if isinstance(node, Text):
            yield from _of_string(node, is_image)
        elif isinstance(node, Array):
            pending.extend(reversed(node.items))
        elif isinstance(node, Object):
            picture, rest = _of_object(node, is_image)
            if picture is not None:
                yield picture
            pending.extend(reversed(rest))


def _of_string(node: Text, is_image: IsImage) -> Iterator[Picture]:
    text = node.value.strip()
    if places := joined(node.value):
        yield from (Picture((Part(node, within=place),)) for place in places if is_image(node.value[slice(*place)]))
    elif is_image(text):
        yield Picture((Part(node),))
    elif is_srcset_like(text) and not any(mark in text for mark in _OTHER):
        yield Picture((Part(node, is_srcset=True),))


def _of_object(node: Object, is_image: IsImage) -> tuple[Picture | None, list[Json]]:
    """The picture that an object is, and the values to walk on through."""
    for read in (_with_srcset, _with_renditions, _of_names):
        parts, used = read(node, is_image)
        if parts:
            rest = [value for key, value in node.members if id(value) not in used and not _is_page(key, value)]
            return Picture(tuple(parts), _alt(node)), rest + list(_beside(_groups(node), used, parts))
    return None, [value for key, value in node.members if not _is_page(key, value)]


def _is_page(key: str, value: Json) -> bool:
    return _bare(key) in PAGES and isinstance(value, Text) and is_one_word(value.value.strip())


def _with_srcset(node: Object, is_image: IsImage) -> tuple[list[Part], set[int]]:
    parts, used = _element(node)
    for key, value in node.members:
        if _bare(key) in _FALLBACKS and isinstance(value, Object):
            more, within = _element(value)
            if within and _nothing_else(value, within, is_image):
                parts, used = parts + more, used | {id(value)}
        elif _bare(key) in _SOURCES and isinstance(value, Array):
            rows = [(item, *_element(item)) for item in value.items if isinstance(item, Object)]
            whole = rows and len(rows) == len(value.items)
            if whole and all(
                any(p.is_srcset for p in row) and _nothing_else(i, within, is_image) for i, row, within in rows
            ):
                parts, used = [p for _, row, _ in rows for p in row] + parts, used | {id(value)}
    return (parts, used) if any(part.is_srcset for part in parts) else ([], set())


def _nothing_else(node: Object, used: set[int], is_image: IsImage) -> bool:
    """Whether an object that is taken whole holds no other image, which would be lost with it."""
    # Breadth first: an image in a nested fallback is met at once, however deep the nesting goes on.
    pending: deque[Json] = deque(value for _, value in node.members if id(value) not in used)
    while pending:
        value = pending.popleft()
        if isinstance(value, Array):
            pending.extend(value.items)
        elif isinstance(value, Object):
            pending.extend(inner for _, inner in value.members)
        elif isinstance(value, Text) and (is_image(value.value.strip()) or is_srcset_like(value.value.strip())):
            return False
    return True


def _element(node: Object) -> tuple[list[Part], set[int]]:
    """The srcsets of an object and the URL beside them, as an ``img`` or ``source`` would have them."""
    texts = {_bare(key): value for key, value in node.members if isinstance(value, Text) and value.value.strip()}
    said = {name: texts[name].value for name in ("type", "media", "sizes") if name in texts}
    mime = said.get("type") if said.get("type", "").startswith("image/") else None
    parts, used = [], set()
    for name, value in texts.items():
        if name.endswith("srcset") and is_reference(value.value):
            parts.append(Part(value, True, mime, said.get("media"), said.get("sizes")))
            used.add(id(value))
    for name, value in texts.items():
        if name in _SRC and is_one_word(value.value.strip()) and not value.value.startswith("data:"):
            parts.append(Part(value))
            used.add(id(value))
    return parts, used


def _groups(node: Object) -> list[Json]:
    groups = [value for key, value in node.members if _bare(key) in _RENDITIONS]
    for key, value in node.members:
        if _bare(key) in _RENDITIONS_WITHIN and isinstance(value, Object):
            groups += [inner for name, inner in value.members if _bare(name) in _RENDITIONS]
    return groups


def _beside(groups: list[Json], used: set[int], parts: list[Part]) -> Iterator[Json]:
    """What renditions hold beside their files: a srcset, another image. Their files' bare names are no other images."""
    taken = {id(part.text): part.text.value for part in parts if isinstance(part.text, Text)}
    for item in (item for group in groups if id(group) in used for item in _items(group)):
        members = item.members if isinstance(item, Object) else []
        file = next((taken[id(value)] for _, value in members if id(value) in taken), "")
        for key, value in members:
            is_name = isinstance(value, Text) and file.endswith(f"/{value.value}")
            if id(value) not in taken and not is_name and not _is_page(key, value):
                yield value


def _with_renditions(node: Object, is_image: IsImage) -> tuple[list[Part], set[int]]:
    parts: list[Part] = []
    used: set[int] = set()
    for group in _groups(node):
        rows = [_rendition(item, is_image) for item in _items(group)]
        if rows and all(rows):
            parts += [Part(row) for row in rows if row is not None]
            used.add(id(group))
    own = _rendition(node, is_image) if parts else None
    if own is not None:
        parts.insert(0, Part(own))
        used.add(id(own))
    return parts, used | ({id(v) for k, v in node.members if _bare(k) in _RENDITIONS_WITHIN} if parts else set())


def _items(group: Json) -> list[Json]:
    if isinstance(group, Array):
        return group.items
    return [value for _, value in group.members] if isinstance(group, Object) else []


def _rendition(item: Json, is_image: IsImage) -> Text | None:
    """The file of one rendition: itself, or the URL in its object."""
    if isinstance(item, Text):
        return item if is_image(item.value.strip()) else None
    if isinstance(item, Object):
        texts = [value for key, value in item.members if isinstance(value, Text) and _bare(key) in _SRC]
        return next((text for text in texts if is_image(text.value.strip())), None)
    return None


def _of_names(node: Object, is_image: IsImage) -> tuple[list[Part], set[int]]:
    """Amazon's ``{"https://….jpg": [679, 510], …}``."""
    names = [key for key, _ in node.members]
    if not names or len(names) > _MAX_NAMES or not all("/" in name and is_image(name) for name in names):
        return [], set()
    return [Part(name) for name in names], set()


def _alt(node: Object) -> str | None:
    texts = (value.value.strip() for key, value in node.members if isinstance(value, Text) and _bare(key) in _ALTS)
    return next(texts, None) or None


@lru_cache(maxsize=4096)
def _bare(key: str) -> str:
    return _SEPARATORS.sub("", key).lower()
