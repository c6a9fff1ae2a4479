"""The same 2,000 images from nginx into a directory: ours beside curl, wget2, aria2c (where installed), rclone, Scrapy, img2dataset.

Part of ``make bench``. After each run the bytes of all files are held against the site's: one that is missing fails it.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench import peers
from bench.measure import Cost, measure
from bench.variants import names
from fixtures.servers.process import executable

LIMIT = 120.0
"""Seconds after which one run is given up."""

Command = Callable[[str, Path, Path, int], list[str]]
"""Makes a tool's command of the origin, a directory to fill, a folder for lists, and how many transfers run at once."""


def ours(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Mirror the dump that the run into the bucket reads too."""
    del origin
    return [
        *(executable("mediamirror"), "mirror", str(lists / "dump.txt"), "--to", str(target)),
        *(
            "--catalog",
            str(lists / f"{target.name}.sqlite"),
            "--check",
            "header",
            "--allow-private",
            "--format",
            "jsonl",
        ),
        *("--concurrency", str(at_once), "--host-concurrency", str(at_once)),
    ]


def curl(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Copy with curl's parallel transfers."""
    config = lists / "curl.txt"
    config.write_text("".join(f'url = "{origin}/{path}"\noutput = "{target / path}"\n' for path in names()))
    return ["curl", "-q", "-Z", "--parallel-max", str(at_once), "--fail", "-s", "--create-dirs", "-K", str(config)]


def wget2(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Copy with wget2's threads."""
    return [
        *("wget2", "--no-config", "-q", "-x", "-nH", "-P", str(target), "--robots=off"),
        *(f"--max-threads={at_once}", "-i", str(_urls(origin, lists))),
    ]


def aria2c(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Copy with aria2's slots."""
    listing = lists / "aria2.txt"
    listing.write_text("".join(f"{origin}/{path}\n  out={path}\n" for path in names()))
    return ["aria2c", "--no-conf", "-q", "-d", str(target), f"-j{at_once}", "-x1", "-i", str(listing)]


def rclone(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Copy a list of URLs."""
    listing = lists / "rclone.csv"
    with listing.open("w", newline="") as file:
        csv.writer(file).writerows((f"{origin}/{path}", path) for path in names())
    return [executable("rclone"), "copyurl", "--urls", str(listing), str(target), "--transfers", str(at_once)]


def scrapy(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Let Scrapy's FilesPipeline store a list of URLs."""
    return peers.scrapy(_urls(origin, lists), str(target), at_once)


def img2dataset(origin: str, target: Path, lists: Path, at_once: int) -> list[str]:
    """Keep the files of a list of URLs as they come."""
    return peers.img2dataset(_urls(origin, lists), target, at_once)


TOOLS: dict[str, Command] = {
    "mediamirror": ours,
    "curl": curl,
    "wget2": wget2,
    "aria2c": aria2c,
    "rclone": rclone,
    "scrapy": scrapy,
    "img2dataset": img2dataset,
}
SLOW = frozenset({"img2dataset"})
"""Tools that take a minute: they run in the first round alone."""


def there() -> dict[str, Command]:
    """Return the tools that are installed; say which are not."""
    absent = [name for name in ("curl", "wget2", "aria2c") if shutil.which(name) is None]
    if absent:
        print(f"Not installed, so left out: {', '.join(absent)} (apt-get install curl wget2 aria2).", flush=True)
    return {name: command for name, command in TOOLS.items() if name not in absent}


def run(command: Command, origin: str, site: Path, scratch: Path, at_once: int, environment: dict[str, str]) -> Cost:
    """Fill a new directory with one tool, hold what arrived against the site, and remove it."""
    target = scratch / f"into-{command.__name__}"
    words = command(origin, target, scratch, at_once)
    target.mkdir(exist_ok=True)
    cost = measure(words, environment=environment, log=scratch / f"{target.name}.log", limit=LIMIT)
    wanted, came = sorted(_hashes(site / path for path in names())), sorted(_hashes(_content(target)))
    if wanted != came:
        raise RuntimeError(f"{words[0]}: {len(came)} files arrived, and they are not the {len(wanted)} of the site.")
    shutil.rmtree(target)
    for left in scratch.glob(f"{target.name}.sqlite*"):
        left.unlink()
    return cost


def _urls(origin: str, lists: Path) -> Path:
    listing = lists / "urls.txt"
    listing.write_text("".join(f"{origin}/{path}\n" for path in names()))
    return listing


def _content(target: Path) -> Sequence[Path]:
    return [each for each in target.rglob("*.webp") if "_mediamirror" not in each.parts]


def _hashes(paths: Iterator[Path] | Sequence[Path]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
