"""One request against real, often hostile, origins."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import pickle
import zlib

import pytest

from fixtures.patience import PATIENCE
from mediamirror import errors
from mediamirror.fetch.guard import Guard
from mediamirror.fetch.request import Request, discard


async def test_a_small_body_stays_in_memory_with_its_hash(serve, client, make_reply, tmp_path):
    origin = await serve(make_reply(b"pixels", Content_Type="image/webp; x=y", ETag='"1"'))
    download = await client().fetch(Request(origin.url()))
    assert download.body.data == b"pixels"
    assert download.body.sha256 == hashlib.sha256(b"pixels").hexdigest()
    assert (download.body.size, download.body.path, download.body.prefix) == (6, None, b"pixels")
    assert (download.http_status, download.content_type, download.header("etag")) == (200, "image/webp", '"1"')
    assert download.final_url == download.url == origin.url()
    assert list(tmp_path.iterdir()) == []


async def test_a_large_body_goes_to_a_file_that_discard_deletes(serve, client, make_reply, tmp_path):
    data = bytes(range(256)) * 4096
    origin = await serve(make_reply(data))
    body = (await client(spool_over=100_000).fetch(Request(origin.url()))).body
    assert body.data is None
    assert body.path.parent == tmp_path
    assert body.path.read_bytes() == data
    assert (body.size, body.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert body.prefix == data[: len(body.prefix)]
    assert len(body.prefix) == 64 * 1024
    discard(body)
    discard(body)
    assert list(tmp_path.iterdir()) == []


async def test_a_body_exactly_as_large_as_the_limits_is_kept_in_memory(serve, client, make_reply):
    origin = await serve(make_reply(b"x" * 1000))
    body = (await client(spool_over=1000, max_size=1000).fetch(Request(origin.url()))).body
    assert body.data == b"x" * 1000


async def test_content_length_over_the_limit_is_refused_before_the_body_is_read(serve, client):
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    with pytest.raises(errors.BodyTooLarge, match="--max-size"):
        await client(max_size=1000).fetch(Request(origin.url()))


async def test_a_content_length_of_exabytes_is_too_large_and_not_worth_a_retry(serve, client):
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n")
    with pytest.raises(errors.BodyTooLarge):
        await client().fetch(Request(origin.url()))


async def test_an_endless_chunked_body_stops_at_the_limit_and_leaves_no_file(serve, client, tmp_path):
    async def endless(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    origin = await serve(endless)
    with pytest.raises(errors.BodyTooLarge):
        await client(max_size=1_000_000, spool_over=100_000).fetch(Request(origin.url()))
    assert list(tmp_path.iterdir()) == []


async def test_a_requests_own_max_size_overrides_the_options(serve, client, make_reply):
    origin = await serve(make_reply(b"x" * 100))
    with pytest.raises(errors.BodyTooLarge):
        await client().fetch(Request(origin.url(), max_size=99))


async def test_fewer_bytes_than_content_length_are_a_truncated_transfer(serve, client):
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    with pytest.raises(errors.TransferTruncated) as caught:
        await client().fetch(Request(origin.url()))
    assert caught.value.retryable


async def test_a_cut_chunked_body_is_a_truncated_transfer_and_leaves_no_file(serve, client, make_chunked, tmp_path):
    origin = await serve(make_chunked(b"x" * 50_000, b"y" * 50_000, end=False))
    with pytest.raises(errors.TransferTruncated):
        await client(spool_over=10_000).fetch(Request(origin.url()))
    assert list(tmp_path.iterdir()) == []


async def test_a_reset_in_the_middle_of_a_body_is_retryable(serve, client):
    async def reset(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.transport.abort()

    origin = await serve(reset)
    with pytest.raises((errors.TransferTruncated, errors.ConnectionLost)) as caught:
        await client().fetch(Request(origin.url()))
    assert caught.value.retryable


async def test_a_whole_chunked_body_is_received(serve, client, make_chunked):
    origin = await serve(make_chunked(b"one", b"two"))
    assert (await client().fetch(Request(origin.url()))).body.data == b"onetwo"


async def trickle(seen, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.005)


async def test_a_trickle_below_the_minimum_rate_is_given_up(serve, client):
    origin = await serve(trickle)
    with pytest.raises(errors.TooSlow, match="slower than 100000 bytes"):
        await client(min_rate=100_000, min_rate_window=0.05).fetch(Request(origin.url()))


async def test_a_trickle_that_defeats_read_timeouts_meets_the_deadline(serve, client, transport):
    origin = await serve(trickle)
    with pytest.raises(errors.DeadlineExceeded, match=r"0\.1 s; raise --timeout"):
        await client(timeout=0.1, min_rate=0).fetch(Request(origin.url()))
    assert transport.connections == 0


async def test_interim_answers_without_end_meet_the_deadline(serve, client):
    async def hints(seen, writer):
        for _ in range(40):
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
            await writer.drain()
        await asyncio.sleep(60)

    origin = await serve(hints)
    with pytest.raises(errors.DeadlineExceeded):
        await client(timeout=0.1).fetch(Request(origin.url()))


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
async def test_a_flood_of_interim_answers_is_cut_off(serve, client, status):
    origin = await serve(f"HTTP/1.1 {status}\r\n\r\n".encode() * 1000)
    with pytest.raises(errors.HeadersTooLarge):
        await client().fetch(Request(origin.url()))


async def test_a_few_interim_answers_are_passed_over(serve, client, make_reply):
    origin = await serve(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 50 + make_reply(b"whole"))
    assert (await client().fetch(Request(origin.url()))).body.data == b"whole"


async def test_answers_to_questions_that_nobody_asked_close_the_connection(serve, client, make_reply):
    idle, gone = asyncio.Event(), asyncio.Event()

    async def flood(seen, writer):
        writer.write(make_reply(b"whole"))
        await idle.wait()
        while not writer.is_closing():
            writer.write(make_reply() * 100)
            try:
                await writer.drain()
            except ConnectionError:
                break
        gone.set()

    origin = await serve(flood)
    assert (await client().fetch(Request(origin.url()))).body.data == b"whole"
    idle.set()
    async with asyncio.timeout(PATIENCE):
        await gone.wait()


async def test_endless_headers_are_cut_off(serve, client):
    async def flood(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-Filler: " + b"y" * 1000 + b"\r\n")
            await writer.drain()

    origin = await serve(flood)
    with pytest.raises(errors.HeadersTooLarge):
        await client().fetch(Request(origin.url()))


@pytest.mark.parametrize(("fields", "size"), [(1, 200_000), (100, 2000), (1000, 200), (1, 70_000), (2, 35_000)])
async def test_headers_over_the_limit_are_refused_however_they_are_cut(serve, client, transport, fields, size):
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"y" * size) for n in range(fields))
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + lines + b"\r\nok")
    with pytest.raises(errors.HeadersTooLarge, match="--max-header-size") as caught:
        await client().fetch(Request(origin.url()))
    assert (caught.value.code, caught.value.retryable) == ("headers-too-large", False)
    assert transport.connections == 0


async def test_headers_within_the_limit_are_fine(serve, client):
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 500) for n in range(100))
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + lines + b"\r\nok")
    assert (await client().fetch(Request(origin.url()))).body.data == b"ok"


@pytest.mark.parametrize(
    "nonsense",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"",
    ],
    ids=["ssh", "binary", "two-lengths", "nothing"],
)
async def test_an_origin_that_does_not_speak_http_is_a_lost_connection(serve, client, nonsense):
    origin = await serve(nonsense)
    with pytest.raises(errors.ConnectionLost):
        await client().fetch(Request(origin.url()))


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_what_can_have_no_body_has_none_whatever_follows(serve, client, status, make_reply):
    origin = await serve(f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n\r\n".encode() + b"<p>bytes behind")
    with pytest.raises(errors.HTTPStatus) as caught:
        await client().fetch(Request(origin.url()))
    assert (caught.value.status, caught.value.retryable) == (int(status[:3]), False)
    if status.startswith("304"):
        download = await client().fetch(Request(origin.url(), etag='"1"'))
        assert (download.http_status, download.body) == (304, None)


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 5\r\nContent-Length: 5\r\n", b"Content-Length: 5\r\nX-A : b\r\n\xfc: c\r\n"]
)
async def test_what_is_odd_and_frames_nothing_wrongly_costs_no_image(serve, client, fields):
    origin = await serve(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nhello")
    download = await client().fetch(Request(origin.url()))
    assert download.body.data == b"hello"
    assert {name for name, _ in download.headers} == {"content-length"}


@pytest.mark.parametrize(
    "head",
    [
        *(b"HTTP/1.1 000 No\r\n", b"HTTP/2.0 200 OK\r\n"),
        *(b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n"),
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\nLocation: /c\r\nContent-Length: 0\r\n",
    ],
    ids=["000", "HTTP/2.0", "length", "chunks", "two-goals"],
)
async def test_a_head_that_can_be_read_in_two_ways_is_a_lost_connection(serve, client, head):
    origin = await serve(head + b"\r\nhello")
    with pytest.raises(errors.ConnectionLost):
        await client().fetch(Request(origin.url()))


async def test_redirects_are_followed_and_listed(serve, client, make_reply, make_routes):
    origin = await serve(
        make_routes(
            {
                "/a/1": make_reply(b"moved", "301 Moved Permanently", Location="../b/2?x=1#frag"),
                "/b/2?x=1": make_reply(b"", "307 Temporary Redirect", Location="/c%2F3"),
                "/c%2F3": make_reply(b"found"),
            }
        )
    )
    download = await client().fetch(Request(origin.url("/a/1#top")))
    assert download.body.data == b"found"
    assert download.redirects == (origin.url("/a/1"), origin.url("/b/2?x=1"))
    assert download.final_url == origin.url("/c%2F3")
    assert origin.targets == ["/a/1", "/b/2?x=1", "/c%2F3"]
    assert {seen.connection for seen in origin.seen} == {1}


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x"])
async def test_every_kind_of_redirect_is_followed(serve, client, make_reply, make_routes, status):
    origin = await serve(make_routes({"/1": make_reply(b"", status, Location="/2"), "/2": make_reply(b"found")}))
    assert (await client().fetch(Request(origin.url("/1")))).final_url == origin.url("/2")


async def test_a_redirect_loop_is_named(serve, client, make_reply, make_routes):
    origin = await serve(
        make_routes(
            {"/1": make_reply(b"", "302 x", Location="/2"), "/2": make_reply(b"", "302 x", Location="/1#again")}
        )
    )
    with pytest.raises(errors.TooManyRedirects, match="in a circle"):
        await client().fetch(Request(origin.url("/1")))
    assert len(origin.seen) == 2


async def test_redirects_stop_at_the_limit(serve, client, make_reply):
    async def onward(seen, writer):
        writer.write(make_reply(b"", "302 x", Location=f"/{int(seen.target[1:]) + 1}"))

    origin = await serve(onward)
    with pytest.raises(errors.TooManyRedirects, match="more than 3 times"):
        await client(max_redirects=3).fetch(Request(origin.url("/0")))
    assert origin.targets == ["/0", "/1", "/2", "/3"]


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("file:///etc/passwd", errors.SchemeRefused),
        ("ftp://127.0.0.1/x", errors.SchemeRefused),
        ("javascript:alert(1)", errors.SchemeRefused),
        ("http://user:pass@127.0.0.1/", errors.InvalidURL),
        ("http://[::1/", errors.InvalidURL),
        ("http://127.0.0.1:99999/", errors.InvalidURL),
    ],
)
async def test_a_redirect_to_what_is_not_fetched_is_refused(serve, client, make_reply, location, kind):
    origin = await serve(make_reply(b"", "302 Found", Location=location))
    with pytest.raises(kind):
        await client().fetch(Request(origin.url()))


async def test_a_redirect_without_location_is_a_status(serve, client, make_reply):
    origin = await serve(make_reply(b"", "302 Found"))
    with pytest.raises(errors.HTTPStatus, match="without saying where"):
        await client().fetch(Request(origin.url()))


async def test_a_redirect_is_admitted_before_it_is_followed(serve, client, make_reply, make_routes):
    async def admit(target):
        if target.target == b"/2":
            raise errors.RobotsRefused("no")

    origin = await serve(make_routes({"/1": make_reply(b"", "302 x", Location="/2"), "/2": make_reply(b"found")}))
    with pytest.raises(errors.RobotsRefused):
        await client(admit=admit).fetch(Request(origin.url("/1")))
    assert origin.targets == ["/1"]


async def test_a_conditional_request_may_be_answered_with_304(serve, client):
    origin = await serve(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n')
    request = Request(origin.url(), etag='"1"', last_modified="Tue, 24 Nov 2026 00:00:00 GMT")
    download = await client().fetch(request)
    assert (download.http_status, download.body) == (304, None)
    assert origin.seen[0].headers["if-none-match"] == '"1"'
    assert "if-modified-since" not in origin.seen[0].headers


async def test_without_a_tag_the_date_is_asked_about(serve, client):
    origin = await serve(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    date = "Tue, 24 Nov 2026 00:00:00 GMT"
    download = await client().fetch(Request(origin.url(), last_modified=date))
    assert (download.http_status, origin.seen[0].headers["if-modified-since"]) == (304, date)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("304 Not Modified", "though nothing was compared"),
        ("204 No Content", "no content"),
        ("205 Reset Content", "no content"),
        ("206 Partial Content", "not requested"),
        ("404 Not Found", "gone"),
        ("410 Gone", "gone"),
        ("401 Unauthorized", "login"),
        ("403 Forbidden", "refused"),
        ("418 Teapot", "refused"),
        ("500 Oops", "failed at the origin"),
        ("300 Multiple", "without saying where"),
    ],
)
async def test_a_status_that_is_no_success_is_a_sentence(serve, client, status, words):
    origin = await serve(f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode())
    with pytest.raises(errors.HTTPStatus, match=words) as caught:
        await client().fetch(Request(origin.url()))
    assert caught.value.status == int(status[:3])
    assert caught.value.retryable == (status == "500 Oops")


async def test_429_is_retryable_and_says_how_long_to_wait(serve, client, make_reply):
    origin = await serve(make_reply(b"", "429 Too Many Requests", Retry_After="17"))
    with pytest.raises(errors.HTTPStatus) as caught:
        await client().fetch(Request(origin.url()))
    assert (caught.value.retryable, caught.value.retry_after) == (True, 17.0)


async def test_an_error_page_does_not_cost_the_connection(serve, client, make_routes, make_reply):
    origin = await serve(make_routes({"/b": make_reply(b"found")}))
    fetcher = client()
    with pytest.raises(errors.HTTPStatus):
        await fetcher.fetch(Request(origin.url("/a")))
    await fetcher.fetch(Request(origin.url("/b")))
    assert origin.connections == 1


async def test_an_empty_200_is_an_empty_body_unless_that_is_fine(serve, client, make_reply):
    origin = await serve(make_reply(b""))
    with pytest.raises(errors.EmptyBody):
        await client().fetch(Request(origin.url()))
    assert (await client().fetch(Request(origin.url(), allow_empty=True))).body.data == b""


async def test_a_range_is_asked_for_and_its_start_is_checked(serve, client, make_reply):
    origin = await serve(make_reply(b"cde", "206 Partial Content", Content_Range="bytes 2-4/10"))
    assert (await client().fetch(Request(origin.url(), range=(2, 4)))).body.data == b"cde"
    assert origin.seen[0].headers["range"] == "bytes=2-4"
    with pytest.raises(errors.ConnectionLost, match="another range"):
        await client().fetch(Request(origin.url(), range=(3, None)))
    assert origin.seen[1].headers["range"] == "bytes=3-"


async def test_the_whole_file_is_fine_where_a_range_was_asked(serve, client, make_reply):
    origin = await serve(make_reply(b"whole"))
    assert (await client().fetch(Request(origin.url(), range=(0, 1)))).http_status == 200


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"pixels" * 1000, mtime=0)),
        ("X-GZIP", gzip.compress(b"pixels" * 500, mtime=0) + gzip.compress(b"pixels" * 500, mtime=0) + b"\0\0"),
        ("deflate", zlib.compress(b"pixels" * 1000)),
        ("deflate", raw_deflate(b"pixels" * 1000)),
        ("identity", b"pixels" * 1000),
    ],
    ids=["gzip", "two-members", "zlib", "raw", "identity"],
)
async def test_a_coding_nobody_asked_for_is_undone(serve, client, make_reply, coding, packed):
    origin = await serve(make_reply(packed, Content_Encoding=coding))
    body = (await client().fetch(Request(origin.url()))).body
    assert body.data == b"pixels" * 1000
    assert body.sha256 == hashlib.sha256(b"pixels" * 1000).hexdigest()
    assert origin.seen[0].headers["accept-encoding"] == "identity"


async def test_a_gzip_bomb_stops_at_the_limit(serve, client, make_reply, tmp_path):
    origin = await serve(make_reply(gzip.compress(bytes(50_000_000)), Content_Encoding="gzip"))
    with pytest.raises(errors.BodyTooLarge):
        await client(max_size=1_000_000, spool_over=100_000).fetch(Request(origin.url()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, identity"])
async def test_a_coding_we_do_not_undo_is_refused(serve, client, make_reply, coding):
    origin = await serve(make_reply(b"x", Content_Encoding=coding))
    with pytest.raises(errors.BadContentEncoding):
        await client().fetch(Request(origin.url()))


@pytest.mark.parametrize("word", ["aws-chunked", "aws-chunked, utf-8", "binary", "image/webp", "none"])
async def test_a_word_that_is_no_coding_says_nothing_of_the_bytes(serve, client, make_reply, word):
    origin = await serve(make_reply(b"pixels", Content_Encoding=word))
    assert (await client().fetch(Request(origin.url()))).body.data == b"pixels"


async def test_a_part_of_a_coded_file_is_refused_at_once(serve, client, make_reply):
    part = make_reply(gzip.compress(b"pixels")[:9], "206 x", Content_Range="bytes 0-8/99", Content_Encoding="gzip")
    origin = await serve(part)
    with pytest.raises(errors.BadContentEncoding, match="a part of a compressed file"):
        await client().fetch(Request(origin.url(), range=(0, 8)))


async def test_a_part_with_the_status_200_is_one_by_its_content_range(serve, client, make_reply):
    origin = await serve(make_reply(b"xels", Content_Range="bytes 2-5/6"))
    assert (await client().fetch(Request(origin.url(), range=(2, 5)))).body.data == b"xels"
    with pytest.raises(errors.ConnectionLost, match="another range"):
        await client().fetch(Request(origin.url(), range=(0, 5)))


@pytest.mark.parametrize(
    ("kind", "sent", "said"),
    [
        ("text/plain", b'"w" parameter (width) of 700 is not allowed\n', '"w" parameter (width) of 700 is not allowed'),
        ("application/json; charset=utf-8", b'{"error": {"message": "Width not allowed"}}', "Width not allowed"),
        ("application/problem+json", b'{"title": "Bad width", "status": 400}', "Bad width"),
        ("text/plain", b"a \x1b[31mred\x07 word", "a  [31mred  word"),
        ("text/plain", b"x" * 500, "x" * 199 + "\u2026"),
        ("text/plain", b"two\nlines", ""),
        ("text/plain", b"<html>no</html>", ""),
        ("text/html", b"no", ""),
        ("application/json", b"[" * 5000, ""),
        ("application/json", b'{"message": 7}', ""),
    ],
)
async def test_the_origins_own_sentence_stands_in_the_error(serve, client, make_reply, kind, sent, said):
    origin = await serve(make_reply(sent, "400 Bad Request", Content_Type=kind))
    with pytest.raises(errors.HTTPStatus) as found:
        await client().fetch(Request(origin.url()))
    assert (found.value.said, said in str(found.value)) == (said, True)
    assert pickle.loads(pickle.dumps(found.value)).said == said


async def test_a_coding_in_a_second_field_is_not_overlooked(serve, client):
    body = gzip.compress(b"pixels")
    fields = b"Content-Encoding: gzip\r\nContent-Encoding: br\r\n"
    origin = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), fields, body))
    with pytest.raises(errors.BadContentEncoding, match="gzip, br"):
        await client().fetch(Request(origin.url()))


async def test_a_coding_the_bytes_do_not_follow_is_refused(serve, client, make_reply):
    origin = await serve(make_reply(b"RIFF....WEBP", Content_Encoding="gzip"))
    with pytest.raises(errors.BadContentEncoding):
        await client().fetch(Request(origin.url()))


async def test_cut_gzip_is_a_truncated_transfer(serve, client, make_reply):
    packed = gzip.compress(bytes(range(256)) * 10)
    origin = await serve(make_reply(packed[:-9], Content_Encoding="gzip"))
    with pytest.raises(errors.TransferTruncated):
        await client().fetch(Request(origin.url()))


TARGETS = [
    "/a?",
    "/a%2Fb%7E~|[]?u=https%3A%2F%2Fx%2f&v=a+b%20c|[]^`{}",
    "//double//slash/",
    "/%D0%BF%D1%83%D1%82%D1%8C/%zz/'(),;:@$!*&=",
    "/?",
    "/a?b?c=%23",
    "/w_480,c_fill/q_auto:good/https%3A%2F%2Fa.b%2Fc.jpg",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_the_request_target_goes_out_byte_for_byte(serve, client, make_reply, target):
    origin = await serve(make_reply(b"x"))
    download = await client().fetch(Request(origin.url(target)))
    assert origin.seen[0].target == target.encode()
    assert download.final_url == origin.url(target)


async def test_a_raw_url_goes_out_as_the_url_standard_serialises_it(serve, client, make_reply):
    origin = await serve(make_reply(b"x"))
    download = await client().fetch(Request(origin.url("/a/../путь b/%2e/c#frag")))
    assert download.final_url == origin.url("/%D0%BF%D1%83%D1%82%D1%8C%20b/c")
    assert origin.targets == ["/%D0%BF%D1%83%D1%82%D1%8C%20b/c"]


async def test_only_what_we_mean_to_send_is_sent(serve, client, make_reply, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    origin = await serve(make_reply(b"x", Set_Cookie="id=1; Path=/"))
    fetcher = client()
    await fetcher.fetch(Request(origin.url(host="localhost")))
    await fetcher.fetch(Request(origin.url(host="localhost")))
    assert origin.seen[1].fields == [
        ("host", f"localhost:{origin.port}"),
        ("accept", "image/avif,image/webp,image/*,*/*;q=0.8"),
        ("user-agent", "mediamirror"),
        ("accept-encoding", "identity"),
    ]


async def test_headers_of_the_user_replace_ours(serve, client, make_reply):
    origin = await serve(make_reply(b"x"))
    headers = (("Accept", "image/png"), ("user-agent", "me/1"), ("X-A", "é"))
    await client(headers=headers, own_hosts=frozenset({"127.0.0.1"})).fetch(Request(origin.url()))
    assert origin.seen[0].fields[1:] == [
        ("accept-encoding", "identity"),
        ("accept", "image/png"),
        ("user-agent", "me/1"),
        ("x-a", "é"),
    ]


SECRETS = (("Authorization", "Bearer s3"), ("Cookie", "c=1"), ("X-Api-Key", "k"), ("Referer", "https://a.b/"))


async def test_secret_headers_go_to_own_hosts_only(serve, client, make_reply, make_routes):
    other = await serve(make_reply(b"found"))
    own = await serve(make_reply(b"", "302 x", Location=other.url("/x", host="localhost")))
    fetcher = client(headers=SECRETS, own_hosts=frozenset({"127.0.0.1"}))
    await fetcher.fetch(Request(own.url()))
    assert {n: own.seen[0].headers.get(n) for n in ("authorization", "cookie", "x-api-key", "referer")} == {
        "authorization": "Bearer s3",
        "cookie": "c=1",
        "x-api-key": "k",
        "referer": "https://a.b/",
    }
    assert {"authorization", "cookie", "x-api-key"} & other.seen[0].headers.keys() == set()
    assert other.seen[0].headers["referer"] == "https://a.b/"


NAMES_OF_KEYS = [
    *("X-Subscription", "X-Amz-Date", "X-Goog-User-Project", "X-Forwarded-User", "X-Client-Id", "X-Pass", "X-Pin"),
    *("X-Access", "X-Vault-Namespace", "X-Gitlab", "X-Shopify", "X-Customer", "Ocp-Apim-Trace", "CF-Access-Client"),
    *("X-Magic", "X-Otp", "X-Hmac", "X-Sig", "X-Sid", "X-Whatever", "Forwarded", "X-Real-IP", "Via", "Sec-Whatever"),
]


@pytest.mark.parametrize("redirected", [False, True])
async def test_a_header_that_is_not_known_to_be_harmless_goes_to_own_hosts_only(serve, client, make_reply, redirected):
    other = await serve(make_reply(b"found"))
    own = await serve(make_reply(b"", "302 x", Location=other.url("/x", host="localhost")))
    headers = (*((name, "hush") for name in NAMES_OF_KEYS), ("Accept-Language", "fr"), ("Save-Data", "on"))
    fetcher = client(headers=headers, own_hosts=frozenset({own.url("").rstrip("/")}))
    await fetcher.fetch(Request(own.url() if redirected else other.url()))
    assert "hush" not in other.seen[0].head.decode()
    assert (other.seen[0].headers["accept-language"], other.seen[0].headers["save-data"]) == ("fr", "on")
    if redirected:
        assert own.seen[0].head.decode().count("hush") == len(NAMES_OF_KEYS)


async def test_a_referer_with_a_token_goes_to_own_hosts_only(serve, client, make_reply):
    origin = await serve(make_reply(b"x"))
    for referer, own in (
        ("https://a.b/?token=hush", False),
        ("https://a.b/?token=hush", True),
        ("https://a.b/c?d=e", False),
    ):
        hosts = frozenset({"127.0.0.1"}) if own else frozenset()
        await client(headers=(("Referer", referer),), own_hosts=hosts).fetch(Request(origin.url()))
    assert [seen.headers.get("referer") for seen in origin.seen] == [
        None,
        "https://a.b/?token=hush",
        "https://a.b/c?d=e",
    ]


async def test_a_host_named_with_credentials_for_sees_secret_headers(serve, client, make_reply):
    origin = await serve(make_reply(b"x"))
    await client(headers=SECRETS, credentials_for=("LOCALHOST",)).fetch(Request(origin.url(host="localhost")))
    assert origin.seen[0].headers["authorization"] == "Bearer s3"


async def test_an_own_host_with_a_port_is_that_port_only(serve, client, make_reply):
    origin = await serve(make_reply(b"x"))
    await client(headers=SECRETS, credentials_for=("127.0.0.1:1",)).fetch(Request(origin.url()))
    await client(headers=SECRETS, credentials_for=(f"127.0.0.1:{origin.port}",)).fetch(Request(origin.url()))
    assert ["authorization" in seen.headers for seen in origin.seen] == [False, True]


async def test_an_own_origin_is_that_scheme_and_port_only(serve, client, make_reply):
    own, other = await serve(make_reply(b"x")), await serve(make_reply(b"x"))
    fetcher = client(headers=SECRETS, own_hosts=frozenset({own.url("")}))
    await fetcher.fetch(Request(own.url()))
    await fetcher.fetch(Request(other.url()))
    assert "authorization" in own.seen[0].headers
    assert not {"authorization", "cookie"} & set(other.seen[0].headers)


async def test_a_message_shows_no_secret_of_the_url(serve, client, make_reply):
    origin = await serve(make_reply(b"", "404 Not Found"))
    with pytest.raises(errors.HTTPStatus) as caught:
        await client().fetch(Request(origin.url("/a?w=480&X-Amz-Signature=deadbeef&token=abc")))
    assert "w=480&X-Amz-Signature=***&token=***" in caught.value.message


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("", errors.InvalidURL),
        ("images/a.webp", errors.InvalidURL),
        ("//host/a.webp", errors.InvalidURL),
        ("http://", errors.InvalidURL),
        ("http://xn--/", errors.FetchError),
        ("http://a b/", errors.InvalidURL),
        ("http://h:99999/", errors.InvalidURL),
        ("http://[::1/", errors.InvalidURL),
        ("http://user:pass@127.0.0.1/", errors.InvalidURL),
        ("http://user@127.0.0.1/", errors.InvalidURL),
        ("http://h/" + "a" * 100_000, errors.InvalidURL),
        ("http://h/\ud800", errors.InvalidURL),
        ("http://a..b/", errors.FetchError),
        ("http://" + "a" * 70 + ".example/", errors.FetchError),
        ("http://xn--a/", errors.FetchError),
        ("http://127.0.0.1:0/", errors.PortRefused),
        ("file:///etc/passwd", errors.SchemeRefused),
        ("data:image/png;base64,AA", errors.SchemeRefused),
        ("ftp://h/x", errors.SchemeRefused),
        ("javascript:alert(1)", errors.SchemeRefused),
        ("wss://h/x", errors.SchemeRefused),
    ],
)
async def test_a_bad_url_is_one_named_error(client, url, kind):
    with pytest.raises(kind) as caught:
        await client().fetch(Request(url))
    assert len(caught.value.message) < 500
    assert "pass" not in caught.value.message.replace("password", "").replace("passwd", "")


async def test_a_validator_that_would_break_the_request_is_never_sent(serve, client, make_reply):
    origin = await serve(make_reply(b"x"))
    with pytest.raises(errors.FetchError, match="can't be written as HTTP") as caught:
        await client().fetch(Request(origin.url(), etag='"1"\r\nX-Evil: 1'))
    assert not caught.value.retryable
    assert origin.seen == []


async def test_odd_bytes_in_status_line_and_headers_are_read(serve, client):
    origin = await serve(b"HTTP/1.1 200 \xe4\xff\r\nContent-Length: 1\r\nX-A: \xe4\r\nX-A: \xc3\xa4\r\n\r\nx")
    download = await client().fetch(Request(origin.url()))
    assert [value for name, value in download.headers if name == "x-a"] == ["ä", "ä"]


async def test_a_port_nobody_listens_on_is_a_failed_connection(client, closed_port):
    with pytest.raises(errors.ConnectFailed, match="refused") as caught:
        await client().fetch(Request(f"http://127.0.0.1:{closed_port}/"))
    assert caught.value.retryable


async def test_a_name_that_does_not_exist_is_a_failed_connection(client):
    with pytest.raises(errors.ConnectFailed, match="name was not found"):
        await client().fetch(Request("http://nowhere.invalid/a.webp"))


async def test_a_cancelled_fetch_leaves_no_file_and_no_connection(serve, client, transport, tmp_path, until):
    async def stall(seen, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
        await writer.drain()
        await asyncio.sleep(60)

    origin = await serve(stall)
    task = asyncio.create_task(client(spool_over=1000, timeout=PATIENCE).fetch(Request(origin.url())))
    await until(lambda: list(tmp_path.iterdir()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []
    assert transport.connections == 0


async def test_a_spool_directory_that_is_gone_is_a_fetch_error(serve, client, make_reply, tmp_path):
    origin = await serve(make_reply(b"x" * 5000))
    fetcher = client(spool_over=1000)
    tmp_path.rmdir()
    with pytest.raises(errors.FetchError, match="temporary file"):
        await fetcher.fetch(Request(origin.url()))
    tmp_path.mkdir()


async def test_an_address_the_guard_refuses_is_not_dialled(serve, make_reply, tmp_path):
    from mediamirror.fetch.client import Client
    from mediamirror.fetch.transport import CurlTransport
    from mediamirror.settings import FetchOptions

    origin = await serve(make_reply(b"x"))
    guard = Guard(policy=lambda dial: "it is loopback" if dial.ip.is_loopback else None)
    async with CurlTransport(guard=guard) as transport:
        fetcher = Client(transport, FetchOptions(), spool_dir=tmp_path, guard=guard)
        for host in ("127.0.0.1", "localhost", "0x7f.1", "127。0。0。1"):
            with pytest.raises(errors.AddressRefused, match="it is loopback"):
                await fetcher.fetch(Request(origin.url(host=host)))
    assert origin.connections == 0
