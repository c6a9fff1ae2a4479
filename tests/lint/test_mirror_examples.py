"""The example of each rule about a mirror sets off that rule as it stands there, and what is shown instead sets off nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mediamirror import extract
from mediamirror.lint import all_rules, get_rule
from mediamirror.lint.stored import (
    SourceSubject,
    StoredSubject,
    check_mirrored,
    check_source,
    check_stored,
)
from mediamirror.model import Finding, ImageFacts, ImageSet, ItemError, SetResult, SetRow, Status

SITE = "https://site.example/"
CODES = frozenset(rule.code for rule in all_rules())
RULES = sorted(code for code in CODES if code.startswith("MM5"))
SOUND = StoredSubject("harbour-640.webp", "m", True, "a", "a", "image/webp", ImageFacts("webp", 640, 427))
KEPT = SourceSubject(f"{SITE}harbour-640.webp", "harbour-640.webp", "a", datetime.now(UTC), 304)

OBJECTS = {
    "missing in the mirror": replace(SOUND, present=False, sha256=None, facts=None),
    "not the bytes that were recorded": replace(SOUND, sha256="b"),
    "stored as text/plain": replace(SOUND, content_type="text/plain"),
    "copied into the mirror by hand": replace(SOUND, recorded_sha256=None),
    "the first half of a WebP file, recorded like that": replace(SOUND, facts=None, unsound="It ends in its middle."),
    **dict.fromkeys(("", "stored again", "the recorded bytes", "stored as image/webp"), SOUND),
    **dict.fromkeys(("recorded by catalog import", "the whole file"), SOUND),
}
"""An object of the mirror, by what an example says of it; what stands here or in the next table is tried, and nothing else."""

ORIGINS = {
    "the origin has newer bytes": replace(KEPT, http_status=200, sha256="b"),
    "the origin answers 404": replace(KEPT, http_status=404),
    "downloaded again": replace(KEPT, http_status=200, sha256="a"),
    "where the origin has it now": KEPT,
}
"""What the origin of an object says."""

NEVER_STORED = "never stored: its download failed"


def row_of(url: str, said: str) -> SetRow:
    if said == NEVER_STORED:
        return SetRow(url, status=Status.FAILED, error=ItemError("http-status", "HTTP 404"))
    return SetRow(url, status=Status.STORED, key=url.removeprefix(SITE))


def found_in(image_set: ImageSet, words: dict[str, str]) -> list[Finding]:
    said = {c.url: words.pop(c.url.removeprefix(SITE), "") for c in image_set.candidates}
    assert words == {}, "an example speaks of a file that its markup does not name"
    rows = tuple(row_of(url, each) for url, each in said.items())
    found = list(check_mirrored(SetResult("page.html", 1, rows), CODES))
    for each in said.values():
        if each in ORIGINS:
            found += check_source(ORIGINS[each], CODES)
        elif each != NEVER_STORED:
            found += check_stored(OBJECTS[each], CODES)
    return found


@pytest.mark.parametrize("code", RULES)
@pytest.mark.parametrize("good", [False, True])
def test_the_example_of_a_rule_about_a_mirror_is_true(code: str, good: bool) -> None:
    words = get_rule(code).words
    markup, files = (words.good, words.good_files) if good else (words.bad, words.bad_files)
    (image_set,) = extract(markup.encode(), media_type="text/html", base_url=SITE)
    assert [each.rule for each in found_in(image_set, dict(files))] == ([] if good else [code])
