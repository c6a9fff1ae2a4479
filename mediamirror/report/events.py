"""A run's events: as JSON objects, whose field names are a promise (docs/json.md), and as sentences for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mediamirror.first_use import replace
from mediamirror.model import (
    Candidate,
    Event,
    Finding,
    ImageSet,
    ItemError,
    ObjectEvent,
    Outcome,
    Problem,
    Source,
    Summary,
    Suppressed,
)
from mediamirror.redact import may_hide, redact_values
from mediamirror.report.escape import plain_json

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_objects(event: Event) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of one event, in order; events that are only for tables have none."""
    match event:
        case ImageSet():
            yield _image_set(event)
        case Problem():
            yield {"type": "problem", **_problem(event), "document": event.document}
        case Outcome():
            yield _variant(event)
            yield from map(_finding, event.findings)
        case Finding():
            yield _finding(event)
        case Suppressed():
            yield _finding(event.finding) | {"type": "suppressed", "reason": event.reason, "where": event.where}
        case ObjectEvent():
            yield _object(event)
        case Summary():
            yield _summary(event)
        case _:
            return


def lines_of(sets: Sequence[ImageSet], *, hide: bool = False) -> str:
    """Render image sets as `to_line` does, a line each."""
    return "".join(to_line(_image_set(each), hide=hide) + "\n" for each in sets)


def to_line(value: dict[str, Any], *, hide: bool = False) -> str:
    """Render one JSON object on one line, non-ASCII kept, lone surrogates escaped; with ``hide`` URLs lose their secrets."""
    line = _JSON.encode(value)
    if hide or may_hide(line):
        line = _JSON.encode(redact_values(value, whole_urls=not hide))
    return plain_json(line)


def problems_of(event: ImageSet | Problem) -> Iterator[Problem]:
    """The problems that an event tells of, each with the place where it is, or where its set is."""
    if isinstance(event, Problem):
        yield event
        return
    for each in event.problems:
        yield replace(each, document=each.document or event.document, line=each.line or event.line)


def _problem(problem: Problem) -> dict[str, Any]:
    return fields_of(problem, "code message line")


def _image_set(image_set: ImageSet) -> dict[str, Any]:
    return {
        "type": "image-set",
        **fields_of(image_set, "document line alt context inferred"),
        "candidates": [_candidate(source, candidate) for source, candidate in image_set.entries],
        "problems": list(map(_problem, image_set.problems)),
    }


def _candidate(source: Source, candidate: Candidate) -> dict[str, Any]:
    # A text can hold a million: `fields_of` takes five times as long.
    reference = candidate.reference
    return {
        "url": candidate.url,
        "width": candidate.width,
        "density": candidate.density,
        "height": candidate.height,
        "carrier": source.carrier,
        "attribute": reference.attribute if reference else None,
        "media": source.media,
        "mime": source.mime,
        "sizes": source.sizes,
        "line": reference.line if reference else None,
    }


def _variant(outcome: Outcome) -> dict[str, Any]:
    size = ("width", "height", "format")
    return {
        "type": "variant",
        "url": outcome.variant.url,
        "final_url": outcome.final_url,
        "status": outcome.status.value,
        "key": outcome.key,
        "declared_width": list(outcome.variant.declared_widths),
        **{name: getattr(outcome.facts, name) if outcome.facts else None for name in size},
        "bytes": outcome.size,
        "sha256": outcome.sha256,
        "source_sha256": outcome.source.sha256 if outcome.source else None,
        "findings": sorted({finding.rule for finding in outcome.findings}),
        "error": _error(outcome.error),
    }


def _error(error: ItemError | None) -> dict[str, Any] | None:
    return fields_of(error, "code message") if error else None


def _finding(finding: Finding) -> dict[str, Any]:
    reference = finding.reference
    return {
        "type": "finding",
        "rule": finding.rule,
        "severity": finding.severity.value,
        "url": finding.url,
        "document": reference.document if reference else None,
        "line": reference.line if reference else None,
        **fields_of(finding, "message declared actual"),
    }


def _object(event: ObjectEvent) -> dict[str, Any]:
    return {
        "type": "object",
        **fields_of(event, "op key reason"),
        "bytes": event.size,
        "dry_run": event.dry_run,
        "error": _error(event.error),
    }


def fields_of(thing: object, names: str) -> dict[str, Any]:
    """Return attributes by name, in order; tuples as lists, which is what JSON has."""
    values = ((name, getattr(thing, name)) for name in names.split())
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _summary(summary: Summary) -> dict[str, Any]:
    counts = "documents sets variants statuses findings problems left bytes_in bytes_out bytes_saved bytes_unchanged known suppressed"
    told = {"type": "summary", **fields_of(summary, counts)}
    return told | {"seconds": round(summary.seconds, 3), "exit_code": summary.exit_code}


