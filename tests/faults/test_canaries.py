"""The installed command in a network namespace where every address answers: what may not be reached is not reached."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.hostile_hosts import measure
from fixtures.hostile.canaries import NoNamespace, Ran, run_in_namespace
from fixtures.servers.process import executable


def furnished(attempt: Callable[[], object]) -> object:
    """What ``attempt`` gives; skipped, and said, where the platform gives no namespace, but never where CI runs as root."""
    try:
        return attempt()
    except NoNamespace as error:
        if os.environ.get("CI") and os.geteuid() == 0:
            raise
        pytest.skip(f"THE CANARIES DID NOT RUN: {error}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """All commands of this file, in one namespace."""
    folder = tmp_path_factory.mktemp("namespace")
    page = folder / "page.html"
    page.write_text(
        '<img src="http://10.0.0.1/a.png"><img src="http://10.0.0.2/b.png"><img src="http://10.0.0.1:22/c.png">'
    )
    documents = _documents(folder)
    program = executable("mediamirror")
    words = {
        "input": ["parse", "http://10.0.0.1/page.html"],
        "input redirected": ["parse", "http://public.test/?to=http://10.0.0.1/page.html"],
        "input allowed": ["parse", "http://10.0.0.1/page.html", "--allow-host", "10.0.0.1"],
        "crawl": ["verify", "http://crawl.test/page.html", "--depth", "2", "--any-host", "--follow-sitemap"],
        "documents": ["verify", *documents, "--depth", "1", "--any-host", "--follow-sitemap", "--links"],
        "one host allowed": ["verify", str(page), "--allow-host", "10.0.0.1"],
    }
    ran = furnished(
        lambda: run_in_namespace(
            [[program, *line, "--format", "jsonl"] for line in words.values()], {"XDG_STATE_HOME": str(folder)}, folder
        )
    )
    assert isinstance(ran, list)
    return dict(zip(words, ran, strict=True))


def test_hostile_hosts_are_refused_and_public_ones_are_reached() -> None:
    figures = furnished(lambda: measure(public=60))
    assert figures.clean, f"{figures} {figures.not_refused}"  # type: ignore[attr-defined]
    assert figures.hostile > 100  # type: ignore[attr-defined]


def test_an_input_inside_is_refused_with_a_sentence_that_names_the_way(runs: dict[str, Ran]) -> None:
    ran = runs["input"]
    (problem,) = ran.rows("problem")
    assert (problem["code"], ran.code, ran.dialled) == ("address-refused", 2, ())
    assert "--allow-host 10.0.0.1" in problem["message"]
    assert "--allow-private" in problem["message"]


def test_an_input_that_redirects_inside_is_refused(runs: dict[str, Ran]) -> None:
    ran = runs["input redirected"]
    assert [p["code"] for p in ran.rows("problem")] == ["address-refused"]
    assert set(ran.dialled) == {"93.184.216.34"}


def test_an_input_inside_is_read_when_its_host_is_allowed(runs: dict[str, Ran]) -> None:
    ran = runs["input allowed"]
    assert (ran.code, set(ran.dialled)) == (0, {"10.0.0.1"})
    assert ran.rows("image-set")


def test_links_sitemaps_link_headers_and_images_of_a_crawl_lead_nowhere_inside(runs: dict[str, Ran]) -> None:
    ran = runs["crawl"]
    assert set(ran.dialled) == {"93.184.216.36"}
    assert {row["url"]: row["error"]["code"] for row in ran.rows("variant")} == {
        "http://10.1.0.2/x.png": "address-refused",
        "http://10.1.0.4/x.png": "address-refused",
    }
    refused = {p["document"] for p in ran.rows("problem") if p["code"] == "address-refused"}
    assert {"http://10.1.0.1/next.html", "http://private.test/next.html", "http://10.1.0.5/map.xml"} <= refused


def _documents(folder: Path) -> list[str]:
    """Files of every kind whose URLs all lead inside."""
    inside = "http://10.2.0.{}/x.png"
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<img src=http://10.2.0.2/x.png>"
    head = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://10.2.0.1/\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
    head += "WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>\r\n"
    head += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(answer)}\r\n\r\n"
    warc = gzip.compress(head.encode() + answer + b"\r\n\r\n")
    files = {
        "a.jsonl": json.dumps({"url": "http://10.2.0.3/", "html": f"<img src={inside.format(3)}>"}),
        "b.csv": f"url,html\nhttp://10.2.0.4/,<img src={inside.format(4)}>\n",
        "c.md": f"![a]({inside.format(5)})",
        "d.css": f"a {{ background: url({inside.format(6)}) }} @import url(http://10.2.0.6/x.css);",
        "e.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{inside.format(7)}"/></svg>',
        "f.html": '<base href="http://10.2.0.8/"><img srcset="x.png 1x, //10.2.0.8/y.png 2x">'
        '<svg><image href="http://10.2.0.8/z.png"/></svg>',
        "g.xml": '<rss><channel><item><enclosure url="http://10.2.0.9/x.png" type="image/png"/></item></channel></rss>',
        "h.xml": '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        "<sitemap><loc>http://10.2.0.10/map.xml</loc></sitemap></sitemapindex>",
        "i.txt": f"see {inside.format(11)} 480w",
    }
    (folder / "j.warc.gz").write_bytes(warc)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in (*files, "j.warc.gz")]


def test_urls_of_documents_of_every_kind_lead_nowhere_inside(runs: dict[str, Ran]) -> None:
    ran = runs["documents"]
    assert ran.dialled == ()
    refused = {row["url"]: row["error"]["code"] for row in ran.rows("variant")}
    assert set(refused.values()) == {"address-refused"}
    hosts = {url.split("/")[2] for url in refused}
    assert hosts >= {f"10.2.0.{n}" for n in (2, 3, 4, 5, 6, 8, 9, 11)}
    assert "http://10.2.0.10/map.xml" in {p["document"] for p in ran.rows("problem") if p["code"] == "address-refused"}


def test_one_allowed_host_opens_no_other_and_no_blocked_port(runs: dict[str, Ran]) -> None:
    ran = runs["one host allowed"]
    assert set(ran.dialled) == {"10.0.0.1"}
    codes = {row["url"]: row["error"] and row["error"]["code"] for row in ran.rows("variant")}
    assert codes == {
        "http://10.0.0.1/a.png": None,
        "http://10.0.0.2/b.png": "address-refused",
        "http://10.0.0.1:22/c.png": "port-refused",
    }
