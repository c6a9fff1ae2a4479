"""Pick the finder for a document: by what the caller said, by Content-Type, by extension, by content.

A new kind is one function and one row of `KINDS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from mediamirror.errors import UsageError
from mediamirror.markup import css, html, text
from mediamirror.markup.lists import find_markdown, find_srcset, find_urls
from mediamirror.markup.source import decode
from mediamirror.model import Extraction, ImageSet

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']{1,40})", re.IGNORECASE)
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|img|picture|source|link|meta)[\s>/]", re.IGNORECASE)
_LOOKED_AT = 65536


class KindUnsupported(UsageError):
    """A kind of document that is known but can't be read yet."""


class KindUnknown(UsageError):
    """A word for ``--as`` that is no kind of document."""


@dataclass(frozen=True, slots=True)
class Request:
    """One document to look through. ``encoding`` is the label from Content-Type, if any."""

    data: bytes
    document: str
    base_url: str | None
    encoding: str | None
    merge: bool
    links: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document: how to read it (None: not yet), and by which types and extensions it is known."""

    find: Callable[[Request], Extraction] | None
    media_types: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


def _html(r: Request) -> Extraction:
    return html.find(
        r.data, document=r.document, base_url=r.base_url, encoding=r.encoding, merge=r.merge, links=r.links
    )


def _css(r: Request) -> Extraction:
    return css.find(r.data, document=r.document, base_url=r.base_url, encoding=r.encoding, merge=r.merge)


def _text(r: Request) -> Extraction:
    return text.find(decode(r.data, r.encoding), document=r.document, base_url=r.base_url, merge=r.merge)


def _markdown(r: Request) -> Extraction:
    return find_markdown(decode(r.data, r.encoding or "utf-8"), r.data, r.document, r.base_url, merge=r.merge)


def _srcset(r: Request) -> Extraction:
    return find_srcset(decode(r.data, r.encoding), r.document, r.base_url, merge=r.merge)


def _urls(r: Request) -> Extraction:
    return find_urls(decode(r.data, r.encoding), r.document, r.base_url, merge=r.merge)


KINDS: dict[str, Kind] = {
    "srcset": Kind(_srcset),
    "html": Kind(_html, ("text/html", "application/xhtml+xml"), (".html", ".htm", ".xhtml", ".shtml")),
    "text": Kind(_text, ("text/plain",), (".txt", ".text", ".log")),
    "css": Kind(_css, ("text/css",), (".css",)),
    "markdown": Kind(_markdown, ("text/markdown", "text/x-markdown"), (".md", ".markdown", ".mdown")),
    "feed": Kind(None, ("application/rss+xml", "application/atom+xml", "application/feed+json"), (".rss", ".atom")),
    "sitemap": Kind(None),
    "urls": Kind(_urls, ("text/uri-list",), (".urls",)),
    "jsonl": Kind(None, ("application/jsonl", "application/x-ndjson"), (".jsonl", ".ndjson")),
    "warc": Kind(None, ("application/warc",), (".warc", ".warc.gz")),
}
"""Every kind that ``--as`` takes, besides ``auto``."""


def known_extensions() -> frozenset[str]:
    """Return the extensions of the documents that can be read, lower case, with the dot."""
    return frozenset(e for kind in KINDS.values() if kind.find is not None for e in kind.extensions)


def choose_kind(data: bytes, *, media_type: str | None, document: str, as_: str = "auto") -> str:
    """Return the kind to read a document as. ``as_`` other than ``auto`` is taken at its word.

    Standard input (``-``) and ``.txt`` are ``text``; ``srcset`` is never guessed. Raises `KindUnknown`.
    """
    if as_ != "auto":
        if as_ not in KINDS:
            raise KindUnknown(f"{as_!r} is no kind of document: use auto, {', '.join(KINDS)}.")
        return as_
    essence = (media_type or "").partition(";")[0].strip().lower()
    by_type = next((name for name, kind in KINDS.items() if essence in kind.media_types), None)
    return by_type or _by_name(document) or ("html" if _looks_like_markup(data, document) else "text")


def extract_document(
    data: bytes,
    *,
    media_type: str | None = None,
    base_url: str | None = None,
    document: str = "",
    as_: str = "auto",
    merge: bool = True,
    links: bool = False,
) -> Extraction:
    """Find the image sets of one document, and the problems that belong to none of them.

    ``media_type`` is a Content-Type, parameters allowed: its charset is used. Sets with the same variants become one
    with several ``places`` unless ``merge`` is False. ``links`` takes a
    page's ``a href`` to image files too. Raises `KindUnknown` and `KindUnsupported`.
    """
    name = choose_kind(data, media_type=media_type, document=document, as_=as_)
    find = KINDS[name].find
    if find is None:
        readable = ", ".join(key for key, kind in KINDS.items() if kind.find is not None)
        raise KindUnsupported(f"{document or 'The input'} is {name}, which can't be read yet: --as takes {readable}.")
    charset = _CHARSET.search(media_type or "")
    return find(Request(data, document, base_url, charset[1] if charset else None, merge, links))


def extract(
    data: bytes, *, media_type: str | None = None, base_url: str | None = None, document: str = ""
) -> list[ImageSet]:
    """Find the image sets of one document: `extract_document` without the problems that belong to no set."""
    return list(extract_document(data, media_type=media_type, base_url=base_url, document=document).sets)


def _by_name(document: str) -> str | None:
    path = urlsplit(document).path if "://" in document else document
    name = PurePosixPath(path.replace("\\", "/")).name.lower()
    if name in {"", "-"}:
        return "text" if document == "-" else None
    return next((key for key, kind in KINDS.items() if name.endswith(kind.extensions)), None)


def _looks_like_markup(data: bytes, document: str) -> bool:
    return document != "-" and _MARKUP.search(data, 0, _LOOKED_AT) is not None
