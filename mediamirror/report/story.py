"""A story of the catalog as text and as JSON. No secret in either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mediamirror.catalog.story import Part, Story, VariantStory
from mediamirror.model import descriptor
from mediamirror.redact import lasting_headers, redact_text, redact_url
from mediamirror.report.escape import clean
from mediamirror.report.events import human_bytes


def to_object(story: Story) -> dict[str, Any]:
    """Return the JSON object, ``type: story``."""
    return {
        "type": "story",
        "kind": story.kind,
        "word": redact_text(story.word),
        "variants": [
            {
                "url": redact_url(each.url, room=None),
                "host": each.host,
                "named_by": list(each.named_by.rows),
                "standings": list(each.standings.rows),
                "findings": list(each.findings.rows),
                "fetches": [_fetch(row) for row in each.fetches.rows],
                "rewritten": list(each.rewritten.rows),
            }
            for each in story.variants
        ],
        "objects": list(story.objects.rows),
        "bytes": list(story.blobs),
    }


def to_lines(story: Story) -> Iterator[str]:
    """Yield the lines for people."""
    for each in story.variants:
        yield from _variant(each)
    if not story.variants:
        yield f"{clean(story.word)}: no URL is recorded for it"
    yield "Stored"
    for row in story.objects.rows:
        yield f"  {clean(row['store'])}  {clean(row['key'])}"
        size = f"{human_bytes(row['size'])} ({row['size']:,} bytes)"
        kind = f", {clean(row['content_type'])}" if row["content_type"] else ""
        since = f", since {row['stored_at']}" if row["stored_at"] else ""
        yield f"    {size}{kind}{since}"
        yield f"    sha256 {row['sha256'] or 'not known'}"
        if row["stripped_from"]:
            yield f"    stripped of its metadata: the origin gave sha256 {row['stripped_from']}"
        yield f"    change token (in a bucket the ETag) {clean(row['token'] or 'none')}"
    yield from _more(story.objects, "object", none="  nowhere")
    for blob in story.blobs:
        yield f"Bytes {blob['sha256']}"
        yield f"  {_pixels(blob)}"


def _variant(each: VariantStory) -> Iterator[str]:
    yield f"URL {clean(redact_url(each.url, room=None))}"
    for row in each.standings.rows:
        why = f": {clean(row['error_message'] or row['error_code'])}" if row["error_code"] else ""
        yield f"  {row['status']} in {clean(row['store'])} ({row['settled_at']}){why}"
    yield "  Named by"
    for row in each.named_by.rows:
        yield f"    {_place(row)}"
    yield from _more(each.named_by, "place", none="    no document that is still read so")
    for row in each.findings.rows:
        where = f" ({clean(row['document'])}:{row['line']})" if row["document"] else ""
        yield f"  {row['severity']} {row['rule']}{where}: {clean(row['message'])}"
    for row in each.rewritten.rows:
        yield f"  Rewritten in {clean(row['output'])} ({row['rewritten_at']}): {clean(row['address'])}"
    if each.rewritten.total > len(each.rewritten.rows):
        yield from _more(each.rewritten, "rewritten page", none="")
    yield "  Fetched"
    for number, row in enumerate(map(_fetch, each.fetches.rows)):
        yield from _exchange(row, with_headers=number == 0)
    yield from _more(each.fetches, "exchange", none="    never, as far as recorded")


def _place(row: dict[str, Any]) -> str:
    promise = descriptor(row["width"], row["density"] or None) or "no descriptor"
    how = " ".join(part for part in (row["carrier"], row["attribute"]) if part)
    notes = "  ".join(clean(text)[:80] for text in (row["context"], row["alt"]) if text)
    extra = "".join(f", {name} {clean(row[name])}" for name in ("mime", "media", "sizes") if row[name])
    tail = f"  {notes}" if notes else ""
    return f"{clean(row['document'])}:{row['line']}  {promise} ({how}{extra})  set {row['set_number']} {row['set_id'][:12]}{tail}"


def _exchange(row: dict[str, Any], *, with_headers: bool) -> Iterator[str]:
    answer = f"HTTP {row['http_status']}" if row["http_status"] else "no answer"
    size = f", {human_bytes(row['received'])}" if row["received"] else ""
    took = f" in {row['seconds']:.2f} s" if row["seconds"] else ""
    why = f", {row['error_code']}: {clean(row['error_message'] or '')}" if row["error_code"] else ""
    digest = f", sha256 {row['sha256'][:12]}" if row["sha256"] else ""
    yield f"    {row['fetched_at']}  {answer}{size}{took}{digest}{why}"
    if row["redirects"] is None and row["final_url"]:
        yield "      its redirects were not recorded"
    for url, status, _ in row["redirects"] or ():
        yield f"      {status} {clean(url)}"
    if row["final_url"]:
        yield f"      final URL {clean(row['final_url'])}"
    if with_headers:
        for name, value in row["headers"]:
            yield f"      {clean(name)}: {clean(value)}"


def _pixels(blob: dict[str, Any]) -> str:
    if blob["format"] is None:
        return f"{human_bytes(blob['size'])}, not a valid image"
    if blob["width"] is None:
        return f"{blob['format']}, {human_bytes(blob['size'])}, stored unchanged"
    looked = "every pixel decoded" if blob["decoded"] else "only the header was read"
    notes = [f"{blob['width']}×{blob['height']} {blob['format']}", human_bytes(blob["size"]), looked]
    notes += [f"{blob['frames']} frames"] if (blob["frames"] or 1) > 1 else []
    notes += [str(blob["mode"])] if blob["mode"] else []
    for column, name in (("alpha", "alpha"), ("icc", "ICC profile"), ("has_gps", "GPS position")):
        notes += [name] if blob[column] else []
    notes += [f"orientation {blob['orientation']}"] if (blob["orientation"] or 1) != 1 else []
    corrected = (blob["corrected_width"], blob["corrected_height"])
    notes += ["taken for {}×{} by browsers".format(*corrected)] if corrected[0] else []
    return ", ".join(notes)


def _more(part: Part, noun: str, *, none: str) -> Iterator[str]:
    if not part.rows:
        yield none
    elif part.total > len(part.rows):
        yield f"    and {part.total - len(part.rows):,} more {noun}s"


def _fetch(row: dict[str, Any]) -> dict[str, Any]:
    hops = row["redirects"]
    return {
        **row,
        "final_url": redact_url(row["final_url"], room=None) if row["final_url"] else None,
        # A release before this one recorded more of them.
        "headers": lasting_headers(row["headers"]),
        "redirects": None
        if hops is None
        else [[redact_url(url, room=None), status, lasting_headers(rows)] for url, status, rows, _ in hops],
    }
