"""Every row of the truth tables."""

from __future__ import annotations

import pytest

from mediamirror.jobs.sync.plan import (
    ATTRIBUTES,
    COPIED_BEFORE,
    EXISTS,
    EXTRA,
    NOT_IN_DEST,
    OTHER_BYTES,
    OTHER_SIZE,
    SAME_BYTES,
    SAME_SIZE,
    UNKNOWN,
    Census,
    Decision,
    Rules,
    Side,
    decide,
    refusal,
    selected,
)
from mediamirror.settings import CompareOptions, SyncOptions

A = Side(5, "aa", "place/k#5#t1")
B = Side(5, "bb", "other/k#5#t2")
UNHASHED = Side(5, None, "other/k#5#t2")
COPY_OF_A = Side(5, None, "other/k#5#t2", twin="place/k#5#t1")


@pytest.mark.parametrize(
    ("source", "destination", "rules", "decision"),
    [
        (None, B, Rules(), EXTRA),
        (A, None, Rules(), NOT_IN_DEST),
        (A, None, Rules(size_only=True, ignore_existing=True), NOT_IN_DEST),
        (A, Side(6, "bb"), Rules(ignore_existing=True), EXISTS),
        (A, Side(6, "aa"), Rules(), OTHER_SIZE),
        (A, Side(6, "aa"), Rules(size_only=True), OTHER_SIZE),
        (A, B, Rules(size_only=True), SAME_SIZE),
        (A, B, Rules(), OTHER_BYTES),
        (A, Side(5, "bb", "s", twin=A.state), Rules(), OTHER_BYTES),
        (A, Side(5, "aa", "other"), Rules(), SAME_BYTES),
        (A, COPY_OF_A, Rules(), COPIED_BEFORE),
        (Side(5, None, "place/k#5#t9"), COPY_OF_A, Rules(), UNKNOWN),
        (A, UNHASHED, Rules(), UNKNOWN),
        (UNHASHED, A, Rules(), UNKNOWN),
        (Side(5), Side(5), Rules(), UNKNOWN),
        (A, Side(5, "aa"), Rules(attributes=True), ATTRIBUTES),
        (A, COPY_OF_A, Rules(attributes=True), ATTRIBUTES),
        (A, B, Rules(attributes=True), OTHER_BYTES),
        (A, UNHASHED, Rules(attributes=True), UNKNOWN),
    ],
)
def test_the_decision_follows_the_table(
    source: Side | None, destination: Side | None, rules: Rules, decision: Decision
) -> None:
    assert decide(source, destination, rules) == decision


@pytest.mark.parametrize(
    ("census", "options", "said"),
    [
        (Census(0, 3, 3), SyncOptions(), None),
        (Census(3, 3, 0), SyncOptions(delete=True, max_delete=0), None),
        (Census(3, 5, 3), SyncOptions(delete=True, max_delete=2), "--max-delete allows 2"),
        (Census(3, 5, 2), SyncOptions(delete=True, max_delete=2), None),
        (Census(0, 3, 3), SyncOptions(delete=True), "the source is empty"),
        (Census(4, 3, 3), SyncOptions(delete=True), "shares no key"),
        (Census(0, 3, 3), SyncOptions(delete=True, force=True), None),
        (Census(0, 3, 3), SyncOptions(delete=True, force=True, max_delete=2), "--max-delete allows 2"),
        (Census(1, 3, 2), SyncOptions(delete=True), None),
    ],
)
def test_deletions_are_refused_by_the_table(census: Census, options: SyncOptions, said: str | None) -> None:
    refused = refusal(census, options)
    assert (refused is None) if said is None else (refused is not None and said in refused.message)


@pytest.mark.parametrize(
    ("key", "include", "exclude", "wanted"),
    [
        ("a/b.webp", (), (), True),
        ("a/b.webp", ("*.webp",), (), True),
        ("a/b.webp", ("b.webp",), (), True),
        ("a/b.webp", ("a/*",), (), True),
        ("a/b.webp", ("*.png",), (), False),
        ("a/b.webp", (), ("a/*",), False),
        ("a/b.webp", ("*.webp",), ("b*",), False),
        ("a/B.webp", ("b.webp",), (), False),
        ("a/b.webp", (), ("/a/*",), False),
        ("a/b.webp", (), ("./a/*",), False),
        ("a/b.webp", ("/b.webp",), (), False),
        ("b.webp", ("/b.webp",), (), True),
        ("a/b.webp", (), ("a/",), False),
        ("x/a/b/c.webp", (), ("a/",), False),
        ("x/a/b.webp", (), ("/a/",), True),
        ("a/c/b.webp", (), ("/a/",), False),
        ("xa/b.webp", (), ("a/",), True),
        ("a", (), ("a/",), True),
        ("b.webp", ("**/b.webp",), (), True),
        ("x/a/b.webp", ("**/b.webp",), (), True),
        ("x/ab.webp", ("**/b.webp",), (), False),
    ],
)
def test_globs_choose_keys(key: str, include: tuple[str, ...], exclude: tuple[str, ...], wanted: bool) -> None:
    assert selected(key, CompareOptions(include=include, exclude=exclude)) is wanted
