"""``python -m torture.replay``: the archives that ``mirror --archive`` writes, with the origin off, in two players.

Two runs into one mirror, as WACZ and as ``.warc.gz``, and what a mirror of the second archive writes again; at four screens, in pywb
and, the WACZ files, in ReplayWeb.page. Every picture of the page has to be the one that the screen chose live, in its natural size.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fixtures.archiving import SITE, WWW
from fixtures.browser.chromium import NoChromium, ensure_chromium
from fixtures.players import NoPlayer
from fixtures.replaying import Sizes, live_sizes, played, two_nights


def _again(archive: Path) -> Path:
    """What a mirror of an archive writes of it."""
    folder = archive.parent
    again = folder / f"again-{archive.name}"
    program = Path(sysconfig.get_path("scripts")) / "mediamirror"
    words = ["mirror", str(archive), "--offline", "--to", str(folder / f"of-{archive.name}"), "--archive", str(again)]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    subprocess.run([str(program), *words], env=environment, capture_output=True, check=False)
    return again


def _archives(folder: Path) -> Iterator[Path]:
    for ending in ("wacz", "warc.gz"):
        place = folder / ending
        place.mkdir()
        nights = two_nights(place, ending)
        yield from nights
        yield _again(nights[1])


def main() -> int:
    """Play everything, print a line for each page, and return 1 if anything differs."""
    failed = 0
    urls = (SITE, f"{WWW}second.html")
    try:
        chromium = ensure_chromium()
        live = live_sizes(chromium, *urls)
        with tempfile.TemporaryDirectory(prefix="replay-") as folder:
            for archive in _archives(Path(folder)):
                for pywb in (True, False) if archive.suffix == ".wacz" else (True,):
                    found = played(chromium, archive, *urls, pywb=pywb)
                    for url in urls:
                        # Both names of the site have one key: pywb shows the page under the one that was asked for.
                        same = _bare(found[url]) == _bare(live[url])
                        failed += not same
                        player = "pywb" if pywb else "ReplayWeb.page"
                        print(f"{'same' if same else 'DIFFERS'}: {archive.name} in {player}: {url}", flush=True)
                        if not same:
                            print(f"  live {live[url]}\n  seen {found[url]}")
    except (NoChromium, NoPlayer) as missing:
        print(f"\n*** {missing}\n", file=sys.stderr)
        return 1
    return int(failed > 0)


def _bare(sizes: Sizes) -> list[list[Any]]:
    """Alt and natural size of each picture, screen by screen."""
    return [[row[:3] for row in rows] for rows in sizes.values()]


if __name__ == "__main__":
    sys.exit(main())
