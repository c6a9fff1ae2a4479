"""Images in Jupyter notebooks: their Markdown and raw cells, and what their code put out.

https://nbformat.readthedocs.io/en/latest/format_description.html: a text may be a list of its lines, a picture is base64 under its
MIME type. Code is left, as everywhere. Before nbformat 4 cells stood in worksheets, and outputs under short names.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from urllib.parse import unquote

from mediamirror.first_use import dataclass, pattern
from mediamirror.markup.places.candidates import Context
from mediamirror.markup.places.json_text import Array, Json, Object, Text, read_json
from mediamirror.markup.places.source import decode
from mediamirror.markup.places.spelling import Nested, Piece, Spelled, Spelling, json_string
from mediamirror.markup.records.fragment import in_html, in_html_unmerged
from mediamirror.markup.records.markdown import in_markdown, in_markdown_unmerged
from mediamirror.markup.records.placing import Placing, collected
from mediamirror.markup.records.record_images import RecordReader
from mediamirror.markup.records.structured import find_json, malformed
from mediamirror.model import Extraction, ImageSet

CARRIER = "notebook"
_MARKDOWN = frozenset({"markdown", "heading"})
_SHORT = {"png": "image/png", "jpeg": "image/jpeg", "svg": "image/svg+xml", "html": "text/html", "text": "text/plain"}
_NOT_READ = frozenset({"output_type", "metadata", "application/javascript", "text/latex", "latex", "javascript"})
_ATTACHED = pattern(r"attachment:([^\s()<>\[\]\"']{1,400})")
_KEPT = 64
"""Code points of a picture's base64 that are kept: enough to say which one it is."""


def find(
    data: bytes, *, document: str, base_url: str | None, encoding: str | None = None, merge: bool = True
) -> Extraction:
    """Find the image sets of a notebook, in document order. Never raises for bytes."""
    place = Placing(decode(data, encoding), Context(document, base_url))
    reading = read_json(place.source.text)
    cells = [cell for value in reading.values for cell in _cells(value)]
    if not cells:
        return find_json(data, document=document, base_url=base_url, encoding=encoding, merge=merge)
    notebook = _Notebook(place, RecordReader(place, merge), merge)
    rows = chain.from_iterable(map(notebook.cell, cells))
    return collected(chain(rows, malformed(place, reading)), document, merge=merge)


def _cells(notebook: Json) -> Iterator[Object]:
    for sheet in (notebook, *_items(notebook, "worksheets")):
        yield from (cell for cell in _items(sheet, "cells") if isinstance(cell, Object))


def _items(value: Json, name: str) -> list[Json]:
    found = value.get(name) if isinstance(value, Object) else None
    return found.items if isinstance(found, Array) else []


def _members(value: Json | None) -> list[tuple[str, Json]]:
    return value.members if isinstance(value, Object) else []


@dataclass(frozen=True, slots=True)
class _Notebook:
    place: Placing
    reader: RecordReader
    merge: bool

    def cell(self, cell: Object) -> Iterator[ImageSet]:
        """The images of one cell."""
        kind, source = cell.get("cell_type"), self._text(cell.get("source"))
        if isinstance(kind, Text) and kind.value == "code":
            for output in _items(cell, "outputs"):
                yield from self._output(output)
            return
        attached = dict(self._attached(cell.get("attachments")))
        shown: set[str] = set()
        if source is not None:
            text = _with_attached(source, attached, shown)
            is_markdown = isinstance(kind, Text) and kind.value in _MARKDOWN
            yield from self._markdown(text) if is_markdown else self.reader.value(self.place, "", text)
        for name, (mime, picture) in attached.items():
            if name not in shown:
                yield self.place.single(picture, CARRIER, mime)

    def _output(self, output: Json) -> Iterator[ImageSet]:
        for name, value in (*_members(output), *_members(output.get("data") if isinstance(output, Object) else None)):
            mime, text = _SHORT.get(name, name), self._text(value)
            if mime in _NOT_READ or name == "data":
                continue
            if text is None:
                yield from self.reader.images(value)
            elif mime in {"text/html", "image/svg+xml"}:
                yield from self.place.within(text, in_html if self.merge else in_html_unmerged)
            elif mime == "text/markdown":
                yield from self._markdown(text)
            elif mime.startswith("image/"):
                yield self.place.single(_picture(mime, text), CARRIER, mime)
            else:
                yield from self.reader.value(self.place, "", text)

    def _markdown(self, text: Spelled) -> Iterator[ImageSet]:
        return self.place.within(text, in_markdown if self.merge else in_markdown_unmerged)

    def _text(self, value: Json | None) -> Spelling | None:
        """A string, or a list of the lines of one; None for what is neither."""
        lines = value.items if isinstance(value, Array) else [value]
        texts = [line for line in lines if isinstance(line, Text)]
        if not texts or len(texts) < len(lines):
            return None
        whole = [json_string(line, self.place.source.text) for line in texts]
        return whole[0] if len(whole) == 1 else Spelling.of(chain.from_iterable(line.shifted(0) for line in whole))

    def _attached(self, attachments: Json | None) -> Iterator[tuple[str, tuple[str, Spelled]]]:
        for name, kinds in _members(attachments):
            for mime, value in _members(kinds):
                if mime.startswith("image/") and (text := self._text(value)) is not None:
                    yield name, (mime, _picture(mime, text))


def _picture(mime: str, text: Spelling) -> Spelled:
    """What stands for a picture: the address under which its bytes were kept, or the ``data:`` URL that it amounts to."""
    if text.text.startswith("https://"):
        return text
    (start, _), (_, end) = text.raw_span(0, 0), text.raw_span(0, len(text.text))
    return Spelling.of([Piece(f"data:{mime};base64,{text.text[:_KEPT]}", start, end)])


def _with_attached(source: Spelled, attached: dict[str, tuple[str, Spelled]], shown: set[str]) -> Spelled:
    """A text with its cell's own pictures in the place of their names, which are put into ``shown``."""
    pieces: list[Piece] = []
    done = 0
    for match in _ATTACHED.finditer(source.text) if attached else ():
        name = match[1] if match[1] in attached else unquote(match[1])
        if name in attached:
            pieces += (
                Piece(source.text[done : match.start()], done, match.start()),
                Piece(attached[name][1].text, *match.span()),
            )
            done = match.end()
            shown.add(name)
    if not pieces:
        return source
    inner = Spelling.of([*pieces, Piece(source.text[done:], done, len(source.text))])
    return Nested(inner.text, source, inner)
