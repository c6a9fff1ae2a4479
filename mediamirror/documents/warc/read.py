"""The documents in a WARC file: pages, style sheets, feeds and sitemaps that were archived, each under its own address."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

from mediamirror.documents.compressed import Undecodable
from mediamirror.documents.document import MAX_DOCUMENT, Document, is_image, kept
from mediamirror.documents.warc.archive import WarcArchive
from mediamirror.documents.warc.bytes import Damaged
from mediamirror.documents.warc.http import GIVEN_OUT, Proof, Response, answer_of, read_accept, read_answer
from mediamirror.documents.warc.index import Holds
from mediamirror.documents.warc.part import Source
from mediamirror.documents.warc.records import Block, Gap, Record, read_record, read_records
from mediamirror.documents.warc.seen import Odd
from mediamirror.markup.extract import PAGES, choose_kind
from mediamirror.markup.naming import has_image_extension, is_image_type
from mediamirror.markup.places.urls import shown
from mediamirror.model import Problem
from mediamirror.scratch import scratch_folder

MAX_GAPS = 100
"""Most damaged places of one file that are reported one by one."""
_COPIED_IN_MEMORY = 4 * 1024 * 1024
_TYPES = {
    *("text/html", "application/xhtml+xml", "text/css", "application/rss+xml", "application/atom+xml"),
    *("application/feed+json", "text/xml", "application/xml", "application/rdf+xml", ""),
    *("application/json", "text/json", "text/markdown", "text/x-markdown"),
}
_WITH_ADDRESS = frozenset({"response", "resource", "revisit", "conversion"})
_RECORDS = _WITH_ADDRESS | {"warcinfo", "request", "metadata", "continuation"}
"""WARC 1.1, 5.5."""
_KINDS = frozenset({*PAGES, "css", "feed", "sitemap", "json", "markdown", "notebook"})
_ARCHIVES = (".warc", ".warc.gz", ".warc.zst", ".wacz", ".arc", ".arc.gz")
_UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_NO_PICTURES = frozenset({"image/svg+xml", "image/x-icon", "image/vnd.microsoft.icon"})
"""What is no picture of a page's: drawings, and the icons of its tab."""


def read_warc(
    path: Source, *, archive: WarcArchive | None = None, limit: int = MAX_DOCUMENT, name: str = ""
) -> Iterator[Document | Problem]:
    """Yield the documents of a WARC file in order, in bounded memory; with ``archive`` every response is noted there too.

    A document's name and base URL are its target URI, its type is that of its headers. Damaged parts are problems of the
    file, and what comes after them is read. ``limit`` is the largest document, in bytes. ``name`` is what an
    INPUT is called, where this is one; whoever fills an ``archive`` asks for the `rest` once all are read. Raises `OSError`.
    """
    if archive is not None:
        yield from _read(path, archive, limit, name)
        return
    with scratch_folder() as directory, WarcArchive(directory, only_pages=True) as own:
        yield from _read(path, own, limit, name)
        yield from rest(own, limit, alone=True)


def _read(path: Source, archive: WarcArchive, limit: int, name: str) -> Iterator[Document | Problem]:
    gaps, take = 0, _record if archive.copy_to is None else _copied
    number = archive.add_file(path, name)
    name = name or str(path)
    with path.open("rb") as file:
        try:
            for item in read_records(file):
                if isinstance(item, Gap):
                    gap = item
                else:
                    try:
                        yield from take(*item, archive, number, limit)
                        continue
                    except Damaged as error:
                        gap = Gap(item[0].place, str(error))
                archive.lost += gap.is_nameless
                if gap.record is not None and not archive.only_pages:
                    archive.add(gap.record, None, number)
                gaps += 1
                if gaps <= MAX_GAPS:
                    yield _gap(name, gap)
        except Undecodable as error:
            yield Problem("warc-zstd", f"{name} can't be read: {error}.", document=name)
    if gaps > MAX_GAPS:
        yield Problem("warc-damaged", f"{name} has {gaps - MAX_GAPS:,} more damaged places.", document=name)


