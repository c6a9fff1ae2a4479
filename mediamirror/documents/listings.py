"""What a sitemap's answer holds: the pages and further sitemaps it lists."""

from __future__ import annotations

from contextlib import suppress

from mediamirror.documents.compressed import inflate, is_gzip
from mediamirror.documents.document import Document
from mediamirror.first_use import dataclass
from mediamirror.markup.extract import choose_kind
from mediamirror.markup.page import links as page_links
from mediamirror.markup.places.source import decode
from mediamirror.markup.records import sitemap
from mediamirror.model import Download, Problem

_SNIFFED = 64 * 1024
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Listing:
    """One sitemap, read: what it lists, what was wrong with it, and whether it is to be looked through for images too."""

    pages: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    has_images: bool = False
    is_sitemap: bool = True


def body_of(download: Download, limit: int) -> bytes:
    """Return a body's bytes, at most ``limit`` and one more, and delete the file it was spooled to. Raises `OSError`."""
    body = download.body
    if body is None:
        return b""
    if body.path is None:
        return body.data or b""
    try:
        with body.path.open("rb") as file:
            return file.read(limit + 1)
    finally:
        discard(download)


def discard(download: Download) -> None:
    """Delete the file that a body was spooled to, if there is one."""
    if download.body is not None and download.body.path is not None:
        with suppress(OSError):
            download.body.path.unlink(missing_ok=True)


def read_answer(download: Download) -> tuple[Document, tuple[Problem, ...]]:
    """Return what the URL of a sitemap answered with, XML or a plain list, inflated, and what is wrong with it.

    Its kind is ``sitemap``, or ``urls`` for a plain list, or something else for what is neither. Raises `OSError`.
    """
    name, limit = download.final_url, sitemap.MAX_BYTES
    data, flaws = body_of(download, limit), []
    if is_gzip(data):
        data, wrong = inflate(data, limit)
        flaws += [("document-damaged", f"{name}: {wrong}: what comes before was read.")] if wrong is not None else []
    if len(data) > limit:
        flaws.append(("sitemap-too-large", f"{name} is over the {limit:,} bytes of a sitemap: the rest is left out."))
        data = data[:limit]
    if not data.startswith(_WIDE_MARKS) and (at := data.find(b"\0")) >= 0:
        # Neither XML nor text has such a character; what is full of them would cost much and give nothing.
        flaws.append(("document-damaged", f"{name} holds binary data: what comes before was read."))
        data = data[:at]
    kind = choose_kind(data[:_SNIFFED], media_type=None, document="")
    is_plain = download.content_type == "text/plain" or name.partition("?")[0].removesuffix(".gz").endswith(".txt")
    kind = "urls" if kind != "sitemap" and is_plain else kind
    document = Document(name, data, download.header("content-type"), name, kind)
    return document, tuple(Problem(code, message, document=name) for code, message in flaws)


def listing_in(document: Document, data: bytes) -> Listing:
    """Read a sitemap, or a plain list, of which ``data`` are the bytes.

    An index without images need not be looked through: what it lists is read in its place.
    """
    if document.kind != "sitemap":
        is_list = document.kind == "urls"
        pages = page_links.listed(decode(data, "utf-8").text, document.name, sitemap.MAX_URLS) if is_list else ()
        return Listing(pages, is_sitemap=bool(pages))
    found = sitemap.read(data, document=document.name, base_url=document.base_url)
    pages = tuple(dict.fromkeys(entry.url for entry in found.entries if entry.kind == "page"))
    children = tuple(dict.fromkeys(entry.url for entry in found.entries if entry.kind == "sitemap"))
    if children and not pages and not found.extraction.sets:
        return Listing((), children, tuple(p for p in found.extraction.problems if p.code != sitemap.INDEX))
    return Listing(pages, children, has_images=True)
