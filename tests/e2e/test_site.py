"""The fixture web site keeps the rules of HTTP that the mirror relies on: tested with an independent client."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from fixtures.patience import PATIENCE
from fixtures.site import LYING_WIDTH, MEDIA_HOST, NEWS_HOST, SEED_HOST, Resource, Site
from fixtures.site.contents import clock_tower, seed_variants

SEED = Path(__file__).resolve().parents[2] / "fixtures" / "seed"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(site: Site, host: str, path: str, method: str = "GET", **headers: str) -> Answer:
    context = ssl.create_default_context(cafile=str(site.cacert))
    connection = http.client.HTTPSConnection(host, 443, context=context, timeout=PATIENCE)
    raw = socket.create_connection(("127.0.0.1", site.port))
    connection.sock = context.wrap_socket(raw, server_hostname=host)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    try:
        body = response.read()
    except http.client.IncompleteRead as cut:
        body = cut.partial
    connection.close()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)


@pytest.fixture
def variant() -> Resource:
    return seed_variants()[0]


def test_the_seed_document_begins_with_the_crawled_line_byte_for_byte() -> None:
    first_line = (SEED / "news-by-first-line.txt").read_bytes()
    assert (SEED / "news-by.txt").read_bytes().startswith(first_line)


def test_every_url_of_the_seed_line_is_served_as_wide_as_its_descriptor_says(site: Site) -> None:
    words = (SEED / "news-by-first-line.txt").read_text().replace(",", "").split()
    pairs = [(url, int(words[i + 1].rstrip("w"))) for i, url in enumerate(words) if url.startswith("https://")]
    widths = [
        Image.open(io.BytesIO(ask(site, SEED_HOST, url.removeprefix(f"https://{SEED_HOST}")).body)).width
        for url, _ in pairs
    ]
    assert widths == [width for _, width in pairs] == [480, 768, 1280, 1920]


def test_the_lying_variant_says_1280_and_is_960_wide(site: Site) -> None:
    liar = next(r for r in clock_tower() if "1280" in r.path)
    assert Image.open(io.BytesIO(ask(site, MEDIA_HOST, liar.path).body)).width == LYING_WIDTH == 960


def test_a_whole_answer_carries_validators_type_and_freshness(site: Site, variant: Resource) -> None:
    answer = ask(site, SEED_HOST, variant.path)
    names = ("content-type", "etag", "last-modified", "cache-control", "content-length")
    assert [answer.headers.get(name) for name in names] == [
        "image/webp",
        variant.etag,
        "Mon, 08 Dec 2025 09:30:00 GMT",
        "public, max-age=31536000, immutable",
        str(len(variant.body)),
    ]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"If_None_Match": "ETAG"}, 304),
        ({"If_None_Match": 'W/"other", ETAG'}, 304),
        ({"If_None_Match": '"other"'}, 200),
        ({"If_Modified_Since": "Mon, 08 Dec 2025 09:30:00 GMT"}, 304),
        ({"If_Modified_Since": "Mon, 08 Dec 2025 09:29:59 GMT"}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_None_Match": '"other"', "If_Modified_Since": "Mon, 08 Dec 2025 09:30:00 GMT"}, 200),
        ({"Range": "bytes=0-9"}, 206),
        ({"Range": "bytes=0-9", "If_Range": "ETAG"}, 206),
        ({"Range": "bytes=0-9", "If_Range": '"other"'}, 200),
        ({"Range": "bytes=9-0"}, 200),
        ({"Range": "bytes=99999999-"}, 416),
        ({"Range": "bytes=-0"}, 416),
    ],
)
def test_conditions_and_ranges_are_answered_as_rfc_9110_says(
    site: Site, variant: Resource, sent: dict[str, str], status: int
) -> None:
    headers = {name: value.replace("ETAG", variant.etag) for name, value in sent.items()}
    assert ask(site, SEED_HOST, variant.path, **headers).status == status


@pytest.mark.parametrize("wanted", ["0-9", "5-", "-7"])
def test_a_range_is_the_bytes_it_names(site: Site, variant: Resource, wanted: str) -> None:
    expected = {"0-9": variant.body[:10], "5-": variant.body[5:], "-7": variant.body[-7:]}[wanted]
    assert ask(site, SEED_HOST, variant.path, Range=f"bytes={wanted}").body == expected


def test_head_answers_like_get_without_the_body(site: Site, variant: Resource) -> None:
    head, get = ask(site, SEED_HOST, variant.path, "HEAD"), ask(site, SEED_HOST, variant.path)
    assert (head.headers | {"date": ""}, head.body) == (get.headers | {"date": ""}, b"")


def test_the_log_counts_the_bytes_of_bodies_only(site: Site, variant: Resource) -> None:
    ask(site, SEED_HOST, variant.path)
    ask(site, SEED_HOST, variant.path, "HEAD")
    ask(site, SEED_HOST, variant.path, If_None_Match=variant.etag)
    ask(site, SEED_HOST, "/nothing.webp", "HEAD")
    seen = [(r.method, r.status, r.body_bytes) for r in site.requests()]
    assert seen == [("GET", 200, len(variant.body)), ("HEAD", 200, 0), ("GET", 304, 0), ("HEAD", 404, 0)]
    assert [r.path for r in site.bodies()] == [variant.path]


def test_the_first_request_for_the_flaky_file_fails_and_the_next_succeeds(site: Site) -> None:
    statuses = [ask(site, MEDIA_HOST, "/defects/flaky_480.webp").status for _ in range(3)]
    assert statuses == [500, 200, 200]


def test_the_cut_transfer_breaks_off_halfway_every_time(site: Site) -> None:
    answer = ask(site, MEDIA_HOST, "/defects/cut_480.webp")
    assert len(answer.body) == int(answer.headers["content-length"]) // 2


@pytest.mark.parametrize(
    ("name", "content_type", "start"),
    [
        ("page_480.webp", "text/html; charset=utf-8", b"<!doctype html>"),
        ("page-as-image_480.webp", "image/webp", b"<!doctype html>"),
        ("png_480.jpg", "image/jpeg", b"\x89PNG"),
        ("truncated_480.webp", "image/webp", b"RIFF"),
        ("empty_480.webp", "image/webp", b""),
    ],
)
def test_a_wrong_body_comes_with_status_200(site: Site, name: str, content_type: str, start: bytes) -> None:
    answer = ask(site, MEDIA_HOST, f"/defects/{name}")
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.body.startswith(start)


def test_the_truncated_file_is_half_of_what_its_header_promises(site: Site) -> None:
    body = ask(site, MEDIA_HOST, "/defects/truncated_480.webp").body
    assert len(body) < int.from_bytes(body[4:8], "little") + 8


def test_the_slow_file_arrives_whole(site: Site) -> None:
    slow, whole = (ask(site, MEDIA_HOST, f"/defects/{name}_480.webp").body for name in ("slow", "flaky"))
    assert slow[:4] == b"RIFF"
    assert len(slow) == int.from_bytes(slow[4:8], "little") + 8
    assert whole[:4] in {b"RIFF", b"<!do"}


def test_a_page_of_the_news_site_is_html_and_robots_close_the_drafts(site: Site) -> None:
    page = ask(site, NEWS_HOST, "/articles/harvest.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"Disallow: /drafts/" in ask(site, NEWS_HOST, "/robots.txt").body


def test_a_host_that_does_not_live_here_is_misdirected(site: Site, variant: Resource) -> None:
    assert ask(site, SEED_HOST, variant.path, Host="elsewhere.example").status == 421


def test_connect_to_names_each_host_once(site: Site) -> None:
    assert site.arguments(SEED_HOST) == [
        "--connect-to",
        f"{SEED_HOST}:443:127.0.0.1:{site.port}",
        "--cacert",
        str(site.cacert),
    ]
    assert {rule.partition(":")[0] for rule in site.connect_to} == {SEED_HOST, NEWS_HOST, MEDIA_HOST}
