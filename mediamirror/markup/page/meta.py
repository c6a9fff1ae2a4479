"""Images that a page names for others: Open Graph, Twitter cards, tiles and thumbnails in ``meta``, and microdata.

https://ogp.me/#structured: ``og:image:width`` and its like belong to the ``og:image`` before them. Accepts ``property`` and
``name`` for every family, several names in one attribute, and values escaped twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import chain, islice

from turbohtml import Element

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.naming import has_image_extension
from mediamirror.markup.page.carriers import LINK_RELATIONS
from mediamirror.markup.page.embedded_json import in_attribute, is_json
from mediamirror.markup.page.parsed import Page, Value
from mediamirror.markup.places.candidates import MAX_URL, STATED, length, resolved, split_problems
from mediamirror.markup.places.urls import Skip
from mediamirror.model import Candidate, ImageSet, Problem, Source

MAX_ELEMENTS = 250_000
_URLS = frozenset({"og:image", "og:image:url", "og:image:secure_url"})
_SINGLES = frozenset({
    "twitter:image", "twitter:image:src", "msapplication-tileimage", "msapplication-square70x70logo",
    "msapplication-square150x150logo", "msapplication-square310x310logo", "msapplication-wide310x150logo", "thumbnail",
    "image", "image_src", "vk:image", "sailthru.image.full", "sailthru.image.thumb", "parsely-image-url",
})  # fmt: skip
"""Names of one image each, in lower case."""
_ALTS = {"twitter:image:alt": ("twitter:image", "twitter:image:src")}
_ITEMPROPS = frozenset({"image", "thumbnail", "thumbnailurl", "primaryimageofpage"})
_ITEM_FILES = frozenset({"url", "contenturl"})
"""What an image is of in an item that is an ImageObject; anywhere else it may be a page."""
_IMAGE_ITEM = pattern(r"(?:\A|[/:\s])ImageObject\b")
_ANCESTORS_LOOKED_AT = 16
_ITEM_URLS = {"meta": "content", "link": "href", "a": "href", "area": "href"}
"""HTML, 5.2.4: where these elements keep the value of an itemprop. (An img's src is found as an image anyway.)"""
_WS = "\t\n\f\r "
_ESCAPED_AGAIN = "&amp;"


@dataclass(slots=True)
class _Picture:
    """One ``og:image`` while its properties come in."""

    element: Element
    urls: list[Value | Problem] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    width: int | None = None
    height: int | None = None
    mime: str | None = None
    alt: str | None = None


def find_meta(page: Page) -> Iterator[ImageSet]:
    """Yield the images that ``meta`` elements name, one set for each ``og:image`` with its properties."""
    yield from _open_graph(page)
    alts: dict[str, str] = {}
    for element in _metas(page):
        alts.update((name, element.attr("content") or "") for name in _names(element) if name in _ALTS)
    for element in _metas(page):
        name = next((name for name in _names(element) if name in _SINGLES), None)
        if name is not None and (value := _value(page, element, "content")) is not None:
            alt = next((text for key, text in alts.items() if name in _ALTS[key]), None)
            yield _image_set(page, _Picture(element, [value], alt=alt), name)
        elif is_json(element.attr("content")):  # as Parse.ly has it
            yield from in_attribute(page, element, "content")


def find_microdata(page: Page) -> Iterator[ImageSet]:
    """Yield the images of ``itemprop``, and of RDFa's ``property``, in ``meta``, ``link`` and ``a``, and in any ``content``."""
    for element in islice(chain(page.elements(_ITEM_URLS), _with_content(page)), MAX_ELEMENTS):
        value = _value(page, element, _ITEM_URLS.get(element.tag, "content")) if _is_item_image(element) else None
        if value is not None:
            yield _image_set(page, _Picture(element, [value]), "itemprop")


def _with_content(page: Page) -> Iterable[Element]:
    """RDFa, 5: ``content`` stands on any element. Microdata has it on ``meta`` alone, and those who read it don't mind."""
    found = page.root.select("[itemprop][content], [property][content]")
    return (element for element in found if element.tag not in _ITEM_URLS)


def _is_item_image(element: Element) -> bool:
    names = _item_names(element)
    # `<a itemprop=image href=photo.html>` leads to a page about the image as often as to the image.
    if element.tag in {"a", "area"} and not has_image_extension(element.attr("href") or ""):
        return False
    if not any(name in _ITEMPROPS for name in names):
        return any(name in _ITEM_FILES for name in names) and _is_of_image(element)
    if element.tag == "link":
        relations = (element.attr("rel") or "").lower().split()
        return not any(name in relations for name in LINK_RELATIONS)
    return True


def _item_names(element: Element) -> list[str]:
    """The names of microdata and of RDFa, without schema.org in front; ``og:image`` and its like are others."""
    names = f"{element.attr('itemprop') or ''} {element.attr('property') or ''}".lower().split()
    return [re.sub(r"\A(?:schema:|https?://schema\.org/)", "", name) for name in names]


def _is_of_image(element: Element) -> bool:
    """Whether the item that an element belongs to, the nearest around it, is an ImageObject."""
    for ancestor in islice(element.ancestors, _ANCESTORS_LOOKED_AT):
        if isinstance(ancestor, Element):
            kind = ancestor.attr("itemtype") or ancestor.attr("typeof")
            if kind or "itemscope" in ancestor.attrs:
                return _IMAGE_ITEM.search(kind or "") is not None
    return False


def _metas(page: Page) -> Iterator[Element]:
    return islice(page.elements(["meta"]), MAX_ELEMENTS)


def _names(element: Element) -> list[str]:
    return f"{element.attr('property') or ''} {element.attr('name') or ''}".lower().split()


def _value(page: Page, element: Element, attribute: str) -> Value | Problem | None:
    text = element.attr(attribute)
    if text is not None and len(text) > MAX_URL and isinstance(skip := resolved(text, page.context), Skip):
        # Megabytes are not worth decoding again only to say where they stand.
        return Problem(skip.code, skip.message, page.line(element), document=page.context.document)
    return page.value(element, attribute)


def _open_graph(page: Page) -> Iterator[ImageSet]:
    current: _Picture | None = None
    for element in _metas(page):
        for name in _names(element):
            if name in _URLS:
                if current is not None and _starts_anew(current, name):
                    yield _image_set(page, current, "og:image")
                    current = None
                current = current or _Picture(element)
                current.seen.add(name)
                if (value := _value(page, element, "content")) is not None:
                    current.urls.append(value)
            elif current is not None and name.startswith("og:image:"):
                _describe(current, name.removeprefix("og:image:"), element.attr("content") or "")
    if current is not None:
        yield _image_set(page, current, "og:image")


def _starts_anew(current: _Picture, name: str) -> bool:
    return name == "og:image" or name in current.seen


def _describe(picture: _Picture, what: str, content: str) -> None:
    if what == "width":
        picture.width = picture.width or length(content)
    elif what == "height":
        picture.height = picture.height or length(content)
    elif what == "type":
        picture.mime = picture.mime or content.strip() or None
    elif what == "alt":
        picture.alt = picture.alt or content.strip() or None


def _image_set(page: Page, picture: _Picture, carrier: str) -> ImageSet:
    candidates, problems = split_problems(
        url if isinstance(url, Problem) else page.place(_candidate(url.text, picture), url, carrier)
        for url in picture.urls
    )
    sources = (Source(carrier, candidates, mime=picture.mime),)
    line = page.line(picture.element)
    return ImageSet(page.context.document, line, sources, alt=picture.alt or None, problems=problems)


def _candidate(value: str, picture: _Picture) -> Candidate:
    start = len(value) - len(value.lstrip(_WS))
    text = value.strip(_WS)
    url = text.replace(_ESCAPED_AGAIN, "&")
    stated = (STATED,) if picture.width or picture.height else ()
    flags = (*stated, "unescaped") if url != text else stated
    return Candidate(url, (start, start + len(text)), width=picture.width, height=picture.height, flags=flags)