def _copied(
    record: Record, block: Block, archive: WarcArchive, number: int, limit: int
) -> Iterator[Document | Problem]:
    """The same, and the record is handed on as it stands there. One that breaks off is not."""
    with tempfile.SpooledTemporaryFile(_COPIED_IN_MEMORY, dir=str(archive.directory)) as copy:
        block.copy = cast("IO[bytes]", copy)
        yield from _record(record, block, archive, number, limit)
        try:
            for _ in block.chunks():
                pass
        except Damaged:
            return  # `read_records` reports it
        if archive.copy_to is not None:
            archive.copy_to(record, block.copy)


def rest(archive: WarcArchive, limit: int, *, alone: bool) -> Iterator[Document | Problem]:
    """Yield what is known once all archives are read: pages that are revisits of others, and all pictures where they are asked for.

    ``alone`` says that no document came from elsewhere: where there is none at all, it is told why. Raises `OSError`.
    """
    seen = archive.seen
    for original, record in archive.pages_again():
        with archive.open_file(original.file) as file:
            try:
                found, block = read_record(file, original.place)
                response = answer_of(found, block.chunks())
            except Damaged:
                continue
            if _is_page(record.kind, record.url, _essence(response)):
                yield from _counted(archive, _document(record, response, limit))
    if seen.all_images:
        yield from _counted(archive, _all_images(archive, limit))
    for why in seen.odd() if archive.name else ():
        yield Problem("warc-doubtful", f"{archive.name} has {why}.", document=archive.name)
    if alone and archive.name and not seen.documents:
        yield Problem("no-pages", f"{archive.name} holds no page{_instead(archive)}.", document=archive.name)


def _all_images(archive: WarcArchive, limit: int) -> Iterator[Document | Problem]:
    """The URLs of all pictures, and those that redirect to one, as a document."""
    for url, found, response in archive.redirected():
        if _is_picture("response", found, _essence(response)):
            archive.seen.picture(url, is_revisit=True)
    data = kept(archive.seen.picture_urls(), limit)
    if data is None:
        message = f"The list of all pictures is over the limit of {limit:,} bytes: raise --max-document-size."
        yield Problem("document-too-large", message, document=archive.name)
    elif data:
        yield Document(archive.name, data, None, None, "urls")


def _instead(archive: WarcArchive) -> str:
    """What archives without pages hold."""
    seen = archive.seen
    parts = []
    if seen.pictures:
        parts.append(
            f"{seen.pictures:,} picture{'s' * (seen.pictures > 1)} (`--all-images` of `mirror` and `verify` takes them all)"
        )
    if seen.revisits:
        of_what = (
            "" if archive.count else f" whose original{'s are' if seen.revisits > 1 else ' is'} in none of the archives"
        )
        parts.append(f"{seen.revisits:,} revisit{'s' * (seen.revisits > 1)}{of_what}")
    return f", but {' and '.join(parts)}" if parts else ", and no picture"


def _counted(archive: WarcArchive, items: Iterable[Document | Problem]) -> Iterator[Document | Problem]:
    for item in items:
        archive.seen.documents += isinstance(item, Document)
        yield item


def _gap(name: str, gap: Gap) -> Problem:
    message = f"{name}: {gap.reason} at byte {gap.place.at:,}: what is there is left out, and the rest is read."
    return Problem("warc-damaged", message, document=name)


def _record(
    record: Record, block: Block, archive: WarcArchive, number: int, limit: int
) -> Iterable[Document | Problem]:
    """The document that a record holds, if it is one; the archive takes note of it. Raises `Damaged`."""
    kind = record.kind
    if kind not in _WITH_ADDRESS:
        if kind == "request" and not archive.only_pages:
            archive.add_request(record, read_accept(block))
        elif kind not in _RECORDS:
            raise Damaged(f"a record of an unknown type ({shown(kind, 40)}) stands")
        return ()
    try:
        response = read_answer(record, block.chunks())
    except Damaged:  # `read_records` reports it
        if not archive.only_pages:
            archive.add(record, None, number)
        return ()
    url = record.url
    if not url:
        raise Damaged("a record without its address stands")
    if kind == "response" and url[:4].lower() == "http" and (response is None or not 100 <= response.status < 600):
        if not archive.only_pages:
            archive.add(record, response, number)  # for whoever looks it up, and is told why it is of no use
        raise Damaged("a response record that holds no HTTP response stands")
    return _noted(record, url, response, archive, number, limit)


