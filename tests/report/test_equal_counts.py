"""Every format of every command counts alike: what a summary says is what is listed, and each format lists the same."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from xml.etree import ElementTree

import pytest

from fixtures.images import make_image
from mediamirror import check, mirror, parse, scrub, sync, verify
from mediamirror.cli.objects import ObjectOutput
from mediamirror.cli.output import Output, Style
from mediamirror.model import Event, Outcome, Summary
from mediamirror.report.events import summary_sentence
from mediamirror.settings import CheckOptions, ScrubOptions
from tests.jobs.test_own_record import MIRROR, URLS, Origin, page
from tests.report.test_one_voice import FORMATS, PAGE, counted, summary_count

__all__ = ["page"]
Listen = Callable[[Any], None]


def printed(style: Style, events: list[Event], capsys: pytest.CaptureFixture[str]) -> str:
    with Output(style) as output:
        for event in events:
            output(event)
    told = capsys.readouterr()
    return told.out + told.err if style.format in {"table", "summary"} else told.out


def rows_of(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        json.loads(text) if text.startswith("[") else [json.loads(x) for x in text.splitlines()]
    )
    return rows


@pytest.fixture
async def damaged(page: str, tmp_path: Path) -> list[Event]:
    """What is told of a mirror of four objects: one is sound, one was cut, one is gone, one has no record."""
    urls = (*URLS[:2], "https://media.example/long-name_64.png")
    (tmp_path / "page.html").write_text("".join(f'<img alt="a boat" src="{url}">' for url in urls))
    kept = tmp_path / "m"
    await mirror([page], to=str(kept), options=MIRROR, transport=Origin().transport)
    cut, gone, _ = sorted(path for path in kept.rglob("*.png") if "_mediamirror" not in path.parts)
    cut.write_bytes(cut.read_bytes()[:-20])
    gone.unlink()
    (kept / "stray.webp").write_text("no image")
    events: list[Event] = []
    await scrub(str(kept), options=ScrubOptions(check=CheckOptions(check="header")), on_event=events.append)
    return events


@pytest.mark.parametrize("format_", FORMATS)
async def test_the_findings_of_a_mirror_are_as_many_in_every_format(
    damaged: list[Event], tmp_path: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    wanted = summary_count(damaged)
    assert wanted["error"] == 4  # cut, gone, and of the stray file both that it has no record and that it is no image
    assert counted(format_, damaged, tmp_path, capsys, quiet=False) == wanted


async def test_every_object_of_a_mirror_is_in_a_case_of_junit_and_a_row_of_json(
    damaged: list[Event], capsys: pytest.CaptureFixture[str]
) -> None:
    root = ElementTree.fromstring(printed(Style("junit", progress=False), damaged, capsys))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("4", "3", "0")
    names = [case.get("name") or "" for case in root.iter("testcase")]
    assert len({name for name in names if name.endswith((".png", ".webp"))}) == 3
    assert names[-1] == "1 object without a finding"
    rows = rows_of(printed(Style("jsonl", progress=False, apart="next"), damaged, capsys))
    assert Counter(row["status"] for row in rows if row["type"] == "variant") == rows[-1]["statuses"]
    summary = printed(Style("summary", progress=False, summary_above=-1), damaged, capsys)
    assert "This is a summary, for 4 objects." in summary
    assert "3 objects with findings or errors" in summary


async def test_what_a_mirror_run_counts_is_what_its_formats_list(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One image that lies about its width, one that is sound; a srcset that is none, and a document that can't be read."""
    urls = (URLS[1], "https://media.example/wide.png")
    (tmp_path / "page.html").write_text(
        f'<img srcset="{urls[0]} 64w, {urls[1]} 640w" alt="A"><img srcset="{urls[0]} 64w, x y z" alt="B">'
    )
    (tmp_path / "binary.html").write_bytes(b"\0\1" * 99)
    events: list[Event] = []
    inputs = [page, str(tmp_path / "binary.html")]
    await mirror(inputs, to=str(tmp_path / "m"), options=MIRROR, transport=Origin().transport, on_event=events.append)
    wanted = summary_count(events)
    outcomes = Counter(event.status.value for event in events if isinstance(event, Outcome))
    assert outcomes == {"stored": 1, "rejected": 1}
    assert wanted["error"] == 1
    assert wanted["problem"] >= 2
    for format_ in ("json", "jsonl"):
        rows = rows_of(printed(Style(format_, progress=False), events, capsys))
        assert rows[-1]["statuses"] == outcomes
        assert Counter(row["status"] for row in rows if row["type"] == "variant") == outcomes
        assert counted(format_, events, tmp_path, capsys, quiet=False) == wanted
    assert counted("table", events, tmp_path, capsys, quiet=False) == wanted
    summary = printed(Style("summary", progress=False, summary_above=-1), events, capsys)
    problems = summary.partition("Problems\n")[2].partition("\n1 image set")[0]
    found = [int(number) for number in re.findall(r"^ +(\d+)  [a-z-]+  ", problems, re.M)]
    assert sum(found) == wanted["problem"]
    rules = re.findall(r"^ +(\d+)  (error|warning|note) +MM", summary, re.M)
    assert sum(int(number) for number, _ in rules) == wanted.total() - wanted["problem"]


