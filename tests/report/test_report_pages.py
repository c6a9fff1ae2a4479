"""The HTML report as files: complete, escaped, bounded, and never over somebody else's page."""

import json
import os
import re
import stat
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from fixtures.newsroom import (
    CREATED,
    HOSTILE_ALT,
    PAGE,
    archive,
    finding,
    front_page,
    ladder,
    newspaper,
    report,
    sound,
    thumbnail,
)
from mediamirror.errors import BadDestination
from mediamirror.model import Problem, SetResult, Severity, Status, Summary
from mediamirror.report.html import HtmlReport, write_html

VOID = {"meta", "img", "input", "link", "br", "use", "path", "circle", "rect", "line"}


class Page(HTMLParser):
    """Tags, attributes and words of a page, and whether its tags nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def all(self, tag: str, name: str | None = None) -> list[dict[str, str | None]]:
        return [a for t, a in self.elements if t == tag and (name is None or name in (a.get("class") or "").split())]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_html(tmp_path_factory.mktemp("report"), newspaper()))


def test_the_headline_is_the_verdict(page: Page) -> None:
    assert "3 of 7 images are not as declared." in page.words
    assert "The Harbour Post, front page" in page.words


def test_tags_nest_and_ids_are_unique(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert (page.crossed, page.open) == ([], [])
    assert len(ids) == len(set(ids))


def test_headings_never_skip_a_level(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_has_a_text_and_is_a_file_of_the_folder(page: Page, tmp_path: Path) -> None:
    index = write_html(tmp_path, newspaper())
    pictures = Page(index).all("img")
    assert all(picture["alt"] is not None for picture in pictures)
    assert {str(picture["src"]) for picture in pictures} == {
        f"thumbs/{p.name}" for p in (tmp_path / "thumbs").iterdir()
    }


def test_a_frame_shows_what_was_declared_beside_what_is_real(tmp_path: Path) -> None:
    page = Page(write_html(tmp_path, report(front_page()[:1])))
    words = [word for word in page.words if word]
    end = next(at for at, word in enumerate(words) if word.startswith("Width against bytes"))
    assert words[end - 7 : end] == [
        "2560w",
        "error",
        "not as declared:",
        "1,280 × 853",
        "61.5 KiB · webp",
        "rejected",
        "MM301",
    ]


def test_a_chart_stands_beside_every_ladder(page: Page) -> None:
    titles = [word for word in page.words if word.startswith("Width against bytes")]
    assert len(titles) == 6
    assert titles[0].endswith("2 of them not as wide as declared.")


def test_links_lead_to_the_web_by_http_only(page: Page) -> None:
    targets = [str(a["href"]) for a in page.all("a")]
    assert {t.split(":")[0] for t in targets if ":" in t} == {"https"}
    assert all(a.get("rel") == "noopener noreferrer" for a in page.all("a") if str(a["href"]).startswith("http"))


def test_hostile_text_stays_text(page: Page) -> None:
    shown = HOSTILE_ALT.replace("\u202e", "\\u202e")
    assert shown in page.words
    assert len(page.all("script")) == 1
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    assert not [a for a in page.all("img") if not str(a["src"]).startswith("thumbs/")]
    assert "alert(1)" not in page.all("title")[0]


def test_nothing_but_raster_bytes_becomes_a_thumbnail(tmp_path: Path) -> None:
    row = replace(ladder("a", [480], seed=1)[0], thumbnail=b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    index = write_html(tmp_path, report((SetResult(PAGE, 1, (row,)),)))
    assert not Page(index).all("img")
    assert not (tmp_path / "thumbs").exists()


def test_the_policy_allows_only_what_the_report_brings_along(page: Page) -> None:
    policy = next(str(m["content"]) for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src 'self' file:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_sound_run_and_an_empty_run_have_their_own_headlines(tmp_path: Path) -> None:
    whole = Page(write_html(tmp_path / "a", report(tuple(sound(n, f"p{n}", f"P {n}", n) for n in (1, 2)))))
    empty = Page(write_html(tmp_path / "b", report(())))
    odd = Page(write_html(tmp_path / "c", report((front_page()[2], front_page()[1]))))
    assert "All 2 images are as declared." in whole.words
    assert "No image was found." in empty.words
    assert "All 2 images are as declared; 1 deserves a look." in odd.words


def unseen(number: int) -> SetResult:
    whole = sound(number, f"u{number}", f"U {number}", number)
    return replace(whole, rows=tuple(replace(r, status=Status.SKIPPED, thumbnail=None) for r in whole.rows))


def test_an_image_that_nobody_looked_at_wears_no_badge_of_a_sound_one(tmp_path: Path) -> None:
    page = Page(write_html(tmp_path / "a", report((sound(1, "p", "P", 1), unseen(2)))))
    cards = [(a.get("class"), a.get("data-severities")) for a in page.all("article") if "card" in str(a.get("class"))]
    assert cards == [("card sound", "sound"), ("card unchecked", "unchecked")]
    assert "1 of 2 images was checked: it is as declared." in page.words
    assert page.words.count("not checked") == 2  # the badge, and the filter
    alone = Page(write_html(tmp_path / "b", report((unseen(1), unseen(2)))))
    assert "None of 2 images was checked." in alone.words


def test_an_image_whose_findings_a_baseline_holds_is_accepted_and_not_sound(tmp_path: Path) -> None:
    page = Page(write_html(tmp_path, report((replace(sound(1, "p", "P", 1), known=2),))))
    assert "Nothing new is wrong in 1 image; the findings of 1 are known or switched off." in page.words
    assert page.words.count("accepted") == 2
    assert page.words.count("sound") == 1  # the filter


def test_a_rule_is_explained_once_however_often_it_fires(tmp_path: Path) -> None:
    ids = [a.get("id") for a in Page(write_html(tmp_path, report(tuple(archive(30))))).all("article")]
    assert ids.count("rule-MM301") == 1


def test_problems_of_the_inputs_are_listed_and_bounded(tmp_path: Path) -> None:
    problems = tuple(Problem("odd", f"Problem {n}.", n, document="a.html") for n in range(1, 301))
    page = Page(write_html(tmp_path, report((), problems=problems)))
    assert sum(word.startswith("Problem ") for word in page.words if word != "Problems in the inputs") == 200
    assert "and 100 more problems" in page.words


def test_many_sets_are_cut_into_pages_that_know_each_other(tmp_path: Path) -> None:
    write_html(tmp_path, report(tuple(archive(250))), per_page=100)
    pages = [Page(tmp_path / name) for name in ("index.html", "sets-002.html", "sets-003.html")]
    assert [len(page.all("article", "card")) for page in pages] == [100, 100, 50]
    assert [[a["href"] for a in page.all("a") if a.get("rel") in ("prev", "next")][:2] for page in pages] == [
        ["sets-002.html", "sets-002.html"],
        ["index.html", "sets-003.html"],
        ["sets-002.html", "sets-002.html"],
    ]
    index = json.loads((tmp_path / "sets.js").read_text().removeprefix("var mediamirrorSets=").rstrip(";\n"))
    assert [len(page) for page in index] == [100, 100, 50]
    assert index[0][3][:2] == ["error", "MM301"]


def test_full_pages_leave_no_empty_one(tmp_path: Path) -> None:
    write_html(tmp_path, report(tuple(archive(20))), per_page=10)
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["index.html", "sets-002.html"]


def test_a_picture_that_many_sets_share_is_kept_once(tmp_path: Path) -> None:
    write_html(tmp_path, report(tuple(archive(120))))
    assert len(list((tmp_path / "thumbs").iterdir())) <= 51


def test_the_sets_to_look_at_first_lead_to_their_page(tmp_path: Path) -> None:
    sets = [sound(n, f"p{n}", f"P {n}", 1) for n in range(25)]
    sets[23] = replace(front_page()[0], line=24)
    page = Page(write_html(tmp_path, report(tuple(sets)), per_page=10))
    assert "sets-003.html#set-24" in [a["href"] for a in page.all("a")]


def test_a_shorter_report_over_a_longer_one_leaves_nothing_of_it(tmp_path: Path) -> None:
    write_html(tmp_path, report(tuple(archive(60))), per_page=10)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "thumbs" / "mine.png").write_text("mine")
    write_html(tmp_path, report(front_page()[1:2]))
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert [name for name in names if not name.endswith(".webp")] == ["index.html", "mine.png", "notes.txt"]
    assert len(names) == 4


def test_a_page_of_somebody_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>My site</h1>")
    with pytest.raises(BadDestination, match=r"already holds an index\.html that is no report of ours: name another"):
        write_html(tmp_path, newspaper())
    assert (tmp_path / "index.html").read_text() == "<h1>My site</h1>"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_can_not_be_written_is_refused_at_once_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "report"):
        with pytest.raises(
            BadDestination, match=r"The report can't be written to .*: make the folder writable or name another"
        ):
            HtmlReport(folder, title="x", created=CREATED)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(BadDestination, match="permission denied"):
        HtmlReport(tmp_path, title="x", created=CREATED)


def test_a_disk_that_fails_in_the_middle_is_told_in_one_sentence(tmp_path: Path) -> None:
    with HtmlReport(tmp_path, title="x", created=CREATED) as out:
        (tmp_path / "thumbs").write_text("in the way")
        with pytest.raises(BadDestination, match="can't be written"):
            out.add(front_page()[0])


def test_an_interrupted_report_leaves_the_earlier_one_whole(tmp_path: Path) -> None:
    before = write_html(tmp_path, newspaper()).read_bytes()
    with HtmlReport(tmp_path, title="x", created=CREATED) as out:
        out.add(front_page()[1])
    assert (tmp_path / "index.html").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_text_that_no_encoding_holds_does_not_stop_the_report(tmp_path: Path) -> None:
    row = replace(ladder("a", [480], seed=1)[0], url="https://h/\ud800", media="\ud800", format="\x00")
    told = finding("X\ud800 Y", Severity.NOTE, row, "\ud800", "\ud800", "\x00")
    odd = SetResult("\ud800.html", 0, (replace(row, findings=(told,)),), "\ud800", "\ud800")
    data = report((odd,), problems=(Problem("\ud800", "\ud800", document="\ud800"),), title="\ud800")
    assert "\\ud800" in write_html(tmp_path, data).read_text(encoding="utf-8")


def test_very_long_text_is_cut(tmp_path: Path) -> None:
    row = replace(ladder("a", [480], seed=1)[0], url="https://h/" + "a" * 100_000)
    told = finding("MM301", Severity.ERROR, row, "m" * 100_000, "d" * 100_000, "f" * 100_000)
    data = report((SetResult(PAGE, 1, (replace(row, findings=(told,)),), "z" * 100_000),))
    assert write_html(tmp_path, data).stat().st_size < 200_000


def test_a_set_without_images_and_a_summary_without_numbers_are_shown(tmp_path: Path) -> None:
    with HtmlReport(tmp_path, title="t", created=CREATED) as out:
        out.add(SetResult("a.html", 0, ()))
        page = Page(out.finish(Summary()))
    assert "An element without a usable address" in page.words


@pytest.mark.parametrize(
    ("alt", "carrier", "said"),
    [
        ("A harbour", "img", set()),
        (None, "img", {"no alt text"}),
        ("", "img", {"empty alt text"}),
        (None, "css", set()),
        (None, None, set()),
        ("A harbour", None, set()),
    ],
)
def test_only_an_image_element_that_has_none_is_said_to_have_no_alt_text(
    tmp_path: Path, alt: str | None, carrier: str | None, said: set[str]
) -> None:
    rows = (replace(ladder("a", [480], seed=1)[0], carrier=carrier),) if carrier else ()
    page = Page(write_html(tmp_path, report((SetResult(PAGE, 1, rows, alt),))))
    assert {word for word in page.words if word.endswith("alt text")} == said


def test_an_element_without_a_picture_stands_behind_pictures_as_grave_as_it_and_lists_no_files(tmp_path: Path) -> None:
    row = ladder("a", [480], seed=1)[0]
    odd = finding("MM104", Severity.WARNING, row, "No sizes.", "", "")
    empty = SetResult(PAGE, 1, (), "Nothing to fetch", findings=(replace(odd, rule="MM101"),))
    page = Page(
        write_html(tmp_path, report((empty, SetResult(PAGE, 2, (replace(row, findings=(odd,)),), "A harbour"))))
    )
    first = [word for word in page.words if word in {"Nothing to fetch", "A harbour"}]
    assert first == ["A harbour", "Nothing to fetch", "Nothing to fetch", "A harbour"]
    assert page.words.count("Every file and its address") == 1


def test_thumbnails_of_every_raster_kind_are_kept_by_their_kind(tmp_path: Path) -> None:
    from fixtures.images import encode, photo

    kinds = {"png": "png", "jpeg": "jpg", "gif": "gif", "webp": "webp"}
    rows = [replace(ladder("a", [480], seed=1)[0], thumbnail=encode(photo(40, 30), kind)) for kind in kinds]
    write_html(tmp_path, report((SetResult(PAGE, 1, tuple(rows)),)))
    assert sorted(path.suffix[1:] for path in (tmp_path / "thumbs").iterdir()) == sorted(kinds.values())
    assert thumbnail(1)[:4] == b"RIFF"
