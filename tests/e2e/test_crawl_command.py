"""Pages from the network: a small site, crawled by the installed command over TLS, with a look at what it was asked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from fixtures.images import make_image
from fixtures.site import Resource, Site, running_site

Command = Callable[..., CompletedProcess[str]]

HOST = "blog.example"
ELSEWHERE = "elsewhere.example"
HOME = f"https://{HOST}/"
POSTS = 12


def page(path: str, body: str) -> Resource:
    return Resource(HOST, path, f"<!doctype html><title>x</title>{body}".encode(), "text/html; charset=utf-8")


def served() -> Iterator[Resource]:
    yield page("/", '<img src="/home.webp" alt=""><a href="/posts/">posts</a><a href=/secret/plan.html>no</a>')
    links = "".join(f'<a href="{n}.html#top">{n}</a>' for n in range(POSTS))
    away = f'<a href="https://{ELSEWHERE}/">away</a><a href="gone.html">gone</a>'
    yield page("/posts/", f"{links}{away}")
    for n in range(POSTS):
        yield page(f"/posts/{n}.html", f'<img src="/{n}.webp" alt=""><a href="/">home</a><a href="/posts/">up</a>')
    yield page("/secret/plan.html", "<img src=/secret.webp>")
    yield page("/old/unlinked.html", '<img src="/unlinked.webp" alt="">')
    for name in ("home", "unlinked", *map(str, range(POSTS))):
        yield Resource(HOST, f"/{name}.webp", make_image(32, 18, "webp"), "image/webp")
    robots = f"User-agent: *\nDisallow: /secret/\nSitemap: {HOME}maps.xml\n"
    yield Resource(HOST, "/robots.txt", robots.encode(), "text/plain")
    maps = f"<sitemapindex><sitemap><loc>{HOME}map.xml.gz</loc></sitemap></sitemapindex>"
    yield Resource(HOST, "/maps.xml", maps.encode(), "application/xml")
    listed = (
        f"<urlset><url><loc>{HOME}old/unlinked.html</loc></url><url><loc>{HOME}secret/plan.html</loc></url></urlset>"
    )
    yield Resource(HOST, "/map.xml.gz", gzip.compress(listed.encode()), "application/gzip")
    yield Resource(ELSEWHERE, "/", b"<!doctype html><img src=/far.webp>", "text/html")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("blog"), served()) as site:
        yield site


@pytest.fixture
def blog(running: Site) -> Site:
    running.reset_requests()
    return running


def asked(site: Site) -> list[str]:
    return [r.path for r in site.requests() if not r.path.endswith((".webp", "/robots.txt"))]


def rows(done: CompletedProcess[str], kind: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    return [row for row in found if row["type"] == kind]


def images(done: CompletedProcess[str]) -> list[str]:
    return [c["url"].rsplit("/", 1)[1] for row in rows(done, "image-set") for c in row["candidates"]]


def parse(mediamirror: Command, blog: Site, *words: str) -> CompletedProcess[str]:
    return mediamirror("parse", HOME, *words, "--format", "jsonl", *blog.arguments())


def test_without_the_options_only_the_page_itself_is_asked_for(mediamirror: Command, blog: Site) -> None:
    assert images(parse(mediamirror, blog)) == ["home.webp"]
    assert asked(blog) == ["/"]


def test_links_are_followed_two_levels_on_the_host_with_robots_honoured(mediamirror: Command, blog: Site) -> None:
    done = parse(mediamirror, blog, "--depth", "2")
    assert images(done) == ["home.webp", *(f"{n}.webp" for n in range(POSTS))]
    assert asked(blog) == ["/", "/posts/", *(f"/posts/{n}.html" for n in range(POSTS)), "/posts/gone.html"]
    assert {r.host for r in blog.requests()} == {HOST}
    assert [(p["code"], p["document"]) for p in rows(done, "problem")] == [
        ("page-closed", f"{HOME}secret/plan.html"),
        ("http-status", f"{HOME}posts/gone.html"),
    ]
    assert done.returncode == 1


def test_any_host_follows_to_other_hosts_too(mediamirror: Command, blog: Site) -> None:
    assert "far.webp" in images(parse(mediamirror, blog, "--depth", "2", "--any-host"))


def test_pages_of_the_sitemaps_are_read_though_nothing_links_to_them(mediamirror: Command, blog: Site) -> None:
    done = parse(mediamirror, blog, "--follow-sitemap")
    assert images(done) == ["home.webp", "unlinked.webp"]
    assert asked(blog) == ["/", "/maps.xml", "/sitemap.xml", "/map.xml.gz", "/old/unlinked.html"]
    assert [r.path for r in blog.requests()].count("/robots.txt") == 1
    assert [p["code"] for p in rows(done, "problem")] == ["page-closed"]
    assert done.returncode == 0


def test_the_page_limit_stops_the_crawl_and_is_told(mediamirror: Command, blog: Site) -> None:
    done = parse(mediamirror, blog, "--depth", "2", "--max-pages", "5")
    assert len(asked(blog)) == 5
    limit = next(p for p in rows(done, "problem") if p["code"] == "page-limit")
    assert "stopped after 5 pages (--max-pages 5): at least 10 more pages" in limit["message"]
    assert done.returncode == 0


def test_mirror_stores_the_images_of_the_whole_site(mediamirror: Command, blog: Site, tmp_path: Path) -> None:
    words = ("--depth", "2", "--follow-sitemap", "--to", str(tmp_path / "m"), "--allow-private", *blog.arguments())
    done = mediamirror("mirror", HOME, *words)
    stored = sorted(path.name for path in (tmp_path / "m" / HOST).iterdir())
    assert stored == sorted(["home.webp", "unlinked.webp", *(f"{n}.webp" for n in range(POSTS))]), done.stderr


def test_verify_checks_the_images_of_the_pages_that_follow(mediamirror: Command, blog: Site) -> None:
    done = mediamirror("verify", HOME, "--depth", "2", "--max-pages", "4", "--format", "jsonl", *blog.arguments())
    checked = {row["url"].rsplit("/", 1)[1] for row in rows(done, "variant")}
    assert checked == {"home.webp", "0.webp", "1.webp"}


def test_explain_names_the_rule_behind_each_source(mediamirror: Command, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        '<img data-srcset="a.webp 480w" src="data:image/gif;base64,AAAA"><img ix-src="/b.png"><div data-zoom-pic="/c.jpg">'
        '</div><img src="/d-300x200.jpg"><img src="/d-600x400.jpg"><link rel=icon href=/i.png>'
    )
    (tmp_path / "dump.txt").write_text("Summer https://x.example/a.webp 480w, https://x.example/b.webp 960w")
    done = mediamirror("parse", str(tmp_path), "--base-url", "https://x.example/", "--explain")
    assert [line.strip() for line in done.stdout.splitlines() if "found by" in line] == [
        "found by: text",
        "found by: img data-srcset: lazysizes, and most other lazy loaders",
        "found by: img ix-src: imgix.js",
        "found by: lazy data-zoom-pic: the generic rule, its value looks like an image",
        "found by: img src",
        "found by: naming: the URLs differ only in what names a size",
        "found by: icon href",
    ]


def test_explain_changes_nothing_of_the_json(mediamirror: Command, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text('<img src="https://x.example/a.webp">')
    plain, explained = (mediamirror("parse", str(path), "--format", "json", *w).stdout for w in ((), ("--explain",)))
    assert [{**row, "seconds": 0} for row in json.loads(plain)] == [
        {**row, "seconds": 0} for row in json.loads(explained)
    ]
