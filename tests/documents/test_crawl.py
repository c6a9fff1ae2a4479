from __future__ import annotations

import gzip
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.documents import frontier as leads
from mediamirror.documents.crawl import Bounds, Found, crawl
from mediamirror.documents.document import Document
from mediamirror.documents.frontier import Frontier
from mediamirror.documents.read import Fetch, read_inputs
from mediamirror.documents.reader import Reader
from mediamirror.errors import ConnectFailed, HTTPStatus, RobotsRefused
from mediamirror.markup.records import sitemap
from mediamirror.model import Body, Download, Problem
from mediamirror.settings import ReadOptions

X = "https://x.example"
CLOSED = f"{X}/closed"
Pages = Mapping[str, str | bytes]


class Net:
    """A small web: bodies by URL, where some lead elsewhere, and what was asked for."""

    def __init__(self, pages: Pages, redirects: dict[str, str] | None = None) -> None:
        self.pages: dict[str, str | bytes] = {self._url(path): body for path, body in pages.items()}
        self.redirects = {self._url(a): self._url(b) for a, b in (redirects or {}).items()}
        self.headers: dict[str, tuple[tuple[str, str], ...]] = {}
        self.kind = "text/html"
        self.spool: Path | None = None
        self.asked: list[str] = []

    @staticmethod
    def _url(path: str) -> str:
        return X + path if path.startswith("/") else path

    async def fetch(self, url: str) -> Download:
        if url.startswith(CLOSED):
            raise RobotsRefused(f"{url} is disallowed by robots.txt.")
        url = url.partition("#")[0]
        self.asked.append(url)
        final = self.redirects.get(url, url)
        if final not in self.pages:
            raise HTTPStatus(f"{final} answered 404.", status=404)
        data = self.pages[final]
        data = data.encode() if isinstance(data, str) else data
        kind = "text/plain" if final.endswith(".txt") else self.kind if b"<a" in data or b"<p" in data else ""
        headers = (("content-type", kind), *self.headers.get(final, ()))
        body = Body(len(data), "", data)
        if self.spool is not None:
            body = replace(body, data=None, path=self.spool / str(len(self.asked)))
            (self.spool / str(len(self.asked))).write_bytes(data)
        return Download(url, final, 200, headers, body, datetime(2025, 12, 8, tzinfo=UTC))

    @property
    def paths(self) -> list[str]:
        return [url.removeprefix(X) for url in self.asked]


async def items_of(net: Net, inputs: Sequence[str], bounds: Bounds) -> list[Document | Problem]:
    def start(fetch: Fetch) -> Found:
        return read_inputs(inputs, fetch=fetch)

    return [item async for item in crawl(start, fetch=net.fetch, reader=Reader(ReadOptions()), bounds=bounds)]


def told(items: list[Document | Problem]) -> list[str]:
    return [
        i.name.removeprefix(X) if isinstance(i, Document) else f"{i.code}: {i.document.removeprefix(X)}" for i in items
    ]


def links(*paths: str, more: str = "") -> str:
    return f"<!doctype html>{more}<p>" + "".join(f'<a href="{path}">x</a>' for path in paths)


def urlset(*urls: str) -> str:
    return "<urlset>" + "".join(f"<url><loc>{url}</loc></url>" for url in urls) + "</urlset>"


def index(*urls: str) -> str:
    return "<sitemapindex>" + "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls) + "</sitemapindex>"


SITE: Pages = {
    "/": links("a", "/b#top", "https://y.example/", "mailto:a@x.example", "photo.webp", "report.PDF?x=1"),
    "/a": links("/", "c", "/a#again"),
    "/b": links("c"),
    "/c": links("d"),
    "/d": links(),
}


@pytest.mark.parametrize(
    ("depth", "pages"),
    [(1, ["/", "/a", "/b"]), (2, ["/", "/a", "/b", "/c"]), (9, ["/", "/a", "/b", "/c", "/d"])],
)
async def test_links_are_followed_so_many_levels_each_page_once(depth: int, pages: list[str]) -> None:
    net = Net(SITE)
    assert told(await items_of(net, [f"{X}/#here"], Bounds(depth))) == pages
    assert net.paths[1:] == pages[1:]


async def test_any_host_leaves_the_host() -> None:
    net = Net({"/": links("https://y.example/"), "https://y.example/": links(f"{X}/far"), "/far": links()})
    got = await items_of(net, [f"{X}/"], Bounds(2, same_host=False))
    assert told(got) == ["/", "https://y.example/", "/far"]


