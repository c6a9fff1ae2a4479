"""Images in JSON-LD (``script type=application/ld+json``) by schema.org's names: https://schema.org/ImageObject

A value under one of the names in `NAMES` is an image: a URL, a list of them, or an object whose ``contentUrl`` or ``url`` is
the file and whose ``width`` and ``height`` are pixels. ``@graph`` and every other nesting is walked. An ``@id`` only
points at an object, so it counts as a URL only when it ends like an image file.
"""

from __future__ import annotations

from collections.abc import Iterator

from turbohtml import Element

from mediamirror.first_use import dataclass
from mediamirror.markup.naming import has_image_extension
from mediamirror.markup.page.parsed import Page, Value, content, place
from mediamirror.markup.places import charrefs
from mediamirror.markup.places.candidates import STATED, length, split_problems
from mediamirror.markup.places.json_text import MAX_NODES, Array, Json, Object, Text, read_json
from mediamirror.model import Candidate, ImageSet, Source

NAMES = frozenset({"image", "logo", "photo", "thumbnail", "thumbnailUrl", "primaryImageOfPage", "screenshot"})
"""What is always an image."""
_IMAGES_BY_NAME = frozenset({"associatedMedia", "contentUrl"})
"""What may be a video as well: an image when it is an ImageObject or ends like an image file."""
_IMAGE_TYPES = frozenset({"ImageObject", "ImageObjectSnapshot", "Photograph", "Barcode"})
_FILES = ("contentUrl", "url")
_THUMBNAILS = ("thumbnailUrl", "thumbnail")
_WRAPPERS = frozenset({"@list", "@set", "@value"})
"""JSON-LD 1.1, 9.4 to 9.7: what stands in these is the value of the name around them."""
_MEDIA_TYPE = "application/ld+json"
_CARRIER = "jsonld"
MAX_REFERENCES = 200_000


@dataclass(frozen=True, slots=True)
class Picture:
    """One image: its files in order, of which those before ``thumbnails_at`` have the width and height in pixels."""

    files: tuple[Text, ...]
    width: int | None = None
    height: int | None = None
    thumbnails_at: int = 1
    mime: str | None = None
    caption: str | None = None


def find_jsonld(page: Page) -> Iterator[ImageSet]:
    """Yield one image set for every image that the page's JSON-LD names."""
    for script in page.elements(["script"]):
        if (script.attr("type") or "").partition(";")[0].strip().lower() == _MEDIA_TYPE:
            value = content(page, script)
            if value is not None:
                yield from _in_script(page, script, _payload(value))


def pictures(values: list[Json]) -> Iterator[Picture]:
    """Yield every image that JSON-LD values name; without recursion."""
    pending: list[tuple[str, Json]] = [("", value) for value in reversed(values)]
    while pending:
        name, node = pending.pop()
        if isinstance(node, Array):
            pending.extend((name, item) for item in reversed(node.items))
        elif isinstance(node, Text):
            if name in NAMES or (name in _IMAGES_BY_NAME and has_image_extension(node.value)):
                yield Picture((node,))
        elif isinstance(node, Object):
            found = _of_object(name, node)
            yield from found
            is_image = bool(found) or name in NAMES
            pending.extend(
                reversed([(name if key in _WRAPPERS else key, v) for key, v in _within(node, is_image=is_image)])
            )


def _within(node: Object, *, is_image: bool) -> Iterator[tuple[str, Json]]:
    """The members to walk on through: an image's own URLs are read, but not the lists and objects in their place."""
    for key, value in node.members:
        if is_image and key in _FILES:
            if not isinstance(value, Text):
                yield "image", value
        elif not (is_image and key in _THUMBNAILS and isinstance(value, Text)):
            yield _term(key), value


def _of_object(name: str, node: Object) -> list[Picture]:
    """The image that an object is; twice where `url` and `contentUrl` both name its file, as each is a place of it."""
    is_image = name in NAMES or bool(_types(node) & _IMAGE_TYPES)
    files = _urls(node, _FILES)
    if not is_image and not (name in _IMAGES_BY_NAME and any(has_image_extension(file.value) for file in files)):
        return []
    if isinstance(content_url := node.get("contentUrl"), Text):
        # The `url` beside it is as often the page about the image.
        files = [f for f in files if f is content_url or f.value == content_url.value or has_image_extension(f.value)]
    if not files:
        files = [file for file in _urls(node, ("@id",)) if has_image_extension(file.value)]
    thumbnails = _urls(node, _THUMBNAILS)
    if not files and not thumbnails:
        return []
    is_repeated = len(files) > 1 and files[0].value == files[1].value
    return [
        Picture(
            (*some, *thumbnails),
            _pixels(node.get("width")),
            _pixels(node.get("height")),
            len(some),
            _string(node.get("encodingFormat")),
            _string(node.get("caption")),
        )
        for some in ([files[:1], files[1:]] if is_repeated else [files])
    ]


def _urls(node: Object, names: tuple[str, ...]) -> list[Text]:
    return [value for name in names if isinstance(value := node.get(name), Text)]


def _types(node: Object) -> set[str]:
    kind = node.get("@type")
    kinds = kind.items if isinstance(kind, Array) else [kind]
    return {_term(each.value) for each in kinds if isinstance(each, Text)}


def _term(name: str) -> str:
    """``image`` of ``schema:image`` and ``https://schema.org/image``."""
    return name.rpartition("/")[2].removeprefix("schema:")


def _pixels(value: Json | None) -> int | None:
    """The pixels in ``1200``, ``"1200"``, ``"1200px"`` and ``{"value": …}``."""
    if isinstance(value, Object):
        value = value.get("value") or value.get("@value")
    if isinstance(value, Text):
        return length(value.value)
    return length(value.removesuffix(".0")) if isinstance(value, str) else None


def _string(value: Json | None) -> str | None:
    return value.value.strip() or None if isinstance(value, Text) else None


def _payload(value: Value) -> Value:
    """The script's text; decoded where all of it was escaped as HTML, which a script is not meant to be."""
    text = value.text
    if '"' in text or "&" not in text or text.count("&") > MAX_REFERENCES:
        return value
    return Value(value.name, charrefs.decode(text), value.start)


def _in_script(page: Page, script: Element, value: Value) -> Iterator[ImageSet]:
    reading = read_json(value.text)
    for picture in pictures(reading.values):
        yield _image_set(page, value, picture)
    if reading.is_cut:
        message = f"The JSON-LD has more than {MAX_NODES:,} values: the rest is left out."
        yield page.told("json-too-large", message, page.line(script))
    elif reading.error is not None:
        message = "The JSON-LD is malformed here: what could be read was read."
        yield page.told("malformed-json", message, page.line_in(value, reading.error))


def _image_set(page: Page, value: Value, picture: Picture) -> ImageSet:
    outcomes = [place(page, candidate, value, _CARRIER) for candidate in _candidates(picture)]
    candidates, problems = split_problems(outcomes)
    source = Source(_CARRIER, candidates, mime=picture.mime if picture.mime and "/" in picture.mime else None)
    line = page.line_in(value, picture.files[0].span[0])
    return ImageSet(page.context.document, line, (source,), alt=picture.caption, problems=problems)


def _candidates(picture: Picture) -> Iterator[Candidate]:
    for index, file in enumerate(picture.files):
        is_sized = index < picture.thumbnails_at and bool(picture.width or picture.height)
        width, height = (picture.width, picture.height) if is_sized else (None, None)
        yield Candidate(file.value, file.span, width=width, height=height, flags=(STATED,) if is_sized else ())
