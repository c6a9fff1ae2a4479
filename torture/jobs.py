"""The jobs that are killed: small, of a dozen images each, into a directory and into a bucket."""

from __future__ import annotations

import hashlib
import os
import random
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.images import encode, make_image, photo
from fixtures.relay import Relay, running_relay
from fixtures.servers.endpoint import S3Endpoint
from fixtures.site import Resource, Site, running_site
from torture.places import BucketPlace, DirectoryPlace, Place
from torture.starter import Starter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "torture"
HOST = "img.example"
WIDTHS = (40, 60, 80, 100, 120, 140)
FOREIGN = ("AWS_", "MEDIAMIRROR_", "XDG_")


@dataclass(frozen=True, slots=True)
class Bench:
    """What one worker needs: a site, a page that names its images, a tree to sync from, and a bucket behind a relay."""

    folder: Path
    site: Site
    page: Path
    tree: Path
    server: S3Endpoint
    client: S3Client
    relay: Relay
    starter: Starter
    wanted: Mapping[str, str]
    """sha256 by key of what a mirror of the page holds."""


@contextmanager
def open_bench(folder: Path, server: S3Endpoint) -> Iterator[Bench]:
    """Start a site and a relay of its own."""
    folder.mkdir(parents=True)
    served = pictures()
    page, tree = folder / "page.html", folder / "tree"
    page.write_text(_page(served))
    for number, resource in enumerate(served):
        path = tree / f"part-{number % 3}{resource.path}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(resource.body)
    with ExitStack() as stack:
        (folder / "site").mkdir()
        site = stack.enter_context(running_site(folder / "site", served))
        relay = stack.enter_context(running_relay(server.url))
        starter = Starter()
        stack.callback(starter.close)
        yield Bench(
            folder,
            site,
            page,
            tree,
            server,
            server.client(),
            relay,
            starter,
            {f"{r.host}{r.path}": r.sha256 for r in served},
        )


def pictures() -> list[Resource]:
    """A dozen images: two sets of small ones, and one that is spooled to disk on its way."""
    small = [(name, width, make_image(width, width, "webp", seed=n)) for n, name in enumerate("ab") for width in WIDTHS]
    small[-1] = ("b", 720, _large())
    return [
        Resource(HOST, f"/{name}/{name}-{width}.{'png' if width == 720 else 'webp'}", body, _type(width), width=width)
        for name, width, body in small
    ]


def _type(width: int) -> str:
    return "image/png" if width == 720 else "image/webp"


def _large() -> bytes:
    noise = random.Random(1).randbytes(720 * 560 * 3)
    picture = photo(720, 560)
    picture.frombytes(noise)
    return encode(picture, "png", compress_level=0)


def _page(served: list[Resource]) -> str:
    sets = [[r for r in served if r.path.startswith(f"/{name}/")] for name in "ab"]
    images = (", ".join(f"{r.url} {r.width}w" for r in rungs) for rungs in sets)
    return "<!doctype html><title>Two sets</title>" + "".join(f'<img srcset="{text}" sizes="100vw">' for text in images)


@dataclass(frozen=True, slots=True)
class Case:
    """One run to be killed and restarted: its command, its environment and where everything lies."""

    kind: str
    words: tuple[str, ...]
    place: Place
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    allowed: Mapping[str, frozenset[str]]
    """The hashes that a key may have at any moment: what it had before, and what it gets."""
    expected: Mapping[str, str]

    @property
    def catalog(self) -> Path:
        """The catalog that the command names."""
        return self.folder / "state" / "catalog.sqlite"

    @property
    def temporary(self) -> Path:
        """The temporary folder of its processes."""
        return self.folder / "tmp"

    def command(self, *words: str) -> list[str]:
        """Return what is executed; ``words`` instead of the job's own."""
        return [sys.executable, "-m", "mediamirror", *(words or self.words)]


KINDS = ("mirror-directory", "mirror-bucket", "sync-directory", "sync-bucket", "gc-directory", "gc-bucket")


