"""Pick the finder for a document: by what the caller said, by Content-Type, by extension, by content.

A new kind is one function and one row of `KINDS`. A finder is imported when a document asks for it: a run over text dumps
loads no HTML parser, which is a third of its start-up time.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import partial
from typing import TypedDict
from urllib.parse import urlsplit

from mediamirror.errors import UsageError
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.json.records import looks_like_json, looks_like_lines
from mediamirror.markup.places.source import SourceText, decode
from mediamirror.model import Extraction, ImageSet

_CHARSET = pattern(r";\s*charset\s*=\s*[\"']?([^\s;\"']{1,40})", re.IGNORECASE)
_MARKUP = pattern(rb"<(?:!doctype\s+html|html|head|body|img|picture|source|link|meta)[\s>/]", re.IGNORECASE)
_PAGE = pattern(rb"\s*+<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_TAG = pattern(r"<(?:img|source|picture)\s", re.IGNORECASE)
_PICTURE = pattern(r"!\[[^\[\]\n]{0,90}\][(\[]")
_PROGRAM = pattern(rb"\s*+(?:<\?(?!xml)|<%|<svg|#!)", re.IGNORECASE)
_ROOT = pattern(
    rb"\s*+(?:<\?[^>]*+>\s*+|<!--(?:[^-]++|-(?!->)|(?!))*+-->\s*+|<!DOCTYPE[^>\[]*+(?:\[[^\]]*+\]\s*+|(?!))?+>\s*+|(?!))*+"
    rb"<(?:(?P<feed>rss|feed|rdf:RDF|channel)|(?P<sitemap>(?:[\w\-]{1,20}:)?(?:urlset|sitemapindex)))[\s>]"
)
_XML = pattern(
    rb"\s*+<\?xml\s[^>]*+>(?:[^<]++|<(?:\?[^>]*+>|!--(?:[^-]++|-(?!->)|(?!))*+-->|!DOCTYPE[^>\[]*+(?:\[[^\]]*+\]\s*+|(?!))?+>)|(?!))*+"
    rb"<(?!(?:[\w\-]{1,20}:)?(?:html|svg)\b)[A-Za-z_]",
    re.IGNORECASE,
)
"""How XML begins that is no page and no drawing."""
_SHEET = pattern(
    rb"\s*+(?:/\*(?:[^*]++|\*(?!/)|(?!))*+\*/\s*+|(?!))*+"
    rb"(?:@[a-z\-]{3,30}[\s\"'{]|[^\s{}<>;@][^{}<>;@]{0,500}\{\s*+(?:--)?[a-z\-]{2,60}\s*+:)",
    re.IGNORECASE,
)
"""How a style sheet begins: with an at-rule, or a selector and its first property."""
_JSONP = pattern(rb"(?:/\*\*/)?\s*+(?:(?:var|let|const)\s++|(?!))?+[A-Za-z_$][\w$.]{0,100}\s*+(?:\(|=)\s*+[{\[]")
_ARCHIVED = pattern(rb"\s*+window\.YTD\.[\w.]{1,100}\s*+=\s*+[{\[]")
"""How Twitter's archive of one's own posts keeps JSON, in files of scripts."""
_MAGIC = {
    b"WARC/": "warc", b"filedesc://": "warc", b"\x5d\x2a\x4d\x18": "warc", b"PAR1": "parquet", b"bplist00": "webarchive",
    b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x28\xb5\x2f\xfd": "zstd",
}  # fmt: skip
_TAR = (257, b"ustar")
_DELIMITERS = {b"\t": "tsv", b"|": "csv", b";": "csv", b",": "csv"}
_LINE_URL = pattern(rb"[ \t]*+https?://[^\s\"<>]*[^\s\"<>,][ \t\r]*+")
_LISTED = 8192
_CELL = pattern(rb"https?://[^\s\"<>]+")
_MAIL = pattern(rb"(?:[A-Za-z][\w\-]{1,40}: ?[^\n]*+\n(?:[ \t][^\n]*+\n|(?!))*+|(?!)){1,90}+", re.ASCII)
_MIME = pattern(rb"^MIME-Version:", re.IGNORECASE | re.MULTILINE)
_MBOX = pattern(rb"From [^\r\n]{1,300}[0-9]{2}:[0-9]{2}:[0-9]{2} [^\r\n]{0,40}[0-9]{4}\r?\n[A-Za-z\-]{1,60}:")
_HAR = pattern(rb"\s*+\{\s*+\"log\"\s*+:\s*+\{\s*+\"(?:version|creator|browser|pages|entries|comment)\"")
_NOTEBOOK = pattern(
    rb"\s*+\{\s*+\"(?:cells\"\s*+:\s*+\[\s*+\{\s*+\"(?:attachments|cell_type|execution_count|id|metadata|outputs|source)\""
    rb"|nbformat(?:_minor)?\"\s*+:\s*+[0-9])"
)
"""How a Jupyter notebook begins, as its own library and Colab write it."""
_LOOKED_AT = 65536
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class KindUnsupported(UsageError):
    """A kind of document that is known but can't be read yet."""


