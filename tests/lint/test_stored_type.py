"""Which stored Content-Types are those of the bytes."""

from __future__ import annotations

import pytest

from mediamirror.lint import choose_codes
from mediamirror.lint.stored import StoredSubject, check_stored
from mediamirror.model import ImageFacts


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ("image/jpeg", []),
        ("image/jpeg; charset=utf-8", []),
        ("IMAGE/JPEG", []),
        ("image/jpg", []),
        (None, []),
        ("image/png", ["MM503"]),
        ("binary/octet-stream", ["MM503"]),
        ("text/html", ["MM503"]),
    ],
)
def test_a_stored_type_is_wrong_when_it_names_another_format(stored: str | None, told: list[str]) -> None:
    subject = StoredSubject("a.jpg", "m", True, "0" * 64, "0" * 64, stored, ImageFacts("jpeg", 8, 8))
    assert [finding.rule for finding in check_stored(subject, choose_codes())] == told
