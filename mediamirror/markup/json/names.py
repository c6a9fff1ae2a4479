"""What fields of records (JSON, tables) are called, and what their values look like."""

from __future__ import annotations

import re
from functools import lru_cache

from mediamirror.first_use import pattern
from mediamirror.markup.naming.looks import has_image_extension, names_page
from mediamirror.markup.places.json_text import Object, Text
from mediamirror.markup.places.urls import SITE

URLS = ("url", "link", "permalink", "page_url", "canonical_url", "uri", "target_uri", "warc_target_uri", "source_url")
"""Fields that hold the address of the page that a record is about, the surest first."""
_URLS = frozenset(name.replace("_", "") for name in URLS) | {"sourceurl", "warctargeturi", "externalurl", "homepageurl"}
_ABOUT = frozenset({"metadata", "meta", "warcheaders"})
SRC = frozenset({"src", "url", "contenturl", "sourceurl", "href", "imageurl", "link", "uri"})
"""Fields of an object about one image that hold its file."""
ALTS = frozenset({"alt", "alttext", "caption", "title"})
PAGES = frozenset(
    {
        *(
            "permalink",
            "permalinkurl",
            "htmlurl",
            "weburl",
            "pageurl",
            "canonical",
            "canonicalurl",
            "shareurl",
            "shorturl",
        ),
        *("descriptionurl", "descriptionshorturl", "homepage", "giturl", "html", "git", "self", "referer", "referrer"),
    }
)
"""Fields whose URL leads to a page, or to a record of a file, whatever it ends like."""
GROUPS = frozenset(
    {"sizes", "variants", "renditions", "formats", "resolutions", "sources", "thumbnails", "derivatives"}
)
"""Fields that hold renditions of one image."""

_SEPARATORS = pattern(r"[\s_\-.:@]+")
_KEPT = 100
"""Longest name whose form is kept for the next record, in code points."""
_WORDS = pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_STRONG = frozenset(
    {
        *(
            "image",
            "images",
            "img",
            "imgs",
            "photo",
            "photos",
            "picture",
            "pictures",
            "pic",
            "pics",
            "imageurl",
            "imgurl",
        ),
        *(
            "thumbnail",
            "thumbnails",
            "thumb",
            "thumbs",
            "thumbnailurl",
            "avatar",
            "favicon",
            "screenshot",
            "screenshots",
        ),
    }
)
"""Words in a field's name after which every URL is an image's."""
_WEAK = frozenset({"src", "icon", "logo", "cover", "banner", "poster", "hero", "background", "artwork"})
"""Words after which a URL is an image's unless its extension says otherwise."""
_OTHER = frozenset(
    {
        *("alt", "id", "ids", "width", "height", "size", "type", "title", "caption", "count", "name", "text", "class"),
        *("color", "format"),
    }
)
"""Words that make a field one about an image."""
_LOOKS_LIKE_URL = pattern(r"(?:https?:)?//[^\s/]\S*|/[^\s/]\S*|\.\.?/\S+|data:image/\S+", re.IGNORECASE)
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
    if names_page(value):
        return False
    words = {word.lower() for word in _WORDS.findall(name)}
    if not words & (_STRONG | _WEAK) or words & _OTHER:
        return False
    if has_image_extension(value):
        return not any(char.isspace() for char in value)
    path = value.partition("?")[0]
    return is_url(value) and (bool(words & _STRONG) or _EXTENSION.search(path.rpartition("/")[2]) is None)


def is_image_url(value: str) -> bool:
    """Say whether a value is the whole URL of an image file, whatever its field is called."""
    return has_image_extension(value) and is_url(value) and not names_page(value)


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
