"""What fields of records (JSON, tables) are called, and what their values look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from shlex import quote

from mediamirror.first_use import pattern
from mediamirror.markup.naming import has_image_extension, names_page
from mediamirror.markup.places.json_text import Object, Text
from mediamirror.markup.places.urls import SITE
from mediamirror.model import Problem

URLS = ("url", "link", "permalink", "page_url", "canonical_url", "uri", "target_uri", "warc_target_uri", "source_url")
"""Fields that hold the address of the page that a record is about, the surest first."""
_URLS = frozenset(name.replace("_", "") for name in URLS) | {"sourceurl", "warctargeturi", "externalurl", "homepageurl"}
_ABOUT = frozenset({"metadata", "meta", "warcheaders"})
SRC = frozenset({"src", "url", "contenturl", "sourceurl", "href", "imageurl", "link", "uri"})
"""Fields of an object about one image that hold its file."""
ALTS = frozenset({"alt", "alttext", "caption", "title"})
PAGES = frozenset({
    "permalink", "permalinkurl", "htmlurl", "weburl", "pageurl", "canonical", "canonicalurl", "shareurl", "shorturl",
    "descriptionurl", "descriptionshorturl", "homepage", "giturl", "html", "git", "self", "referer", "referrer",
})  # fmt: skip
"""Fields whose URL leads to a page, or to a record of a file, whatever it ends like."""
GROUPS = frozenset(
    {"sizes", "variants", "renditions", "formats", "resolutions", "sources", "thumbnails", "derivatives"}
)
"""Fields that hold renditions of one image."""

_SEPARATORS = pattern(r"[\s_\-.:@]+")
_KEPT = 100
"""Longest name whose form is kept for the next record, in code points."""
_WORDS = pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_STRONG = frozenset({
    "image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "pic", "pics", "imageurl", "imgurl",
    "thumbnail", "thumbnails", "thumb", "thumbs", "thumbnailurl", "avatar", "favicon", "screenshot", "screenshots",
    "graphic", "gx",
})  # fmt: skip
"""Words in a field's name after which every URL is an image's; ``gx`` is of My Maps (gx_media_links)."""
_WEAK = frozenset({"src", "icon", "logo", "cover", "banner", "poster", "hero", "background", "artwork"})
"""Words after which a URL is an image's unless its extension says otherwise."""
_OTHER = frozenset({
    "alt", "id", "ids", "width", "height", "size", "type", "title", "caption", "count", "name", "text", "class",
    "color", "format",
})  # fmt: skip
"""Words that make a field one about an image."""
_LOOKS_LIKE_URL = pattern(rf"(?:https?:)?//[^\s/]\S*|(?:{SITE})?/[^\s/]\S*|\.\.?/\S+|data:image/\S+", re.IGNORECASE)
_EXTENSION = pattern(r"\.[A-Za-z][A-Za-z0-9]{1,4}(?:[?#]|\Z)")


def bare(name: str) -> str:
    """A field's name without case and separators: ``sourceUrl`` and ``source_url`` are one."""
    return _bare(name) if len(name) <= _KEPT else _SEPARATORS.sub("", name).lower()


