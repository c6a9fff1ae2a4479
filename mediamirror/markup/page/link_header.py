"""Images in the HTTP ``Link:`` header, of a response or of 103 Early Hints: RFC 8288, and HTML, 4.2.4.4 "process link headers".

``Link: <hero.jpg>; rel=preload; as=image; imagesrcset="a.jpg 1x, b.jpg 2x"; imagesizes=50vw``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from mediamirror.first_use import dataclass, pattern, replace
from mediamirror.markup.page.carriers import link_relation
from mediamirror.markup.page.elements import MAX_CANDIDATES
from mediamirror.markup.places.candidates import Context, merged, placed, split_problems
from mediamirror.markup.places.urls import shown
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Candidate, Extraction, ImageSet, Problem, Reference, Source

CARRIER = "link-header"
MAX_LINKS = 10_000
_OWS = r"[ \t\r\n]*+"
_SEPARATORS = pattern(r"[ \t\r\n,]*+")
_TARGET = pattern(r"<([^>]*+)>")
# A parameter with a quoted value, with a bare one, or with none. The end of the header closes a quote that is still open.
_PARAMETER = pattern(
    rf'{_OWS};{_OWS}([^\s=;,"<>]*+){_OWS}(?:={_OWS}(?:"((?:[^"\\]++|\\.?|(?!))*+)"?|([^;,]*+)))?', re.DOTALL
)
_NEXT = pattern(r'(?:[^",<]++|"(?:[^"\\]++|\\.?|(?!))*+"?|<[^>]*+>?|(?!))*+', re.DOTALL)
_QUOTED_PAIR = pattern(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """One link value: its target, and its parameters by lower-case name, the first of each."""

    target: str
    parameters: Mapping[str, str]

    def get(self, name: str) -> str:
        """Return a parameter, or nothing."""
        return self.parameters.get(name, "")


def find(values: Iterable[str], *, document: str, base_url: str | None, merge: bool = True) -> Extraction:
    """Find the image sets of a response's Link headers, one string per header line, in order.

    URLs are resolved on ``base_url``, the response's own address. References have line 0 and no span: a header is not in
    the document. Never raises for strings.
    """
    context = Context(document, base_url)
    sets: list[ImageSet] = []
    problems: list[Problem] = []
    for value in values:
        for link in parse(value):
            if isinstance(link, Problem):
                problems.append(replace(link, document=document))
            elif (row := _image_set(link, context)) is not None:
                sets.append(row)
    problems += [problem for row in sets if not row.candidates for problem in row.problems]
    usable = tuple(row for row in sets if row.candidates)
    return Extraction(merged(usable) if merge else usable, tuple(problems))


def parse(value: str) -> Iterator[Link | Problem]:
    """Split one header value into its links. Commas inside ``<…>`` and quotes separate nothing; linear."""
    position = 0
    for _ in range(MAX_LINKS):
        position = _end(_SEPARATORS, value, position)
        match = _TARGET.match(value, position)
        if match is None:
            # An open bracket runs to the end, as an open quote does: nothing is looked at twice.
            end = _end(_NEXT, value, position)
            if end > position:
                message = (
                    f"`{shown(value[position : min(end, position + 80)].strip())}` is no link: a link starts with <…>."
                )
                yield Problem("malformed-link-header", message)
        else:
            parameters: dict[str, str] = {}
            end = match.end()
            while (parameter := _PARAMETER.match(value, end)) is not None:
                parameters.setdefault(parameter[1].lower(), _value(parameter))
                end = parameter.end()
            yield Link(match[1].strip(), parameters)
            end = _end(_NEXT, value, end)
        if end >= len(value):
            return
        position = end + 1


def _end(pattern: re.Pattern[str], value: str, position: int) -> int:
    match = pattern.match(value, position)
    return match.end() if match else position


def _value(parameter: re.Match[str]) -> str:
    quoted, bare = parameter[2], parameter[3]
    return _QUOTED_PAIR.sub(r"\1", quoted) if quoted is not None else (bare or "").strip()


def _image_set(link: Link, context: Context) -> ImageSet | None:
    is_preload = "preload" in link.get("rel").lower().split() and link.get("as").lower() == "image"
    if not is_preload and link_relation(link.get("rel"), link.get("as"), link.target) is None:
        return None
    candidates: tuple[Candidate, ...] = ()
    problems: tuple[Problem, ...] = ()
    if is_preload:
        candidates, problems = _srcset(link.get("imagesrcset"), context)
    default = None
    if link.target or not candidates:
        outcome = _placed(Candidate(link.target, (0, len(link.target))), "href", context)
        default = outcome if isinstance(outcome, Candidate) else None
        problems += () if isinstance(outcome, Candidate) else (outcome,)
    source = Source(
        CARRIER,
        candidates,
        default,
        media=link.parameters.get("media"),
        mime=link.parameters.get("type"),
        sizes=link.parameters.get("imagesizes"),
    )
    return ImageSet(context.document, 0, (source,), problems=problems)


def _srcset(text: str, context: Context) -> tuple[tuple[Candidate, ...], tuple[Problem, ...]]:
    if text.count(",") > MAX_CANDIDATES:
        message = f"The imagesrcset of a Link header has more than {MAX_CANDIDATES:,} entries: it is left out."
        return (), (Problem("too-many-candidates", message, document=context.document),)
    parsed = parse_srcset(text)
    candidates, skipped = split_problems(_placed(each, "imagesrcset", context) for each in parsed.candidates)
    return candidates, tuple(replace(problem, document=context.document) for problem in parsed.problems) + skipped


def _placed(candidate: Candidate, attribute: str, context: Context) -> Candidate | Problem:
    reference = Reference(context.document, CARRIER, attribute, 0)
    return placed(candidate, raw_url=candidate.url, reference=reference, context=context)
