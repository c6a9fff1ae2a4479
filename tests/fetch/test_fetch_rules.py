"""The pure decisions of fetching, as tables and properties."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.errors import (
    BadContentEncoding,
    ConnectFailed,
    ConnectionLost,
    FetchError,
    HTTPStatus,
    InvalidURL,
    MediamirrorError,
    SchemeRefused,
    TransferTruncated,
    UsageError,
)
from mediamirror.fetch.answer import check_status, parse_retry_after
from mediamirror.fetch.body import Bucket, RateWatch, inflater_for
from mediamirror.fetch.guard import Guard, parse_connect_to, rewire
from mediamirror.fetch.hosts import host_of
from mediamirror.fetch.open import delay, next_wait
from mediamirror.fetch.request import Request, parse_header, parse_target
from mediamirror.model import Download
from mediamirror.settings import FetchOptions, Rewired

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a.com:443:127.0.0.1:8443", Rewired("a.com", 443, "127.0.0.1", 8443)),
        ("::127.0.0.1:8443", Rewired("", None, "127.0.0.1", 8443)),
        ("A.com:443::", Rewired("a.com", 443, "", None)),
        ("[::1]:80:[fe80::1%25lo]:81", Rewired("::1", 80, "fe80::1%25lo", 81)),
        (":::", Rewired("", None, "", None)),
    ],
)
def test_connect_to_reads_curls_form(text, rule):
    assert parse_connect_to(text) == rule


@pytest.mark.parametrize(
    "text", ["", "a.com", "a:80:b", "a:80:b:81:c", "a:x:b:81", "a:0:b:81", "a:70000:b:1", "::1:80:b:1"]
)
def test_connect_to_refuses_another_form(text):
    with pytest.raises(UsageError, match="--connect-to"):
        parse_connect_to(text)


@given(st.text(max_size=40))
def test_connect_to_reads_or_says_how_to_write_it(text):
    try:
        assert isinstance(parse_connect_to(text), Rewired)
    except UsageError as error:
        assert "--connect-to" in error.message  # noqa: PT017


@pytest.mark.parametrize(
    ("host", "port", "dialled"),
    [
        ("a.com", 443, ("127.0.0.1", 1)),
        ("A.com", 443, ("127.0.0.1", 1)),
        ("a.com", 80, ("a.com", 2)),
        ("b.com", 80, ("c.com", 80)),
        ("d.com", 80, ("d.com", 80)),
        ("[::1]", 80, ("::1", 80)),
    ],
)
def test_the_first_connect_to_rule_that_matches_decides_alone(host, port, dialled):
    rules = [
        Rewired("a.com", 443, "127.0.0.1", 1),
        Rewired("a.com", None, "", 2),
        Rewired("b.com", None, "c.com", None),
        Rewired("c.com", None, "never", None),
    ]
    assert rewire(host, port, rules) == dialled


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Referer: https://a.b/", ("Referer", "https://a.b/")),
        ("X-Empty;", ("X-Empty", "")),
        ("x:y:z", ("x", "y:z")),
        ("X-Name:  süß \t", ("X-Name", "süß")),
    ],
)
def test_a_header_is_read_as_curl_reads_it(text, header):
    assert parse_header(text) == header


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        ": v",
        "a b: c",
        "X: a\r\nY: b",
        "X: a\nb",
        "X: a\x00",
        "X: \ud800",
        "X\r: a",
        "Host: h",
        "content-LENGTH: 3",
    ],
)
def test_a_header_that_could_break_a_request_is_refused(text):
    with pytest.raises(UsageError, match="-H"):
        parse_header(text)


def test_a_refused_header_does_not_show_its_value():
    with pytest.raises(UsageError) as caught:
        parse_header("Authorization: s3cret\n")
    assert "s3cret" not in caught.value.message


@given(
    st.text(max_size=80),
    st.sampled_from(["", "http://", "https://", "http://a.com/", "http://[::1]:8/", "//", "HTTP:"]),
)
def test_any_text_is_a_target_or_a_named_error(text, start):
    try:
        target = parse_target(start + text, Guard())
    except (InvalidURL, SchemeRefused):
        return
    parsed = ada_url.URL(start + text)
    parsed.hash = ""
    assert target.href == parsed.href.rstrip("#")
    assert target.origin == parsed.origin
    assert target.target.decode() == target.href.removeprefix(target.origin)
    assert target.host == parsed.hostname.strip("[]")
    assert target.port == int(parsed.port or {"http": 80, "https": 443}[target.scheme])
    assert host_of(target.href) == parsed.hostname


@given(st.binary(max_size=3000), st.integers(1, 500), st.sampled_from(["gzip", "deflate", "raw"]))
def test_inflating_in_pieces_gives_the_whole(data, step, coding):
    if coding == "gzip":
        packed = gzip.compress(data)
    elif coding == "deflate":
        packed = zlib.compress(data)
    else:
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(data) + packer.flush()
    inflater = inflater_for("gzip" if coding == "gzip" else "deflate", "u")
    pieces = [piece for at in range(0, len(packed), step) for piece in inflater.feed(packed[at : at + step])]
    inflater.finish()
    assert b"".join(pieces) == data


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_inflating_nonsense_ends_in_bytes_or_a_named_error(data, coding):
    inflater = inflater_for(coding, "u")
    try:
        list(inflater.feed(data))
        inflater.finish()
    except (BadContentEncoding, TransferTruncated):
        pass


@pytest.mark.parametrize("padding", [b"", b"\0", b"x", b"\0" * 600, b"<!-- cached -->"])
def test_padding_after_the_stream_is_ignored(padding):
    inflater = inflater_for("gzip", "u")
    data = gzip.compress(b"one") + padding
    assert b"".join(piece for at in range(len(data)) for piece in inflater.feed(data[at : at + 1])) == b"one"
    inflater.finish()


def test_a_flood_of_gzip_members_is_refused():
    with pytest.raises(BadContentEncoding, match="more than 1000 pieces"):
        list(inflater_for("gzip", "u").feed(gzip.compress(b"") * 1001))


def test_a_bomb_is_inflated_in_small_steps():
    inflater = inflater_for("gzip", "u")
    assert max(len(piece) for piece in inflater.feed(gzip.compress(bytes(5_000_000)))) <= 64 * 1024


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Tue, 24 Nov 2026 12:01:00", 60.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize("ours", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)])
def test_a_retry_after_date_is_meant_by_the_origins_clock_however_wrong_ours_is(ours):
    headers = {"date": "Tue, 24 Nov 2026 12:00:00 GMT", "retry-after": "Tue, 24 Nov 2026 12:01:00 GMT"}
    with pytest.raises(HTTPStatus) as caught:
        check_status(503, headers, Request("http://h/"), "http://h/", ours)
    assert caught.value.retry_after == 60.0


@given(st.text(max_size=40))
def test_retry_after_never_fails_and_is_never_negative(value):
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_delays_double_up_to_a_limit_under_full_jitter():
    class Highest(Random):
        def uniform(self, low, high):
            assert low == 0
            return high

    assert [delay(n, Highest()) for n in (1, 2, 3, 4, 8, 500)] == [0.5, 1, 2, 4, 30, 30]
    assert delay(1, Highest(), retry_after=100) == 100.5
    assert delay(1, Highest(), retry_after=1) == 1.1


def status(code, after=None):
    return HTTPStatus("x", status=code, retry_after=after)


@pytest.mark.parametrize(
    ("error", "attempt", "elapsed", "waits"),
    [
        (InvalidURL("x"), 1, 0, False),
        (status(404), 1, 0, False),
        (ConnectFailed("x"), 1, 0, True),
        (ConnectionLost("x"), 3, 0, True),
        (ConnectionLost("x"), 4, 0, False),
        (status(503), 1, 0, True),
        (status(429, 120), 1, 0, True),
        (status(429, 121), 1, 0, False),
        (status(429, 100), 1, 200, False),
        (ConnectFailed("x"), 1, 241, False),
    ],
)
def test_a_retry_is_for_what_may_pass_and_bounded_in_tries_and_time(error, attempt, elapsed, waits):
    options = FetchOptions(retries=3, timeout=60, retry_after_cap=120)
    assert (next_wait(error, attempt, elapsed, options, Random(1)) is not None) == waits


def test_a_rate_is_judged_by_whole_windows():
    watch = RateWatch(min_rate=100, window=10, now=0)
    assert not watch.too_slow(10, 9.9)
    assert not watch.too_slow(990, 10.1 - 0.1)
    assert watch.too_slow(999, 20.0)


def test_a_pause_of_our_own_is_not_held_against_the_origin():
    watch = RateWatch(min_rate=100, window=10, now=0)
    watch.pause(50)
    assert not watch.too_slow(10, 59)
    assert watch.too_slow(10, 61)


async def test_the_bucket_shares_one_rate_in_order():
    now, slept = [100.0], []

    async def sleep(seconds):
        slept.append(seconds)

    bucket = Bucket(1000, burst=0.5, clock=lambda: now[0], sleep=sleep)
    assert [await bucket.take(500) for _ in range(3)] == [0.5, 1.0, 1.5]
    now[0] += 60
    assert [await bucket.take(500) for _ in range(2)] == [0.0, 0.5]
    assert slept == [0.5, 1.0, 1.5, 0.5]


def test_every_fetch_error_has_a_code_of_its_own():
    kinds = [FetchError, *FetchError.__subclasses__()]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(issubclass(kind, MediamirrorError) for kind in kinds)


@pytest.mark.parametrize(
    ("fields", "essence"),
    [
        (["image/jpeg, image/jpeg"], "image/jpeg"),
        (["text/html", "image/webp; q=1"], "image/webp"),
        (["image/png, */*"], "image/png"),
        (["IMAGE/PNG ; x=y"], "image/png"),
        (["image/png, nonsense"], "image/png"),
        (["nonsense"], "nonsense"),
        ([""], None),
        ([], None),
    ],
)
def test_of_several_content_types_the_last_that_is_one_counts(fields, essence):
    headers = tuple(("content-type", field) for field in fields)
    assert Download("u", "u", 200, headers, None, NOW).content_type == essence
