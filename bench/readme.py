"""``python -m bench.readme``: the figures of the last ``make bench`` into README.md, with their chart. Nobody types them.

They are kept in docs/measurements/mirror.json; a test holds that the README and the chart say what stands there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from bench.mirror import OUT

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FIGURES = ROOT / "docs" / "measurements" / "mirror.json"
CHART = FIGURES.with_suffix(".svg")
BEGIN, END = "<!-- measured by make bench -->\n", "<!-- end -->\n"

NAMES = {
    "mediamirror": "mediamirror mirror --check header",
    "rclone": "rclone copyurl",
    "curl": "curl -Z",
    "scrapy": "Scrapy's FilesPipeline",
    "img2dataset": "img2dataset",
}
OURS = "mediamirror"


def section(figures: dict[str, Any]) -> str:
    """Return what stands in the README between the two marks."""
    bucket, directory = figures["bucket"], figures["directory"]
    day = bucket["surroundings"]["taken"][:10]
    few, many = (f"{peak:.0f} MiB" for peak in figures["rss"]["peak_rss_mib_by_urls"].values())
    counts = [f"{int(count):,}" for count in figures["rss"]["peak_rss_mib_by_urls"]]
    return f"""\
`make bench` on {day}: 2,000 WebP files of 67 KB from nginx, medians of {len(bucket["rounds"])} rounds in turns. The two cores ran the
servers too, so compare only numbers of one run. mediamirror hashes, checks widths and keeps a catalog; the others do none of it.

![Bars of the images a second and the CPU an image of each tool: the figures of the two tables below](docs/measurements/mirror.svg)

Into SeaweedFS:

{table(bucket)}

That is {bucket["ratio_of_medians"]:.2f} of rclone's speed. Peak memory was {few} at {counts[0]} URLs and {many} at {counts[1]}.

Into a directory:

{table(directory)}

"""


def table(report: dict[str, Any]) -> str:
    """Return a report's tools as a table in Markdown."""
    rows = [
        f"| `{NAMES.get(name, name)}` | {row['images_per_second']:,.0f} | {row['cpu_ms_per_image']:.2f} | {row['peak_rss_mib']:.0f} |"
        for name, row in _by_speed(report)
    ]
    return "\n".join(["| | images/s | CPU ms/image | peak memory, MiB |", "|---|---|---|---|", *rows])


def _by_speed(report: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    return sorted(report["tools"].items(), key=lambda item: -item[1]["images_per_second"])


_WIDTH, _BAR, _STEP, _LEFT = 760, 230, 22, 180
_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .head { font-weight: 600 } .other { fill: #8c959f } .ours { fill: #0969da }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .other { fill: #6e7681 } .ours { fill: #4493f8 } }"""


def chart(figures: dict[str, Any]) -> str:
    """Return the chart: for each kind of place a block of bars, speed on the left and CPU on the right."""
    parts, top = [], 0
    for title, report in (("Into SeaweedFS", figures["bucket"]), ("Into a directory", figures["directory"])):
        rows = list(_bars(report, title, top))
        parts += rows
        top += _STEP * (len(report["tools"]) + 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" aria-labelledby="t">\n'
        f'<title id="t">Images a second and milliseconds of CPU an image</title>\n<style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _bars(report: dict[str, Any], title: str, top: int) -> Iterator[str]:
    second = _LEFT + _BAR + 60
    line = top + _STEP - 6
    yield _text(0, line, title, "head")
    yield _text(_LEFT, line, "images/s (more is better)", "head")
    yield _text(second, line, "CPU ms/image (less is better)", "head")
    rows = _by_speed(report)
    fastest = max(row["images_per_second"] for _, row in rows)
    dearest = max(row["cpu_ms_per_image"] for _, row in rows)
    for number, (name, row) in enumerate(rows, 1):
        line = top + _STEP * (number + 1) - 6
        kind = "ours" if name == OURS else "other"
        speed, cpu = row["images_per_second"], row["cpu_ms_per_image"]
        yield _text(0, line, NAMES.get(name, name).removesuffix(" --check header"))
        yield _bar(_LEFT, line, speed / fastest, kind, f"{speed:,.0f}")
        yield _bar(second, line, cpu / dearest, kind, f"{cpu:.2f}", room=_WIDTH - second - 45)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(words)}</text>'


def _bar(x: int, y: int, part: float, kind: str, words: str, *, room: int = _BAR) -> str:
    long = max(1, round(part * room))
    return f'<rect x="{x}" y="{y - 12}" width="{long}" height="14" class="{kind}"/>\n' + _text(x + long + 5, y, words)


def written(readme: str, figures: dict[str, Any]) -> str:
    """Return the README with these figures between its marks."""
    return re.sub(f"(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", lambda _: section(figures), readme, flags=re.DOTALL)


def main() -> int:
    """Keep the last figures, and write what shows them."""
    try:
        figures = {
            name: json.loads((OUT / file).read_text())
            for name, file in (("bucket", "mirror.json"), ("directory", "directory.json"), ("rss", "rss.json"))
        }
    except OSError as error:
        print(f"{error.filename} is not there: run `make bench` first.", file=sys.stderr)
        return 1
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    CHART.write_text(chart(figures))
    README.write_text(written(README.read_text(), figures))
    print(f"Wrote {FIGURES.relative_to(ROOT)}, {CHART.relative_to(ROOT)} and README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
