"""A Markdown summary, for a pull request or a job summary: the verdict, the rules that fired, the gravest findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mediamirror.first_use import pattern
from mediamirror.model import Severity
from mediamirror.report.data import ACCEPTED, GRAVITY, Entry, ReportData, all_entries, explain, is_unseen, verdict_of
from mediamirror.report.escape import file_name, link, shorten, shown_url, visible
from mediamirror.report.events import headline, plural, summary_sentence

_MARKS = {Severity.ERROR: "🔴 error", Severity.WARNING: "🟡 warning", Severity.NOTE: "🔵 note"}
_PUNCTUATION = pattern(r"([\\`*_{}\[\]()+!|~-])")
_SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", ":": "&#58;", "#": "&#35;"})


def to_markdown(data: ReportData, *, limit: int = 100) -> str:
    """Render a run as GitHub Flavored Markdown with at most ``limit`` findings, gravest first; the rest is counted."""
    entries = sorted(all_entries(data.sets), key=lambda entry: GRAVITY[entry.severity])
    lines = [
        f"## {escape(data.title)}",
        "",
        f"**{_verdict(entries, data)}**",
        "",
        escape(summary_sentence(data.summary)),
        "",
    ]
    if entries:
        lines += [*_rules(entries), "", *_findings(entries[:limit])]
    if len(entries) > limit:
        lines += ["", f"and {plural(len(entries) - limit, 'more finding')}."]
    lines += _problems(data, limit)
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no link, no mention."""
    return _PUNCTUATION.sub(r"\\\1", visible(text)).translate(_SPECIAL).replace("www.", "www&#46;")


def _verdict(entries: Sequence[Entry], data: ReportData) -> str:
    unseen = sum(is_unseen(each) and verdict_of(each) != Severity.ERROR.value for each in data.sets)
    aside = f"; ⚪ {plural(unseen, 'image')} not checked" if unseen else ""
    if data.sets and unseen == len(data.sets):
        return f"⚪ No image was checked, of {unseen:,}."
    unread = sum(problem.severity is Severity.ERROR for problem in data.problems)
    aside += f"; 🔴 {plural(unread, 'problem')} of the inputs" if unread else ""
    if not entries and unread:
        return aside.removeprefix("; ")
    told = headline(data.summary)
    if not entries and told is not None and (data.summary.variants or not data.sets):
        mark = "✅" if data.summary.variants else "🔴" if data.summary.exit_code else "⚪"
        return f"{mark} {told}."
    if not entries and (accepted := sum(verdict_of(image_set) == ACCEPTED for image_set in data.sets)):
        known = f"the findings of {accepted:,} are known or switched off"
        return f"✅ Nothing new is wrong in {plural(len(data.sets), 'image')}; {known}{aside}."
    if not entries:
        return f"✅ Every image{' that was checked' if unseen else ''} is what the page promises{aside}."
    counts = Counter(entry.severity for entry in entries)
    return (
        "; ".join(
            f"{_MARKS[severity].split()[0]} {plural(counts[severity], severity.value)}"
            for severity in GRAVITY
            if counts[severity]
        )
        + aside
    )


def _rules(entries: Sequence[Entry]) -> Iterator[str]:
    yield "| rule | | findings | what it means |"
    yield "| --- | --- | ---: | --- |"
    counts = Counter(entry.rule for entry in entries)
    for rule in dict.fromkeys(entry.rule for entry in entries):
        gravest = next(entry.severity for entry in entries if entry.rule == rule)
        yield f"| {escape(rule)} | {_MARKS[gravest]} | {counts[rule]:,} | {escape(explain(rule).summary)} |"


def _findings(entries: Sequence[Entry]) -> Iterator[str]:
    yield "| where | rule | finding | declared | found | image |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for entry in entries:
        where = escape(shorten(shown_url(entry.document), 80)) + (f"&#58;{entry.line}" if entry.line else "")
        cells = (
            where,
            escape(entry.rule),
            _cut(entry.message),
            _cut(entry.declared),
            _cut(entry.actual),
            _image(entry.url),
        )
        yield f"| {' | '.join(cells)} |"


def _cut(text: str | None) -> str:
    return escape(shorten(visible(text or ""), 300))


def _image(url: str) -> str:
    if not url:
        return ""
    name, target = escape(shorten(file_name(url), 60)), link(url)
    return f"[{name}](<{target.replace('|', '%7C')}>)" if target else name


def _problems(data: ReportData, limit: int) -> Iterator[str]:
    if not data.problems:
        return
    yield from ("", f"### {plural(len(data.problems), 'problem')} in the inputs", "")
    for problem in data.problems[:limit]:
        place = f"{shown_url(problem.document)}:{problem.line}" if problem.line else shown_url(problem.document)
        yield f"- {escape(place)}&#58; {escape(problem.code)}&#58; {_cut(problem.message)}"
    if len(data.problems) > limit:
        yield f"- and {len(data.problems) - limit:,} more"
