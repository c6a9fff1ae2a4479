"""What S3 servers say, in our words: every refusal is one sentence that says what to do, and holds no secret."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest

from mediamirror.errors import (
    BadKey,
    NoSuchBucket,
    ObjectCorrupt,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from mediamirror.store.s3.errors import (
    Refusal,
    Where,
    explain,
    is_error_document,
    read_client_error,
    read_refusal,
    unreachable,
)

NOW = datetime(2026, 1, 2, 3, 20, tzinfo=UTC)
WHERE = Where("media", "http://127.0.0.1:8333", "us-east-1", "s3://media/a.webp")

TABLE = [
    (404, "NoSuchBucket", NoSuchBucket, "Check its name"),
    (404, "NoSuchKey", ObjectMissing, "s3://media/a.webp"),
    (400, "InvalidDigest", StoreError, "give --cache-control in plain directives"),
    (400, "MalformedDate", StoreError, "give --cache-control in plain directives"),
    (403, "InvalidAccessKeyId", StoreDenied, "AWS_ACCESS_KEY_ID"),
    (403, "SignatureDoesNotMatch", StoreDenied, "AWS_SECRET_ACCESS_KEY"),
    (
        403,
        "AccessDenied",
        StoreDenied,
        "Ask the owner of the bucket for s3:ListBucket (and, to write there, s3:PutObject",
    ),
    (403, "", StoreDenied, "access denied"),
    (400, "ExpiredToken", StoreDenied, "Sign in again"),
    (507, "", StoreFull, "no space left"),
    (403, "QuotaExceeded", StoreFull, "over quota"),
    (400, "BadDigest", ObjectCorrupt, "other bytes"),
    (400, "KeyTooLongError", BadKey, "does not take this key"),
    (503, "SlowDown", StoreUnavailable, "Try again later"),
    (500, "InternalError", StoreUnavailable, "Try again later"),
    (400, "RequestTimeout", StoreUnavailable, "Try again later"),
    (409, "ConditionalRequestConflict", StoreUnavailable, "Try again later"),
    (404, "", StoreError, "--endpoint-url"),
    (405, "", StoreError, "--endpoint-url"),
    (418, "Teapot", StoreError, "418 Teapot"),
]


@pytest.mark.parametrize(("status", "code", "kind", "said"), TABLE)
def test_each_refusal_has_its_own_sentence(status: int, code: str, kind: type[StoreError], said: str) -> None:
    error = explain(Refusal(status, code), WHERE, NOW)
    assert type(error) is kind
    assert said in error.message


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(301, "PermanentRedirect", region="eu-west-1"),
        Refusal(301, "", region="eu-west-1"),
        Refusal(400, "AuthorizationHeaderMalformed", region="eu-west-1"),
        Refusal(400, "", region="eu-west-1"),
    ],
)
def test_a_wrong_region_names_the_right_one(refusal: Refusal) -> None:
    assert explain(refusal, WHERE, NOW).message.endswith("Give --region eu-west-1.")


@pytest.mark.parametrize(("minutes", "said"), [(20, "1,200 seconds behind"), (-20, "1,200 seconds ahead of")])
def test_a_skewed_clock_is_told_by_how_much(minutes: int, said: str) -> None:
    refusal = Refusal(403, "RequestTimeTooSkewed", server_time=NOW + timedelta(minutes=minutes))
    assert said in explain(refusal, WHERE, NOW).message


def test_an_error_document_is_read_with_its_entities_and_times() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>RequestTimeTooSkewed</Code><Message>a &amp; b</Message>'
        b"<ServerTime>2026-01-02T03:04:05Z</ServerTime></Error>"
    )
    refusal = read_refusal(403, {"retry-after": "7", "date": "Fri, 02 Jan 2026 03:04:06 GMT"}, body)
    assert refusal == Refusal(
        403, "RequestTimeTooSkewed", "a & b", None, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 7.0
    )


@pytest.mark.parametrize("body", [b"", b"<Errors/>", b"<html><Error>", b"<CopyObjectResult/>"])
def test_only_an_error_document_is_one(body: bytes) -> None:
    assert not is_error_document(body)
    assert is_error_document(b'<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>')


def test_a_number_as_a_code_is_no_code() -> None:
    response = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    assert read_client_error(response) == Refusal(403, "", "Forbidden")


def test_a_refused_connection_asks_whether_the_server_runs() -> None:
    error = unreachable(ConnectionRefusedError(111, "Connection refused"), WHERE)
    assert type(error) is StoreUnavailable
    assert "Nothing answers at http://127.0.0.1:8333" in error.message


def test_an_untrusted_certificate_is_not_tried_again() -> None:
    wrapped = OSError("all attempts failed")
    wrapped.__cause__ = ssl.SSLCertVerificationError("certificate verify failed")
    error = unreachable(wrapped, WHERE)
    assert not error.retryable
    assert "--cacert" in error.message
