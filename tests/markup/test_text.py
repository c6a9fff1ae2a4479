from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mediamirror.first_use import pattern
from mediamirror.markup.places.source import decode
from mediamirror.markup.text import prose as text
from mediamirror.markup.text import tokens
from mediamirror.model import Extraction, ImageSet
from tests.growth import is_linear

FIXTURES = Path(__file__).parents[2] / "fixtures"
SEED = (FIXTURES / "seed" / "news-by-first-line.txt").read_text(encoding="utf-8").rstrip()
WIDTHS = [480, 768, 1280, 1920]


def find(body: str, base_url: str | None = None) -> Extraction:
    return text.find(body, document="d.txt", base_url=base_url)


def only(body: str, base_url: str | None = None) -> ImageSet:
    (found,) = find(body, base_url).sets
    return found


def widths(body: str) -> list[int | None]:
    return [candidate.width for candidate in only(body).candidates]


def codes(found: ImageSet) -> list[str]:
    return [problem.code for problem in found.problems]


def test_the_seed_has_four_candidates_and_keeps_date_and_site_as_context() -> None:
    found = only(SEED)
    assert [c.width for c in found.candidates] == WIDTHS
    assert [c.url.rpartition("_")[2] for c in found.candidates] == ["480.webp", "768.webp", "1280.webp", "1920.webp"]
    assert (found.context, found.line, found.problems) == ("date 2025-12-08 news.by", 1, ())


@pytest.mark.parametrize(
    "after",
    [
        " The road, 3x wider, 10w lamps, and a camera 5x zoom.",
        "\n\nThe road, 3x wider, 10w lamps.\n\nMore, 100w, words.",
        ".",
        ". Next sentence, 5x.",
        "Today it snowed, 2x.",
        "today it snowed.",
        "Сегодня выпал снег, 5x.",
        "2025-12-09 more",
        '" sizes="(max-width: 600px) 100vw, 600px">',
        " (max-width: 600px) 100vw, 600px",
        ")](https://news.by/story)",
        "\u2026 и дальше",
        "&quot; alt=&quot;x&quot;",
        ",",
        " ,",
    ],
)
def test_whatever_follows_the_seed_never_becomes_a_candidate(after: str) -> None:
    assert [c.url for c in only(SEED + after).candidates] == [c.url for c in only(SEED).candidates]
    assert widths(SEED + after) == WIDTHS


@pytest.mark.parametrize("glue", [",", ",\n", ",\r\n", " , ", ",\t", ",\u00a0", ",\u2028", ",\u3000", ", , "])
def test_candidates_may_be_joined_by_any_comma_and_whitespace(glue: str) -> None:
    assert widths(SEED.replace(", ", glue)) == WIDTHS


@pytest.mark.parametrize("space", ["\u00a0", "\t", "\u3000", "\n", "   "])
def test_any_whitespace_parts_a_url_from_its_descriptor(space: str) -> None:
    assert widths(SEED.replace(" ", space)) == WIDTHS


@pytest.mark.parametrize(
    "prefix",
    [
        '<img srcset="',
        "srcset='",
        "(",
        "[",
        "src=",
        "![](",
        "Image: ",
        '"',
        "<",
        "news.by",
        "srcset=&quot;",
        '![a b](a.png?w=1){srcset="',
        "_c_](//h.example/a.png?w=1){data-srcset='",
    ],
)
def test_a_prefix_glued_to_the_first_url_is_cut(prefix: str) -> None:
    body = SEED.removeprefix("date 2025-12-08 news.by ").lstrip()
    assert only(prefix + body).candidates[0].url == only(body).candidates[0].url


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("column", [60, 72, 79, 80, 81, 100, 120])
def test_urls_wrapped_in_the_middle_are_put_together_and_flagged(column: int, newline: str) -> None:
    wrapped = newline.join(SEED[i : i + column] for i in range(0, len(SEED), column))
    found = only(wrapped + newline + newline + "An article, 5x.")
    assert [c.url for c in found.candidates] == [c.url for c in only(SEED).candidates]
    assert all("wrapped" in c.flags for c in found.candidates)
    assert "mended-url" in codes(found)


