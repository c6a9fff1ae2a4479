"""MM2xx: how the origin labels the bytes."""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.lint.formats import VAGUE_TYPES, format_of_mime
from mediamirror.lint.rules import RULES, Subject, Violation
from mediamirror.model import Severity


@RULES.add(
    "MM201",
    "content-type-differs",
    Severity.WARNING,
    summary="The Content-Type names another format than the bytes have.",
    why="Browsers look at the bytes and show the image; caches, proxies, mail and upload tools believe the header.",
    fix="Serve the file with the type of its bytes. The copy in the mirror is stored with the right type.",
)
def content_type_differs(subject: Subject) -> Iterator[Violation]:
    """Fire when a Content-Type that says something says something else."""
    facts, served = subject.facts, subject.download.content_type
    if facts is None or served is None or served in VAGUE_TYPES:
        return
    if format_of_mime(served) != facts.format:
        yield Violation(f"Served as {served}, but the bytes are {facts.format}.", served, f"image/{facts.format}")


@RULES.add(
    "MM202",
    "content-type-missing",
    Severity.NOTE,
    summary="The origin sends no Content-Type, or one that says nothing (application/octet-stream).",
    why="Browsers still show the image where it is embedded, and offer a download where it is opened by itself.",
    fix="Serve the file with the type of its bytes. The copy in the mirror is stored with the right type.",
)
def content_type_missing(subject: Subject) -> Iterator[Violation]:
    """Fire when the header is missing or vague."""
    facts, served = subject.facts, subject.download.content_type
    if facts is not None and (served is None or served in VAGUE_TYPES):
        how = f"Served as {served}" if served else "Served without Content-Type"
        yield Violation(f"{how}; the bytes are {facts.format}.", served, f"image/{facts.format}")
