"""Where a page, a robots.txt and a list lead on to: addresses of pages and sitemaps, not of images.

What a sitemap lists is read by `sitemap.read`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import urlsplit

from turbohtml import Element

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.naming import has_image_extension
from mediamirror.markup.page.parsed import Page, read
from mediamirror.markup.places.candidates import MAX_URL, resolved
from mediamirror.markup.places.urls import resolve

MAX_LINKS = 10_000
"""Most links of one page, and most sitemaps of one robots.txt, that are taken."""
_MAX_ELEMENTS = 250_000
_TAIL = 16
_AGENTS = frozenset({"robots", "mediamirror"})
_CLOSED = frozenset({"nofollow", "none"})
_WORDS = pattern(r"[\s,]+")
_SITEMAP = pattern(r"^[ \t\ufeff]*sitemap[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_NO_PAGE = pattern(
    r"\.(?:7z|aac|apk|avi|bin|bz2|css|csv|deb|dmg|docx?|eot|epub|exe|flac|flv|gz|iso|jar|js|jsonl?|m3u8|m4[av]|midi?|mkv|mjs|"
    r"mov|mp[34]|mpe?g|msi|od[pst]|og[gv]|opus|otf|parquet|pdf|pkg|pptx?|ps|rar|rpm|rtf|swf|tar|tgz|tsv|ttf|warc|wasm|wav|"
    r"webm|webmanifest|wm[av]|woff2?|xlsx?|xz|zip|zst)\Z",
    re.IGNORECASE,
)
"""How the path of a file ends that is no page; images besides."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where a page leads on to: absolute, serialised URLs without fragment, each once, in order.

    ``closed``: the page asks robots to follow none of its links, and ``urls`` is empty. ``cut``: there are more of them.
    """

    urls: tuple[str, ...]
    closed: bool = False
    cut: bool = False
    sheets: tuple[str, ...] = ()
    """The style sheets that it loads."""
    frames: tuple[str, ...] = ()
    """The pages that it shows in frames."""


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, is_xml: bool = False
) -> Links:
    """Find the pages that an HTML page links to: ``a`` and ``area``, resolved on its base URL. Never raises for bytes.

    Left out: ``rel=nofollow``, ``download``, other schemes than http and https, and files that are no pages by their name.
    """
    page = read(data, document=document, base_url=base_url, encoding=encoding, is_xml=is_xml)
    sheets, frames = (tuple(islice(_unique(loaded(page)), MAX_LINKS)) for loaded in (_sheets, _frames))
    if any(_is_closing(element) for element in islice(page.elements(["meta"]), _MAX_ELEMENTS)):
        return Links((), closed=True, sheets=sheets, frames=frames)
    found = tuple(islice(_unique(_links(page)), MAX_LINKS + 1))
    return Links(found[:MAX_LINKS], cut=len(found) > MAX_LINKS, sheets=sheets, frames=frames)


def is_nofollow(value: str) -> bool:
    """Say whether the content of a robots ``meta`` or an ``X-Robots-Tag`` asks all robots not to follow links."""
    return not _CLOSED.isdisjoint(_WORDS.split(value.lower()))


def sitemaps_of(robots: str, base_url: str) -> tuple[str, ...]:
    """Return the sitemaps that a robots.txt names (https://www.sitemaps.org/protocol.html#submit_robots)."""
    return tuple(islice(_unique(_usable((m[1] for m in _SITEMAP.finditer(robots)), base_url)), MAX_LINKS))


def listed(text: str, base_url: str, most: int) -> tuple[str, ...]:
    """Return the addresses of a sitemap that is a plain text file: one a line, absolute, at most ``most``."""
    lines = (line.strip("\ufeff \t\r") for line in text.split("\n"))
    absolute = (line for line in lines if line[:8].lower().startswith(("http://", "https://")))
    return tuple(islice(_unique(_usable(absolute, base_url)), most))


def host_of(url: str) -> str:
    """Return host and port of a serialised URL, the port only where it is not the scheme's own."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _links(page: Page) -> Iterator[str]:
    for element in islice(page.elements(["a", "area"]), _MAX_ELEMENTS):
        href = element.attr("href")
        if href is None or "download" in element.attrs or "nofollow" in (element.attr("rel") or "").lower().split():
            continue
        url = resolved(href, page.context)
        if isinstance(url, str) and len(url) <= MAX_URL and _may_be_page(url):
            yield url


def _sheets(page: Page) -> Iterator[str]:
    for element in islice(page.elements(["link"]), _MAX_ELEMENTS):
        words = (element.attr("rel") or "").lower().split()
        if "stylesheet" in words and "alternate" not in words:
            yield from _loaded(element.attr("href"), page)


def _frames(page: Page) -> Iterator[str]:
    for element in islice(page.elements(["iframe", "frame"]), _MAX_ELEMENTS):
        if "srcdoc" not in element.attrs:
            yield from _loaded(element.attr("src"), page)


def _loaded(reference: str | None, page: Page) -> Iterator[str]:
    url = resolved(reference, page.context) if reference else None
    if isinstance(url, str) and len(url) <= MAX_URL and _is_http(url):
        yield url


def _usable(urls: Iterable[str], base_url: str) -> Iterator[str]:
    found = (resolve(url, base_url) for url in urls if len(url) <= MAX_URL)
    return (url for url in found if isinstance(url, str) and _is_http(url))


def _is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _may_be_page(url: str) -> bool:
    if not _is_http(url):
        return False
    path = url.partition("?")[0]
    return _NO_PAGE.search(path[-_TAIL:]) is None and not has_image_extension(path)


def _is_closing(element: Element) -> bool:
    name = (element.attr("name") or "").strip().lower()
    return name in _AGENTS and is_nofollow(element.attr("content") or "")


def _unique(urls: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for url in urls:
        if url not in seen:
            seen.add(url)
            yield url
