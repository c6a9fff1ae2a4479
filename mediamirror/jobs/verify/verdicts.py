"""What `verify` tells of a variant and of a set, from what was looked at and what the rules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mediamirror.errors import FetchError
from mediamirror.jobs.verify.look import Looked, without_body
from mediamirror.jobs.verify.site_root import OtherOrigin
from mediamirror.lint import VariantFacts, unread_kind, variants_of
from mediamirror.model import Finding, ImageFacts, ImageSet, ItemError, Outcome, SetResult, SetRow, Status, Variant


def outcome_of(variant: Variant, looked: Looked) -> Outcome:
    """What became of a variant."""
    known = looked.known
    error = None
    status = Status.CHECKED
    failure, facts = known.result, known.facts
    if not isinstance(failure, ImageFacts):
        status = Status.FAILED if isinstance(failure, FetchError) else Status.REJECTED
        kind = unread_kind(variant, failure, known.download)
        if isinstance(failure, OtherOrigin) or kind is not None:
            status = Status.SKIPPED
        error = ItemError(failure.code, failure.message)
        if kind is not None:
            error = ItemError("format-not-read", f"This is {kind}, as promised; its pixels are not looked at.")
    download = known.download
    return Outcome(
        variant=variant,
        status=status,
        final_url=download.final_url if download else None,
        facts=facts,
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
        rows.append(
            SetRow(
                url=candidate.url,
                carrier=source.carrier,
                attribute=candidate.reference.attribute if candidate.reference else None,
                declared_width=candidate.width,
                density=candidate.density,
                media=source.media,
                mime=source.mime,
                status=_status(variants[candidate.url], known),
                format=facts.format if facts else None,
                width=facts.width if facts else None,
                height=facts.height if facts else None,
                size=known.size if known else None,
                findings=own,
                aside=_aside(variants[candidate.url], known),
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


def _aside(variant: Variant, known: VariantFacts | None) -> str:
    if known is not None and isinstance(known.result, OtherOrigin):
        return "of another site, not fetched"
    kind = unread_kind(variant, known.result, known.download) if known is not None else None
    return f"{kind}, not decoded" if kind is not None else ""


def _status(variant: Variant, known: VariantFacts | None) -> Status | None:
    if known is None:
        return None
    if isinstance(known.result, OtherOrigin) or unread_kind(variant, known.result, known.download) is not None:
        return Status.SKIPPED
    if isinstance(known.result, FetchError):
        return Status.FAILED
    # As the `Outcome` says: what the rules find in a file that could be read is told by its findings.
    return Status.REJECTED if known.facts is None else Status.CHECKED
