"""One page of a listing: the query, and the answer of every kind of server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mediamirror.store.s3.listing import BadListing, page_query, read_page

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


def answer(inner: str, root: str = f'ListBucketResult xmlns="{XMLNS}"') -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}</{root.split(maxsplit=1)[0]}>'.encode()


ENTRY = (
    "<Contents><Key>p/a+b%C3%BC%2B.webp</Key><LastModified>2026-11-24T05:00:00.000Z</LastModified>"
    "<ETag>&quot;abc-2&quot;</ETag><Size>12</Size><Owner><ID>Key</ID><DisplayName>x</DisplayName></Owner></Contents>"
)


def test_an_entry_is_read_with_its_key_decoded_as_a_form_is_and_its_tag_without_quotes() -> None:
    (row,) = read_page(answer(f"<EncodingType>url</EncodingType><Prefix>p/</Prefix>{ENTRY}"), "p/").rows
    assert (row.key, row.size, row.token, row.modified) == (
        "a bü+.webp",
        12,
        "abc-2",
        datetime(2026, 11, 24, 5, tzinfo=UTC),
    )


def test_a_key_that_the_server_did_not_encode_is_taken_as_it_is() -> None:
    assert [row.key for row in read_page(answer(ENTRY)).rows] == ["p/a+b%C3%BC%2B.webp"]


def test_the_next_page_is_asked_for_with_what_the_server_gave() -> None:
    page = read_page(answer("<IsTruncated>true</IsTruncated><NextContinuationToken>a/b=</NextContinuationToken>"))
    assert page.following == "a/b="
    assert page_query("p q/", 7, page.following) == (
        "continuation-token=a%2Fb%3D&encoding-type=url&list-type=2&max-keys=7&prefix=p%20q%2F"
    )


def test_the_last_page_has_no_next_one_whatever_it_says_beside() -> None:
    said = "<IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
    assert read_page(answer(said)).following is None


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"<html></html>",
        answer(ENTRY)[:-20],
        answer("", "ListBucketsResult"),
        answer("<IsTruncated>true</IsTruncated>"),
        answer("<Contents><Key>k</Key><Size>many</Size></Contents>"),
        b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>',
    ],
)
def test_an_answer_that_makes_no_sense_is_no_empty_listing(broken: bytes) -> None:
    with pytest.raises(BadListing):
        read_page(broken)