def test_a_word_after_a_url_on_a_short_line_is_not_taken_for_its_end() -> None:
    assert find("See https://site.example\nphoto.jpg 2x\n").sets == ()


def test_glued_and_trailing_ends_are_flagged() -> None:
    assert only(SEED + "Сегодня").candidates[-1].flags == ("glued",)
    assert only(SEED + ".").candidates[-1].flags == ("trailing",)
    assert only(SEED).candidates[-1].flags == ()


def test_words_with_descriptors_are_no_set() -> None:
    assert find("A camera 5x zoom, 2x faster, with 10w, 100w, and i.e. 3x more. Point 1.5x.").sets == ()


def test_an_article_link_before_a_number_is_a_problem_and_no_candidate() -> None:
    found = find("The shop https://shop.example/camera 5x zoom.")
    assert (found.sets, [p.code for p in found.problems]) == ((), ["doubtful-candidate"])


@pytest.mark.parametrize(
    "url", ["https://x.example/a.jpg 2x", "https://x.example/i?u=a.jpg&q=1 2x", "https://x.example/a 480w"]
)
def test_one_absolute_pair_that_looks_like_an_image_is_a_set(url: str) -> None:
    assert only(url).candidates[0].url == url.split(maxsplit=1)[0]


def test_an_article_link_before_the_set_is_no_candidate_of_it() -> None:
    assert widths("See https://news.example/story, " + SEED.removeprefix("date 2025-12-08 news.by ").lstrip()) == WIDTHS


@pytest.mark.parametrize("descriptor", ["480W", "480px", "480,", "320h", "1,5x"])
def test_a_url_with_something_that_is_no_descriptor_is_reported(descriptor: str) -> None:
    found = find(f"https://x.example/a.jpg {descriptor}, https://x.example/b.jpg 768w")
    assert [p.code for p in found.problems] == ["unusable-candidate"]
    assert [c.width for s in found.sets for c in s.candidates] == [768]


def test_a_comma_before_a_descriptor_is_reported() -> None:
    found = find("https://x.example/a.jpg, 480w, https://x.example/b.jpg, 768w")
    assert (found.sets, [p.code for p in found.problems]) == ((), ["unusable-candidate", "unusable-candidate"])


def test_lower_case_letters_after_a_number_make_a_descriptor_only_within_a_chain() -> None:
    assert find("https://shop.example/shirt-3.jpg 3xl shirts, 2xl shirts").sets == ()


def test_one_relative_pair_is_not_enough_but_two_are() -> None:
    base = "https://site.example/"
    assert find("photo.jpg 2x", base).sets == ()
    assert [c.url for c in only("/a.jpg 1x, ../b.jpg 2x", base).candidates] == [base + "a.jpg", base + "b.jpg"]


def test_relative_urls_without_a_base_are_problems() -> None:
    found = find("/a.jpg 1x, /b.jpg 2x")
    assert (found.sets, {p.code for p in found.problems}) == ((), {"relative-url-without-base"})


def test_a_url_cut_by_a_length_limit_is_reported_and_never_a_candidate() -> None:
    for length in range(SEED.index("480w,") + 6, len(SEED) - 5):
        found = only(SEED[:length])
        assert {c.url for c in found.candidates} <= {c.url for c in only(SEED).candidates}
        whole = SEED[:length].rstrip().endswith(tuple(f"{w}w" for w in WIDTHS)) or SEED[:length].rstrip()[-1] == ","
        assert ("incomplete-candidate" in codes(found)) is not whole, SEED[:length][-40:]


def test_a_first_url_whose_start_is_cut_off_is_reported() -> None:
    found = only(SEED[60:])
    assert [c.width for c in found.candidates] == WIDTHS[1:]
    assert codes(found) == ["incomplete-candidate"]
    assert codes(only(SEED[SEED.index(" 480w") - 2 :])) == ["incomplete-candidate"]


