from __future__ import annotations

import time
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.markup.places.spelling import Piece
from mediamirror.markup.places.xml_text import Element, End, Flaw, read_xml
from tests.growth import is_linear

Told = list[tuple[str, ...]]


def told(text: str) -> Told:
    """What `read_xml` says, neighbouring runs of text as one."""
    out: Told = []
    names: list[str] = []
    for event in read_xml(text):
        if isinstance(event, Element):
            names.append(f"{event.space} {event.name}".strip())
            rows = [f"{a.name}={a.value.text}" for a in event.attributes if not a.name.startswith("xmlns")]
            out.append(("start", names[-1], *sorted(rows)))
        elif isinstance(event, End):
            out.append(("end", names.pop()))
        elif isinstance(event, Piece):
            if out and out[-1][0] == "text":
                out[-1] = ("text", out[-1][1] + event.text)
            elif names:
                out.append(("text", event.text))
    return out


def expected(text: str) -> Told:
    """The same from expat."""
    out: Told = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attrs: out.append(
        ("start", name, *sorted(f"{k}={v}" for k, v in attrs.items()))
    )
    parser.EndElementHandler = lambda name: out.append(("end", name))
    parser.CharacterDataHandler = lambda data: (
        out.__setitem__(-1, ("text", out[-1][1] + data)) if out[-1][0] == "text" else out.append(("text", data))
    )
    parser.Parse(text, True)
    return out


TEXT = st.text(st.sampled_from("ab &<>\"'é\u4e2d\U0001f600=;#/-]"), max_size=12)
NAME = st.sampled_from(["a", "b-c", "m:x", "n:y", "_z", "r1"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(NAME)
    attributes = "".join(
        f" {key}{draw(st.sampled_from(['=', ' = ']))}{quoteattr(value)}"
        for key, value in draw(st.dictionaries(st.sampled_from(["k", "l", "href"]), TEXT, max_size=2)).items()
    )
    spaces = draw(st.sampled_from(["", ' xmlns:m="u:other"', " xmlns='u:default'"]))
    if depth == 0 or draw(st.booleans()):
        return f"<{name}{attributes}{spaces}{draw(st.sampled_from(['', ' ']))}/>"
    pieces = draw(st.lists(st.one_of(TEXT.map(escape), elements(depth - 1), st.sampled_from(EXTRAS)), max_size=4))
    return f"<{name}{spaces}{attributes}>{''.join(pieces)}</{name} >"


EXTRAS = [
    "<!-- a <b> -- > -->".replace(" -- ", " - "),
    "<![CDATA[<x> & ]]]]>",
    "<?pi <y> ?>",
    "&#65;&#x1F600;",
    "&apos;&quot;",
]
SPACES = 'xmlns:m="u:m" xmlns:n="u:n"'


@given(elements(), st.sampled_from(["", "<?xml version='1.0'?>", "<!DOCTYPE r [<!ELEMENT r ANY> <!-- ' --> ]>\n"]))
def test_well_formed_documents_read_as_expat_reads_them(body: str, prolog: str) -> None:
    text = f"{prolog}<r {SPACES}>{body}</r>"
    assert told(text) == expected(text)


@given(st.text(st.sampled_from("<>/!?[]-=&;\"' abCDATx\n"), max_size=80))
def test_anything_is_read_and_every_element_ends(text: str) -> None:
    depth = 0
    for event in read_xml(text):
        depth += isinstance(event, Element)
        depth -= isinstance(event, End)
        assert depth >= 0
    assert depth == 0


@given(elements())
def test_every_piece_and_attribute_stands_where_it_says(body: str) -> None:
    for event in read_xml(body):
        if isinstance(event, Element):
            assert all(body[a.start : a.start + len(a.raw)] == a.raw for a in event.attributes)
        elif isinstance(event, Piece) and event.decoded is None:
            assert body[event.start : event.end] == event.text


def flaws(text: str) -> list[tuple[str, int]]:
    return [(event.code, event.at) for event in read_xml(text) if isinstance(event, Flaw)]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("<r><a>1</b>2</a><c/></r>", "c"),
        ("<r><a>1<c/></r>", "c"),
        ("<r>1 < 2<c/></r>", "c"),
        ("<r></ ><c/></r>", "c"),
        ('<r><a href="x><c/></r>', "c"),
        ("<r><c/>", "c"),
        ("<r><c/><!-- ", "c"),
    ],
)
def test_what_is_malformed_is_said_once_and_the_rest_is_read(text: str, rest: str) -> None:
    assert [code for code, _ in flaws(text)] == ["malformed-xml"] or text.endswith("<!-- ")
    assert ("start", rest) in told(text)


def test_entities_of_a_documents_own_are_never_expanded() -> None:
    bomb = "<!DOCTYPE l [" + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(20)) + "]>"
    text = bomb + "<r a='&l20;'>&l20;</r>"
    assert told(text) == [("start", "r", "a=&l20;"), ("text", "&l20;"), ("end", "r")]
    assert [code for code, _ in flaws(text)] == ["entities-not-expanded"]


def test_elements_too_deep_are_stepped_over_and_what_follows_is_read() -> None:
    text = "<r>" + "<a>" * 5000 + "</a>" * 5000 + "<b/></r>"
    assert told(text)[-3:] == [("start", "b"), ("end", "b"), ("end", "r")]
    assert [code for code, _ in flaws(text)] == ["xml-too-deep"]


def test_a_document_of_too_many_elements_is_cut_with_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediamirror.markup.places.xml_text.MAX_ELEMENTS", 10)
    text = "<r>" + "<a/>" * 100 + "</r>"
    assert len([row for row in told(text) if row[0] == "start"]) == 11
    assert [code for code, _ in flaws(text)] == ["xml-too-large"]


def test_a_text_of_too_many_references_is_left_out_with_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediamirror.markup.places.spelling.MAX_ESCAPES", 100)
    text = f"<r>{'&lt;' * 101}<a>&lt;</a></r>"
    assert [row for row in told(text) if row[0] == "text"] == [("text", "<")]
    assert [code for code, _ in flaws(text)] == ["too-many-references"]


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        '<a b="',
        "<a b='x\">",
        "</",
        "</a>",
        "<!--",
        "<![CDATA[",
        "<!DOCTYPE [",
        "<!",
        "<?",
        "&amp",
        "<a b=c ",
        "<a>",
        '<!DOCTYPE x [ "',
    ],
)
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    assert is_linear(lambda count: list(read_xml(unit * count)), 4_000, 32_000)


def test_a_long_attribute_name_without_a_value_is_looked_at_once() -> None:
    started = time.process_time()
    assert [type(event) for event in read_xml(f"<a {'b:' * 200_000}>")][:1] == [Element]
    assert time.process_time() - started < 5
