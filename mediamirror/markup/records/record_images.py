"""Images in one record: HTML, Markdown, srcset strings and URLs, wherever in the record they are.

Rules by value before rules by name, since every crawler calls its fields otherwise; see `record_names` for the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.json.names import (
    ALTS,
    GROUPS,
    PAGES,
    SRC,
    bare,
    described_image,
    is_image_field,
    is_image_url,
    is_srcset_name,
    is_url,
    page_of,
    words_of_images,
)
from mediamirror.markup.json.records import is_json_within
from mediamirror.markup.naming import (
    attached,
    has_image_extension,
    is_image_type,
    is_reference,
    joined_images,
    names_page,
    parts_of,
    shown_by,
)
from mediamirror.markup.naming import (
    is_image_url as looks_like_image,
)
from mediamirror.markup.places.candidates import length
from mediamirror.markup.places.json_text import Array, Json, Object, Text, read_json
from mediamirror.markup.places.spelling import (
    Nested,
    Spelled,
    Spelling,
    json_string,
    unescaped_again,
)
from mediamirror.markup.places.urls import base_of, plain
from mediamirror.markup.records.fragment import in_html, in_html_unmerged, in_text
from mediamirror.markup.records.markdown import in_markdown, in_markdown_unmerged
from mediamirror.markup.records.placing import NOTHING, Placing, Stated
from mediamirror.model import Candidate, ImageSet, Problem, Source, Span

MAX_DEPTH = 1_000
"""How deep a record is followed."""
_MAX_NESTING = 4
"""How often JSON stands in a string of JSON, of which all is read."""
_TAG = pattern(
    r"<(?:img|source|picture|image|video|svg|style|meta|link|input|object|embed|iframe|noscript|body|html|amp-img)\b"
    r"|<[a-z][^<>]*\s(?:style|poster|background|data-[\w\-]+)\s*=|&lt;\s*(?:img|source|picture)\b",
    re.IGNORECASE,
)
_MARKDOWN = pattern(r"!\[[^\[\]\n]{0,500}\][(\[]")
_DESCRIPTOR = pattern(r"\s[0-9.]{1,12}[wx](?![A-Za-z0-9])")
_ONE_URL = pattern(r"https?://[\w\-./~%]+")
"""A value that can't be anything but one URL: most that name an image are such."""


_Fields = dict[str, tuple[str, Json]]
"""The values of an object by the bare names of its fields, each with its name as written."""


_MIMES = ("mimetype", "mediatype", "type", "encodingformat", "contenttype", "filemime", "mime")
_WIDTHS, _HEIGHTS = ("originalwidth", "width"), ("originalheight", "height")
"""img2dataset gives the size that it made, and besides that of the file at the URL."""
_STATING = frozenset((*_MIMES, *_WIDTHS, *_HEIGHTS))
"""Fields that say something of an image: an object without any, and without a srcset, is not one image."""


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    value: Json
    place: Placing
    depth: int


