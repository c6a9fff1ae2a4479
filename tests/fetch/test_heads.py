"""The head of an answer, read line by line: what frames wrongly is refused, what is merely odd is left out."""

from __future__ import annotations

import pytest

from mediamirror.fetch.answer import MOST_FIELDS, MOST_INTERIM, BadHead, TooManyHeaders, check_trailers, read_head

OK = b"HTTP/1.1 200 OK\r\n"
END = b"\r\n"


def read(*lines: bytes, most: int = 64 * 1024):
    return read_head(lines, most)


def test_status_reason_and_fields_are_as_they_came() -> None:
    head = read(OK, b'ETag:\t"a" \r\n', b"x-B:c\r\n", END, b"X-Trailer: d\r\n")
    assert head is not None
    assert (head.status, head.reason, head.fields, head.lines) == (200, b"OK", [(b"ETag", b'"a"'), (b"x-B", b"c")], 4)


def test_interim_answers_are_passed_over() -> None:
    head = read(b"HTTP/1.1 103 Early Hints\r\n", b"Location: /a\r\n", END, OK, END)
    assert head is not None
    assert (head.status, head.fields, head.lines) == (200, [], 5)


def test_a_head_that_is_not_whole_is_none() -> None:
    assert read(OK, b"A: b\r\n") is None
    assert read(b"HTTP/1.1 103 Early Hints\r\n", END) is None
    assert read() is None


@pytest.mark.parametrize(
    "line",
    [
        *(b"HTTP/1.1 000 No\r\n", b"HTTP/1.1 099 No\r\n", b"HTTP/1.1 2000 OK\r\n", b"HTTP/1.1 20 OK\r\n"),
        *(b"HTTP/2.0 200 OK\r\n", b"HTTP/3.0 200 OK\r\n", b"HTTP/1.2 200 OK\r\n", b"http/1.1 200 OK\r\n"),
        *(b"HTTP/1.1\t200 OK\r\n", b"HTTP/1.1 200OK\r\n", b"HTTP/1.1  200 OK\r\n", b"HTTP/1.1 \r\n", b"ICY 200 OK\r\n"),
        b"\r\n",
    ],
)
def test_a_status_line_that_is_none_of_http_1_is_refused(line: bytes) -> None:
    with pytest.raises(BadHead):
        read(line, END)


@pytest.mark.parametrize("line", [b"HTTP/1.0 200\r\n", b"HTTP/1.1 200 \r\n", b"HTTP/1.1 999 \xfcnd\n"])
def test_a_status_line_without_a_reason_or_with_an_odd_one_is_read(line: bytes) -> None:
    head = read(line, END)
    assert head is not None
    assert head.status == int(line[9:12])


@pytest.mark.parametrize(
    "line",
    [b"Content-Length : 9\r\n", b"Transfer-Encoding : chunked\r\n", b" content-length: 9\r\n", b"A: b\rC: d\r\n"],
)
def test_an_odd_line_that_may_frame_is_refused(line: bytes) -> None:
    with pytest.raises(BadHead):
        read(OK, line, END)


@pytest.mark.parametrize("line", [b": b\r\n", b"X Y: b\r\n", b"X-A : b\r\n", "\u00fc: b\r\n".encode(), b"a(b): c\r\n"])
def test_an_odd_line_that_frames_nothing_is_left_out(line: bytes) -> None:
    head = read(OK, line, b"A: b\r\n", END)
    assert head is not None
    assert head.fields == [(b"A", b"b")]


def test_a_length_beside_chunks_is_refused_and_twice_the_same_length_is_not() -> None:
    with pytest.raises(BadHead):
        read(OK, b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", END)
    assert read(OK, b"Content-Length: 4\r\n", b"Content-Length: 4\r\n", END) is not None


@pytest.mark.parametrize("value", [b"", b"-1", b"+4", b"1_0", b"0x4", b"4, 4", b"9" * 19, b"9" * 100, b"\xb2"])
def test_a_length_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(BadHead):
        read(OK, b"Content-Length: " + value + b"\r\n", END)


def test_two_lengths_are_refused() -> None:
    with pytest.raises(BadHead):
        read(OK, b"Content-Length: 4\r\n", b"Content-Length: 5\r\n", END)


def test_more_than_is_accepted_is_told_as_such() -> None:
    interim = (b"HTTP/1.1 103 Early Hints\r\n", END)
    field = b"A: b\r\n"
    assert read(*interim * MOST_INTERIM, OK, *[field] * MOST_FIELDS, END) is not None
    for lines in (
        (*interim * (MOST_INTERIM + 1), OK, END),
        (OK, *[field] * (MOST_FIELDS + 1), END),
        (OK, b"A: " + b"b" * 70_000 + b"\r\n", END),
        (OK, *[b"A: " + b"b" * 1000 + b"\r\n"] * 80),
        (b"HTTP/1.1 103 Early Hints\r\n", *[field] * 500),
    ):
        with pytest.raises(TooManyHeaders):
            read(*lines)


def test_trailers_may_neither_frame_nor_lead() -> None:
    check_trailers([b"X-Sum: a\r\n"], 1000)
    for name in (b"Content-Length", b"transfer-encoding ", b"LOCATION"):
        with pytest.raises(BadHead):
            check_trailers([b"X-Sum: a\r\n", name + b": 3\r\n"], 1000)
    with pytest.raises(TooManyHeaders):
        check_trailers([b"X-Sum: a\r\n"] * 500, 1000)