@pytest.mark.parametrize("format_", ["table", "json", "jsonl"])
async def test_what_parse_counts_is_what_it_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "empty.html").write_text("")
    events: list[Event] = []
    summary = await parse([str(tmp_path)], on_event=events.append)
    text = printed(Style(format_, progress=False, sets=True), events, capsys)
    if format_ == "table":
        assert len(re.findall(r"\.html(?::\d+)?: [a-z-]+: ", text)) == summary.problems
        return
    rows = rows_of(text)
    sets = [row for row in rows if row["type"] == "image-set"]
    told = sum(row["type"] == "problem" for row in rows) + sum(len(row["problems"]) for row in sets)
    assert (told, len(sets)) == (summary.problems, summary.sets)
    assert (rows[-1]["problems"], rows[-1]["sets"]) == (summary.problems, summary.sets)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two places: two objects are the same, one differs, one is in each alone, and one name can be no key."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for name in ("a", "b", "c", "d"):
        (here / f"{name}.png").write_bytes(make_image(8, 8, "png", seed=ord(name)))
    shutil.copytree(here, there)
    (there / "d.png").rename(there / "e.png")
    (there / "c.png").write_bytes(b"other")
    (here / "link.png").symlink_to("nowhere")
    return str(here), str(there)


@pytest.mark.parametrize("format_", ["table", "json", "jsonl"])
@pytest.mark.parametrize("job", [sync, check])
async def test_what_sync_and_check_count_is_what_they_list(
    places: tuple[str, str], capsys: pytest.CaptureFixture[str], job: Any, format_: str
) -> None:
    with ObjectOutput(format_, quiet=False, verbose=True) as output:
        summary = await job(*places, on_event=output)
    told = capsys.readouterr()
    left = summary.statuses.get("left out", 0)
    assert left == 1
    listed = sum(summary.statuses.values()) - left
    if format_ == "table":
        lines = told.out.splitlines()[:-1]
        assert len(lines) == listed
        assert len(told.err.splitlines()) == left
        verbs = Counter(line.split()[0] for line in lines)
        assert sorted(verbs.values()) == sorted(count for name, count in summary.statuses.items() if name != "left out")
        return
    rows = rows_of(told.out)
    assert sum(row["type"] == "object" for row in rows) == listed
    assert sum(row["type"] == "problem" for row in rows) == left
    assert rows[-1]["statuses"] == summary.statuses


