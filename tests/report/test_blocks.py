"""What is laid out past rich looks as rich lays it out."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from mediamirror.model import Candidate, ImageSet, Problem, Source
from mediamirror.report.table import Block, Column, console_for, image_set, laid_out, print_block, problem

COLUMNS = (Column("declared", right=True), Column("статус"), Column("url"))
CELLS = st.text(alphabet="abз日本語é🖼-./1", max_size=12)
STATUS = st.builds(Text, CELLS, style=st.sampled_from(["", "green", "bold red"]))
LINES = st.builds(Text, st.text(alphabet="ab з日", max_size=30), style=st.sampled_from(["dim", "yellow"]))
BLOCKS = st.builds(
    Block,
    LINES,
    st.just(COLUMNS),
    st.lists(st.tuples(CELLS, STATUS, st.text(alphabet="ab日/?=", max_size=120)), max_size=4),
    st.lists(LINES, max_size=2),
)


def _by_rich(block: Block, width: int, *, coloured: bool) -> str:
    console = _console(width, coloured=coloured)
    console.print(block)
    return _file(console).getvalue()


def _console(width: int, *, coloured: bool) -> Console:
    if not coloured:
        return console_for(io.StringIO(), terminal_width=width)
    return Console(file=io.StringIO(), width=width, color_system="standard", force_terminal=True, highlight=False)


def _file(console: Console) -> io.StringIO:
    assert isinstance(console.file, io.StringIO)
    return console.file


@given(BLOCKS, st.sampled_from([20, 60, 80, 250]))
def test_a_block_without_colours_is_what_rich_prints_to_the_cell(block: Block, width: int) -> None:
    console = _console(width, coloured=False)
    print_block(console, block)
    assert _file(console).getvalue() == _by_rich(block, width, coloured=False)


@given(BLOCKS, st.sampled_from([60, 80]))
def test_a_block_in_colours_shows_the_same_characters_in_the_same_colours(block: Block, width: int) -> None:
    console = _console(width, coloured=True)
    print_block(console, block)
    shown = Text.from_ansi(_file(console).getvalue())
    meant = Text.from_ansi(_by_rich(block, width, coloured=True))
    assert shown.plain == meant.plain
    for at, character in enumerate(shown.plain):
        if not character.isspace():
            assert shown.get_style_at_offset(console, at) == meant.get_style_at_offset(console, at)


@pytest.mark.parametrize("width", [80, 250])
def test_long_urls_are_folded_without_rich_and_no_character_is_lost(width: int) -> None:
    url = "https://x.example/" + "日本語/" * 100 + "a.jpg"
    found = ImageSet("page.html", 1, (Source("img", (Candidate(url, (0, 0), width=480),)),), alt="Ein Bild")
    text = laid_out(image_set(found), width)
    assert text is not None
    assert max(Text(line).cell_len for line in text.plain.splitlines()) <= width
    last = [line.split()[-1] for line in text.plain.splitlines()[2:]]
    assert "".join(last) == url


def test_what_needs_its_words_wrapped_is_left_to_rich() -> None:
    long = Block(Text("word " * 60))
    assert laid_out(long, 80) is None
    console = _console(80, coloured=False)
    print_block(console, long)
    assert max(map(len, _file(console).getvalue().splitlines())) <= 80


def test_a_problem_of_the_whole_run_has_no_empty_place_before_it() -> None:
    assert problem(Problem("page-limit", "It stopped.", 0)).plain == "page-limit: It stopped."
    assert problem(Problem("x", "It is.", 3, document="a.html")).plain == "a.html:3: x: It is."