@dataclass(slots=True)
class RecordReader:
    """Finds the image sets of a record that starts at ``offset``, in code points, of the document.

    ``merge`` folds lazy images and their ``noscript`` copies.
    """

    place: Placing
    merge: bool
    offset: int = 0
    outer: Spelled | None = None
    """The string in which the record stands, where it is one of another record."""
    carrier: str = "json"
    nesting: int = 0
    is_cut: bool = False
    """The record is nested deeper than `MAX_DEPTH`, and that was said."""

    def images(self, record: Json, name: str = "") -> Iterator[ImageSet]:
        """Yield the image sets of a record, which may stand in a field of this name; without recursion."""
        pending = [_Node(name, record, self.place, 0)]
        while pending:
            node = pending.pop()
            if isinstance(node.value, Text):
                if _may_hold(node.name, node.value.value):
                    yield from self.value(node.place, node.name, self._spelled(node.value))
            elif node.depth > MAX_DEPTH:
                if not self.is_cut:
                    yield self._too_deep()
                self.is_cut = True
            elif isinstance(node.value, Array):
                if bare(node.name) in GROUPS and (group := self._group(node.value.items, node.place)) is not None:
                    yield group
                else:
                    pending += (_Node(node.name, item, node.place, node.depth + 1) for item in node.value.items)
            elif isinstance(node.value, Object):
                yield from self._object(node, node.value, pending)

    def _too_deep(self) -> ImageSet:
        message = f"The JSON is nested deeper than {MAX_DEPTH:,}: what is deeper is left out."
        line = self.place.source.line(self.offset)
        return self.place.trouble(Problem("json-too-deep", message, line, document=self.place.context.document))

    def value(self, place: Placing, name: str, value: Spelled) -> Iterator[ImageSet]:
        """Yield the image sets of one field's value."""
        text = value.text
        if bare(name) in PAGES and is_url(text[:8192].strip()):
            return
        if is_srcset_name(name) and is_reference(text):
            candidates, problems = place.srcset(value, self.carrier, name)
            yield place.image_set(place.line(value), [(Source(self.carrier, candidates), problems)])
        elif _ONE_URL.fullmatch(text) is not None and is_image_url(text):
            yield place.single(value, self.carrier, name)
        elif self.nesting < _MAX_NESTING and is_json_within(text, is_of_images=bool(words_of_images(name))):
            inner = RecordReader(place, self.merge, outer=value, carrier=self.carrier, nesting=self.nesting + 1)
            for record in read_json(text).values:
                yield from inner.images(record, name)
        elif _MARKDOWN.search(text):
            yield from place.within(value, in_markdown if self.merge else in_markdown_unmerged)
        elif _TAG.search(text):
            yield from place.within(unescaped_again(value), in_html if self.merge else in_html_unmerged)
        elif urls := _image_urls(name, text):
            yield from place.each(value, self.carrier, name, urls)
        elif _DESCRIPTOR.search(text) and "/" in text:
            yield from place.within(value, in_text)

    def _object(self, node: _Node, record: Object, pending: list[_Node]) -> Iterator[ImageSet]:
        page = page_of(record)
        place = node.place.based_on(base_of(page, node.place.context.base)) if page else node.place
        taken: frozenset[str] = frozenset()
        if (image := self._image(record, place)) is not None:
            yield image[0]
            taken = image[1]
        elif bare(node.name) in GROUPS:
            group = self._group([value for _, value in record.members], place)
            if group is not None:
                yield group
                return
        # Columns of a table are objects whose names are the rows' numbers (pandas): the column's name counts.
        pending += [
            _Node(node.name if key.isdigit() else key, value, place, node.depth + 1)
            for key, value in record.members
            if not isinstance(value, str) and key not in taken
        ]

    def _image(self, record: Object, place: Placing) -> tuple[ImageSet, frozenset[str]] | None:
        """An object that is one image: a ``src`` and perhaps a ``srcset``, or a URL with its size or type."""
        fields = _fields(record)
        if _STATING.isdisjoint(fields) and not any(name.endswith("srcset") for name in fields):
            return None
        texts = {name: (key, value) for name, (key, value) in fields.items() if isinstance(value, Text)}
        srcset = next((row for name, row in texts.items() if is_srcset_name(name) and is_reference(row[1].value)), None)
        stated = _stated(fields)
        src = self._file(fields, stated, any_name=srcset is not None)
        if srcset is None and (src is None or stated == NOTHING):
            return None
        alt = next((texts[name][1].value for name in ALTS & texts.keys()), None)
        candidates: tuple[Candidate, ...] = ()
        problems: tuple[Problem, ...] = ()
        default: Candidate | None = None
        if srcset is not None:
            candidates, problems = place.srcset(self._spelled(srcset[1]), self.carrier, srcset[0])
        if src is not None:
            outcome = place.url(self._spelled(src[1]), self.carrier, src[0], stated if srcset is None else NOTHING)
            default = outcome if isinstance(outcome, Candidate) else None
            problems = problems if isinstance(outcome, Candidate) else (*problems, outcome)
        taken = [row for row in (srcset, src) if row is not None]
        source = Source(self.carrier, candidates, default, mime=stated.mime)
        line = place.line(self._spelled(taken[0][1]))
        return place.image_set(line, [(source, problems)], alt), frozenset(key for key, _ in taken)

    def _file(self, fields: _Fields, stated: Stated, *, any_name: bool) -> tuple[str, Text] | None:
        """The field of an object that holds its file."""
        for name, (key, value) in fields.items():
            if name in SRC and isinstance(value, Text):
                url = value.value.strip()
                sure = is_image_type(stated.mime) or (looks_like_image(url) and not names_page(url))
                if url and (sure or (any_name and name == "src")):
                    return key, value
        if not (stated.width and stated.height):
            return None
        said = {name: value.value.strip() if isinstance(value, Text) else value for name, (_, value) in fields.items()}
        found = described_image(
            {name: value for name, value in said.items() if isinstance(value, str) and value != "null"}
        )
        key, file = fields[found] if found is not None else ("", "")
        return (key, file) if isinstance(file, Text) else None

    def _group(self, items: list[Json], place: Placing) -> ImageSet | None:
        """Objects that are renditions of one image: each a file with its width."""
        parts: list[tuple[Source, tuple[Problem, ...]]] = []
        line = 0
        for item in items:
            fields = _fields(item) if isinstance(item, Object) else {}
            stated = _stated(fields)
            file = self._file(fields, stated, any_name=False)
            if file is None or stated.width is None:
                return None
            row = place.single(self._spelled(file[1]), self.carrier, file[0], stated)
            line = line or row.line
            parts += [(source, row.problems) for source in row.sources]
        return place.image_set(line, parts) if parts else None

    @property
    def _whole(self) -> str:
        """The text in which the record stands."""
        return self.place.source.text if self.outer is None else self.outer.text

    def _spelled(self, value: Text) -> Spelling | Nested:
        start, end = value.span
        moved = Text(value.value, (start + self.offset, end + self.offset)) if self.offset else value
        spelled = json_string(moved, self._whole)
        return spelled if self.outer is None else Nested(spelled.text, self.outer, spelled)