class KindUnknown(UsageError):
    """A word for ``--as`` that is no kind of document."""


class About(TypedDict):
    """What each finder of bytes takes besides them."""

    document: str
    base_url: str | None
    encoding: str | None
    merge: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One document to look through. ``encoding`` is the label from Content-Type, if any."""

    data: bytes
    document: str
    base_url: str | None
    encoding: str | None
    merge: bool
    links: bool = False
    first_byte: int = 0
    lines_before: int = 0

    @property
    def about(self) -> About:
        """What the finders take besides the bytes."""
        return {"document": self.document, "base_url": self.base_url, "encoding": self.encoding, "merge": self.merge}

    def text(self) -> SourceText:
        """Return the text, decoded; its places count from the start of the document that it may be a slice of."""
        source = decode(self.data, self.encoding)
        if not self.first_byte:
            return source
        return replace(source, first_byte=self.first_byte, lines_before=self.lines_before)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document: how to read it, and by which types and extensions it is known.

    A container holds documents of its own, and is taken apart in `mediamirror.documents`; ``find`` is None where only that
    can read it.
    """

    find: Callable[[Request], Extraction] | None
    media_types: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    is_container: bool = False


def _html(r: Request, *, is_xml: bool = False) -> Extraction:
    from mediamirror.markup.page import html

    return html.find(r.data, **r.about, links=r.links, is_xml=is_xml)


def _css(r: Request) -> Extraction:
    from mediamirror.markup.css import stylesheet

    return stylesheet.find(r.data, **r.about)


def _text(r: Request) -> Extraction:
    if _PAGE.match(_without_mark(r.data)):
        return _html(r)
    from mediamirror.markup.text import prose

    source = r.text()
    found = prose.find(source, document=r.document, base_url=r.base_url, merge=r.merge)
    text = source.text
    if ("![" in text and _PICTURE.search(text)) or ("<" in text and _TAG.search(text)):
        from mediamirror.markup.records import markdown

        return markdown.with_markup(found, source, document=r.document, base_url=r.base_url, merge=r.merge)
    return found


def _markdown(r: Request) -> Extraction:
    from mediamirror.markup.records import markdown

    return markdown.find(decode(r.data, r.encoding or "utf-8"), document=r.document, base_url=r.base_url, merge=r.merge)


def _feed(r: Request) -> Extraction:
    from mediamirror.markup.records import feeds

    return feeds.find(r.data, **r.about)


def _xml(r: Request) -> Extraction:
    from mediamirror.markup.records import xml

    found = xml.find(r.data, **r.about)
    if found.sets:
        return found
    as_text = _text(r)  # srcset strings may stand anywhere: between elements, in comments
    return as_text if as_text.sets else found


def _sitemap(r: Request) -> Extraction:
    from mediamirror.markup.records import sitemap

    return sitemap.find(r.data, **r.about)


def _json(r: Request) -> Extraction:
    from mediamirror.markup.records import structured

    return structured.find_json(r.data, **r.about)


def _notebook(r: Request) -> Extraction:
    from mediamirror.markup.records import notebook

    return notebook.find(r.data, **r.about)


def _json_lines(r: Request) -> Extraction:
    from mediamirror.markup.records import structured

    return structured.find_json_lines(r.data, **r.about)


def _table(r: Request, delimiter: str | None) -> Extraction:
    from mediamirror.markup.records import structured

    return structured.find_table(r.data, **r.about, delimiter=delimiter)


def _srcset(r: Request) -> Extraction:
    from mediamirror.markup.records.lists import find_srcset

    return find_srcset(decode(r.data, r.encoding), r.document, r.base_url, merge=r.merge)


