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
    decide,
    refusal,
    same_attributes,
    selected,
)
from mediamirror.model import Held
from mediamirror.settings import CompareOptions, StoreOptions, SyncOptions
from mediamirror.store.base import ObjectAttributes

A = Held("k", "aa", 5, "t1")
B = Held("k", "bb", 5, "t2")
UNHASHED = Held("k", None, 5, "t2")
COPY_OF_A = Held("k", None, 5, "t2", twin="place/k#5#t1")


@pytest.mark.parametrize(
    ("source", "destination", "rules", "decision"),
    [
        (None, B, Rules(), EXTRA),
        (A, None, Rules(), NOT_IN_DEST),
        (A, None, Rules(size_only=True, ignore_existing=True), NOT_IN_DEST),
        (A, Held("k", "bb", 6), Rules(ignore_existing=True), EXISTS),
        (A, Held("k", "aa", 6), Rules(), OTHER_SIZE),
        (A, Held("k", "aa", 6), Rules(size_only=True), OTHER_SIZE),
        (A, B, Rules(size_only=True), SAME_SIZE),
        (A, B, Rules(), OTHER_BYTES),
        (A, Held("k", "bb", 5, "s", twin=A.state("place")), Rules(), OTHER_BYTES),
        (A, Held("k", "aa", 5, "other"), Rules(), SAME_BYTES),
        (A, COPY_OF_A, Rules(), COPIED_BEFORE),
        (Held("k", None, 5, "t9"), COPY_OF_A, Rules(), UNKNOWN),
        (A, UNHASHED, Rules(), UNKNOWN),
        (UNHASHED, A, Rules(), UNKNOWN),
        (Held("k", None, 5), Held("k", None, 5), Rules(), UNKNOWN),
        (A, Held("k", "aa", 5), Rules(attributes=True), ATTRIBUTES),
        (A, COPY_OF_A, Rules(attributes=True), ATTRIBUTES),
        (A, B, Rules(attributes=True), OTHER_BYTES),
        (A, UNHASHED, Rules(attributes=True), UNKNOWN),
    ],
)
def test_the_decision_follows_the_table(
    source: Held | None, destination: Held | None, rules: Rules, decision: Decision
) -> None:
    assert decide(source, destination, rules, "place") == decision


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


def attributes(
    *, metadata: tuple[tuple[str, str], ...] = (), headers: tuple[tuple[str, str], ...] = (), cache: str | None = None
) -> ObjectAttributes:
    return ObjectAttributes("image/webp", cache, metadata=metadata, headers=headers)


@pytest.mark.parametrize(
    ("source", "there", "same"),
    [
        # what servers add, leave out or write in another way: no copy would mend it
        (attributes(), attributes(metadata=(("mtime", "1764460800.5"),)), True),
        (attributes(metadata=(("note", ""),)), attributes(), True),
        (attributes(headers=(("expires", "Thu, 01 Jan 2032 00:00:00 GMT"),)), attributes(), True),
        (
            attributes(headers=(("content-disposition", 'inline; filename="a b.webp"'),)),
            attributes(headers=(("content-disposition", "inline; filename=%22a%20b.webp%22"),)),
            True,
        ),
        # what is another
        (attributes(metadata=(("mtime", "1"),)), attributes(metadata=(("mtime", "2"),)), False),
        (attributes(metadata=(("note", "x"),)), attributes(), False),
        (attributes(), attributes(metadata=(("note", "x"),)), False),
        (attributes(cache="max-age=60"), attributes(cache="max-age=61"), False),
        (attributes(cache="max-age=60"), attributes(), False),
        (attributes(headers=(("expires", "x"),)), attributes(headers=(("expires", "y"),)), False),
        (attributes(headers=(("content-disposition", "inline"),)), attributes(), False),
    ],
)
def test_attributes_differ_only_in_what_a_copy_would_mend(
    source: ObjectAttributes, there: ObjectAttributes, same: bool
) -> None:
    assert same_attributes(source, there, StoreOptions(), whole=True) is same