@pytest.mark.parametrize("hidden", ["\u00ad", "\u200b", "\ufeff", "\u2060"])
def test_invisible_characters_are_taken_out_and_reported(hidden: str) -> None:
    found = only(SEED.replace("becloud", f"be{hidden}cloud", 1))
    assert found.candidates[0].url == only(SEED).candidates[0].url
    assert "invisible-characters" in found.candidates[0].flags
    assert hidden in found.candidates[0].raw_url
    assert codes(found) == ["mended-url"]


@pytest.mark.parametrize("level", [1, 2])
def test_ampersands_of_an_escaped_text_are_undone_and_flagged(level: int) -> None:
    amp = "&" + "amp;" * level
    found = only(f"https://x.example/a?w=1{amp}h=2 480w, https://x.example/b?w=1{amp}h=2 768w")
    assert [c.url for c in found.candidates] == ["https://x.example/a?w=1&h=2", "https://x.example/b?w=1&h=2"]
    assert all(c.flags == ("unescaped",) for c in found.candidates)
    assert amp in found.candidates[0].raw_url


def test_ampersands_stay_where_the_text_was_not_escaped() -> None:
    found = only("https://x.example/a?b=1&amp;c=2&d=3 480w, https://x.example/b?c=1 768w")
    assert found.candidates[0].url == "https://x.example/a?b=1&amp;c=2&d=3"


def test_json_escapes_are_undone() -> None:
    found = only(r'"srcset":"https:\/\/x.example\/a.jpg?a=1\u0026b=2 1x, https:\/\/x.example\/b.jpg 2x"')
    assert [c.url for c in found.candidates] == ["https://x.example/a.jpg?a=1&b=2", "https://x.example/b.jpg"]


def test_commas_inside_urls_stay() -> None:
    urls = [f"https://x.example/w_{w},c_fill,q_auto/a.jpg" for w in (480, 768)]
    assert [c.url for c in only(f"{urls[0]} 480w,{urls[1]} 768w").candidates] == urls


def test_fractional_densities_are_read() -> None:
    found = only("https://x.example/a.jpg 1x, https://x.example/b.jpg 1.5x, https://x.example/c.jpg .5x")
    assert [c.density for c in found.candidates] == [1.0, 1.5, 0.5]


def test_a_descriptor_look_alike_at_the_end_of_a_url_is_part_of_it() -> None:
    found = only("https://x.example/a?format=500w 500w, https://x.example/a@2x.png 2x")
    assert [c.url for c in found.candidates] == ["https://x.example/a?format=500w", "https://x.example/a@2x.png"]


def test_a_bare_url_before_the_chain_is_its_candidate_without_descriptor() -> None:
    found = only("Look: https://x.example/a.jpg, https://x.example/a-480.jpg 480w, https://x.example/a-768.jpg 768w")
    assert [(c.url[-9:], c.width) for c in found.candidates] == [
        ("ple/a.jpg", None),
        ("a-480.jpg", 480),
        ("a-768.jpg", 768),
    ]
    assert found.context == "Look:"


def test_a_missing_comma_within_one_picture_is_mended_and_reported() -> None:
    found = only(SEED.replace("480w,", "480w").replace("768w,", "768w."))
    assert [c.width for c in found.candidates] == WIDTHS
    assert codes(found) == ["missing-comma", "missing-comma"]


def test_different_pictures_without_a_comma_between_stay_apart() -> None:
    found = find("https://x.example/fox.jpg 480w https://x.example/owl.jpg 768w")
    assert len(found.sets) == 2


def test_a_file_name_with_spaces_is_put_together() -> None:
    found = only(
        "https://x.example/a.png 480w, https://x.example/Review List-711.png 711w, https://x.example/c.png 800w"
    )
    assert found.candidates[1].url == "https://x.example/Review%20List-711.png"
    assert codes(found) == ["mended-url"]


def test_file_names_with_spaces_from_the_start_are_at_least_reported() -> None:
    found = find("https://x.example/test (1).jpg 320w, https://x.example/test (2).jpg 640w")
    assert (found.sets, [p.code for p in found.problems]) == ((), ["unusable-candidate", "unusable-candidate"])


