"""`mediamirror rewrite` on a site that was mirrored from a TLS origin, as people run it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from fixtures.patience import PATIENCE
from fixtures.rewriting import BASE, FILES, IMG, WWW, images, write_site
from fixtures.site import running_site
from mediamirror.markup.extract import extract_document

Command = Callable[..., CompletedProcess[str]]
PUBLIC = "https://media.example.org/"
OLD = re.compile(r"/\\?/(?:img|www)\.origin\.example")


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A site in a folder, the mirror of its images, and the mirror's catalog."""

    site: Path
    mirror: Path
    catalog: Path

    def to(self, *words: str) -> tuple[str, ...]:
        return ("--catalog", str(self.catalog), "--public-url", PUBLIC, *words)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    """The site as it was mirrored, once for all tests here."""
    folder = tmp_path_factory.mktemp("pristine")
    found = Mirrored(write_site(folder / "site"), folder / "mirror", folder / "catalog.sqlite")
    words = ["mirror", str(found.site), "--base-url", BASE, "--to", str(found.mirror), "--catalog", str(found.catalog)]
    program = Path(sysconfig.get_path("scripts")) / "mediamirror"
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    words += ["--rewrite-to", str(folder / "both"), "--public-url", PUBLIC]
    with running_site(tmp_path_factory.mktemp("origin"), images()) as origin:
        done = subprocess.run(
            [str(program), *words, *origin.arguments()],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(found.catalog, folder / "kept.sqlite")
    return found


@pytest.fixture
def mirrored(pristine: Mirrored) -> Mirrored:
    """The same, with the site and the catalog as they were, and the origin gone."""
    shutil.rmtree(pristine.site)
    write_site(pristine.site)
    for left in pristine.catalog.parent.glob("catalog.sqlite*"):
        left.unlink()
    shutil.copy(pristine.catalog.with_name("kept.sqlite"), pristine.catalog)
    return pristine


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pages(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(folder).items() if not Path(name).name.startswith(".")}


def urls(data: bytes, name: str, base: str = BASE) -> list[str]:
    return [c.url for s in extract_document(data, base_url=base, document=name, merge=False).sets for c in s.candidates]


def test_every_url_of_every_carrier_leads_to_an_object_of_the_mirror(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert done.returncode == 0, done.stdout + done.stderr
    for name, data in FILES.items():
        after = (tmp_path / "out" / name).read_bytes()
        found = urls(after, name)
        assert len(found) == len(urls(data, name))
        for url in found:
            assert url.startswith(PUBLIC), (name, url)
            assert (
                mirrored.mirror / url.removeprefix(PUBLIC).replace("%2C", ",").replace("%40", "@")
            ).exists() or "%D0" in url


def test_no_byte_changes_but_those_of_the_urls(mediamirror: Command, mirrored: Mirrored, tmp_path: Path) -> None:
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    for name, data in FILES.items():
        spans = sorted(
            {c.reference.span for s in extract_document(data, base_url=BASE, document=name, merge=False).sets for c in s.candidates
             if c.reference is not None and c.reference.span is not None}
        )  # fmt: skip
        after, at = (tmp_path / "out" / name).read_bytes(), 0
        ends = [*(start for start, _ in spans), len(data)]
        for begin, end in zip([0, *(end for _, end in spans)], ends, strict=True):
            found = after.find(data[begin:end], at)
            assert found >= 0, (name, data[begin:end])
            at = found + end - begin
        assert at == len(after)


def test_a_script_is_copied_as_it_is(mediamirror: Command, mirrored: Mirrored, tmp_path: Path) -> None:
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert (tmp_path / "out" / "script.js").read_bytes() == FILES["script.js"]


def test_the_second_run_changes_nothing(mediamirror: Command, mirrored: Mirrored, tmp_path: Path) -> None:
    words = ("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    mediamirror(*words)
    before = {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    again = mediamirror(*words)
    after = {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert (again.returncode, after) == (0, before), again.stdout + again.stderr


def test_in_place_and_back_again(mediamirror: Command, mirrored: Mirrored) -> None:
    first = mediamirror("rewrite", str(mirrored.site), "--in-place", *mirrored.to())
    changed = pages(mirrored.site)
    assert first.returncode == 0, first.stderr
    assert all(
        not OLD.search(data.decode("latin-1").replace("\0", ""))
        for name, data in changed.items()
        if name != "script.js"
    )
    again = mediamirror("rewrite", str(mirrored.site), "--in-place", *mirrored.to())
    assert (again.returncode, pages(mirrored.site)) == (0, changed), again.stdout + again.stderr
    back = mediamirror("rewrite", str(mirrored.site), "--undo")
    assert (back.returncode, tree(mirrored.site)) == (0, FILES), back.stdout + back.stderr


def test_undo_needs_no_catalog_and_knows_moved_folders(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    mirrored.catalog.unlink()
    done = mediamirror("rewrite", str(tmp_path / "elsewhere"), "--undo")
    assert (done.returncode, tree(tmp_path / "elsewhere")) == (0, FILES), done.stdout + done.stderr


def test_a_page_that_changed_since_it_was_rewritten_is_left_alone_by_undo(
    mediamirror: Command, mirrored: Mirrored
) -> None:
    mediamirror("rewrite", str(mirrored.site), "--in-place", *mirrored.to())
    changed = (mirrored.site / "index.html").read_bytes() + b"<p>More"
    (mirrored.site / "index.html").write_bytes(changed)
    done = mediamirror("rewrite", str(mirrored.site), "--undo")
    assert done.returncode == 1
    assert "index.html changed since it was rewritten" in done.stderr
    assert pages(mirrored.site) == FILES | {"index.html": changed}


def test_stdout_is_the_page_and_nothing_is_written(mediamirror: Command, mirrored: Mirrored, tmp_path: Path) -> None:
    page = str(mirrored.site / "notes.md")
    shown = mediamirror("rewrite", page, "--stdout", *mirrored.to())
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert shown.stdout.encode() == (tmp_path / "out" / "notes.md").read_bytes()
    assert tree(mirrored.site) == FILES


def test_diff_shows_what_would_change_and_nothing_is_written(mediamirror: Command, mirrored: Mirrored) -> None:
    done = mediamirror("rewrite", str(mirrored.site), "--diff", *mirrored.to())
    minus = [line for line in done.stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    plus = [line for line in done.stdout.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(minus) == len(plus) > 20
    assert all(PUBLIC in line for line in plus)
    assert "Гавань" not in "".join(minus)
    assert tree(mirrored.site) == FILES


def test_the_catalog_tells_which_page_points_where(mediamirror: Command, mirrored: Mirrored, tmp_path: Path) -> None:
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    url = f"https://{IMG}/share/card.jpg"
    done = mediamirror("catalog", "show", url, "--catalog", str(mirrored.catalog), "--format", "json")
    (variant,) = json.loads(done.stdout)["variants"]
    told = {(row["output"], row["address"]) for row in variant["rewritten"] if "/both/" not in row["output"]}
    named = ("index.html", "feed.rss", "notes.md")
    assert told == {(os.path.realpath(tmp_path / "out" / name), f"{PUBLIC}{IMG}/share/card.jpg") for name in named}
    lines = mediamirror("catalog", "show", url, "--catalog", str(mirrored.catalog)).stdout
    assert f"Rewritten in {tmp_path / 'out' / 'notes.md'}" in lines


def test_undo_is_told_to_the_catalog(mediamirror: Command, mirrored: Mirrored) -> None:
    mediamirror("rewrite", str(mirrored.site), "--in-place", *mirrored.to())
    mediamirror("rewrite", str(mirrored.site), "--undo")
    url = f"https://{IMG}/share/card.jpg"
    done = mediamirror("catalog", "show", url, "--catalog", str(mirrored.catalog), "--format", "json")
    rewritten = json.loads(done.stdout)["variants"][0]["rewritten"]
    assert [row for row in rewritten if "/both/" not in row["output"]] == []


def test_a_set_that_is_not_complete_keeps_its_addresses_and_is_told(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    with sqlite3.connect(mirrored.catalog) as db:
        db.execute(
            "UPDATE standings SET status = 'rejected' WHERE variant_id = (SELECT id FROM variants WHERE url GLOB '*boat-640*')"
        )
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert done.returncode == 0
    assert f"https://{IMG}/up/boat-640.webp?v=1&fm=webp stays because it was rejected" in done.stderr
    found = urls((tmp_path / "out" / "index.html").read_bytes(), "index.html")
    assert sorted(
        {url.rpartition("/")[2] for url in found if IMG + "/up/boat" in url and not url.startswith(PUBLIC)}
    ) == [f"boat-{width}.webp?v=1&fm=webp" for width in (160, 320, 640)]
    assert all(url.startswith(PUBLIC) for url in urls((tmp_path / "out" / "ru/news.html").read_bytes(), "news.html"))


def test_with_partial_sets_only_the_missing_url_stays(mediamirror: Command, mirrored: Mirrored) -> None:
    with sqlite3.connect(mirrored.catalog) as db:
        db.execute(
            "UPDATE standings SET status = 'rejected' WHERE variant_id = (SELECT id FROM variants WHERE url GLOB '*boat-640*')"
        )
    done = mediamirror("rewrite", str(mirrored.site / "index.html"), "--stdout", "--partial-sets", *mirrored.to())
    found = urls(done.stdout.encode(), "index.html")
    assert [url for url in found if not url.startswith(PUBLIC)] == [f"https://{IMG}/up/boat-640.webp?v=1&fm=webp"]


def test_strict_leaves_such_a_page_alone_and_does_the_rest(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    with sqlite3.connect(mirrored.catalog) as db:
        db.execute("DELETE FROM objects WHERE key GLOB '*card.jpg'")
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), "--strict", *mirrored.to())
    assert (done.returncode, (tmp_path / "out" / "notes.md").read_bytes()) == (1, FILES["notes.md"])
    assert "its object is gone" in done.stderr
    assert PUBLIC in (tmp_path / "out" / "dump.txt").read_text()


def test_a_page_that_changed_since_it_was_mirrored_is_left_alone(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    (mirrored.site / "dump.txt").write_text("Another article.\n")
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert done.returncode == 1
    assert "dump.txt changed since it was mirrored" in done.stderr
    assert (tmp_path / "out" / "dump.txt").read_text() == "Another article.\n"
    assert PUBLIC in (tmp_path / "out" / "notes.md").read_text()


def test_a_mirror_in_a_folder_is_pointed_at_by_relative_paths(mediamirror: Command, mirrored: Mirrored) -> None:
    out = mirrored.site.parent / "out"
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(out), "--catalog", str(mirrored.catalog))
    assert done.returncode == 0, done.stderr
    assert b'src="../../mirror/www.origin.example/up/%D0%BA%D0%BE%D1%82.webp"' in (out / "ru/news.html").read_bytes()
    for name in ("index.html", "ru/news.html", "windows.html", "style/site.css"):
        found = urls((out / name).read_bytes(), name, base=(out / name).as_uri().replace("file:", "https://disk"))
        assert found
        assert all(f"{mirrored.mirror}/" in url for url in found)
    again = mediamirror("rewrite", str(out), "--in-place", "--catalog", str(mirrored.catalog))
    assert "0 URLs" not in again.stdout
    assert "rewritten" not in again.stdout.splitlines()[-1], again.stdout


def test_a_page_with_a_base_gets_no_relative_paths(mediamirror: Command, mirrored: Mirrored, tmp_path: Path) -> None:
    page = tmp_path / "based.html"
    page.write_text(f'<base href="{BASE}"><img src="/up/lead-160.webp">')
    done = mediamirror("rewrite", str(page), "--in-place", "--catalog", str(mirrored.catalog))
    assert done.returncode == 1
    assert "has a <base>" in done.stderr


def test_a_style_sheet_that_pages_load_with_integrity_is_left_alone(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    digest = hashlib.sha256(FILES["style/site.css"]).digest()
    import base64

    demand = f'<link rel=stylesheet href=style/site.css integrity="sha256-{base64.b64encode(digest).decode()}">'
    (mirrored.site / "strict.html").write_text(demand)
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert done.returncode == 1
    assert "site.css is loaded with integrity=sha256-" in done.stderr
    assert (tmp_path / "out" / "style/site.css").read_bytes() == FILES["style/site.css"]


def test_two_pages_that_claim_one_output_are_told_and_the_first_is_written(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    other = write_site(tmp_path / "other")
    done = mediamirror("rewrite", str(mirrored.site), str(other), "--to", str(tmp_path / "out"), *mirrored.to())
    assert done.returncode == 1
    assert f"{other / 'index.html'} would be written to {tmp_path / 'out' / 'index.html'}, as" in done.stderr
    assert PUBLIC in (tmp_path / "out" / "index.html").read_text()


def test_an_encoding_that_nobody_knows_leaves_the_page_alone(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    page = tmp_path / "odd.html"
    page.write_bytes(f'<meta charset="x-klingon"><img src="https://{WWW}/up/lead-160.webp">'.encode())
    done = mediamirror(
        "rewrite", str(page), str(mirrored.site / "notes.md"), "--to", str(tmp_path / "out"), *mirrored.to()
    )
    assert done.returncode == 1
    assert "says that it is in 'x-klingon'" in done.stderr
    assert PUBLIC in (tmp_path / "out" / "notes.md").read_text()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("https://m.example/a b.webp", "holds a blank"), (",https://m.example/a.webp", "begins or ends with a comma")],
)
def test_a_map_that_a_srcset_can_not_hold_leaves_the_page_alone(
    address: str, reason: str, mediamirror: Command, tmp_path: Path
) -> None:
    (tmp_path / "map.csv").write_text(
        f'old,new\nhttps://a.example/1.webp,"{address}"\nhttps://a.example/2.webp,https://m.example/2\n'
    )
    (tmp_path / "bad.html").write_text('<img srcset="https://a.example/1.webp 1x">')
    (tmp_path / "good.html").write_text('<img srcset="https://a.example/2.webp 1x">')
    done = mediamirror(
        "rewrite",
        str(tmp_path / "bad.html"),
        str(tmp_path / "good.html"),
        "--in-place",
        "--map",
        str(tmp_path / "map.csv"),
    )
    assert (done.returncode, reason in done.stderr) == (1, True), done.stderr
    assert (tmp_path / "bad.html").read_text() == '<img srcset="https://a.example/1.webp 1x">'
    assert (tmp_path / "good.html").read_text() == '<img srcset="https://m.example/2 1x">'


def test_a_map_of_urls_to_themselves_changes_nothing_however_they_are_spelled(
    mediamirror: Command, tmp_path: Path
) -> None:
    rows = ["https://a.example/O'Brien.webp", "https://a.example/ä b.webp", "HTTPS://A.example/c.webp"]
    (tmp_path / "map.csv").write_text("".join(f"{row},{row}\n" for row in rows))
    page = tmp_path / "p.html"
    page.write_text("".join(f'<img src="{row}">' for row in rows))
    done = mediamirror("rewrite", str(page), "--stdout", "--map", str(tmp_path / "map.csv"))
    assert (done.returncode, done.stdout) == (0, page.read_text()), done.stderr


def test_the_hosts_of_a_map_are_told_to_a_page_with_a_policy(mediamirror: Command, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_text(
        "https://a.example/1.webp,https://m.example/1.webp\nhttps://a.example/2.webp,/2.webp\n"
    )
    page = tmp_path / "p.html"
    page.write_text('<meta http-equiv=Content-Security-Policy content="img-src *"><img src="https://a.example/1.webp">')
    done = mediamirror("rewrite", str(page), "--in-place", "--map", str(tmp_path / "map.csv"))
    assert "its img-src must allow https://m.example now" in done.stderr


def test_addresses_with_ampersands_are_escaped_as_often_as_the_place_wants(
    mediamirror: Command, tmp_path: Path
) -> None:
    (tmp_path / "map.csv").write_text("https://a.example/1.webp,https://m.example/1.webp?w=1&copy=2\n")
    page = tmp_path / "p.html"
    page.write_text(
        '<img src="https://a.example/1.webp"><script type="application/ld+json">{"image":"https://a.example/1.webp"}</script>'
        '<iframe srcdoc="<img src=&quot;https://a.example/1.webp&quot;>"></iframe><style>a{background:url(https://a.example/1.webp)}'
    )
    done = mediamirror("rewrite", str(page), "--stdout", "--map", str(tmp_path / "map.csv"))
    assert re.findall(r"https://m\.example/1\.webp[^\"&)]*([^\"=)]*)", done.stdout) == [
        "&amp;copy",
        "&copy",
        "&amp;amp;copy",
        "&copy",
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Where shall the pages go?"),
        (["--to", "out", "--in-place"], "Where shall the pages go?"),
        (["--stdout", "--public-url", "ftp://x/"], "neither http nor https"),
        (["--stdout", "--public-url", "https://m.example/?key="], "has a query or a fragment"),
        (["--stdout", "--public-url", "https://a:b@m.example/"], "a user name or a password"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    words: list[str], sentence: str, mediamirror: Command, mirrored: Mirrored
) -> None:
    done = mediamirror("rewrite", str(mirrored.site / "notes.md"), "--catalog", str(mirrored.catalog), *words)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert tree(mirrored.site) == FILES


def test_a_folder_is_not_written_into_itself(mediamirror: Command, mirrored: Mirrored) -> None:
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(mirrored.site / "out"), *mirrored.to())
    assert (done.returncode, "one is inside the other" in done.stderr) == (2, True), done.stderr


def test_many_pages_are_read_by_several_processes_and_come_out_the_same(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    for number in range(40):
        (mirrored.site / f"copy-{number}.html").write_bytes(FILES["index.html"])
    one = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "one"), "--workers", "1", *mirrored.to())
    two = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "two"), "--workers", "2", *mirrored.to())
    assert (one.returncode, two.returncode) == (0, 0), two.stderr
    assert pages(tmp_path / "one") == pages(tmp_path / "two")


def test_a_map_of_the_mirror_rewrites_as_the_mirror_does(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    made = mediamirror("map", "-o", str(tmp_path / "map.csv"), *mirrored.to())
    assert made.returncode == 0, made.stderr
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "one"), *mirrored.to())
    words = ("--base-url", BASE, "--map", str(tmp_path / "map.csv"))
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "two"), *words)
    assert (done.returncode, pages(tmp_path / "two")) == (0, pages(tmp_path / "one")), done.stderr


def test_what_a_format_can_not_say_is_counted(mediamirror: Command, mirrored: Mirrored) -> None:
    done = mediamirror("map", "--format", "cloudflare", *mirrored.to())
    assert (done.returncode, done.stdout.count(",302,false")) == (1, len(images()) - 5)
    assert "5 URLs left out, because Bulk Redirects take no source URL with a query string or a port." in done.stderr


def test_a_rejected_variant_is_in_no_map(mediamirror: Command, mirrored: Mirrored) -> None:
    with sqlite3.connect(mirrored.catalog) as db:
        db.execute(
            "UPDATE standings SET status = 'rejected' WHERE variant_id = (SELECT id FROM variants WHERE url GLOB '*boat-640*')"
        )
    found = json.loads(mediamirror("map", "--format", "json", *mirrored.to()).stdout)
    assert (len(found), any("boat-640" in url for url in found)) == (len(images()) - 1, False)


def test_mirror_rewrites_in_the_same_run_as_rewrite_does_after_it(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert pages(mirrored.site.parent / "both") == pages(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["https://a.example/", "--to", "m", "--rewrite-to", "out"], "save the page first"),
        (["-", "--to", "m", "--rewrite-to", "out"], "save the page first"),
        (["README.md", "--to", "m", "--rewrite-to", "."], "written over itself"),
        (["README.md", "--to", "s3://a/b", "--rewrite-to", "out"], "Give --public-url"),
        (["README.md", "--to", "m", "--public-url", PUBLIC], "give --rewrite-to OUT"),
        (["README.md", "--to", "m", "--rewrite-to", "out", "-n"], "omit one of them"),
    ],
)
def test_what_can_not_be_rewritten_after_a_run_is_said_before_it(
    words: list[str], sentence: str, mediamirror: Command, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("![](https://a.example/1.webp)")
    done = mediamirror("mirror", *words, cwd=tmp_path)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "m").exists()


def test_the_commands_of_the_page_about_it_run(
    mediamirror: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_site(tmp_path / "site")
    text = (Path(__file__).parents[2] / "docs" / "rewrite.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?:^    |`)(mediamirror [^`\n]+)", text, re.MULTILINE)
    whole = [line for line in lines if " --" in line]
    assert len(whole) >= 7
    with running_site(tmp_path_factory.mktemp("origin"), images()) as origin:
        for line in whole:
            words = shlex.split(line)[1:]
            done = mediamirror(*words, *(origin.arguments() if words[0] == "mirror" else ()), cwd=tmp_path)
            # What mirror says of URLs that it has no base for is no failure.
            assert done.returncode == 0, (line, done.stderr)
    assert PUBLIC in (tmp_path / "map.csv").read_text()


def test_an_output_that_can_not_be_written_is_told_and_the_rest_is_done(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ru").write_text("a file where a folder has to be")
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert done.returncode == 1
    assert f"{tmp_path / 'out' / 'ru' / 'news.html'} can't be written" in done.stderr
    written = pages(tmp_path / "out")
    assert {name for name in FILES if name not in written} == {"ru/news.html"}
    assert PUBLIC.encode() in written["index.html"]


def test_a_pipe_or_a_device_in_the_place_of_an_output_is_told_and_stays(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "index.html")
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert (done.returncode, (tmp_path / "out" / "index.html").is_fifo()) == (1, True)
    assert "index.html can't be written (it is a device, a pipe or a socket)" in done.stderr


def test_a_pipe_in_the_site_is_told_and_nobody_waits_for_it(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    os.mkfifo(mirrored.site / "a.html")
    os.mkfifo(mirrored.site / "b.js")
    done = mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    assert (done.returncode, done.stderr.count("is no regular file")) == (1, 2), done.stderr
    assert PUBLIC in (tmp_path / "out" / "notes.md").read_text()


def test_verify_is_clean_after_a_rewrite_where_it_was_clean_before(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    root = mirrored.mirror.parent
    mediamirror("rewrite", str(mirrored.site), "--to", str(root / "local"), "--catalog", str(mirrored.catalog))
    clean = [name for name in FILES if name.endswith(".html") and b"<base" not in (root / "local" / name).read_bytes()]
    assert len(clean) >= 3
    for name in clean:
        done = mediamirror("verify", str(root / "local" / name), "--root", str(root), "--check", "header")
        assert done.returncode == 0, (name, done.stdout + done.stderr)
        assert ": 0 checked" not in done.stdout


def test_a_copy_of_the_mirror_by_sync_is_mapped_as_the_mirror_is(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    copied = tmp_path / "copy"
    done = mediamirror("sync", str(mirrored.mirror), str(copied), "--catalog", str(mirrored.catalog))
    assert done.returncode == 0, done.stdout + done.stderr
    maps = [
        mediamirror("map", str(dest), "--catalog", str(mirrored.catalog), "--public-url", PUBLIC)
        for dest in (mirrored.mirror, copied)
    ]
    rows = [sorted(each.stdout.splitlines()) for each in maps]
    assert rows[0] == rows[1], maps[1].stderr
    assert len(rows[0]) > 10
    words = ("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), "--mirror", str(copied), *mirrored.to())
    again = mediamirror(*words)
    assert again.returncode == 0, again.stdout + again.stderr
    assert not OLD.search((tmp_path / "out" / "windows.html").read_text())


def test_the_report_links_the_old_address_and_the_new_one(
    mediamirror: Command, mirrored: Mirrored, tmp_path: Path
) -> None:
    mediamirror("rewrite", str(mirrored.site), "--to", str(tmp_path / "out"), *mirrored.to())
    done = mediamirror("report", str(mirrored.mirror), "--catalog", str(mirrored.catalog), "-o", str(tmp_path / "r"))
    assert done.returncode == 0, done.stdout + done.stderr
    shown = "".join(path.read_text() for path in (tmp_path / "r").glob("*.html"))
    old, new = f"https://{IMG}/up/boat-160.webp?v=1&amp;fm=webp", f"{PUBLIC}{IMG}/up/boat-160"
    assert f'href="{old}"' in shown
    assert f'rewritten to <a href="{new}' in shown
