"""MM5xx: whether a mirror still holds what it recorded. The job reads the objects; these rules compare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mediamirror.lint.formats import format_of_mime
from mediamirror.lint.rules import RULES, StoredRule, Violation
from mediamirror.model import Facts, Finding, Reference, Severity


@dataclass(frozen=True, slots=True)
class StoredSubject:
    """One object: what was recorded of it, and what was read just now.

    ``recorded_sha256`` and ``recorded_type`` are None where nothing was recorded. ``present`` is False for an object that
    the catalog has and the store has not. ``facts`` are those of the bytes, None where they are no image that is read here.
    """

    key: str
    mirror: str
    present: bool
    recorded_sha256: str | None
    sha256: str | None = None
    content_type: str | None = None
    facts: Facts | None = None


@RULES.add_stored(
    "MM501",
    "object-missing",
    Severity.ERROR,
    summary="The catalog has an object that the mirror does not hold any more.",
    why="Pages that point at the mirror show a broken picture.",
    fix="Run the same `mediamirror mirror` command again: what is missing is fetched and stored anew.",
)
def object_missing(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when the object is gone."""
    if not subject.present:
        yield Violation("The mirror does not hold this object any more.", "stored", "missing")


@RULES.add_stored(
    "MM502",
    "bytes-changed",
    Severity.ERROR,
    summary="An object's bytes are not those that were recorded when it was stored.",
    why="A disk, a transfer or a person has changed them since; size and time may well be the same.",
    fix="Run the same `mediamirror mirror` command again, or copy the object from another mirror.",
)
def bytes_changed(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when both hashes are known and differ."""
    recorded, found = subject.recorded_sha256, subject.sha256
    if recorded is not None and found is not None and recorded != found:
        yield Violation(
            f"The bytes have changed: recorded sha256 {recorded[:16]}…, found {found[:16]}….", recorded, found
        )


@RULES.add_stored(
    "MM503",
    "stored-type-differs",
    Severity.WARNING,
    summary="An object is stored with a Content-Type of another format than its bytes have.",
    why="The bucket serves it under that type, and caches and tools believe it.",
    fix="`verify --mirror --repair` stores it again under the type of its bytes, all else kept.",
)
def stored_type_differs(subject: StoredSubject) -> Iterator[Violation]:
    """Fire when the store says another type than the bytes."""
    facts, stored = subject.facts, subject.content_type
    if facts is None or stored is None or format_of_mime(stored) == facts.format:
        return
    if stored != facts.content_type:
        yield Violation(f"Stored as {stored}, but the bytes are {facts.format}.", stored, facts.content_type)


def check_stored(subject: StoredSubject, codes: frozenset[str]) -> tuple[Finding, ...]:
    """Run the chosen rules on one object; its key stands for the URL."""
    return run_stored("object", subject, codes, url=subject.key, reference=Reference(subject.mirror, "object", None, 0))


def run_stored(
    about: str, subject: object, codes: frozenset[str], *, url: str, reference: Reference
) -> tuple[Finding, ...]:
    """Run the chosen rules about one kind of things in a mirror."""
    rules = [r for r in RULES.all() if isinstance(r, StoredRule) and r.about == about and r.code in codes]
    return tuple(
        rule.finding(found, url=found.url or url, reference=reference)
        for rule in rules
        for found in rule.check(subject)
    )