def test_several_sets_on_one_line_have_their_own_context() -> None:
    found = find("Fox: https://x.example/f.jpg 480w. Owl: https://x.example/o.jpg 480w.")
    assert [s.context for s in found.sets] == ["Fox:", "Owl:"]


def test_the_same_set_twice_is_one_set_with_two_places() -> None:
    found = only(f"{SEED}\nagain\n{SEED}")
    assert len(found.candidates) == 4
    assert [(p.line, p.carrier) for p in found.places] == [(3, "text")]
    assert len(text.find(f"{SEED}\n{SEED}", document="", base_url=None, merge=False).sets) == 2


def test_a_placeholder_is_a_problem_and_the_rest_stays() -> None:
    found = only("https://x.example/{width}.jpg 480w, https://x.example/b.jpg 768w")
    assert ([c.width for c in found.candidates], codes(found)) == ([768], ["unfilled-template"])


def test_a_zero_width_and_an_over_long_url_are_problems() -> None:
    found = only(f"https://x.example/a.jpg 0w, https://x.example/{'a' * 9000} 480w, https://x.example/b.jpg 768w")
    assert ([c.width for c in found.candidates], codes(found)) == ([768], ["zero-width", "url-too-long"])


def test_an_article_with_several_sets_gives_each_with_its_line() -> None:
    data = (FIXTURES / "dumps" / "article.txt").read_bytes()
    found = text.find(decode(data), document="article.txt", base_url=None)
    assert [(s.line, s.context, len(s.candidates), len(s.places)) for s in found.sets] == [
        (1, "date 2025-12-08 news.example", 4, 1),
        (4, "Image:", 2, 0),
        (7, "Cut:", 1, 0),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_spans_and_lines_are_right_in_every_encoding(encoding: str, newline: str) -> None:
    body = newline.join(["Снег, дарога", "зіма 5x", SEED, "канец"])
    data = (b"\xfe\xff" if encoding == "utf-16-be" else b"") + body.encode(encoding)
    (found,) = text.find(
        decode(data, "windows-1251" if encoding == "cp1251" else None), document="", base_url=None
    ).sets
    codec = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    for candidate in found.candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert data[slice(*candidate.reference.span)].decode(codec) == candidate.raw_url
        assert candidate.reference.line == 3


def test_a_broken_byte_before_the_set_moves_no_span() -> None:
    data = b"\xd1\x81\xff\xe2\x82 x " + SEED.encode()
    (found,) = text.find(decode(data), document="", base_url=None).sets
    assert [data[slice(*c.reference.span)].decode() for c in found.candidates if c.reference and c.reference.span] == [
        c.raw_url for c in found.candidates
    ]


WORDS = [
    "https://x.example/a.jpg",
    "/b.webp",
    "480w",
    "2x",
    "word",
    "й",
    "srcset=",
    "data:image/png;base64,AA",
    "https://",
]
MARKS = [",", ", ", " ", "\n", "\r\n", "&amp;", '"', "(", ")", ".", "5", "w", "{w}", "\\/"]
ODD = ["\u200b", "\u00a0", "\U0001f600"]
PIECES = st.sampled_from([*WORDS, *MARKS, *ODD])


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=40).map("".join) | st.text())
def test_any_text_is_read_and_every_span_is_the_spelling(body: str) -> None:
    found = text.find(body, document="", base_url="https://x.example/", merge=False)
    data = body.encode("utf-8", "replace")
    starts = []
    for candidate in (c for s in found.sets for c in s.candidates):
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert data[slice(*candidate.reference.span)].decode() == candidate.raw_url
        assert candidate.url.startswith(("http://", "https://"))
        starts.append(candidate.reference.span[0])
    assert all(a < b for a, b in pairwise(starts))


@settings(max_examples=200)
@given(st.binary(max_size=400), st.sampled_from([None, "utf-8", "shift_jis", "iso-2022-jp", "gbk", "utf-16le", "x"]))
@example(b"\x1b(B", "iso-2022-jp")
@example(b'\x1b(Ba\x1b$B$"\x1b(Bb', "iso-2022-jp")
def test_any_bytes_are_read(data: bytes, encoding: str | None) -> None:
    source = decode(data, encoding)
    span = source.span(0, len(source.text))
    assert span in {None, (source.bom, len(data))}
    text.find(source, document="", base_url=None)