async def test_another_port_is_another_host_and_another_scheme_is_not() -> None:
    net = Net({"/": links("http://x.example/http", f"{X}:8443/port"), "http://x.example/http": links()})
    assert told(await items_of(net, [f"{X}/"], Bounds(1))) == ["/", "http://x.example/http"]


async def test_where_the_input_leads_to_is_its_host_too() -> None:
    www = "https://www.x.example"
    net = Net({f"{www}/": links("/a"), f"{www}/a": links()}, {"/": f"{www}/"})
    assert told(await items_of(net, [f"{X}/"], Bounds(1))) == [f"{www}/", f"{www}/a"]


async def test_a_page_that_leads_to_one_already_read_is_not_read_again() -> None:
    net = Net({"/": links("/old", "/new", "/other"), "/new": links()}, {"/old": "/new", "/other": "/"})
    assert told(await items_of(net, [f"{X}/"], Bounds(1))) == ["/", "/new"]
    assert net.paths == ["/", "/old", "/other"]


async def test_a_page_that_leads_off_the_host_is_left_out() -> None:
    net = Net({"/": links("/out"), "https://y.example/": links()}, {"/out": "https://y.example/"})
    got = await items_of(net, [f"{X}/"], Bounds(1))
    assert told(got) == ["/", "other-host: /out"]


async def test_pages_that_fail_are_problems_and_the_crawl_goes_on() -> None:
    net = Net(
        {"/": links("/gone", "/closed", "/binary", "/empty", "/ok"), "/binary": b"a\0b", "/empty": "", "/ok": "<p>"}
    )
    assert told(await items_of(net, [f"{X}/"], Bounds(1))) == [
        "/",
        "http-status: /gone",
        "page-closed: /closed",
        "not-a-page: /binary",
        "empty-document: /empty",
        "/ok",
    ]


@pytest.mark.parametrize(
    "page",
    [
        '<!doctype html><a rel="ugc NoFollow" href=/a>x</a>',
        links("/a", more='<meta name=Robots content="noindex, NoFollow">'),
        links("/a", more="<meta name=mediamirror content=none>"),
        "<!doctype html><a download href=/a>x</a>",
        links("/a.jpg", "/a.zip", "javascript:a()", "#a", "/{id}", "ftp://x.example/a"),
        "<p>https://x.example/a",
    ],
)
async def test_links_that_are_not_to_be_followed_are_not(page: str) -> None:
    net = Net({"/": page, "/a": links()})
    await items_of(net, [f"{X}/"], Bounds(3))
    assert net.paths == ["/"]


async def test_a_page_closed_by_its_header_says_so() -> None:
    net = Net({"/": links("/a"), "/a": links()})
    net.headers[f"{X}/"] = (("x-robots-tag", "noindex,nofollow"),)
    assert told(await items_of(net, [f"{X}/"], Bounds(1))) == ["/", "page-nofollow: /"]


async def test_links_resolve_on_the_base_in_the_encoding_of_the_page() -> None:
    page = '<!doctype html><meta charset=windows-1251><base href="/sub/"><a href="a&amp;b?q=я">x</a><map><area href=m></map>'
    net = Net({"/": page.encode("cp1251")})
    await items_of(net, [f"{X}/"], Bounds(1))
    assert net.paths[1:] == ["/sub/a&b?q=%FF", "/sub/m"]


async def test_the_encoding_that_the_header_names_counts() -> None:
    net = Net({"/": "<!doctype html><a href='/я'>x</a>".encode("koi8-r")})
    net.kind = "text/html; charset=koi8-r"
    await items_of(net, [f"{X}/"], Bounds(1))
    assert net.paths[1:] == ["/%D1%8F"]


async def test_the_page_limit_counts_the_input_and_says_what_is_left() -> None:
    net = Net({"/": links(*(f"/{n}" for n in range(20))), **{f"/{n}": links(f"/{n}/more") for n in range(20)}})
    *pages, problem = await items_of(net, [f"{X}/"], Bounds(2, max_pages=5))
    assert (told(pages), net.paths) == (["/", "/0", "/1", "/2", "/3"], ["/", "/0", "/1", "/2", "/3"])
    assert isinstance(problem, Problem)
    assert (problem.code, problem.message) == (
        "page-limit",
        "The crawl stopped after 5 pages (--max-pages 5): at least 20 more pages were found and not read; "
        "raise --max-pages to read them.",
    )