def _urls(r: Request) -> Extraction:
    from mediamirror.markup.records.lists import find_urls

    return find_urls(r.text(), r.document, r.base_url, merge=r.merge)


PAGES = frozenset({"html", "xhtml"})
"""The kinds that are pages: they may lead on to others."""


def _kind(
    find: Callable[[Request], Extraction] | None, types: str = "", extensions: str = "", *, is_container: bool = False
) -> Kind:
    return Kind(find, tuple(types.split()), tuple(extensions.split()), is_container)


_container_of = partial(_kind, is_container=True)
_JSON_LINES = "application/jsonl application/x-ndjson application/x-jsonlines application/jsonlines"
_WARC = "application/warc application/x-warc application/x-internet-archive"

KINDS: dict[str, Kind] = {
    "srcset": _kind(_srcset),
    "html": _kind(_html, "text/html", ".html .htm .shtml"),
    "xhtml": _kind(partial(_html, is_xml=True), "application/xhtml+xml", ".xhtml .xht"),
    "text": _kind(_text, "text/plain", ".txt .text .log"),
    "css": _kind(_css, "text/css", ".css"),
    "markdown": _kind(_markdown, "text/markdown text/x-markdown", ".md .markdown .mdown"),
    "feed": _kind(_feed, "application/rss+xml application/atom+xml application/feed+json", ".rss .atom .rdf"),
    "sitemap": _kind(_sitemap),
    "xml": _kind(_xml, "application/vnd.google-earth.kml+xml", ".kml .opml .rels .opf .fb2 .fodt .fods .fodp"),
    "urls": _kind(_urls, "text/uri-list", ".urls"),
    "json": _kind(_json, "application/json", ".json"),
    "notebook": _kind(_notebook, "application/x-ipynb+json", ".ipynb"),
    "jsonl": _container_of(_json_lines, _JSON_LINES, ".jsonl .ndjson"),
    "csv": _container_of(partial(_table, delimiter=None), "text/csv application/csv", ".csv"),
    "tsv": _container_of(partial(_table, delimiter="\t"), "text/tab-separated-values", ".tsv .tab"),
    "parquet": _container_of(None, "application/vnd.apache.parquet application/x-parquet", ".parquet"),
    "warc": _container_of(None, _WARC, ".warc .arc .warc.zst"),
    "mhtml": _container_of(None, "multipart/related message/rfc822 application/x-mimearchive", ".mhtml .mht .eml"),
    "webarchive": _container_of(None, "application/x-webarchive", ".webarchive"),
    "zip": _container_of(None, "application/zip application/x-zip-compressed", ".zip .wacz"),
    "tar": _container_of(None, "application/x-tar", ".tar .tgz"),
    "har": _container_of(None, "", ".har"),
    "zstd": _container_of(None, "application/zstd", ".zst"),
    "mbox": _container_of(None, "application/mbox", ".mbox"),
}
"""Every kind that ``--as`` takes, besides ``auto``."""

_MISTAKEN = frozenset({"html", "xhtml", "text"})
"""What servers send a feed or a sitemap as."""
_ROOTS = frozenset({"feed", "sitemap"})
_NAMED_ROWS = frozenset({"csv", "tsv", "jsonl"})
"""What servers send as plain text."""
_MAY_BE_JSON = frozenset({None, "json", "jsonl", "html", "notebook"})
"""By its name: Markdown may begin with JSON too."""

COMPRESSED = ".gz"
"""The extension that may follow any other."""


PACKED = frozenset({"zip", "tar", "har", "zstd", "mbox"})
"""What is only read, or refused, when it is named itself: in a folder it may be anything, a download for example."""


def known_extensions() -> frozenset[str]:
    """Return the extensions of the documents in a folder, lower case, with the dot; each may be compressed."""
    plain = [".xml", *(each for name, kind in KINDS.items() if name not in PACKED for each in kind.extensions)]
    return frozenset((*plain, *(extension + COMPRESSED for extension in plain)))


def check_kind(as_: str) -> None:
    """Raise `KindUnknown` for a word for ``--as`` that is no kind of document."""
    if as_ != "auto" and as_ not in KINDS:
        raise KindUnknown(f"{as_!r} is no kind of document: use auto, {', '.join(KINDS)}.")


