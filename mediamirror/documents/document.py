"""One document, read whole and ready to be looked through."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_DOCUMENT = 256 * 1024 * 1024
"""Largest document read, in bytes."""


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes with a name. ``name`` is the path, the final URL, or ``-``.

    ``media_type`` is the Content-Type with its parameters; ``base_url`` is from ``--base-url``, else the document's own
    URL; ``kind`` is how to read it (a key of `mediamirror.markup.extract.KINDS`), never ``auto``.
    """

    name: str
    data: bytes = field(repr=False)
    media_type: str | None
    base_url: str | None
    kind: str
    link_headers: tuple[str, ...] = ()
    """The values of the response's Link headers, which may name images too; for a document that came over HTTP."""