def new_case(bench: Bench, kind: str, *extra: str) -> Case:
    """Prepare a fresh place, catalog and environment. ``extra`` are further words for the command line."""
    folder = bench.folder / "cases" / uuid.uuid4().hex[:12]
    (folder / "tmp").mkdir(parents=True)
    place = _new_place(bench, kind, folder)
    where = [place.dest, "--catalog", str(folder / "state" / "catalog.sqlite")]
    if not kind.endswith("directory"):
        where += ["--endpoint-url", bench.relay.url]
    words = [*_words(bench, kind), *where]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    own = {"XDG_STATE_HOME": str(folder / "xdg"), "TMPDIR": str(folder / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = kept | bench.server.environment() | own
    expected = dict(bench.wanted) if kind.startswith("mirror") else _hashes(bench.tree)
    before: dict[str, str] = {}
    if kind.startswith("sync"):
        before = _already_there(place)
    elif kind.startswith("gc"):
        before = _untidied(bench, place, where, environment, folder / "output")
        expected.pop(GONE)
    allowed = {
        key: frozenset({side[key] for side in (before, expected) if key in side}) for key in {*before, *expected}
    }
    return Case(kind, (*words, *extra), place, folder, environment, allowed, expected)


GONE = f"part-0/a/a-{WIDTHS[0]}.webp"
"""What the catalog names and another program has removed, before a ``catalog gc``."""


def _untidied(
    bench: Bench, place: Place, where: Sequence[str], environment: Mapping[str, str], output: Path
) -> dict[str, str]:
    """Sync the tree in two steps (a bucket gets two segments of its manifest), then let another program meddle."""
    quiet = ("sync", "--format", "jsonl", "--no-progress", str(bench.tree), *where)
    for more in (("--exclude", "part-2/*"), ()):
        bench.starter.begin([*quiet, *more], environment, output)
        if bench.starter.end() != 0:
            raise RuntimeError(f"preparing a gc: {output.read_text('utf-8', 'replace')[-500:]}")
    strays = {f"stray/{name}.webp": name.encode() for name in ("one", "two", "three")}
    _write(place, strays)
    if isinstance(place, DirectoryPlace):
        (place.root / GONE).unlink()
        (place.root / "_mediamirror" / "tmp").mkdir(parents=True)
        (place.root / "_mediamirror" / "tmp" / "half.part").write_bytes(b"half")
    elif isinstance(place, BucketPlace):
        place.client.delete_object(Bucket=BUCKET, Key=f"{place.prefix}/{GONE}")
    return {key: hashlib.sha256(data).hexdigest() for key, data in strays.items()}


def _new_place(bench: Bench, kind: str, folder: Path) -> Place:
    if kind.endswith("directory"):
        return DirectoryPlace(folder / "dest")
    return BucketPlace(bench.client, BUCKET, folder.name)


def _words(bench: Bench, kind: str) -> list[str]:
    quiet = ["--format", "jsonl", "--no-progress"]
    if kind.startswith("gc"):
        return ["catalog", "gc", "--format", "jsonl", "--delete", "--older-than", "0"]
    if kind.startswith("sync"):
        return ["sync", *quiet, "--delete", str(bench.tree)]
    return ["mirror", str(bench.page), *quiet, *bench.site.arguments(), "--to"]


def _hashes(tree: Path) -> dict[str, str]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _already_there(place: Place) -> dict[str, str]:
    """Put what a sync has to replace and to delete into a place."""
    old = {f"part-0/a/a-{WIDTHS[0]}.webp": b"an older picture", "gone/one.webp": b"one", "gone/two.webp": b"two"}
    _write(place, old)
    return {key: hashlib.sha256(data).hexdigest() for key, data in old.items()}


def _write(place: Place, objects: Mapping[str, bytes]) -> None:
    for key, data in objects.items():
        if isinstance(place, DirectoryPlace):
            (place.root / key).parent.mkdir(parents=True, exist_ok=True)
            (place.root / key).write_bytes(data)
        elif isinstance(place, BucketPlace):
            digest = hashlib.sha256(data).hexdigest()
            place.client.put_object(Bucket=BUCKET, Key=f"{place.prefix}/{key}", Body=data, Metadata={"sha256": digest})