def choose_kind(data: bytes, *, media_type: str | None, document: str, as_: str = "auto") -> str:
    """Return the kind to read a document as. ``as_`` other than ``auto`` is taken at its word.

    Standard input (``-``) and ``.txt`` are ``text``; ``srcset`` is never guessed. Raises `KindUnknown`.
    """
    check_kind(as_)
    if as_ != "auto":
        return as_
    data = _without_mark(data)
    essence = (media_type or "").partition(";")[0].strip().lower()
    by_type = next((name for name, kind in KINDS.items() if essence in kind.media_types), None) if essence else None
    if (by_type in _MISTAKEN or document == "-") and (container := _container(data)) is not None:
        return container
    named = _by_name(document)
    # wget saves the feed at ``/feed/`` as ``feed/index.html``, and what an API answers likewise.
    taken_for = by_type or (named if named == "html" else None)
    if taken_for in _MISTAKEN and (root := _ROOT.match(data, 0, _LOOKED_AT)) is not None:
        return root.lastgroup or "feed"
    if by_type == "text" and named is not None and named in _NAMED_ROWS:
        return named
    if taken_for in _MISTAKEN and named in _MAY_BE_JSON and looks_like_json(data):
        # Markup within its strings would be found in it as a page, with the quotes' backslashes in its addresses.
        found = "jsonl" if looks_like_lines(data) else "json"
    else:
        found = by_type or named or _by_content(data, document)
    if found == "text":
        if looks_like_json(data) and looks_like_lines(data):
            return "jsonl"
        return ("urls" if _lists_images(data) else _table_in(data[:_LOOKED_AT])) or found
    return _kept_in_json(data, named) if found == "json" else found


def _kept_in_json(data: bytes, named: str | None) -> str:
    """What a JSON text is an export of, json where it is no known one's."""
    if named == "notebook" or _NOTEBOOK.match(data) is not None:
        return "notebook"
    return "har" if _HAR.match(data) is not None else "json"


def other_kind(data: bytes, *, kind: str, media_type: str | None, document: str) -> str | None:
    """Return what a document is by its content or its name, where that is something else than ``kind``, which its

    Content-Type says; None without one, but for a text: that is by its name what is no other kind.
    """
    if KINDS[kind].is_container or not ((media_type or "").strip() or kind == "text"):
        return None
    data = _without_mark(data)
    essence = (media_type or "").partition(";")[0].strip().lower()
    mistaken = next((name for name in sorted(_MISTAKEN) if essence in KINDS[name].media_types), None)
    if kind in _ROOTS or (kind == "json" and mistaken is not None):
        return mistaken
    found = _surely(data) or _by_name(document) or _by_content(data, "")
    if found in {kind, "text"}:
        found = "css" if _SHEET.match(data) is not None else "json" if _JSONP.match(data) is not None else found
    return found if found != kind and not KINDS[found].is_container else None


def extract_document(
    data: bytes,
    *,
    media_type: str | None = None,
    base_url: str | None = None,
    document: str = "",
    as_: str = "auto",
    merge: bool = True,
    links: bool = False,
    first_byte: int = 0,
    lines_before: int = 0,
) -> Extraction:
    """Find the image sets of one document, and the problems that belong to none of them.

    ``media_type`` is a Content-Type, parameters allowed: its charset is used. Sets with the same variants become one
    with several ``places`` unless ``merge`` is False. ``links`` takes a
    page's ``a href`` to image files too. ``first_byte`` and ``lines_before`` say where in its document a slice of a text begins.
    Raises `KindUnknown` and `KindUnsupported`.
    """
    name = choose_kind(data, media_type=media_type, document=document, as_=as_)
    found = sets_in(
        name, Request(data, document, base_url, charset_of(media_type), merge, links, first_byte, lines_before)
    )
    return found if isinstance(found.sets, tuple) else replace(found, sets=tuple(found.sets))


def sets_in(kind: str, request: Request) -> Extraction:
    """Find the image sets of a document whose kind is known; those of a list of URLs are `Listed`. Raises `KindUnsupported`."""
    find = KINDS[kind].find
    if find is None:
        raise KindUnsupported(
            f"{request.document or 'The input'} is {kind}, which is read from a file: give its path as INPUT."
        )
    return find(request)


def charset_of(media_type: str | None) -> str | None:
    """Return the encoding label that a Content-Type gives."""
    charset = _CHARSET.search(media_type or "")
    return charset[1] if charset else None


def extract(
    data: bytes, *, media_type: str | None = None, base_url: str | None = None, document: str = ""
) -> list[ImageSet]:
    """Find the image sets of one document: `extract_document` without the problems that belong to no set."""
    return list(extract_document(data, media_type=media_type, base_url=base_url, document=document).sets)


