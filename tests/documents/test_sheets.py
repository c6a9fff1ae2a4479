"""Nobody is asked for a style sheet that was read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from mediamirror import mirror, parse, verify
from mediamirror.model import Event, Problem
from mediamirror.settings import MirrorOptions, ParseOptions, ReadOptions, VerifyOptions

BASE = ReadOptions(base_url="https://site.example/", offline=True)
IMPORTS = '@import "b.css";@import url(/css/c.css?v=2);@import "sub/../a%20d.css#x";@import "not-here.css";'


def site(top: Path) -> Path:
    sheets = top / "site/css"
    sheets.mkdir(parents=True)
    (sheets / "a.css").write_text(IMPORTS)
    for name in ("b", "c", "a d"):
        (sheets / f"{name}.css").write_text("p{color:red}")
    (top / "site/page.html").write_text("<!doctype html><style>@import 'css/b.css';@import 'nor-here.css'</style>")
    return top / "site"


async def asked_for(inputs: list[str], job: str = "parse", to: Path | None = None) -> list[str]:
    events: list[Event] = []
    if job == "parse":
        await parse(inputs, options=ParseOptions(read=BASE), on_event=events.append)
    elif job == "verify":
        await verify(inputs, options=VerifyOptions(read=BASE), on_event=events.append)
    else:
        await mirror(inputs, to=str(to), options=MirrorOptions(read=BASE), on_event=events.append)
    found = [event for event in events if isinstance(event, Problem) and event.code == "css-import"]
    return sorted(problem.message.partition(" ")[0] for problem in found)


@pytest.mark.parametrize("job", ["parse", "verify", "mirror"])
async def test_only_the_sheets_that_were_not_read_are_asked_for(tmp_path: Path, job: str) -> None:
    assert await asked_for([str(site(tmp_path))], job, tmp_path / "to") == ["nor-here.css", "not-here.css"]


async def test_a_sheet_given_alone_asks_for_all_that_it_imports(tmp_path: Path) -> None:
    assert len(await asked_for([str(site(tmp_path) / "css/a.css")])) == 4


async def test_the_sheets_in_an_archive_are_found_by_their_names_in_it(tmp_path: Path) -> None:
    folder, out = site(tmp_path), io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for path in sorted(folder.rglob("*.*")):
            packed.write(path, path.relative_to(folder))
    (tmp_path / "site.zip").write_bytes(out.getvalue())
    assert await asked_for([str(tmp_path / "site.zip")]) == ["nor-here.css", "not-here.css"]


@pytest.mark.parametrize("url", ["http://[", "//b.example/x.css", "https://a.example/b.css", "%00", "\\\\x"])
async def test_what_is_no_path_is_asked_for(tmp_path: Path, url: str) -> None:
    (tmp_path / "a.css").write_text(f'@import "{url}";')
    (tmp_path / "b.css").write_text("p{color:red}")
    assert len(await asked_for([str(tmp_path)])) == 1
