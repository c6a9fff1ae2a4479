"""The rules of a robots.txt: the examples of RFC 9309, a second parser's opinion, and what hostile files may cost."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from protego import Protego

from mediamirror.errors import RobotsRefused
from mediamirror.fetch import robots as module
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import parse_target
from mediamirror.fetch.robots import MAX_BYTES, Robots
from mediamirror.fetch.robots_rules import Rules
from mediamirror.model import Body, Download
from tests.growth import is_linear

US = "mediamirror"


def allowed(text: str, *paths: str) -> list[bool]:
    rules = Rules(text, US)
    return [rules.allows(path) for path in paths]


def for_all(*rules: str) -> str:
    return "\n".join(["User-agent: *", *rules])


@pytest.mark.parametrize(
    ("rule", "path", "closed"),
    [
        # RFC 9309, 2.2.2, the table of encodings
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz", True),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", False),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
        # 2.2.3, special characters
        ("/this/*/exactly", "/this/path/exactly", True),
        ("/this/*/exactly", "/this/exactly", False),
        ("/this/path/exactly$", "/this/path/exactly", True),
        ("/this/path/exactly$", "/this/path/exactly/", False),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", True),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-b.html", False),
        ("/path/foo-%24", "/path/foo-$", True),
        # beyond it
        ("/%ff", "/%FE", False),
        ("*.gif$", "/a/b.gif", True),
        ("*.gif$", "/a/b.gif?x", False),
        ("/a*b*c$", "/a--b--b-c", True),
        ("/a*bc*c$", "/abc", False),
        ("/$", "/", True),
        ("/$", "/a", False),
        ("https://x.example/a", "/a", False),
    ],
)
def test_a_path_is_closed_by_a_rule_that_it_begins_with(rule: str, path: str, closed: bool) -> None:
    assert allowed(for_all(f"Disallow: {rule}"), path) == [not closed]


def test_the_longest_match_decides_and_of_two_as_long_the_one_that_allows() -> None:
    # RFC 9309, 5.2, and 2.2.2
    text = for_all("Allow: /example/page/", "Disallow: /example/page/disallowed.gif")
    assert allowed(text, "/example/page/disallowed.gif", "/example/page/", "/other") == [False, True, True]
    assert allowed(for_all("Disallow: /a*c", "Allow: /abc"), "/abc", "/abbc") == [True, False]
    assert allowed(for_all("Allow: /a", "Disallow: /a"), "/a") == [True]
    assert allowed(for_all("Disallow: /*", "Allow: /p"), "/p", "/q") == [True, False]


EXAMPLE = """
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""


@pytest.mark.parametrize(
    ("token", "open_paths"),
    [
        ("other", ["/publications/", "/x"]),
        ("foobot", ["/example/page.html", "/example/allowed.gif"]),
        ("bazbot", ["/publications/", "/example/allowed.gif", "/x.gif", "/x"]),
        ("quxbot", ["/publications/", "/example/page.html", "/example/allowed.gif", "/x.gif", "/x"]),
    ],
)
def test_the_simple_example_of_the_standard(token: str, open_paths: list[str]) -> None:
    rules = Rules(EXAMPLE, token)
    paths = ["/publications/", "/example/page.html", "/example/allowed.gif", "/x.gif", "/x"]
    assert [path for path in paths if rules.allows(path)] == open_paths


@pytest.mark.parametrize("name", ["MediaMirror", "mediamirror/2.0", "mediamirror*", "mediamirror (images)"])
def test_a_group_is_ours_by_our_token_in_any_case_and_with_a_version(name: str) -> None:
    assert allowed(f"User-agent: *\nDisallow: /\n\nUser-agent: {name}\nDisallow: /b", "/a", "/b") == [True, False]


@pytest.mark.parametrize("name", ["media", "mediamirrorbot", "mirror", "", "x mediamirror"])
def test_a_group_of_another_name_is_not_ours(name: str) -> None:
    assert allowed(f"User-agent: *\nDisallow: /b\n\nUser-agent: {name}\nDisallow: /", "/a", "/b") == [True, False]


def test_groups_of_one_name_are_one() -> None:
    text = (
        "User-agent: mediamirror\nDisallow: /a\n\nUser-agent: x\nDisallow: /\n\nUser-agent: mediamirror\nDisallow: /b"
    )
    assert allowed(text, "/a", "/b", "/c") == [False, False, True]


def test_a_robots_txt_itself_is_always_open() -> None:
    assert allowed(for_all("Disallow: /"), "/robots.txt", "/robots.txt?x", "/robots.txt2") == [True, True, False]