def _without_mark(data: bytes) -> bytes:
    """What a document begins with, in UTF-8 and without its byte order mark: Windows writes lists and tables with one."""
    if data.startswith(_WIDE):
        return data[:_LOOKED_AT].decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(codecs.BOM_UTF8)


_ENDINGS = {ending: name for name, kind in KINDS.items() for ending in kind.extensions}


def _by_name(document: str) -> str | None:
    path = urlsplit(document).path if "://" in document else document
    name = path.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    if name in {"", "-"}:
        return "text" if document == "-" else None
    stem, dot, ending = name.removesuffix(COMPRESSED).rpartition(".")
    # `.warc.zst` before `.zst`
    return _ENDINGS.get(f".{stem.rpartition('.')[2]}.{ending}") or _ENDINGS.get(dot + ending)


def _by_content(data: bytes, document: str) -> str:
    if document == "-":
        return "text"
    return _surely(data) or ("html" if _MARKUP.search(data, 0, _LOOKED_AT) is not None else "text")


def _lists_images(data: bytes) -> bool:
    """Whether a text is a list of images, as ``wget -i`` takes it: each line is an absolute URL that is an image's by its looks."""
    lines = [line for line in data[:_LISTED].splitlines() if line.strip() and not line.startswith(b"#")]
    lines = lines[:-1] if len(data) > _LISTED and len(lines) > 1 else lines  # the last may be cut
    if not lines or not all(map(_LINE_URL.fullmatch, lines)):
        return False
    from mediamirror.markup.naming import is_image_url, names_page  # start-up time

    urls = [line.decode("utf-8", "replace").strip() for line in lines]
    return all(is_image_url(url) and not names_page(url) for url in urls)


def _table_in(data: bytes) -> str | None:
    """The kind of table that a text is: as many delimiters in each of its lines, and between two of them a URL alone."""
    lines = [line for line in data[:_LOOKED_AT].splitlines() if line.strip()]
    lines = lines[:-1] if len(data) >= _LOOKED_AT else lines  # the last may be cut
    for mark, kind in _DELIMITERS.items() if len(lines) > 1 else ():
        first = lines[0]
        # Prose has commas, and Markdown's own tables begin with a pipe.
        if mark not in first or first.startswith(b"|") or (b"://" in first and mark in b",;"):
            continue
        if len({line.count(mark) for line in lines}) == 1 and any(
            _CELL.fullmatch(cell.strip()) for line in lines for cell in line.split(mark)
        ):
            return kind
    return None


def _container(data: bytes) -> str | None:
    """The kind of container that bytes begin."""
    magic = next((kind for sign, kind in _MAGIC.items() if data.startswith(sign)), None)
    if magic is not None or data.startswith(_TAR[1], _TAR[0]):
        return magic or "tar"
    headers = _MAIL.match(data, 0, _LOOKED_AT)
    if headers is not None and _MIME.search(headers[0]) is not None:
        return "mhtml"
    if _MBOX.match(data) is not None:
        return "mbox"
    return "har" if _HAR.match(data) is not None else None


def _surely(data: bytes) -> str | None:
    """The kind that the first bytes leave no doubt of."""
    magic = _container(data)
    if magic is not None:
        return magic
    root = _ROOT.match(data, 0, _LOOKED_AT)
    if root is not None:
        return root.lastgroup or "feed"
    if looks_like_json(data):
        return "jsonl" if looks_like_lines(data) else "json"
    if keeps_posts(data):
        return "json"
    return "xml" if _XML.match(data, 0, _LOOKED_AT) is not None else None


def keeps_posts(data: bytes) -> bool:
    """Say whether a script is a file of Twitter's archive: JSON that is given to a name."""
    return _ARCHIVED.match(data) is not None


def is_document(data: bytes) -> bool:
    """Say whether the first bytes of a file without a known extension are those of a page, a feed, JSON or a container.

    Plain text may be anything, a program too; and other XML most often settings.
    """
    data = _without_mark(data)
    if (kind := _surely(data)) is not None:
        return kind not in PACKED and kind != "xml"
    is_markup = data[:_LOOKED_AT].lstrip().startswith(b"<") and _PROGRAM.match(data) is None
    return is_markup and _MARKUP.search(data, 0, _LOOKED_AT) is not None
