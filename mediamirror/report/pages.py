"""Pages of the HTML report from their templates. Escaping is Jinja's, on for everything; nothing here touches the disk."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mediamirror.first_use import dataclass
from mediamirror.model import Problem, Summary, Suppressed
from mediamirror.report.cards import Card
from mediamirror.report.data import ACCEPTED, SOUND, UNCHECKED
from mediamirror.report.escape import link, shorten, shown_url, visible
from mediamirror.report.events import human_bytes, plural
from mediamirror.report.overview import Highlights, Tally

CHIPS = {
    **{"error": "errors", "warning": "warnings", "note": "notes"},
    **{SOUND: "sound", ACCEPTED: "accepted", UNCHECKED: "not checked"},
}
"""What the filters are called. The last two are there when they are wanted."""
_MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands on top of every page."""

    title: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One page of sets: its number from 1, how many pages there are, the rendered sets and their place in the whole."""

    number: int
    of: int
    sets: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What every page is told of the whole report."""

    heading: Heading
    tally: Tally
    highlights: Highlights
    summary: Summary
    problems: Sequence[Problem]
    off: Sequence[Suppressed]
    """Problems that are switched off."""
    per_page: int

    def address(self, number: int) -> str:
        """Where set ``number`` stands, relative to the folder."""
        return f"{page_name((number - 1) // self.per_page + 1)}#set-{number}"


def page_name(number: int) -> str:
    """The file name of a page."""
    return "index.html" if number == 1 else f"sets-{number:03d}.html"


def render_sets(cards: Sequence[Card]) -> str:
    """Render the sets of one page, under the heading of each document."""
    return _environment().get_template("sets.html").render(cards=cards)


def render_page(whole: Whole, page: Page) -> str:
    """Render a whole page around sets that are already rendered."""
    style, script = _asset("report.css"), _asset("report.js")
    problems = [(_place(p), visible(p.code), shorten(visible(p.message), 500)) for p in whole.problems[:_MOST_PROBLEMS]]
    off = [(visible(each.finding.rule), _switched_off(each)) for each in whole.off[:_MOST_PROBLEMS]]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=shorten(visible(whole.heading.title), 300),
            created=whole.heading.created,
            version=version("mediamirror"),
            page=page,
            sets=Markup(page.sets),  # noqa: S704  our own template's output
            page_name=page_name,
            address=whole.address,
            tally=whole.tally,
            summary=whole.summary,
            highlights=whole.highlights.chosen(),
            rules=whole.tally.rules(),
            chips={
                kind: words
                for kind, words in CHIPS.items()
                if kind not in (ACCEPTED, UNCHECKED) or whole.tally.having[kind]
            },
            facts=_facts(whole.tally, whole.summary),
            problems=problems,
            more_problems=len(whole.problems) - len(problems),
            problems_in_all=len(whole.problems),
            off=off,
            style=Markup(style),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            policy=_policy(style, script, page.of),
        )
    )


def _facts(tally: Tally, summary: Summary) -> list[tuple[str, str]]:
    # Elements without a usable URL, and elements that repeat a set, have cards for their findings.
    besides = tally.sets - summary.sets if summary.sets else 0
    of_objects = bool(summary.variants) and not summary.sets
    facts = [] if of_objects else [(plural(tally.sets - max(0, besides), "image set"), "")]
    if besides > 0:
        facts.append((plural(besides, "other element"), "with findings"))
    if summary.variants:
        facts.append((plural(summary.variants, "object" if of_objects else "file"), ""))
    if summary.documents:
        facts.append((plural(summary.documents, "document"), ""))
    if summary.bytes_in:
        facts.append((human_bytes(summary.bytes_in), "read"))
    if summary.suppressed:
        facts.append((plural(summary.suppressed, "finding"), "switched off, with reasons"))
    if summary.seconds:
        facts.append((f"{summary.seconds:,.1f} s", ""))
    return facts


def _place(problem: Problem) -> str:
    shown = shown_url(problem.document) or "-"
    return f"{shown}:{problem.line}" if problem.line else shown


def _switched_off(each: Suppressed) -> str:
    told = f"{each.finding.message} Switched off: {each.reason} ({each.where})"
    return shorten(visible(told), 500)


def _policy(style: str, script: str, pages: int) -> str:
    # Inline style and script by their hashes. `file:` stands for 'self' where a browser gives a file no origin of its own.
    scripts = f"'{_hash(script)}'" + (" 'self' file:" if pages > 1 else "")
    return (
        f"default-src 'none'; img-src 'self' file:; style-src '{_hash(style)}'; script-src {scripts};"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return files("mediamirror.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mediamirror.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plural": plural, "anchor": _anchor, "link": link, "by_document": _by_document}
    return environment


def _by_document(cards: Sequence[Card]) -> list[tuple[str, list[Card]]]:
    return [(document, list(group)) for document, group in groupby(cards, key=lambda card: card.document)]


def _anchor(code: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in code)
