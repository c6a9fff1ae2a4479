"""The Markdown summary, read back with a Markdown parser."""

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from fixtures.newsroom import HOST, archive, finding, front_page, ladder, never_upscaled, newspaper, report
from mediamirror.model import Problem, SetResult, Severity, Status
from mediamirror.report.markdown import escape, to_markdown

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(PARSER.render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_verdict_and_the_tables_are_there() -> None:
    page = Page(to_markdown(newspaper()))
    assert "🔴 5 errors; 🟡 1 warning; 🔵 1 note" in page.words
    assert (page.tags.count("table"), page.tags.count("tr")) == (2, 1 + 6 + 1 + 7)
    assert "1 problem in the inputs" in page.words


def test_a_sound_run_says_so_without_tables() -> None:
    text = to_markdown(report(front_page()[1:2]))
    assert "Every image is what the page promises." in text
    assert "|" not in text


def test_a_finding_is_a_row_with_both_values_and_a_link() -> None:
    page = Page(to_markdown(report((never_upscaled(18),))))
    assert page.links == [f"{HOST}/harbour-1920.webp", f"{HOST}/harbour-2560.webp"]
    assert "news/index.html:18" in page.words
    assert "1920w" in page.words


def test_hostile_text_becomes_no_markup() -> None:
    tags = set(Page(to_markdown(newspaper())).tags)
    assert tags <= {"h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "a", "ul", "li"}


def test_a_pipe_or_a_line_break_does_not_break_the_table() -> None:
    row = replace(ladder("a", [480], seed=1)[0], url="https://h/a|b)>c.webp")
    told = finding("MM301", Severity.ERROR, row, "a | b\n| c \\| d", "`x|y`", "**z**")
    page = Page(to_markdown(report((SetResult("p|q.html", 1, (), findings=(told,)),))))
    assert page.tags.count("td") == 4 + 6
    assert page.links == ["https://h/a%7Cb)%3Ec.webp"]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    from mediamirror.report.escape import visible

    page = Page("x " + escape(text))
    assert page.words.strip() == ("x " + visible(text)).strip()
    assert page.tags == ["p"]


def test_nobody_is_mentioned_and_nothing_is_linked_by_its_look() -> None:
    assert escape("@octocat #12 https://evil.example www.evil.example") == (
        "&#64;octocat &#35;12 https&#58;//evil.example www&#46;evil.example"
    )


def test_many_findings_are_cut_and_counted() -> None:
    text = to_markdown(report(tuple(archive(700))), limit=50)
    assert text.count("harbour-") == 50
    assert "and 150 more findings." in text
    assert len(text) < 65_536


def test_many_problems_are_cut_and_counted() -> None:
    problems = tuple(Problem("odd", "Odd.", n, document="a.html") for n in range(250))
    assert to_markdown(report((), problems=problems)).rstrip().endswith("- and 150 more")


def test_images_that_nobody_looked_at_are_counted_beside_the_verdict() -> None:
    whole = front_page()[1]
    unseen = replace(whole, rows=tuple(replace(row, status=Status.SKIPPED) for row in whole.rows))
    assert "✅ Every image that was checked is what the page promises; ⚪ 1 image not checked." in to_markdown(
        report((whole, unseen))
    )
    assert "⚪ No image was checked, of 1." in to_markdown(report((unseen,)))


def test_a_run_whose_findings_a_baseline_holds_is_not_told_as_sound() -> None:
    whole = front_page()[1]
    text = to_markdown(report((whole, replace(whole, known=2))))
    assert "✅ Nothing new is wrong in 2 images; the findings of 1 are known or switched off." in text
    assert "Every image" not in text
