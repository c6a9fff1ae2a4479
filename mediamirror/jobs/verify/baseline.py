"""A baseline: the findings that are known and accepted for now, so that only new ones count."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mediamirror.errors import InputMissing, UsageError
from mediamirror.model import Finding
from mediamirror.redact import redact_text
from mediamirror.scratch import replace_file

FORMAT = 1


class _OtherRelease(UsageError):
    """A baseline that is none of ours any more, or not yet."""


def fingerprint(finding: Finding) -> str:
    """Identify a finding by what it is about, not by its line: a paragraph added above changes nothing."""
    document = finding.reference.document if finding.reference else ""
    # What names no file is told apart by its words alone.
    words = "" if finding.url else finding.message
    parts = (
        finding.rule,
        document,
        finding.url,
        finding.declared or "",
        finding.actual or "",
        *((words,) if words else ()),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def read_baseline(path: Path) -> frozenset[str]:
    """Read a baseline file. Raises `InputMissing` or `UsageError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT:
            raise _OtherRelease(f"The baseline {path} is of another release: write it again with --write-baseline.")
        return frozenset(str(row["fingerprint"]) for row in value["findings"])
    except FileNotFoundError:
        raise InputMissing(f"The baseline {path} does not exist: make it with --write-baseline {path}.") from None
    except OSError as error:
        raise UsageError(f"The baseline {path} can't be read ({error.strerror}): name another file.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is no baseline, and is left as it is: give the file that --write-baseline wrote. If it was this one and "
            "is damaged, move it away and write it again."
        ) from error


def check_place(path: Path) -> None:
    """Raise `UsageError` when no baseline can be written to ``path``: better before a long run than after it."""
    if (why := _bar(path)) is not None:
        raise UsageError(
            f"The baseline can't be written to {path} ({why}): name a file in a folder that you may write to."
        )
    if path.is_file() and path.stat().st_size:
        with suppress(_OtherRelease):
            read_baseline(path)  # what is no baseline is somebody's, and not written over


def _bar(path: Path) -> str | None:
    folder = path.parent
    if path.is_dir():
        return "it is a folder"
    if not folder.is_dir():
        return "there is no such folder"
    if not os.access(folder, os.W_OK):
        return "its folder is not writable"
    return "it is a device, a pipe or a socket" if path.exists() and not path.is_file() else None


def write_baseline(path: Path, findings: Iterable[Finding]) -> int:
    """Write the findings as the new baseline, readable and in a stable order. Returns how many. Raises `UsageError`."""
    rows = {
        fingerprint(f): {
            "fingerprint": fingerprint(f),
            "rule": f.rule,
            "document": redact_text(f.reference.document) if f.reference else None,
            "url": redact_text(f.url),
        }
        for f in findings
    }
    ordered = sorted(rows.values(), key=lambda row: (str(row["document"]), str(row["url"]), str(row["rule"])))
    text = json.dumps({"format": FORMAT, "findings": ordered}, indent=1)
    try:
        replace_file(path, f"{text}\n".encode())
    except OSError as error:
        raise UsageError(f"The baseline can't be written to {path} ({error.strerror}): name another file.") from error
    return len(ordered)
