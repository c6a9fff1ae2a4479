"""GitHub annotations: workflow commands that stand beside their lines and can't be broken out of."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from fixtures.newsroom import HOST, PAGE, finding, front_page, ladder, never_upscaled, newspaper, report
from mediamirror.model import Problem, SetResult, Severity
from mediamirror.report.sarif import to_github


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_finding_stands_beside_its_line() -> None:
    assert lines(to_github(report((never_upscaled(18),))))[0] == (
        f"::error title=MM301,file={PAGE},line=18::The image is not as wide as its width descriptor says."
        f"%0Adeclared 1920w, found 1280 px%0A{HOST}/harbour-1920.webp"
    )


def test_the_gravest_come_first_and_the_summary_last() -> None:
    told = [line.split(" ")[0] for line in lines(to_github(newspaper()))]
    assert told == ["::error"] * 5 + ["::warning"] + ["::notice"] * 3
    assert lines(to_github(newspaper()))[-1].startswith("::notice title=mediamirror::7 image sets, 24 variants")


@pytest.mark.parametrize("document", ["https://h/news/", "/srv/page.html", "-"])
def test_a_document_outside_the_checkout_is_named_in_the_text(document: str) -> None:
    problem = Problem("odd", "Odd.", 7, document=document)
    assert lines(to_github(report((), problems=(problem,))))[0] == f"::notice title=odd::Odd.%0Ain {document}:7"


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ("/srv/site/blog/a.html", "file=blog/a.html,line=7::Odd."),
        ("/srv/site-2/a.html", ":Odd.%0Ain /srv/site-2/a.html:7"),
        ("https://h/srv/site/a.html", ":Odd.%0Ain https://h/srv/site/a.html:7"),
    ],
)
def test_an_absolute_path_below_the_folder_of_the_run_is_a_file_of_the_checkout(document: str, place: str) -> None:
    data = replace(
        report((), problems=(Problem("odd", "Odd.", 7, document=document),)), folder=PurePosixPath("/srv/site")
    )
    assert place in lines(to_github(data))[0]


def test_text_can_not_start_a_command_of_its_own() -> None:
    row = replace(ladder("a", [480], seed=1)[0], url="https://h/%0A::error::x\r\n::set-output name=a::b")
    told = finding("MM301", Severity.ERROR, row, "a\n::add-mask::x 100%\r\n::stop-commands::y")
    text = to_github(
        report((SetResult("a,b:c%\n::warning::.html", 1, (row,), findings=(replace(told, reference=None),)),))
    )
    assert len(lines(text)) == 2
    assert lines(text)[0].startswith(
        "::error title=MM301,file=a%2Cb%3Ac%25%0A%3A%3Awarning%3A%3A.html,line=1::a ::add-mask::x 100%25 "
    )


def test_a_clean_run_is_one_notice() -> None:
    assert len(lines(to_github(report(front_page()[1:2])))) == 1
