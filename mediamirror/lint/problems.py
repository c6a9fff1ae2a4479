"""The codes of problems: what looks like an image, or is an INPUT, and can't be used. A user switches them off as he does rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from mediamirror import errors
from mediamirror.errors import MediamirrorError

_OF_DOCUMENTS = frozenset(
    {
        "attribute-too-large", "bad-css-url", "bad-rows", "binary-document", "container-refused", "css-import", "document-damaged",
        "document-over-memory", "document-over-time", "document-too-large", "document-unread", "doubtful-candidate",
        "duplicate-descriptor", "empty-document", "empty-srcset", "empty-url", "entities-not-expanded", "extra-missing",
        "field-missing", "fragment-only", "glued-word", "height-without-width", "incomplete-candidate", "input-unreadable",
        "invalid-image-set", "invalid-url", "json-too-deep", "json-too-large", "markdown-blank", "member-left-out",
        "malformed-json", "malformed-link-header", "malformed-table", "malformed-xml", "mended-url", "missing-comma",
        "mixed-descriptors", "negative-density", "no-documents", "no-pages", "no-sitemap", "not-a-page", "not-a-sitemap",
        "number-too-large", "other-host", "page-closed", "page-limit", "page-nofollow", "parquet-bytes",
        "parquet-damaged", "passed-over", "read-as", "page-not-archived", "wacz-unsigned", "wacz-damaged", "captures-differ",
        "placeholder", "relative-url-without-base", "repaired-srcset", "row-too-large", "scheme-not-fetched",
        "scheme-not-loaded", "sitemap-index", "sitemap-limit", "sitemap-too-large", "sitemap-too-long", "special-file",
        "srcdoc-not-read", "stray-comma", "too-many-candidates", "too-many-documents", "too-many-escapes",
        "too-many-fragments", "too-many-links", "too-many-names", "too-many-references", "too-many-sets", "tracker-pixel",
        "trailing-comma", "unclosed-parenthesis", "unclosed-quote", "unfilled-template", "unknown-descriptor",
        "unusable-candidate", "url-too-long", "warc-damaged", "warc-zstd", "xml-too-deep", "xml-too-large", "zero-height",
        "zero-width", "warc-doubtful",
    }
)  # fmt: skip


@cache
def problem_codes() -> frozenset[str]:
    """Every code that a problem may have: those of documents, and of what can go wrong while an INPUT is fetched."""
    return _OF_DOCUMENTS | frozenset(kind.code for kind in error_kinds())


def error_kinds(kind: type[MediamirrorError] = MediamirrorError) -> Iterator[type[MediamirrorError]]:
    """Every class of our tree of errors."""
    if kind.__module__ == errors.__name__:
        yield kind
    for child in kind.__subclasses__():
        yield from error_kinds(child)