@pytest.mark.parametrize(
    "unit",
    [
        "data:image/png;base64," + "A9w/5x" * 3000 + " 32w, ",
        "A9/+" * 5000,
        "1x " * 1500,
        "a\n" * 3000 + "5x ",
        "https://a.example/b.jpg, " * 1000,
        "https://a.example/b.jpg 1w " * 80,
        "[" * 5000 + " 5x ",
        "https://a.example/b.jpg 1w" + "," * 5000,
        "\u200ba" * 4000,
    ],
    ids=[
        "base64-pairs",
        "one-token",
        "descriptors",
        "short-lines",
        "bare",
        "no-commas",
        "brackets",
        "commas",
        "hidden",
    ],
)
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    assert is_linear(lambda times: find(unit * times), 4, 32)


@pytest.mark.parametrize("comma", ["\uff0c", "\u3001", "\u060c", " \uff0c "])
def test_other_commas_than_the_ascii_one_join_a_set(comma: str) -> None:
    urls = [f"https://x.example/{n}.jpg {n}w" for n in (480, 768, 1280)]
    (found,) = find("Fox " + comma.join(urls)).sets
    assert ([c.width for c in found.candidates], found.context, found.problems) == ([480, 768, 1280], "Fox", ())


@pytest.mark.parametrize(
    ("before", "context"),
    [
        ("date 2025-12-08 news.by\n", "date 2025-12-08 news.by"),
        ("date 2025-12-08 news.by\r\n   ", "date 2025-12-08 news.by"),
        ("An article.\ndate 2025-12-08 news.by\n", "date 2025-12-08 news.by"),
        ("An article that ends.\n", None),
        ("date 2025-12-08 news.by\n\n", None),
        ("https://other.example/a.html\n", None),
        ("word " * 30 + "\n", None),
        ("Fox\nOwl: ", "Owl:"),
    ],
)
def test_a_set_that_starts_its_line_has_the_line_before_as_context(before: str, context: str | None) -> None:
    (found,) = find(before + "https://x.example/1.jpg 480w,\nhttps://x.example/2.jpg 768w").sets
    assert (found.context, found.line) == (context, before.count("\n") + 1)


@pytest.mark.parametrize("space", ["&nbsp;", "&#160;", "&#xA0;"])
def test_an_escaped_space_is_a_space_and_the_places_stay_true(space: str) -> None:
    page = f"Фото{space}https://x.example/k-480.jpg{space}480w,{space}https://x.example/k-960.jpg{space}960w"
    (row,) = text.find(decode(page.encode()), document="", base_url=None).sets
    assert [(c.url, c.width) for c in row.candidates] == [
        ("https://x.example/k-480.jpg", 480),
        ("https://x.example/k-960.jpg", 960),
    ]
    for candidate in row.candidates:
        assert candidate.reference is not None
        assert candidate.reference.span is not None
        assert page.encode()[slice(*candidate.reference.span)].decode() == candidate.url


@pytest.mark.parametrize("start", ["https%3A%2F%2F", "https%253A%252F%252F"])
def test_a_url_that_is_percent_encoded_as_a_whole_is_decoded_and_told(start: str) -> None:
    page = f"{start}x.example/k-480.jpg 480w, {start}x.example/k-960.jpg 960w"
    (row,) = text.find(decode(page.encode()), document="", base_url="https://site.example/").sets
    assert [c.url for c in row.candidates] == ["https://x.example/k-480.jpg", "https://x.example/k-960.jpg"]
    assert row.candidates[0].raw_url == f"{start}x.example/k-480.jpg"
    assert [problem.code for problem in row.problems] == ["mended-url", "mended-url"]


URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["https://x.example/", "http://Y.example:8080/a/", "https://x.example/a/../", "/", ""]),
    st.sampled_from(["a_480", "a_960", "b", "c%20d", "é", "a;b", "a,b", "{w}", "a&amp;b", "a\\/b", "a\u00adb", ".x"]),
    st.sampled_from([".webp", ".webp", ".jpg?w=480&h=2", "", ".webp,", ".webp'", '"', ")"]),
)
DESCRIPTORS = st.sampled_from(
    ["480w", "960w", "2x", "1.5x", ".5x", "0w", "480W", "480px", "19\n20w", "5x", "123456789012w", ""]
)
COMMAS = st.sampled_from([", ", ",", " , ", ",\n", " ", ";", ", ,", "\uff0c", "", "today, ", "\u2028,"])
DENSE = st.lists(st.builds("{} {}{}".format, URLS, DESCRIPTORS, COMMAS), min_size=1, max_size=8).map("".join)


@given(DENSE, st.sampled_from(["", "date 2025-12-08 news ", 'srcset="', "2x, ", "https://x.example/b.jpg, "]))
def test_the_short_way_through_plain_sets_finds_what_the_long_way_finds(body: str, before: str) -> None:
    never = pattern(r"(?!)")
    short = find(before + body, "https://x.example/p/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_NEXT_PAIR", never)
        patch.setattr(tokens, "_PLAIN_URL", never)
        assert find(before + body, "https://x.example/p/") == short


@pytest.mark.parametrize("escaped", ["_", "-", ".", "=", "&", "~", "(", "#"])
def test_a_backslash_before_punctuation_is_an_escape_of_markdown_and_the_candidate_says_so(escaped: str) -> None:
    url, spelled = (f"https://cdn.example/a{mark}b/k" for mark in (escaped, "\\" + escaped))
    found = only(f"news.example {spelled}-1.webp 480w, {spelled}-2.webp 768w Kite")
    assert [c.url for c in found.candidates] == [
        c.url for c in only(f"{url}-1.webp 480w, {url}-2.webp 768w").candidates
    ]
    assert all(c.flags == ("unescaped",) for c in found.candidates)


def test_a_backslash_before_a_letter_is_no_escape() -> None:
    (first, _) = only("https://cdn.example/a\\b.webp 480w, https://cdn.example/c.webp 768w").candidates
    assert first.url == "https://cdn.example/a/b.webp"  # as the URL standard reads it


def test_crawled_text_whose_underscores_are_escaped_gives_the_urls_that_were_there() -> None:
    escaped = SEED.replace("_", "\\_")
    assert [c.url for c in only(escaped).candidates] == [c.url for c in only(SEED).candidates]


def test_bare_urls_with_escaped_underscores_are_put_together_as_the_same_without() -> None:
    urls = [f"https://cdn.example/kite_big-{size}.jpg" for size in ("300x200", "600x400")]
    (found,) = find(" ".join(url.replace("_", "\\_") for url in urls)).sets
    assert [c.url for c in found.candidates] == urls


def test_a_width_and_a_height_are_both_descriptors() -> None:
    found = only("x //s.example/a_180x.jpg?v=2 180w 60h, //s.example/a_360x.jpg?v=2 360w 120h y", "https://b.example/")
    assert [(c.url, c.width, c.height) for c in found.candidates] == [
        ("https://s.example/a_180x.jpg?v=2", 180, 60),
        ("https://s.example/a_360x.jpg?v=2", 360, 120),
    ]


@pytest.mark.parametrize("size", ["{0}w {1}h", "{1}h {0}w", "{1}h\n{0}w"])
def test_a_height_may_stand_before_the_width_or_behind_it_of_every_candidate(size: str) -> None:
    words = [f"https://a.example/a-{w}.jpg {size.format(w, h)}" for w, h in ((480, 320), (960, 640), (1920, 1280))]
    found = only(", ".join(words))
    assert [(c.width, c.height) for c in found.candidates] == [(480, 320), (960, 640), (1920, 1280)]
    assert found.problems == ()


def test_hours_after_a_set_are_no_height() -> None:
    found = only(SEED + " 48h later")
    assert [(c.width, c.height) for c in found.candidates] == [(width, None) for width in WIDTHS]