def _noted(
    record: Record, url: str, response: Response | None, archive: WarcArchive, number: int, limit: int
) -> Iterable[Document | Problem]:
    """The same of a record that is as it should be."""
    kind = record.kind
    is_revisit = kind == "revisit"
    essence = _essence(response) if response is not None else "" if is_revisit else None
    is_whole = response is None or response.status in GIVEN_OUT
    is_page = essence is not None and is_whole and _is_page(kind, url, essence)
    located = archive.add(record, response, number) if is_page or not archive.only_pages else None
    archive.seen.revisits += is_revisit
    if response is not None and is_whole and _is_picture(kind, url, essence or ""):
        archive.seen.picture(url, is_revisit=is_revisit)
    elif is_whole and url.lower().endswith(_ARCHIVES):
        archive.seen.note(Odd.WITHIN, url)
    if located is not None and (
        (is_page and is_revisit) or (archive.seen.all_images and located.holds is Holds.REDIRECT)
    ):
        archive.seen.put_off(located)
    elif is_page and response is not None and not is_revisit:
        return _counted(archive, _document(record, response, limit))
    return ()


def _essence(response: Response) -> str:
    return (response.header(b"content-type") or "").partition(";")[0].strip().lower()


def _is_of_the_web(url: str) -> bool:
    """Not so are `urn:thumbnail:…`, `file:///screenshot.png` and the like, which crawlers keep beside what they saw."""
    return url[:8].lower().startswith(("http://", "https://"))


def _is_picture(kind: str, url: str, essence: str) -> bool:
    if kind == "conversion" or not _is_of_the_web(url):
        return False
    return has_image_extension(url) if essence in _UNTYPED else is_image_type(essence) and essence not in _NO_PICTURES


def _is_page(kind: str, url: str, essence: str) -> bool:
    if kind == "conversion":
        return essence == "text/plain"
    return (essence in _TYPES or essence.endswith("+json")) and _is_of_the_web(url)


def _document(record: Record, response: Response, limit: int) -> Iterator[Document | Problem]:
    """The document, or the problem it is; of one that breaks off, what is there. Bytes that are not those recorded are told."""
    url = record.url
    troubles: list[Problem] = []
    proof = Proof(record.get(b"warc-payload-digest"))
    data = kept(_until_broken(url, response, proof, troubles), limit)
    if data is None:
        message = f"{url} is over the limit of {limit:,} bytes in the archive: it is left out."
        yield Problem("document-too-large", message, document=url)
        return
    yield from troubles
    media_type = response.header(b"content-type")
    head = data if isinstance(data, bytes) else next(data.chunks())
    kind = "text" if record.kind == "conversion" else _kind(head, media_type, url)
    if data and kind is not None:
        links = tuple(value for name, value in response.headers if name == "link")
        yield Document(url, data, media_type, url, kind, links)


def _until_broken(url: str, response: Response, proof: Proof, troubles: list[Problem]) -> Iterator[bytes]:
    why = None
    try:
        yield from response.body(proof.watch)
        why = proof.wrong()
    except Undecodable as error:
        why = f"can't be read whole from the archive: {error}"
    except Damaged:
        pass  # `read_records` reports it
    if why is not None:
        troubles.append(Problem("document-damaged", f"{url}: {why}.", document=url))


def _kind(data: bytes, media_type: str | None, url: str) -> str | None:
    if is_image(data):
        return None
    kind = choose_kind(data, media_type=media_type, document=url)
    if kind not in _KINDS and not (media_type or "").strip():
        kind = choose_kind(data, media_type=None, document="")
    return kind if kind in _KINDS else None
