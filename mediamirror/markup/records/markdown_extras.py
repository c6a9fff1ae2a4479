"""What generators add to Markdown: front matter, shortcodes with a ``src``, and images by wiki link.

Hugo, Jekyll, Eleventy and Astro name a page's cover in its front matter; Hugo writes ``{{< figure src="a.jpg" >}}``; Obsidian
``![[a.png|300]]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mediamirror.markup.naming.image_names import has_image_extension
from mediamirror.markup.naming.image_urls import is_image_url, is_one_word
from mediamirror.model import Span

_FRONT = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n")
# YAML and TOML alike, with their quotes; a list's item has no name of its own.
_FIELD = re.compile(
    r"^[ \t]{0,40}(?:-[ \t]+)?(?:(?P<name>[\w.\-]{1,80})[ \t]*[:=][ \t]*)?"
    r"(?:\"(?P<a>[^\"\r\n]+)\"|'(?P<b>[^'\r\n]+)'|(?P<c>[^\s\"'#][^\s#]*+))[ \t]*(?:#[^\r\n]*)?\r?$",
    re.MULTILINE,
)
_TELLING = re.compile(r"image|img|cover|hero|thumb|banner|photo|picture|logo|icon|poster|avatar|src|url", re.IGNORECASE)
_SHORTCODE = re.compile(r"\{\{[<%][ \t]*[\w\-/]{1,80}+[ \t](?P<rest>[^{}]{0,4096}?)[>%]\}\}")
_SRC = re.compile(r"(?<![\w\-])src[ \t]*=[ \t]*(?:\"(?P<a>[^\"]+)\"|'(?P<b>[^']+)'|(?P<c>[^\s\"'>]+))")
_WIKI = re.compile(r"(?<!\\)!\[\[(?P<c>[^\[\]|#\n]{1,1024}+)(?:[|#][^\[\]\n]{0,200})?\]\]")


def extras(text: str) -> Iterator[Span]:
    """Yield the places of the URLs. Linear in the text's length."""
    yield from _front_matter(text)
    for code in _SHORTCODE.finditer(text):
        source = _SRC.search(text, *code.span("rest"))
        if source is not None and has_image_extension(source[source.lastgroup or 0]):
            yield source.span(source.lastgroup or 0)
    for link in _WIKI.finditer(text):
        if has_image_extension(link["c"]):
            yield link.span("c")


def _front_matter(text: str) -> Iterator[Span]:
    opening = _FRONT.match(text)
    end = text.find("\n" + opening[1], opening.end() - 1) if opening is not None else -1
    if opening is None or end < 0:
        return
    for field in _FIELD.finditer(text, opening.end(), end):
        group = next((name for name in "abc" if field[name] is not None), "c")
        url, name = field[group], field["name"]
        named = name is None or _TELLING.search(name) is not None
        if is_image_url(url) or (named and has_image_extension(url) and is_one_word(url)):
            yield field.span(group)
