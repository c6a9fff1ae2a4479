"""Foundation's ``data-interchange``: ``[file, query]`` after ``[file, query]``, of which the last that holds is shown.

https://get.foundation/sites/docs/interchange.html. A query is a name (``small``, ``retina``) or a media query; a file may be
a piece of HTML as well as an image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from turbohtml import Element

from mediamirror.markup.naming.image_names import has_image_extension
from mediamirror.markup.naming.image_urls import is_image_url
from mediamirror.markup.page.elements import MAX_CANDIDATES, MAX_REFERENCES, Read
from mediamirror.markup.page.page import Page
from mediamirror.markup.places.candidates import split_problems
from mediamirror.model import Candidate, Source

# The file ends at the last comma: a query has none.
_RULE = re.compile(r"\[(?P<file>[^\[\]]*),(?P<query>[^\[\],]*)\]")


def read_interchange(page: Page, element: Element, name: str, carrier: str) -> Iterator[Read]:
    """Read one source for each rule whose file is an image."""
    text = element.attr(name) or ""
    value = (
        page.value(element, name) if text.count("&") <= MAX_REFERENCES and text.count("[") <= MAX_CANDIDATES else None
    )
    for rule in _RULE.finditer(value.text) if value is not None else ():
        url, query = rule["file"].strip(), rule["query"].strip()
        if value is not None and (has_image_extension(url) or is_image_url(url)):
            start = rule.start("file") + len(rule["file"]) - len(rule["file"].lstrip())
            candidates, problems = split_problems(
                [page.place(Candidate(url, (start, start + len(url))), value, carrier)]
            )
            yield Read(Source(carrier, candidates, media=query if "(" in query else None), problems)
