"""Numbers and names as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from mediamirror.model import Summary


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


def summary_sentence(summary: Summary) -> str:
    """Say in one line how a run ended."""
    if not summary.variants and summary.exit_code == 130:
        return "Interrupted before the first image was found: run the same command again."
    if not summary.variants:
        where = plural(summary.documents, "document")
        if summary.problems:
            return f"No image in {where} can be used; {plural(summary.problems, 'problem')} told above."
        return f"No image found in {where}."
    parts = [f"{count:,} {status}" for status, count in _in_order(summary.statuses)]
    line = f"{plural(summary.sets, 'image set')}, {plural(summary.variants, 'variant')}"
    if not summary.sets:
        line = plural(summary.variants, "object")
    line += f": {', '.join(parts)}" if parts else f" in {plural(summary.documents, 'document')}"
    line += "".join(f"; {said}" for said in _troubles(summary))
    if parts:
        line += f"; {human_bytes(summary.bytes_in)} in"
        line += f" ({human_bytes(summary.bytes_saved)} spared)" if summary.bytes_saved else ""
        line += "" if "checked" in summary.statuses else f", {human_bytes(summary.bytes_out)} out"
        line += f", {summary.seconds:.1f} s"
    line += "."
    if summary.exit_code == 130 and not summary.sets:  # a mirror is read as it is listed: nobody knows how much is left
        line += " Interrupted: run the same command again to go on after these."
    elif summary.exit_code == 130:
        line += f" Interrupted with {plural(summary.left, 'variant')} left: run the same command again to go on."
    return line


def _troubles(summary: Summary) -> Iterator[str]:
    if summary.findings:
        yield ", ".join(plural(n, severity) for severity, n in summary.findings.items())
    if summary.problems:
        yield plural(summary.problems, "problem")
    if summary.known:
        yield f"{plural(summary.known, 'known finding')} left out"
    if summary.suppressed:
        yield f"{plural(summary.suppressed, 'finding')} switched off"


def _in_order(statuses: dict[str, int]) -> list[tuple[str, int]]:
    order = ["stored", "checked", "unchanged", "duplicate", "skipped", "rejected", "failed"]
    return sorted(statuses.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))
