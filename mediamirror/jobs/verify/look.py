"""Looking at one variant for `verify`, and what is told of it: its bytes, from the network or from a built site's folder, to facts.

Nothing is stored. Every failure becomes a `VariantFacts` that the rules can judge.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mediamirror.errors import BadContentEncoding, FetchError, HTTPStatus, ImageError, ImageTruncated
from mediamirror.fetch.request import Request, discard
from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.imaging.header import check_budget, read_header, read_whole_body
from mediamirror.jobs.verify.site_root import OtherOrigin
from mediamirror.lint import VariantFacts, unread_kind, variants_of
from mediamirror.model import (
    Body,
    Download,
    Finding,
    ImageFacts,
    ImageSet,
    ItemError,
    Look,
    Outcome,
    SetResult,
    SetRow,
    Status,
    Variant,
)
from mediamirror.settings import CheckOptions

HEADER_BYTES = 64 * 1024
"""First bytes asked for in a header check: a canvas size stands there but for JPEGs with a huge profile in front."""

_TOTAL = pattern(r"bytes\s+[0-9]+-[0-9]+/([0-9]+)", re.IGNORECASE)

_NO_PARTS = frozenset({416, 501})
"""How origins refuse to send a part."""
Bring = Callable[[Request], Awaitable[Download]]
"""Request to download, from wherever: the network or a folder. Raises `FetchError`."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen, how many body bytes that cost, and how many it spared."""

    known: VariantFacts
    received: int = 0
    saved: int = 0


class Looker:
    """Brings a variant's bytes and looks at them: every pixel, or with ``check=header`` the first bytes alone."""

    def __init__(
        self,
        bring: Bring,
        pool: DecoderPool | None,
        options: CheckOptions,
        *,
        estimate: bool = False,
        thumbnails: bool = False,
        from_disk: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._bring = bring
        self._pool = pool
        self._options = options
        self._estimate = estimate
        self._thumbnails = thumbnails
        self._from_disk = from_disk

    async def look(self, url: str, widths: tuple[int, ...] = (), pages: tuple[str, ...] = ()) -> Looked:
        """Return what is known of a URL now. ``widths`` are those of the variants beside it, in pixels, ``pages`` the documents
        that name it.

        Only cancellation leaves this function as an exception."""
        request = Request(url, pages=pages)
        try:
            if self._pool is None:
                return await self._first_bytes(request)
            return await self._whole(request, widths)
        except FetchError as error:
            return Looked(VariantFacts(error))

    async def _first_bytes(self, request: Request) -> Looked:
        try:
            download = await self._bring(replace(request, range=(0, HEADER_BYTES - 1)))
        except FetchError as error:
            if isinstance(error, BadContentEncoding) or (isinstance(error, HTTPStatus) and error.status in _NO_PARTS):
                return await self._whole(request)
            raise
        body = _body(download)
        total = _total(download)
        # Who makes the file while it is sent says no total ("/*"); what is shorter than was asked for is whole.
        whole = total <= body.size if total is not None else body.size < HEADER_BYTES
        if self._from_disk(request.url) or download.header("content-range") is None or whole:
            return await self._judge(download, body)
        try:
            result: ImageFacts | ImageError = read_header(body.data or body.prefix)
        except ImageTruncated:
            discard(body)
            again = await self._whole(request)
            return Looked(again.known, again.received + body.size)
        except ImageError as error:
            result = error
        discard(body)
        return Looked(VariantFacts(result, download, total), body.size, total - body.size if total is not None else 0)

    async def _whole(self, request: Request, widths: tuple[int, ...] = ()) -> Looked:
        download = await self._bring(request)
        return await self._judge(download, _body(download), widths)

    async def _judge(self, download: Download, body: Body, widths: tuple[int, ...] = ()) -> Looked:
        look: Look | None = None
        result: ImageFacts | ImageError
        try:
            if self._pool is None:
                # All of its bytes are here, so that its end can be looked for too.
                result = await asyncio.to_thread(read_whole_body, body)
                check_budget(result, self._options)
            else:
                result, look = await self._pool.look(
                    body, estimate=self._estimate, widths=widths, thumbnail=self._thumbnails
                )
        except ImageError as error:
            result = error
        finally:
            discard(body)
        # A file has no headers to be judged, and costs no traffic.
        served, received = (None, 0) if self._from_disk(download.url) else (download, body.size)
        return Looked(VariantFacts(result, served, body.size, body.sha256, look), received)


def _body(download: Download) -> Body:
    # Nothing was asked conditionally, so there is always a body; an empty one reads as no image.
    return download.body or Body(0, "", b"")


def _total(download: Download) -> int | None:
    found = _TOTAL.match(download.header("content-range") or "")
    return int(found[1]) if found else None


def without_body(download: Download | None) -> Download | None:
    """Return a download without its bytes, as it is remembered."""
    return None if download is None else replace(download, body=None)


def _verdict(variant: Variant, known: VariantFacts) -> tuple[Status, ItemError | None, str]:
    """What became of a variant, why, and what is said of one that is no fault and yet was not checked."""
    result = known.result
    if isinstance(result, ImageFacts):
        return Status.CHECKED, None, ""
    kind = unread_kind(variant, result, known.download)
    if kind is not None:
        error = ItemError("format-not-read", f"This is {kind}, as declared; its pixels are not checked.")
        return Status.SKIPPED, error, f"{kind}, not decoded"
    error = ItemError(result.code, result.message)
    if isinstance(result, OtherOrigin):
        return Status.SKIPPED, error, "of another site, not fetched"
    # What the rules find in a file that could be read is told by its findings.
    return Status.FAILED if isinstance(result, FetchError) else Status.REJECTED, error, ""


def outcome_of(variant: Variant, looked: Looked) -> Outcome:
    """What became of a variant."""
    known, download = looked.known, looked.known.download
    status, error, _ = _verdict(variant, known)
    return Outcome(
        variant=variant,
        status=status,
        final_url=download.final_url if download else None,
        facts=known.facts,
        size=known.size,
        sha256=known.sha256,
        error=error,
        download=without_body(download),
        fetched_bytes=looked.received,
    )


def set_result(image_set: ImageSet, notes: Mapping[str, VariantFacts], findings: Sequence[Finding]) -> SetResult:
    """Put findings beside the candidates they are about: each once, beside the first candidate of its URL."""
    left = list(findings)
    rows = []
    variants = {variant.url: variant for variant in variants_of(image_set)}
    for source, candidate in image_set.entries:
        own = tuple(f for f in left if f.url == candidate.url)
        left = [f for f in left if f.url != candidate.url]
        known = notes.get(candidate.url)
        facts = known.facts if known else None
        look = known.look if known else None
        status, _, aside = _verdict(variants[candidate.url], known) if known else (None, None, "")
        rows.append(
            SetRow(
                url=candidate.url,
                carrier=source.carrier,
                attribute=candidate.reference.attribute if candidate.reference else None,
                declared_width=candidate.width,
                density=candidate.density,
                media=source.media,
                mime=source.mime,
                status=status,
                format=facts.format if facts else None,
                width=facts.natural[0] if facts else None,
                height=facts.natural[1] if facts else None,
                size=known.size if known else None,
                findings=own,
                aside=aside,
                thumbnail=look.thumbnail or None if look else None,
            )
        )
    return SetResult(
        document=image_set.document,
        line=image_set.line,
        rows=tuple(rows),
        alt=image_set.alt,
        context=image_set.context,
        inferred=image_set.inferred,
        places=1 + len(image_set.places),
        findings=tuple(left),
    )
