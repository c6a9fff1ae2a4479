"""What is stored as samples for training: read with webdataset's own reader, whole, and each key once."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import webdataset
from PIL import Image

from fixtures.crawls.warcs import compressed, response
from fixtures.images import make_image
from mediamirror import mirror
from mediamirror.catalog.listing import CatalogRow
from mediamirror.jobs.catalog.samples import Rungs, fields_of_set
from mediamirror.model import Summary
from mediamirror.settings import CheckOptions, MirrorOptions, ReadOptions

SITE = "https://site.example"
LADDERS = {"boat": ("webp", (40, 80, 160)), "www.dots.example": ("webp", (60, 120)), "lone": ("jpeg", (50,))}


def crawl(path: Path) -> Path:
    page, files = "", []
    for name, (format_, widths) in LADDERS.items():
        rungs = [(f"{SITE}/{name}-{width}.{format_}", width) for width in widths]
        srcset = ", ".join(f"{url} {width}w" for url, width in rungs)
        page += f'<img srcset="{srcset}" sizes="50vw" src="{rungs[0][0]}" alt="A {name}">'
        files += [response(url, make_image(width, 30, format_), f"image/{format_}") for url, width in rungs]
    path.write_bytes(compressed([response(f"{SITE}/", f"<!doctype html>{page}".encode(), "text/html"), *files]))
    return path


@pytest.fixture
async def stored(tmp_path: Path) -> Path:
    options = MirrorOptions(read=ReadOptions(offline=True), check=CheckOptions(check="header"))
    source, to = crawl(tmp_path / "a.warc.gz"), tmp_path / "mirror"
    summary = await mirror([str(source)], to=str(to), options=options, catalog=tmp_path / "c.sqlite")
    assert summary.exit_code == 0
    return to


def export(mirrored: Path, *words: str) -> subprocess.CompletedProcess[str]:
    catalog = mirrored.parent / "c.sqlite"
    command = [
        sys.executable,
        "-m",
        "mediamirror",
        "catalog",
        "export",
        str(mirrored),
        "--catalog",
        str(catalog),
        *words,
    ]
    return subprocess.run(command, cwd=mirrored.parent, capture_output=True, text=True, timeout=120, check=False)


def read_samples(*tars: Path) -> list[dict[str, bytes]]:
    return list(webdataset.WebDataset([str(each) for each in tars], shardshuffle=False, empty_check=False))


def size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


async def test_each_set_is_one_sample_with_its_narrowest_and_its_widest_picture(stored: Path) -> None:
    done = export(stored, "-o", "pairs-%d.tar")
    assert (done.returncode, "2 samples of 4 pictures" in done.stderr, "--rungs all" in done.stderr) == (0, True, True)
    samples = {json.loads(each["json"])["alt"]: each for each in read_samples(stored.parent / "pairs-0.tar")}
    fields = {name for name in samples["A boat"] if not name.startswith("__")}
    assert fields == {"small.webp", "large.webp", "json"}
    sizes = {alt: [size(each[f"{end}.webp"])[0] for end in ("small", "large")] for alt, each in samples.items()}
    assert sizes == {"A boat": [40, 160], "A www.dots.example": [60, 120]}
    rungs = json.loads(samples["A boat"]["json"])["rungs"]
    assert [(rung["width"], rung["field"]) for rung in rungs] == [(40, "small.webp"), (80, ""), (160, "large.webp")]


async def test_all_rungs_stand_under_one_key_in_as_many_files_as_the_size_asks_for(stored: Path) -> None:
    done = export(stored, "-o", "all-%03d.tar", "--rungs", "all", "--shard-size", "1k")
    tars = sorted(stored.parent.glob("all-*.tar"))
    assert (done.returncode, [each.name for each in tars]) == (0, ["all-000.tar", "all-001.tar", "all-002.tar"])
    found = {json.loads(each["json"])["alt"]: sorted(set(each) - {"json"}) for each in read_samples(*tars)}
    assert [name for name in found["A boat"] if name[0] == "w"] == ["w160.webp", "w40.webp", "w80.webp"]
    assert [name for name in found["A lone"] if name[0] == "w"] == ["w50.jpg"]
    again = export(stored, "-o", "all-%03d.tar")
    assert (again.returncode, "all-000.tar is there already" in again.stderr) == (2, True)


async def test_a_sample_with_other_bytes_than_were_recorded_is_left_out_whole(stored: Path) -> None:
    (stored / "site.example" / "boat-160.webp").write_bytes(make_image(161, 30, "webp"))
    done = export(stored, "-o", "pairs.tar")
    assert (done.returncode, "boat-160.webp" in done.stderr, "what was recorded: 1." in done.stderr) == (1, True, True)
    with tarfile.open(stored.parent / "pairs.tar") as tar:
        assert len({name.partition(".")[0] for name in tar.getnames()}) == 1


LADDER, PART = f"{SITE}/boat-40.webp 40w, {SITE}/boat-160.webp 160w", f"{SITE}/boat-160.webp 160w"


async def mirror_rows(folder: Path, *rows: tuple[str, str], name: str = "rows", column: str = "caption") -> Summary:
    """Mirror a table offline, a row for each caption and srcset, beside a page that names the same images."""
    lines = [{"id": at, column: text, "srcset": srcset} for at, (text, srcset) in enumerate(rows, 1)]
    table = folder / f"{name}.jsonl"
    table.write_text("\n".join(map(json.dumps, lines)))
    options = MirrorOptions(read=ReadOptions(offline=True, field="srcset"), check=CheckOptions(check="header"))
    inputs = [str(table), str(crawl(folder / "a.warc.gz"))]
    return await mirror(inputs, to=str(folder / "mirror"), options=options, catalog=folder / "c.sqlite")


async def test_rows_that_name_one_image_keep_their_columns_each(tmp_path: Path) -> None:
    """Two rows with one srcset, one with a part of it: every caption comes out, in each format."""
    to = tmp_path / "mirror"
    done = await mirror_rows(tmp_path, ("first", LADDER), ("second", LADDER), ("third", PART))
    assert (done.exit_code, export(to, "-o", "x.jsonl").returncode, export(to, "-o", "x.tar").returncode) == (0, 0, 0)
    told = [row for row in map(json.loads, (tmp_path / "x.jsonl").read_text().splitlines()) if row["row"]]
    ids = {row["width"]: [row["row"]["id"], *(other["id"] for other in row["other_rows"])] for row in told}
    assert ids == {40: [1, 2], 160: [1, 2, 3]}
    samples = [json.loads(sample["json"]) for sample in read_samples(tmp_path / "x.tar")]
    others = [json.loads(each["other_rows"]) for each in samples if each["row"]]
    assert [[row["caption"] for row in each] for each in others] == [["second"]]


async def test_the_options_of_samples_are_refused_for_other_formats(stored: Path) -> None:
    for words in (("-o", "x.jsonl", "--rungs", "all"), ("-o", "x.tar", "--shard-size", "1M")):
        done = export(stored, *words)
        assert (done.returncode, words[2] in done.stderr) == (2, True)


def row(name: str, width: int | None, format_: str = "webp") -> CatalogRow:
    return CatalogRow("s", "stored", f"https://h/{name}", key=name, width=width, format=format_, sha256=name)


@pytest.mark.parametrize(
    ("rows", "rungs", "expected"),
    [
        ([row("a", 10), row("b", 20), row("c", 30, "avif")], "ends", {"small.webp": "a", "large.webp": "b"}),
        (
            [row("a", 10), row("b", 20), row("c", 10, "avif"), row("d", 30, "avif")],
            "ends",
            {"small.avif": "c", "large.avif": "d"},
        ),
        ([row("a", 10), row("b", 10)], "ends", {}),
        ([row("a", None, "svg")], "all", {}),
        ([row("a", 10, "jpeg"), row("b", 10, "jpeg")], "all", {"w10.jpg": "a", "w10-2.jpg": "b"}),
        ([row("a", 10), row("a", 10)], "all", {"w10.webp": "a"}),
    ],
)
def test_which_picture_goes_into_which_field(rows: list[CatalogRow], rungs: Rungs, expected: dict[str, str]) -> None:
    assert {name: each.key for name, each in fields_of_set(rows, rungs).items()} == expected