async def test_closed_pages_do_not_count_as_pages() -> None:
    net = Net({"/": links(*(f"/closed/{n}" for n in range(8)), "/open"), "/open": links()})
    got = told(await items_of(net, [f"{X}/"], Bounds(1, max_pages=2)))
    assert (got[-1], len(got)) == ("/open", 10)


async def test_a_crawl_that_ends_by_itself_says_nothing_of_a_limit() -> None:
    assert told(await items_of(Net(SITE), [f"{X}/"], Bounds(9, max_pages=5))) == ["/", "/a", "/b", "/c", "/d"]


SITEMAPS: Pages = {
    "/": links("/linked"),
    "/robots.txt": "User-agent: *\nSITEMAP: /index.xml  # all\nSitemap: https://x.example/list.txt",
    "/index.xml": index(f"{X}/one.xml.gz", f"{X}/two.xml", f"{X}/index.xml"),
    "/one.xml.gz": gzip.compress(urlset(f"{X}/1", f"{X}/").encode()),
    "/two.xml": urlset(f"{X}/2", f"{X}/1", "https://y.example/3"),
    "/list.txt": f"\ufeff{X}/4\r\n\nno address\n",
    "/sitemap.xml": urlset(f"{X}/5"),
    **{f"/{n}": links(f"/from-{n}") for n in "1245"},
}


async def test_the_sitemaps_of_the_site_are_read_to_their_pages() -> None:
    net = Net(SITEMAPS)
    assert told(await items_of(net, [f"{X}/"], Bounds(follow_sitemap=True))) == [
        "/",
        "/4",
        "/sitemap.xml",
        "/5",
        "/one.xml.gz",
        "/1",
        "/two.xml",
        "other-host: /two.xml",
        "/2",
    ]
    assert len(net.asked) == len(set(net.asked))


async def test_the_links_of_listed_pages_are_followed_after_all_that_is_listed() -> None:
    net = Net({**SITEMAPS, "/linked": links("/4", "/deep"), **{f"/from-{n}": links("/deeper") for n in "1245"}})
    got = told(await items_of(net, [f"{X}/"], Bounds(1, follow_sitemap=True)))
    assert got[-5:] == ["/linked", "/from-4", "/from-5", "/from-1", "/from-2"]


async def test_a_sitemap_as_input_is_followed_and_the_site_is_not_searched_for_others() -> None:
    net = Net(SITEMAPS)
    assert told(await items_of(net, [f"{X}/two.xml"], Bounds(follow_sitemap=True))) == [
        "/two.xml",
        "other-host: /two.xml",
        "/2",
        "/1",
    ]
    assert "/robots.txt" not in net.paths


async def test_a_sitemap_file_leads_wherever_it_says(tmp_path: Path) -> None:
    path = tmp_path / "sitemap.xml"
    path.write_text(urlset(f"{X}/1", "https://y.example/"))
    net = Net({"/1": links("/2", "https://z.example/"), "/2": links(), "https://y.example/": links()})
    got = await items_of(net, [str(path)], Bounds(1, follow_sitemap=True))
    assert told(got)[1:] == ["/1", "https://y.example/", "/2"]


async def test_other_files_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(links(f"{X}/1"))
    net = Net({"/1": links()})
    await items_of(net, [str(tmp_path / "page.html")], Bounds(1, follow_sitemap=True))
    assert net.asked == []


@pytest.mark.parametrize(
    ("pages", "problems"),
    [
        ({}, ["no-sitemap: /sitemap.xml"]),
        ({"/sitemap.xml": "<!doctype html><p>Not found"}, ["no-sitemap: /sitemap.xml"]),
        ({"/robots.txt": "Sitemap: /s.xml"}, ["http-status: /s.xml"]),
        ({"/robots.txt": "Sitemap: /s.xml", "/s.xml": "<!doctype html><p>"}, ["not-a-sitemap: /s.xml"]),
        ({"/robots.txt": "Sitemap: https://y.example/s.xml"}, ["other-host: /robots.txt"]),
        ({"/sitemap.xml": gzip.compress(urlset(f"{X}/").encode())[:-9]}, ["document-damaged: /sitemap.xml"]),
        ({"/sitemap.xml": urlset(f"{X}/gone")}, ["http-status: /gone"]),
    ],
)
async def test_a_site_without_a_usable_sitemap_says_why(pages: Pages, problems: list[str]) -> None:
    got = told(await items_of(Net({"/": "<p>", **pages}), [f"{X}/"], Bounds(follow_sitemap=True)))
    assert [each for each in got if ":" in each] == problems