def human_bytes(size: int | None) -> str:
    """Render a size in bytes with a binary unit and three digits: ``23.1 KiB``."""
    if size is None:
        return ""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.0f} TiB"


def plural(count: int, noun: str) -> str:
    """``1 variant``, ``2 variants``; thousands are separated."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


_TABLES = ("parquet", "csv", "tsv", "jsonl")


def summary_sentence(summary: Summary) -> str:
    """Say in one line how a run ended."""
    if not summary.variants:
        return _without_images(summary)
    parts = [f"{count:,} {status}" for status, count in in_order(summary.statuses)]
    line = f"{plural(summary.sets, 'image set')}, {plural(summary.variants, 'variant')}"
    if not summary.sets:
        line = plural(summary.variants, "object")
    line += f": {', '.join(parts)}" if parts else f" in {plural(summary.documents, 'document')}"
    line += "".join(f"; {said}" for said in _troubles(summary))
    if parts:
        line += f"; {human_bytes(summary.bytes_in)} in"
        line += f" ({human_bytes(summary.bytes_saved)} saved)" if summary.bytes_saved else ""
        line += f" ({human_bytes(summary.bytes_unchanged)} of it unchanged)" if summary.bytes_unchanged else ""
        line += "" if "checked" in summary.statuses else f", {human_bytes(summary.bytes_out)} out"
        line += f", {summary.seconds:.1f} s"
    line += "."
    if summary.exit_code == 130 and summary.reads_alone:
        line += " Interrupted: the rest was not read."
    elif (
        summary.exit_code == 130 and not summary.sets
    ):  # a mirror is read as it is listed: nobody knows how much is left
        line += " Interrupted: run the same command again to go on after these."
    elif summary.exit_code == 130 and not summary.left:
        line += " Interrupted at its very end: run the same command again, which finishes what was left open."
    elif summary.exit_code == 130:
        line += f" Interrupted with {plural(summary.left, 'variant')} left: run the same command again to go on."
    return line


def _without_images(summary: Summary) -> str:
    """Say how a run ended that found no image."""
    if summary.exit_code == 130:
        return "Interrupted before the first image was found: run the same command again."
    if summary.problems and not summary.documents:
        return (
            f"No document can be used: {plural(summary.problems, 'problem')}."
            if summary.exit_code
            else "Nothing to do."
        )
    where = plural(summary.documents, "document")
    if summary.problems:
        return f"No image in {where} can be used: {plural(summary.problems, 'problem')}."
    kinds = " and ".join(filter(None, (", ".join(summary.kinds[:-1]), *summary.kinds[-1:])))
    others = "--as names another kind" + (", as urls for a list of URLs" if "text" in summary.kinds else "")
    others += ", --field another column" if any(f" in {each}" in kinds for each in _TABLES) else ""
    read_as = f" Read as {kinds}; {others}." if kinds else ""
    return f"No image found in {where}.{read_as}"


def headline(summary: Summary) -> str | None:
    """Say in one sentence how a run ended that looked at no image, or at the objects of a mirror; None for one of image sets."""
    if not summary.variants:
        return "No image can be used" if summary.exit_code else "No image was found"
    if summary.sets:
        return None
    total, bare = summary.variants, summary.statuses.get("unrecorded", 0)
    bad = summary.statuses.get("rejected", 0) + summary.statuses.get("failed", 0)
    some = total - bare
    if bad:
        told = f"{bad:,} of {plural(total, 'object')} {'is' if bad == 1 else 'are'} not what is recorded"
    elif not some:
        return f"{'The only object has' if total == 1 else f'All {total:,} objects have'} no record"
    elif some == 1:
        told = f"{'One' if bare else 'The only'} object is what is recorded of it"
    else:
        told = f"{'' if bare else 'All '}{some:,} objects are what is recorded of them"
    return told + (f"; {bare:,} {'has' if bare == 1 else 'have'} no record" if bare else "")


def _troubles(summary: Summary) -> Iterator[str]:
    if summary.findings:
        yield ", ".join(plural(n, severity) for severity, n in summary.findings.items())
    if summary.problems:
        yield plural(summary.problems, "problem")
    if summary.known:
        yield f"{plural(summary.known, 'known finding')} left out"
    if summary.suppressed:
        yield f"{plural(summary.suppressed, 'finding')} switched off"


def in_order(statuses: dict[str, int]) -> list[tuple[str, int]]:
    """Return counts by status, from what is as it should be to what failed."""
    order = ["stored", "checked", "unchanged", "duplicate", "skipped", "rejected", "failed"]
    return sorted(statuses.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))