@lru_cache(maxsize=4096)
def _bare(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def is_srcset_name(name: str) -> bool:
    """Say whether a field is a srcset attribute's value by its name."""
    return bare(name).endswith("srcset")


def is_url(value: str) -> bool:
    """Say whether a value is one URL, absolute or from a root."""
    return _LOOKS_LIKE_URL.fullmatch(value) is not None


def is_image_field(name: str, value: str) -> bool:
    """Say whether a value is an image's URL: by its field's name, and by how it looks."""
    words = words_of_images(name)
    if not words or names_page(value):
        return False
    if has_image_extension(value):
        return value.split() == [value]
    path = value.partition("?")[0]
    return is_url(value) and (bool(words & _STRONG) or _EXTENSION.search(path.rpartition("/")[2]) is None)


@lru_cache(maxsize=4096)
def _words_of_images(name: str) -> frozenset[str]:
    words = frozenset(word.lower() for word in _WORDS.findall(name))
    return frozenset() if words & _OTHER else words & (_STRONG | _WEAK)


def words_of_images(name: str) -> frozenset[str]:
    """The words in the name of a field that say that it holds images; none where others say that it tells about them."""
    return _words_of_images(name) if len(name) <= _KEPT else _words_of_images.__wrapped__(name)


def is_image_url(value: str) -> bool:
    """Say whether a value is the whole URL of an image file, whatever its field is called."""
    return has_image_extension(value) and is_url(value) and not names_page(value)


_FILES = ("url", "src", "uri", "contenturl")
_WORDS_OF_IMAGES = ALTS - {"title"} | {"text"}
_OF_FILMS = frozenset(
    {"duration", "embed", "embedurl", "embedhtml", "html", "player", "playerurl", "video", "videourl"}
)
_OTHER_FILE = pattern(r"\.(?:s?html?|mp4|webm|m[o4]v|avi|mkv|m3u8|mp3|wav|ogg|pdf|zip)\Z", re.IGNORECASE)
_NUMBERS = (int, float)
_LONGEST_VALUE = 500
"""Characters of a value in a row about one file; a longer one is a page's text."""


def described_image(values: Mapping[str, str]) -> str | None:
    """The field of a record, which says its width and height, that holds an image's URL although it does not end like one.

    Words about an image stand beside it, and no other image: so are the tables of LAION, COYO, DataComp and img2dataset. ``values``
    are those of the record, by the bare names of its fields.
    """
    if not _WORDS_OF_IMAGES & values.keys() or _OF_FILMS & values.keys():
        return None
    if any(_names_image(name, value) for name, value in values.items()):
        return None
    return next((name for name in _FILES if _is_bare_address(values.get(name, ""))), None)


class Unmarked:
    """Counts the records of a document that hold an address which nothing says is an image's, and no image."""

    def __init__(self) -> None:
        self._fields: Counter[str] = Counter()

    def saw(self, record: Mapping[str, object]) -> None:
        """Count a record that holds plain values alone. One with markup or a long text is a page, whose address it tells."""
        texts = {name: value.strip() for name, value in record.items() if isinstance(value, str)}
        if any(_names_image(*each) for each in texts.items()):
            return
        addresses = [name for name, value in texts.items() if _is_bare_address(value) and bare(name) not in PAGES]
        if not addresses or not all(map(_is_short, record.values())):
            return
        named = {bare(name): texts.get(name, str(value)) for name, value in record.items() if value is not None}
        if {"width", "height"} <= {name.removeprefix("original") for name in named} and described_image(named):
            return
        self._fields.update(addresses[:1])

    def problem(self, document: str) -> Iterator[Problem]:
        """Tell of the field in which most of them have it."""
        for field, count in self._fields.most_common(1):
            records = "1 record holds" if count == 1 else f"{count:,} records hold"
            message = (
                f"{document}: {records} an address in the field {field!r} that nothing says is an image's, and no image: "
                f"passed over. --field {quote(field)} takes each for one."
            )
            yield Problem("passed-over", message, document=document)


def _is_short(value: object) -> bool:
    if not isinstance(value, str):
        return value is None or isinstance(value, _NUMBERS)
    if len(value) > _LONGEST_VALUE or "<" in value:
        return False
    return " " not in value or not ("://" in value or "](" in value)


def _names_image(name: str, value: str) -> bool:
    return is_url(value) and (has_image_extension(value) or is_image_field(name, value))


def _is_bare_address(value: str) -> bool:
    is_absolute = value[:8].lower().startswith(("http://", "https://"))
    return is_absolute and is_url(value) and _OTHER_FILE.search(value.partition("?")[0]) is None


def page_of(record: Object) -> str | None:
    """Return the address of the page that a record is about, from the record or what it says about itself.

    None in an export of Ghost: a post's canonical address there is that of another site, where it was published first.
    """
    found = _page_of(record)
    is_of_ghost = found and any(isinstance(value, Text) and SITE in value.value for _, value in record.members)
    return None if is_of_ghost else found


def _page_of(record: Object) -> str | None:
    for key, value in record.members:
        if isinstance(value, Text) and bare(key) in _URLS and _is_page(value.value):
            return value.value.strip()
    for key, value in record.members:
        if isinstance(value, Object) and bare(key) in _ABOUT and (found := _page_of(value)) is not None:
            return found
    return None


def _is_page(value: str) -> bool:
    return value.strip()[:8].lower().startswith(("http://", "https://")) and (
        not has_image_extension(value) or names_page(value)
    )
