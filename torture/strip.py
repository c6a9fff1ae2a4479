"""``python -m torture.strip``: what ``--strip-metadata`` makes of files, as two browsers show it.

Formats x writers x orientations: files of every layout that we know, and those of ImageMagick, GraphicsMagick, libvips,
ExifTool and cwebp where they are there (installed by apt when root). Natural size and every pixel have to be the same before
and after, in Chromium and in Firefox, and the natural size before is to be what `ImageFacts` says.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fixtures.browser.chromium import NoChromium
from fixtures.browser.shown import BROWSERS, NoFirefox, shown
from fixtures.images import encode, photo
from fixtures.installed import installed
from fixtures.stripping import swept
from fixtures.turned import cases, dense, tiff, turn
from mediamirror.imaging.header import read_header
from mediamirror.imaging.strip import STRIPPED, LeftAlone, strip

PACKAGES = {
    "convert": "imagemagick",
    "gm": "graphicsmagick",
    "vips": "libvips-tools",
    "exiftool": "libimage-exiftool-perl",
    "cwebp": "webp",
}
"""Programs that write metadata, and Debian's packages of them."""
MADE: dict[str, tuple[tuple[str, ...], ...]] = {
    "convert": (
        ("convert", "a.jpg", "to.png"),
        ("convert", "a.jpg", "to.webp"),
        ("convert", "a.jpg", "-interlace", "Plane", "to.jpg"),
        ("convert", "a.png", "-density", "144", "-units", "PixelsPerInch", "to.png"),
        ("convert", "a.jpg", "-set", "comment", "made", "-type", "Palette", "to.png"),
    ),
    "gm": (
        ("gm", "convert", "a.jpg", "to.png"),
        ("gm", "convert", "a.jpg", "to.jpg"),
        ("gm", "convert", "a.png", "to.png"),
    ),
    "vips": (
        ("vips", "copy", "a.jpg", "to.png"),
        ("vips", "copy", "a.jpg", "to.webp"),
        ("vips", "copy", "a.jpg", "to.jpg"),
        ("vips", "copy", "a.png", "to.png"),
    ),
    "exiftool": tuple(
        ("exiftool", "-n", *tags, "-o", f"to.{ending}", f"plain.{ending}")
        for ending in ("jpg", "png", "webp")
        for tags in (
            ("-Orientation=ORIENTATION", "-Artist=Anna", "-GPSLatitude=53.9"),
            ("-XMP-tiff:Orientation=ORIENTATION", "-XMP-dc:Creator=Anna"),
            ("-Orientation=ORIENTATION", "-XMP-tiff:Orientation=3", "-XResolution=144", "-YResolution=144"),
        )
    ),
    "cwebp": (("cwebp", "-quiet", "-metadata", "all", "a.jpg", "-o", "to.webp"),),
}
"""What each is asked to make ``to.*`` of: ``a.*`` hold an orientation, ``plain.*`` none."""
MIMES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
File = tuple[str, bytes, str]
"""A name, the bytes, and the media type."""


def written(folder: Path) -> Iterator[File]:
    """What the programs that are here write, for each orientation, and at a resolution that is the natural size of some."""
    picture = photo(40, 24)
    for ending in ("jpg", "png", "webp"):
        (folder / f"plain.{ending}").write_bytes(encode(picture, ending.replace("jpg", "jpeg")))
    programs = [name for name, package in PACKAGES.items() if installed(name, package=package)]
    for orientation, name in itertools.product(range(1, 9), programs):
        blocks = {"": tiff([turn(orientation)])}
        if orientation in {1, 6} and name != "exiftool":
            blocks["-dense"] = dense((20, 12), (144, 144), orientation=orientation)
        for kind, block in blocks.items():
            for ending in ("jpeg", "png"):
                (folder / f"a.{ending.replace('jpeg', 'jpg')}").write_bytes(encode(picture, ending, exif=block))
            for number, words in enumerate(MADE[name]):
                made = _made([word.replace("ORIENTATION", str(orientation)) for word in words], folder)
                if made is not None:
                    yield f"{name}{kind} {number}, {orientation}", made.read_bytes(), MIMES[made.suffix]


def _made(words: list[str], folder: Path) -> Path | None:
    for old in folder.glob("to.*"):
        old.unlink()
    subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=60)
    return next(iter(sorted(folder.glob("to.*"))), None)


def pairs(files: Iterator[File]) -> Iterator[tuple[str, bytes, bytes, str]]:
    """Each file before and after; one that is left alone has nothing to compare."""
    for name, data, mime in files:
        try:
            yield name, data, strip(data), mime
        except LeftAlone as alone:
            print(f"left alone: {name}: {alone}")


def _natural(data: bytes, browser: str) -> tuple[int, int]:
    """The natural size that we say a browser gives a file."""
    facts = read_header(data)
    return facts.in_firefox[:2] if facts.in_firefox and browser == "firefox" else facts.natural


def main() -> int:
    """Sweep, print what differs and how many files there were, and return 1 if one differs."""
    faults = 0
    with tempfile.TemporaryDirectory(prefix="strip-") as made:
        folder = Path(made)
        known = [(case.name, case.data, case.mime) for case in cases() if case.mime.removeprefix("image/") in STRIPPED]
        compared = list(pairs(itertools.chain(known, swept(), written(folder))))
        writers = Counter(name.partition(" ")[0].partition("-")[0] for name, *_ in compared)
        changed = sum(before != after for _, before, after, _ in compared)
        print(f"{len(compared):,} files, {changed:,} changed by stripping; by writer or format: {dict(writers)}")
        for browser in BROWSERS:
            try:
                seen = shown(browser, [(mime, data) for _, *both, mime in compared for data in both], folder)
            except (NoChromium, NoFirefox) as missing:
                print(f"*** {missing}", file=sys.stderr)
                continue
            differ = [
                (name, was, now)
                for (name, *_), (was, now) in zip(compared, zip(seen[::2], seen[1::2], strict=True), strict=True)
                if was != now
            ]
            for name, was, now in differ:
                print(f"{browser}: {name}: {was} before, {now} after")
            nothing = sum(was is None for was in seen[::2])
            print(f"{browser}: {len(differ)} of {len(compared):,} differ; it shows nothing of {nothing}")
            others = [
                f"{name}: {size[:2]}"
                for (name, data, *_), size in zip(compared, seen[::2], strict=True)
                if size is not None and tuple(size[:2]) != _natural(data, browser)
            ]
            print(f"{browser}: of {len(others)} files the natural size is not what we say", *others, sep="\n  ")
            faults += len(differ) + len(others)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
