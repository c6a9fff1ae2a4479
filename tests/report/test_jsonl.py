"""JSON objects: the field names are a promise."""

import json

from mediamirror.model import (
    Candidate,
    Finding,
    ImageFacts,
    ImageSet,
    ItemError,
    ObjectEvent,
    Outcome,
    Planned,
    Problem,
    Promise,
    Reference,
    Severity,
    Source,
    Status,
    Summary,
    Variant,
)
from mediamirror.report.events import to_line, to_objects

REFERENCE = Reference("p.html", "img", "srcset", 7, (10, 20))


def test_an_image_set_lists_every_candidate_with_its_source() -> None:
    wide = Candidate("https://h/w", (0, 1), 480, reference=REFERENCE)
    source = Source("img", (wide,), media="print", mime="image/webp", sizes="50vw")
    found = ImageSet("p.html", 7, (source,), "alt", "2025", problems=(Problem("x", "why", 8),))
    assert list(to_objects(found)) == [
        {
            "type": "image-set",
            "document": "p.html",
            "line": 7,
            "alt": "alt",
            "context": "2025",
            "inferred": False,
            "candidates": [
                {
                    "url": "https://h/w",
                    "width": 480,
                    "density": None,
                    "height": None,
                    "carrier": "img",
                    "attribute": "srcset",
                    "media": "print",
                    "mime": "image/webp",
                    "sizes": "50vw",
                    "line": 7,
                }
            ],
            "problems": [{"code": "x", "message": "why", "line": 8}],
        }
    ]


def test_a_rejected_variant_has_its_error_and_its_findings_follow() -> None:
    finding = Finding("MM301", Severity.ERROR, "no", "https://h/w", REFERENCE, "480w", "400 px")
    variant = Variant("https://h/w", (Promise(480, None, REFERENCE),))
    outcome = Outcome(
        variant,
        Status.REJECTED,
        "https://h/w",
        None,
        ImageFacts("webp", 400, 300),
        9,
        "ab",
        (finding,),
        ItemError("MM301", "no"),
    )
    assert list(to_objects(outcome)) == [
        {
            "type": "variant",
            "url": "https://h/w",
            "final_url": "https://h/w",
            "status": "rejected",
            "key": None,
            "declared_width": [480],
            "width": 400,
            "height": 300,
            "format": "webp",
            "bytes": 9,
            "sha256": "ab",
            "source_sha256": None,
            "findings": ["MM301"],
            "error": {"code": "MM301", "message": "no"},
        },
        {
            "type": "finding",
            "rule": "MM301",
            "severity": "error",
            "url": "https://h/w",
            "document": "p.html",
            "line": 7,
            "message": "no",
            "declared": "480w",
            "actual": "400 px",
        },
    ]


def test_a_failed_variant_has_nulls_where_nothing_is_known() -> None:
    row = next(to_objects(Outcome(Variant("https://h/w"), Status.FAILED, error=ItemError("http-status", "404"))))
    assert (row["width"], row["sha256"], row["declared_width"], row["error"]["code"]) == (None, None, [], "http-status")


def test_object_and_summary_and_problem_rows() -> None:
    assert next(to_objects(ObjectEvent("upload", "k", "new", 5, True)))["dry_run"] is True
    assert next(to_objects(Summary(statuses={"stored": 2}, seconds=1.23456)))["seconds"] == 1.235
    assert next(to_objects(Problem("c", "m", 3, document="d"))) == {
        "type": "problem", "code": "c", "message": "m", "line": 3, "document": "d"
    }  # fmt: skip


def test_events_for_people_alone_have_no_row() -> None:
    assert list(to_objects(Planned(1, 2, 3, 4))) == []


def test_a_lone_surrogate_and_a_newline_do_not_break_the_line() -> None:
    line = to_line({"a": "x\ny\ud800", "b": "é"})
    assert "\n" not in line
    assert json.loads(line)["b"] == "é"