HEADLINES = [
    ({"checked": 3}, "All 3 objects are what is recorded of them"),
    ({"checked": 1}, "The only object is what is recorded of it"),
    ({"checked": 1, "rejected": 3}, "3 of 4 objects are not what is recorded"),
    ({"checked": 8, "failed": 1, "unrecorded": 1}, "1 of 10 objects is not what is recorded; 1 has no record"),
    ({"checked": 1, "repaired": 1, "unrecorded": 2}, "2 objects are what is recorded of them; 2 have no record"),
    ({"unrecorded": 2}, "All 2 objects have no record"),
    ({}, "No image was found"),
]


@pytest.mark.parametrize(("statuses", "said"), HEADLINES)
def test_a_mirror_has_a_headline_of_its_own_in_the_report_and_in_markdown(
    statuses: dict[str, int], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[Event] = [Summary(1, 0, sum(statuses.values()), statuses)]
    report = tmp_path / "report"
    printed(Style("none", progress=False, report=report), events, capsys)
    html = (report / "index.html").read_text()
    assert f'<p class="verdict">{said}.</p>' in html
    assert ("image set" in html.partition('<p class="facts">')[2].partition("</p>")[0]) is (not statuses)
    assert said in printed(Style("md", progress=False), events, capsys)


async def test_a_run_that_looked_at_no_image_is_never_told_as_a_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.html").write_text('<img src="a.png" alt="A">')
    events: list[Event] = []
    summary = await verify([str(tmp_path / "page.html")], on_event=events.append)
    assert summary.exit_code == 1
    markdown = printed(Style("md", progress=False), events, capsys)
    assert "**🔴 No image can be used.**" in markdown
    assert "✅" not in markdown
    printed(Style("none", progress=False, report=tmp_path / "report"), events, capsys)
    assert '<p class="verdict">No image can be used.</p>' in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize("format_", ["table", "summary"])
async def test_that_nothing_could_be_read_is_told_once(
    tmp_path: Path, format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    events: list[Event] = []
    await verify([str(tmp_path / "empty")], on_event=events.append)
    told = printed(Style(format_, progress=False), events, capsys)
    assert told.count("No document can be used: 1 problem.") == 1
    assert "0 documents" not in told
    assert "0 objects" not in told


@pytest.mark.parametrize(
    ("left", "said"), [(0, "Interrupted at its very end"), (3, "Interrupted with 3 variants left")]
)
def test_an_interrupted_run_says_how_much_is_left(left: int, said: str) -> None:
    assert said in summary_sentence(Summary(1, 1, 3, {"stored": 3}, left=left, exit_code=130))


def test_an_interrupted_parse_does_not_promise_to_go_on() -> None:
    said = summary_sentence(Summary(1, 1, 3, exit_code=130, reads_alone=True))
    assert said == "1 image set, 3 variants in 1 document. Interrupted: the rest was not read."


def test_a_run_with_nothing_to_do_blames_no_document() -> None:
    assert summary_sentence(Summary(problems=1)) == "Nothing to do."
    assert summary_sentence(Summary(problems=1, exit_code=2)) == "No document can be used: 1 problem."


@pytest.mark.parametrize("format_", ["table", "jsonl", "junit"])
def test_an_element_that_repeats_another_in_other_words_is_an_image_set_in_every_format(
    format_: str, tmp_path: Path, mediamirror: Callable[..., CompletedProcess[str]]
) -> None:
    make = '<img src="a.png" srcset="a.png 80w" sizes="{}" alt="x">'
    (tmp_path / "p.html").write_text(f"<!doctype html>{make.format('100vw')}\n{make.format('50vw')}\n")
    (tmp_path / "a.png").write_bytes(make_image(80, 60, "png"))
    done = mediamirror("verify", "p.html", "--root", ".", "--format", format_, cwd=tmp_path)
    shown = {
        "table": done.stdout.count("p.html:"),
        "jsonl": done.stdout.count('"type":"image-set"'),
        "junit": done.stdout.count("<testcase "),
    }
    assert (done.returncode, shown[format_]) == (0, 2)
    assert '"sets":2' in done.stdout if format_ == "jsonl" else "2 image sets" in done.stderr + done.stdout
