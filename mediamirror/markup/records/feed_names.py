"""What the elements of feeds are called, and which of them name an image."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from mediamirror.first_use import pattern
from mediamirror.markup.naming import has_image_extension, is_image_type
from mediamirror.markup.places.xml_text import Attribute, Element

_SPACES = (
    ("http://search.yahoo.com/mrss", "media"),
    ("http://www.rssboard.org/media-rss", "media"),
    ("http://www.itunes.com/dtds/podcast", "itunes"),
    ("http://www.google.com/schemas/play-podcasts/", "googleplay"),
    ("http://podcastindex.org/namespace/", "podcast"),
    ("http://github.com/podcastindex-org/podcast-namespace/", "podcast"),
    ("http://purl.org/rss/1.0/modules/content", "content"),
    ("http://www.w3.org/1999/xhtml", "xhtml"),
    ("http://base.google.com/ns/", "g"),
    ("http://news.yandex.ru", "yandex"),
    ("http://turbo.yandex.ru", "turbo"),
    ("http://www.google.com/schemas/sitemap-image/", "image"),
    ("http://www.google.com/schemas/sitemap-video/", "video"),
    ("http://wordpress.org/export/", "wp"),
    ("http://www.w3.org/2005/atom", ""),
    ("http://purl.org/atom/ns#", ""),
    ("http://purl.org/rss/1.0/", ""),
    ("http://my.netscape.com/rdf/simple/", ""),
    ("http://channel.netscape.com/rdf/simple/", ""),
    ("http://backend.userland.com/", ""),
    ("http://blogs.law.harvard.edu/tech/rss", ""),
    ("http://cyber.law.harvard.edu/rss", ""),
    ("http://www.sitemaps.org/schemas/sitemap/", ""),
    ("http://www.google.com/schemas/sitemap/", ""),
)
"""Namespaces by how their URIs start (lower case, https as http), the longer of two first."""

_AUDIO_VIDEO = ("audio/", "video/", "application/x-shockwave", "text/")
_AV_ATTRIBUTES = ("duration", "framerate", "bitrate", "samplingrate", "channels")


class Name(NamedTuple):
    """An element's name: a short word for its namespace (empty for the feed's own), and the local name."""

    space: str
    local: str

    @property
    def carrier(self) -> str:
        """How references call it: ``media:content``, ``enclosure``; ``image`` for the ``url`` within one."""
        if self == ("", "url"):
            return "image"
        return f"{self.space}:{self.local}" if self.space and "/" not in self.space else self.local


ITEMS = frozenset({Name("", "item"), Name("", "entry")})
GROUP = Name("media", "group")
SRCSET = Name("podcast", "images")
HTML_NAMES = frozenset(
    {
        Name("content", "encoded"),
        Name("wp", "encoded"),  # excerpt:encoded
        Name("wp", "comment_content"),
        Name("wp", "category_description"),
        Name("wp", "tag_description"),
        Name("wp", "term_description"),
        Name("", "description"),
        Name("", "content"),
        Name("", "summary"),
        Name("xhtml", "body"),
        Name("media", "description"),
        Name("itunes", "summary"),
        Name("yandex", "full-text"),
        Name("turbo", "content"),
    }
)
"""Elements whose text is HTML."""

_TEXTS = frozenset({Name("", "logo"), Name("", "icon"), Name("g", "image_link"), Name("g", "additional_image_link")})
_TELLING = pattern(r"image|img|picture|photo|thumb|cover|logo|icon|poster|preview|attachment_?url", re.IGNORECASE)
"""What the local names hold under which feeds of no standard keep an image, whatever their namespace."""
_IMAGES = frozenset({Name("", "image"), Name("", "post-thumbnail")})
_HREFS = frozenset({Name("itunes", "image"), Name("googleplay", "image"), Name("podcast", "image")})


def name_of(element: Element) -> Name:
    """Return an element's name, whatever prefix the document uses."""
    return Name(_space(element.space) if element.space else "", element.name)


@lru_cache(maxsize=256)
def _space(uri: str) -> str:
    folded = uri[:200].lower().replace("https://", "http://", 1)
    return next((word for start, word in _SPACES if folded.startswith(start)), folded)


def names_image(name: Name, parent: Name | None) -> bool:
    """Say whether an element's text is an image's URL."""
    return name in _TEXTS or (name == Name("", "url") and parent in _IMAGES)


def may_name_image(name: Name) -> bool:
    """Say whether an element's text is an image's URL if it looks like one."""
    return _TELLING.search(name.local) is not None


def image_attribute(name: Name, element: Element) -> Attribute | None:
    """Return the attribute of an element that is an image's URL, if it has one."""
    if name in _HREFS:
        return element.get("href") or element.get("url")
    if name.local == "cover":
        return element.get("image")  # webfeeds, by Feedly
    if name == Name("media", "thumbnail"):
        return element.get("url")
    if name == Name("media", "content"):
        return element.get("url") if _is_image_content(element) else None
    if name == Name("", "enclosure"):
        return _if_image(element, "url")
    if name == Name("", "link") and "enclosure" in (element.text("rel") or "").lower().split():
        return _if_image(element, "href")
    if name == Name("", "content"):
        return element.get("src") if is_image_type(element.text("type")) else None
    return None


def _if_image(element: Element, attribute: str) -> Attribute | None:
    kind, url = (element.text("type") or "").lower(), element.get(attribute)
    if url is None or kind.startswith(_AUDIO_VIDEO):
        return None
    return url if is_image_type(kind) or has_image_extension(url.value.text) else None


def _is_image_content(element: Element) -> bool:
    """Media RSS, ``media:content``: ``medium`` says it, else ``type``, else the file's name, else what a sound or film would have."""
    medium, kind = (element.text("medium") or "").lower(), (element.text("type") or "").lower()
    if medium:
        return medium == "image"
    if "/" in kind:
        return kind.startswith("image/")
    if has_image_extension(element.text("url") or ""):
        return True
    has_size = element.get("width") is not None or element.get("height") is not None
    return has_size and not any(element.get(name) for name in _AV_ATTRIBUTES)