# "**" is as long as it is written there and one star here; a byte that is no UTF-8 is any such byte there.
PIECES = [
    "a",
    "b",
    "/",
    "*",
    "$",
    "%2F",
    "%41",
    "%C3%A4",
    "ä",
    "?",
    "=",
    "%3D",
    "%24",
    "%2a",
    ".",
    "index.html",
    " ",
    "&",
    "~",
]
PATTERNS = (
    st.lists(st.sampled_from(PIECES), max_size=6)
    .map(lambda parts: "/" + "".join(parts))
    .filter(lambda p: "**" not in p)
)
PATHS = st.lists(st.sampled_from([p for p in PIECES if p not in {" ", "ä"}]), max_size=7).map(
    lambda p: "/a" + "".join(p)
)
WORDS = (
    "Disallow: {}",
    "Disallow: {}",
    "Allow: {}",
    "disalow {}",
    "Crawl-delay: 3",
    "crawl delay -1",
    "Sitemap: http://x{}",
)
OTHERS = (
    "User-agent: *",
    "useragent mediamirror",
    "User-agent: other",
    "User-agent:",
    "Host: x",
    "Foo: bar",
    "foo",
    "# c",
    "",
)
LINES = st.builds(str.format, st.sampled_from(WORDS), PATTERNS) | st.sampled_from(OTHERS)


@given(st.lists(LINES, max_size=12).map("\n".join), st.lists(PATHS, max_size=4))
@example("User-agent: *\nDisallow: /a$", ["/a", "/a$", "/ab"])
def test_a_second_parser_reads_the_same(text: str, paths: list[str]) -> None:
    ours, theirs = Rules(text, US), Protego.parse(text)
    assert list(ours.sitemaps) == list(theirs.sitemaps)
    assert ours.crawl_delay == (theirs.crawl_delay(US) or 0.0)
    for path in paths:
        assert ours.allows(path) == theirs.can_fetch(f"http://h.example{path}", US), path


@pytest.mark.parametrize("pattern", ["/" + "*a" * 20 + "*b", "/" + "*a" * 20 + "b$", "*" * 40 + "b", "/a*" * 20 + "$"])
def test_stars_take_time_by_the_length_of_the_path_and_no_more(pattern: str) -> None:
    rules = Rules(for_all(f"Disallow: {pattern}"), US)
    assert is_linear(lambda size: rules.allows("/" + "a" * size), 20_000, 400_000)


def test_prefixes_that_share_their_beginning_take_no_square_of_their_length() -> None:
    def search(size: int) -> bool:
        rules = Rules(for_all(*(f"Disallow: /{'b' * n}!" for n in range(size))), US)
        return rules.allows("/" + "b" * size)

    # What the file holds is the square of its longest line: 20 to 200 of those are 100 times the bytes.
    assert is_linear(search, 100, 1000) or is_linear(lambda size: search(int(size**0.5)), 100**2, 1000**2)


FILLINGS = {
    "prefixes": lambda n: f"Disallow: /{n:x}",
    "wildcards": lambda n: f"Disallow: *{n:x}z",
    "stars": lambda n: f"Disallow: /{'*a' * 50}*{n:x}",
    "sitemaps": lambda n: f"Sitemap: http://x.example/{n}",
    "other groups": lambda n: f"User-agent: x{n}\nDisallow: /",
}


def filled(name: str, size: int = MAX_BYTES) -> str:
    lines, held = [for_all("Disallow: /closed")], 0
    while held < size:
        lines.append(FILLINGS[name](len(lines)))
        held += len(lines[-1]) + 1
    return "\n".join(lines)[:size]


@pytest.mark.parametrize("name", FILLINGS)
def test_what_is_kept_of_a_robots_txt_is_counted_and_no_more_than_three_times_its_bytes(name: str) -> None:
    text = filled(name)
    tracemalloc.start()
    try:
        rules = Rules(text, US)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3.5 * MAX_BYTES
    assert kept < 1.6 * rules.size + 20_000


class Site:
    """A fetcher of robots.txt files of the test's own; counts who was asked for."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.asked: list[str] = []

    async def fetch(self, request):  # type: ignore[no-untyped-def]
        self.asked.append(request.url.removesuffix("/robots.txt"))
        data = self.texts[self.asked[-1]].encode()
        return Download(request.url, request.url, 200, (), Body(len(data), "", data=data, prefix=data), None)


async def require(robots: Robots, url: str) -> None:
    await robots.require(parse_target(url, Guard()))


async def test_over_all_hosts_bytes_are_bounded_and_the_largest_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 1_000_000)
    small = {f"http://small{n}.example": for_all("Disallow: /x") for n in range(50)}
    large = {f"http://large{n}.example": filled("prefixes") for n in range(6)}
    site = Site(small | large)
    robots = Robots(site, token=US)
    for origin in site.texts:
        await require(robots, f"{origin}/~open")
        assert robots._kept <= 1_000_000
    for origin in small:
        with pytest.raises(RobotsRefused):
            await require(robots, f"{origin}/x")
    assert len(site.asked) == 56
    with pytest.raises(RobotsRefused):
        await require(robots, "http://large0.example/closed")
    assert len(site.asked) == 57


async def test_rules_that_take_long_to_match_leave_the_loop_to_others() -> None:
    origin = "http://wild.example"
    robots = Robots(Site({origin: filled("wildcards")}), token=US)
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    await require(robots, f"{origin}/first")
    beside = asyncio.create_task(another())
    await asyncio.gather(*(require(robots, f"{origin}/{n}.webp") for n in range(3)))
    with pytest.raises(RobotsRefused):
        await require(robots, f"{origin}/closed")
    beside.cancel()
    # One turn for each 64 rules tried, of some 30,000 for each of the paths.
    assert turns > 3 * 400
