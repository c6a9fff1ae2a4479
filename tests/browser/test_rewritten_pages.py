"""Pages that were rewritten, opened with the origin gone: everything loads from the mirror, and looks as it did before."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from PIL import Image, ImageChops

from fixtures.browser.chromium import Tab
from fixtures.browser.screens import Screen
from fixtures.browser.server import Document, PageServer
from fixtures.patience import PATIENCE
from fixtures.rewriting import BASE, IMG, PAGES, WWW, images, write_site
from fixtures.servers.endpoint import S3Endpoint
from fixtures.servers.seaweed import running_seaweed
from fixtures.site import running_site

OpenTab = Callable[..., AbstractContextManager[Tab]]
MEDIA = "media.example.org"
HOME = "pages.example"
VIEWPORTS = ((390, 844), (768, 1024), (1280, 720), (1920, 1080))
FEW = [Screen(*size, dpr) for size, dpr in zip(VIEWPORTS, (3.0, 2.0, 1.0, 2.0), strict=True)]
SCREENS = (
    [Screen(*size, dpr) for size in VIEWPORTS for dpr in (1.0, 2.0, 3.0)] if os.environ.get("ALL_SCREENS") else FEW
)
"""Four screens; with ``ALL_SCREENS=1`` each of the four viewports at 1, 2 and 3 device pixels per CSS pixel."""
TYPES = {".html": "text/html", ".css": "text/css", ".webp": "image/webp", ".png": "image/png", ".jpg": "image/jpeg"}
WIDTHS = """async () => {
  const frames = [document, ...[...document.querySelectorAll("iframe")].map(frame => frame.contentDocument)];
  const urls = frames.flatMap(each => [...each.images]).map(image => image.currentSrc).filter(Boolean);
  return Object.fromEntries(await Promise.all([...new Set(urls)].map(async url => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return [url, image.naturalWidth];
  })));
}"""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The pages before and after, what the bucket holds, and by the catalog each address: the width behind it, its old URL."""

    site: Path
    out: Path
    mirror: dict[str, Document]
    widths: dict[str, int]
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    folder = tmp_path_factory.mktemp("rewritten")
    site, out, catalog = write_site(folder / "site"), folder / "out", folder / "c.sqlite"

    def run(*words: str, **more: str) -> None:
        program = Path(sysconfig.get_path("scripts")) / "mediamirror"
        environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), **more}
        command = [str(program), *words, "--catalog", str(catalog)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    with running_seaweed(tmp_path_factory.mktemp("weed")) as bucket:
        bucket.create_bucket("media")
        with running_site(tmp_path_factory.mktemp("origin"), images()) as origin:
            words = ("mirror", str(site), "--base-url", BASE, "--to", "s3://media", *origin.arguments())
            run(*words, **bucket.environment())
        run("rewrite", str(site), "--to", str(out), "--public-url", f"https://{MEDIA}/")
        mirror = dict(_objects(bucket))
    with sqlite3.connect(catalog) as db:
        rows = db.execute(
            "SELECT v.url, o.key, b.width FROM objects o JOIN variants v ON v.id = o.variant_id JOIN blobs b ON b.sha256 = o.sha256"
        ).fetchall()
    new = {url: f"https://{MEDIA}/{quote(key, safe='/~')}" for url, key, _ in rows}
    return Rewritten(site, out, mirror, {new[url]: width for url, _, width in rows}, new)


def _objects(bucket: S3Endpoint) -> Iterator[tuple[str, Document]]:
    """What a browser would be given of the bucket: bytes and types as they are stored there."""
    client = bucket.client()
    for row in client.list_objects_v2(Bucket="media")["Contents"]:
        if not row["Key"].startswith("_mediamirror/"):
            found = client.get_object(Bucket="media", Key=row["Key"])
            yield row["Key"], Document(found["Body"].read(), found["ContentType"])


@pytest.fixture
def served(rewritten: Rewritten, pages: PageServer) -> Iterator[Rewritten]:
    """The old pages with the origin's images, the new ones with the mirror's."""
    for key, document in rewritten.mirror.items():
        pages.add(f"https://{MEDIA}/{quote(key, safe='/~')}", document)
    for host, folder in ((WWW, rewritten.site), (HOME, rewritten.out)):
        for path in folder.rglob("*"):
            if path.suffix in TYPES and path.is_file():
                kind = TYPES[path.suffix]
                pages.add(
                    f"https://{host}/{quote(str(path.relative_to(folder)), safe='/~')}",
                    Document(path.read_bytes(), kind),
                )
    for image in images():
        pages.add(f"https://{image.host}{image.path.partition('?')[0]}", Document(image.body, image.content_type))
    yield rewritten
    pages.documents.clear()
    pages.gone.clear()


def seen(tab: Tab, url: str) -> tuple[set[str], dict[str, int], bytes]:
    """The images that a page asks for, the real widths of those it shows, and a picture of it."""
    tab.open(url)
    tab.settle()
    asked = {asked for kind, asked in tab.requested if kind == "image" and not asked.startswith("data:")}
    found: Any = tab.evaluate(WIDTHS)
    return asked, found, tab.picture()


def differs(one: bytes, other: bytes) -> bool:
    first, second = (Image.open(io.BytesIO(data)).convert("RGB") for data in (one, other))
    return first.size != second.size or ImageChops.difference(first, second).getbbox() is not None


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_a_rewritten_page_loads_from_the_mirror_alone_and_looks_the_same(
    screen: Screen, open_tab: OpenTab, served: Rewritten, pages: PageServer
) -> None:
    with open_tab(screen) as tab:
        before = {name: seen(tab, f"{BASE}{name}") for name in PAGES}
    pages.gone.update({IMG, WWW})
    with open_tab(screen) as tab:
        after = {name: seen(tab, f"https://{HOME}/{name}") for name in PAGES}
        asked = {url for name in PAGES for url in after[name][0]}
    for name in PAGES:
        assert after[name][0] == {served.addresses[url] for url in before[name][0]}, name
        assert after[name][1] == {url: served.widths[url] for url in after[name][1]}, name
        assert len(after[name][1]) == len(before[name][1]) > 0, name
        assert not differs(before[name][2], after[name][2]), name
    assert {urlsplit(url).hostname for url in asked} == {MEDIA}
    assert unquote("".join(asked)).count("кот") == 1
    assert tab.complaints == []
