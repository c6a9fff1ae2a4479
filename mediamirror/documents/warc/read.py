"""The documents in a WARC file: pages, style sheets, feeds and sitemaps that were archived, each under its own address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.document import MAX_DOCUMENT, Document, kept
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.http import GIVEN_OUT, Response, read_answer
from mediamirror.documents.warc.records import Block, Gap, Record, read_records
from mediamirror.markup.extract import PAGES, choose_kind
from mediamirror.model import Problem

MAX_GAPS = 100
"""Most damaged places of one file that are reported one by one."""
_ZSTD = b"\x28\xb5\x2f\xfd"
_TYPES = {
    *("text/html", "application/xhtml+xml", "text/css", "application/rss+xml", "application/atom+xml"),
    *("application/feed+json", "text/xml", "application/xml", "application/rdf+xml", ""),
    *("application/json", "text/json", "text/markdown", "text/x-markdown"),
}
_KINDS = frozenset({*PAGES, "css", "feed", "sitemap", "json", "markdown"})


def read_warc(
    path: Path, *, archive: WarcArchive | None = None, limit: int = MAX_DOCUMENT
) -> Iterator[Document | Problem]:
    """Yield the documents of a WARC file in order, in bounded memory; with ``archive`` every response is noted there too.

    A document's name and base URL are its target URI, its type is that of its headers. Damaged parts are problems of the
    file, and what comes after them is read. ``limit`` is the largest document, in bytes. Raises `OSError`.
    """
    gaps = 0
    number = archive.add_file(path) if archive is not None else 0
    with path.open("rb") as file:
        if file.read(len(_ZSTD)) == _ZSTD:
            message = f"{path} is compressed with zstd, which is not read: inflate it first (zstd -d)."
            yield Problem("warc-zstd", message, document=str(path))
            return
        for item in read_records(file):
            if isinstance(item, Gap):
                gaps += 1
                if gaps <= MAX_GAPS:
                    yield _gap(path, item)
                continue
            yield from _record(*item, archive, number, limit)
    if gaps > MAX_GAPS:
        yield Problem("warc-damaged", f"{path} has {gaps - MAX_GAPS:,} more damaged places.", document=str(path))


def _gap(path: Path, gap: Gap) -> Problem:
    message = f"{path}: {gap.reason} at byte {gap.place.at:,}: what lies there is left out, and the rest is read."
    return Problem("warc-damaged", message, document=str(path))


def _record(
    record: Record, block: Block, archive: WarcArchive | None, number: int, limit: int
) -> Iterator[Document | Problem]:
    try:
        response = read_answer(record, block)
    except Damaged:
        return  # `read_records` reports it
    if archive is not None:
        archive.add(record, response, number)
    if (
        response is not None
        and response.status in GIVEN_OUT
        and record.kind != "revisit"
        and _is_page(record, response)
    ):
        yield from _document(record, response, limit)


def _is_page(record: Record, response: Response) -> bool:
    essence = (response.header("content-type") or "").partition(";")[0].strip().lower()
    if record.kind == "conversion":
        return essence == "text/plain"
    return (essence in _TYPES or essence.endswith("+json")) and record.url[:8].lower().startswith(
        ("http://", "https://")
    )


def _document(record: Record, response: Response, limit: int) -> Iterator[Document | Problem]:
    """The document, or the problem it is; of one that breaks off, what is there."""
    url = record.url
    troubles: list[Problem] = []
    data = kept(_until_broken(url, response, troubles), limit)
    if data is None:
        message = f"{url} is over the limit of {limit:,} bytes in the archive: it is left out."
        yield Problem("document-too-large", message, document=url)
        return
    yield from troubles
    media_type = response.header("content-type")
    head = data if isinstance(data, bytes) else next(data.chunks())
    kind = "text" if record.kind == "conversion" else _kind(head, media_type, url)
    if data and kind is not None:
        links = tuple(value for name, value in response.headers if name.lower() == "link")
        yield Document(url, data, media_type, url, kind, links)


def _until_broken(url: str, response: Response, troubles: list[Problem]) -> Iterator[bytes]:
    try:
        yield from response.body()
    except Undecodable as error:
        message = f"{url} can't be read whole from the archive: {error}."
        troubles.append(Problem("document-damaged", message, document=url))
    except Damaged:
        pass  # `read_records` reports it


def _kind(data: bytes, media_type: str | None, url: str) -> str | None:
    kind = choose_kind(data, media_type=media_type, document=url)
    if kind not in _KINDS and not (media_type or "").strip():
        kind = choose_kind(data, media_type=None, document="")
    return kind if kind in _KINDS else None