_MEMBER = pattern(
    r'\s*+"([^"\\]++)"\s*+:\s*+(?:"([^"\\\x00-\x1f]*+)"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++|(?!))?+|null|true|false)\s*+([,}])'
)
_SIGNS = pattern(r"[,;()]")
"""What no URL has that is looked at once: it may join several, or be markup when it is unescaped."""


def lone_image(text: str) -> tuple[str, Text] | None:
    """The one value of a record without depth that can name an image, with its field, where it is an image's plain URL.

    So are most rows of tables about images: no other value of theirs has to be looked at. None says nothing about the record.
    """
    names: list[str] = []
    found: tuple[str, Text] | None = None
    at = 1 if text[:1] == "{" else -1
    while at > 0 and (member := _MEMBER.match(text, at)) is not None:
        name, value, end = member.groups()
        if value is not None and _may_hold(name, value):
            if found is not None or not _is_plain_image(value):
                return None
            found = name, Text(value, member.span(2))
        names.append(name)
        at = member.end() if end == "," else -1
        if end == "}" and (text[member.end() :].strip() or not _say_nothing(tuple(names))):
            return None
    return found if at == -1 and names and found is not None and bare(found[0]) not in PAGES else None


def _is_plain_image(url: str) -> bool:
    return _SIGNS.search(url) is None and url[:1] == "h" and plain(url, None) is not None and is_image_url(url)


@lru_cache(maxsize=64)
def _say_nothing(names: tuple[str, ...]) -> bool:
    """Whether a record with these fields is neither an image of its own nor a column, whatever their values are."""
    return _STATING.isdisjoint(map(bare, names)) and not any(is_srcset_name(name) or name.isdigit() for name in names)


def _image_urls(name: str, text: str) -> list[Span]:
    """The places of the URLs in a value that are images', by the name of its field or by their looks."""
    if text.endswith(")"):
        if (shown := shown_by(text)) is not None:
            return [shown]
        if files := attached(text):
            return [
                url
                for file, url in files
                if has_image_extension(text[slice(*file)].strip()) or _is_image(name, text[slice(*url)])
            ]
    spans = parts_of(text)
    are_images = any(_is_image(name, text[slice(*span)], alone=len(spans) == 1) for span in spans) or joined_images(
        text
    )
    return spans if are_images else []


def _is_image(name: str, url: str, *, alone: bool = True) -> bool:
    if alone and (is_image_url(url) or (bare(name) in SRC and looks_like_image(url))):
        return True
    return is_image_field(name, url)


def _fields(record: Object) -> _Fields:
    return {bare(key): (key, value) for key, value in record.members}


def _may_hold(name: str, text: str) -> bool:
    """Whether a value can name an image at all, as a caption, a date or a word can't: most values of most records are such."""
    if "/" in text or "<" in text or "&" in text or "![" in text:
        return True
    return "." in text and ("[" in text or "{" in text or is_srcset_name(name) or bool(words_of_images(name)))


def _stated(fields: _Fields) -> Stated:
    def said(*names: str) -> Json | None:
        return next((fields[name][1] for name in names if name in fields and fields[name][1]), None)

    mimes = (fields[name][1] for name in _MIMES if name in fields)
    kind = next((mime.value.strip() for mime in mimes if isinstance(mime, Text) and is_image_type(mime.value)), None)
    return Stated(_pixels(said(*_WIDTHS)), _pixels(said(*_HEIGHTS)), kind)


def _pixels(value: Json | None) -> int | None:
    if isinstance(value, Text):
        return length(value.value)
    return length(value.removesuffix(".0")) if isinstance(value, str) else None