async def test_an_input_that_fails_does_not_keep_the_sitemaps_from_being_read() -> None:
    got = told(await items_of(Net(SITEMAPS), [f"{X}/gone"], Bounds(follow_sitemap=True)))
    assert (got[0], got[1]) == ("http-status: /gone", "/4")


async def test_of_a_gzip_bomb_of_a_sitemap_no_more_is_inflated_than_a_sitemap_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sitemap, "MAX_BYTES", 1024)
    bomb = gzip.compress(urlset(f"{X}/1").encode() + b" " * (8 * 1024 * 1024), 1)
    net = Net({"/": "<p>", "/sitemap.xml": bomb, "/1": links()})
    got = await items_of(net, [f"{X}/"], Bounds(follow_sitemap=True))
    assert told(got) == ["/", "sitemap-too-large: /sitemap.xml", "/sitemap.xml", "/1"]
    assert [len(i.data) for i in got if isinstance(i, Document) and i.kind == "sitemap"] == [1024]


async def test_a_sitemap_that_goes_on_as_binary_data_is_read_up_to_there() -> None:
    net = Net({"/": "<p>", "/sitemap.xml": urlset(f"{X}/1").encode() + bytes(10_000_000), "/1": links()})
    got = await items_of(net, [f"{X}/"], Bounds(follow_sitemap=True))
    assert told(got) == ["/", "document-damaged: /sitemap.xml", "/sitemap.xml", "/1"]
    assert [len(item.data) < 100 for item in got if isinstance(item, Document)] == [True] * 3


async def test_indexes_of_indexes_without_end_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "MAX_SITEMAPS", 10)
    net = Net({"/": "<p>", "/sitemap.xml": index(f"{X}/0.xml")})
    net.pages.update({f"{X}/{n}.xml": index(f"{X}/{n + 1}.xml", f"{X}/{n}.xml").encode() for n in range(100)})
    assert told(await items_of(net, [f"{X}/"], Bounds(follow_sitemap=True)))[-1] == "sitemap-limit: "
    assert len(net.asked) < 15


async def test_sitemaps_beyond_the_page_limit_are_not_fetched() -> None:
    net = Net(SITEMAPS)
    *_, problem = await items_of(net, [f"{X}/"], Bounds(1, follow_sitemap=True, max_pages=2))
    assert isinstance(problem, Problem)
    assert "at least 2 more pages and 3 more sitemaps were found and not read" in problem.message
    assert net.paths == ["/", "/robots.txt", "/index.xml", "/list.txt", "/4"]


async def test_nothing_spooled_is_left_of_the_pages_followed(tmp_path: Path) -> None:
    net = Net({**SITEMAPS, "/linked": b"a\0b"}, {"/from-1": "/from-2", "/from-2": "https://y.example/"})
    net.pages["https://y.example/"] = "<p>"
    net.spool = tmp_path
    await items_of(net, [f"{X}/"], Bounds(3, follow_sitemap=True))
    assert os.listdir(tmp_path) == ["1"]


async def test_a_host_that_went_away_is_one_problem_a_page() -> None:
    class Gone(Net):
        async def fetch(self, url: str) -> Download:
            if self.asked:
                raise ConnectFailed(f"{url}: no connection.")
            return await super().fetch(url)

    assert told(await items_of(Gone(SITE), [f"{X}/"], Bounds(3))) == ["/", "connect-failed: /a", "connect-failed: /b"]


@given(
    st.lists(st.tuples(st.sampled_from(["listed", "linked", "mark", "take"]), st.integers(0, 30))), st.integers(1, 8)
)
def test_a_frontier_gives_each_page_once_and_holds_no_more_than_fit(steps: list[tuple[str, int]], most: int) -> None:
    frontier = Frontier(most)
    given_out: list[str] = []
    marked: set[str] = set()
    for what, number in steps:
        url = f"{X}/{number}"
        if what == "listed":
            frontier.add_listed(url, 1)
        elif what == "linked":
            frontier.add_linked(url, 0)
        elif what == "mark":
            assert frontier.mark(url) == (url not in marked and url not in given_out)
            marked.add(url)
        elif (step := frontier.take_listed() or frontier.take_linked()) is not None:
            assert step.url not in marked
            given_out.append(step.url)
    assert len(given_out) == len(set(given_out))
    added = {f"{X}/{n}" for what, n in steps if what in {"listed", "linked"}}
    assert frontier.left == len(added - marked - set(given_out))
