"""Cases of `fixtures.defects`, looked at as verification does: real markup, real decoder processes, the real rules."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urljoin

from fixtures.defects import SITE, Case, File
from fixtures.defects.base import WIDTHS
from mediamirror.errors import FetchError, HTTPStatus, ImageError, TransferTruncated
from mediamirror.imaging.decoder.pool import DecoderPool
from mediamirror.jobs.verify.job import StandardBrowser
from mediamirror.lint import LintOptions, VariantFacts, check_set, choose_codes, lint_options
from mediamirror.markup.extract import extract
from mediamirror.model import Body, Download, Finding, ImageFacts, ImageSet, Look, Passed
from mediamirror.settings import CheckOptions

Seen = tuple[ImageFacts, Look | None] | ImageError
BROWSER = StandardBrowser()
WHEN = datetime(2026, 1, 5, tzinfo=UTC)


def options(case: Case) -> LintOptions:
    return lint_options(ladder=case.ladder, codes=choose_codes())


def body_of(data: bytes) -> Body:
    return Body(len(data), hashlib.sha256(data).hexdigest(), data=data, prefix=data[:65536])


def look_at_all(cases: Iterable[Case]) -> dict[tuple[bytes, bool], Seen]:
    """Decode every file of the cases once, by content."""
    wanted = dict.fromkeys((file.data, case.estimate) for case in cases for file in case.files.values())
    return asyncio.run(_look(list(wanted)))


async def _look(wanted: list[tuple[bytes, bool]]) -> dict[tuple[bytes, bool], Seen]:
    async with DecoderPool(CheckOptions(workers=2)) as pool:

        async def one(data: bytes, estimate: bool) -> Seen:
            try:
                return await pool.look(body_of(data), estimate=estimate, widths=(213, *WIDTHS))
            except ImageError as error:
                return error

        return dict(zip(wanted, await asyncio.gather(*(one(*each) for each in wanted)), strict=True))


def facts_of(case: Case, seen: dict[tuple[bytes, bool], Seen]) -> dict[str, VariantFacts]:
    """What a fetch of every file of the case tells, by URL."""
    return {urljoin(SITE, path): _facts(case, path, file, seen) for path, file in case.files.items()}


def _facts(case: Case, path: str, file: File, seen: dict[tuple[bytes, bool], Seen]) -> VariantFacts:
    if file.location is not None:
        target = _facts(case, file.location, case.files[file.location], seen)
        url = urljoin(SITE, path)
        assert target.download is not None
        return replace(target, download=replace(target.download, url=url, hops=(Passed(url, 302, ()),)))
    if file.status != 200:
        return VariantFacts(_refused(file.status))
    if file.length is not None and file.length > len(file.data):
        return VariantFacts(TransferTruncated("The connection ended before all declared bytes had come."))
    url = urljoin(SITE, path)
    headers = (("content-type", file.content_type),) if file.content_type else ()
    body = body_of(file.data)
    download = Download(url, url, 200, headers + file.headers, body, WHEN)
    found = seen[(file.data, case.estimate)]
    if isinstance(found, ImageError):
        return VariantFacts(found, download, body.size, body.sha256)
    return VariantFacts(found[0], download, body.size, body.sha256, found[1])


def _refused(status: int) -> FetchError:
    return HTTPStatus(f"The server answered {status}.", status=status)


def sets_of(case: Case) -> list[ImageSet]:
    return extract(case.page, media_type="text/html", base_url=f"{SITE}/page.html", document="page.html")


def findings_of(case: Case, seen: dict[tuple[bytes, bool], Seen]) -> list[Finding]:
    known = facts_of(case, seen)
    return [found for each in sets_of(case) for found in check_set(each, known, options(case), browser=BROWSER)]
