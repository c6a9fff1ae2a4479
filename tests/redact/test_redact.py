"""What is secret in a text, and that nothing else is touched."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamirror.redact import (
    is_redacted,
    is_secret_header,
    lasting_headers,
    redact_log,
    redact_text,
    redact_url,
    redact_values,
)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
SHOWN = [
    ("https://user:pw@h/a?b=1", "https://***@h/a?b=1"),
    ("https://user@h/a", "https://***@h/a"),
    ("https://ann@example.org:p@ss@h/a", "https://***@h/a"),
    ("https://user:p/w@h/x", "https://***@h/x"),
    ("http:user:pw@h/a", "http:***@h/a"),
    ("//user:pw@h/a", "//***@h/a"),
    ("https://h/a?X-Amz-Signature=1&X-Amz-Date=2", "https://h/a?X-Amz-Signature=***&X-Amz-Date=2"),
    ("https://h/a?X-Amz-Credential=AK%2F1&X-Amz-Security-Token=Fw", "https://h/a?X-Amz-Credential=***&X-Amz-Security-Token=***"),
    ("https://h/a?X-Goog-Signature=ab&AWSAccessKeyId=AK", "https://h/a?X-Goog-Signature=***&AWSAccessKeyId=***"),
    ("https://h/a?sv=2024&sig=1%3D&w=480", "https://h/a?sv=2024&sig=***&w=480"),
    ("https://h/a?Policy=eyJTdGF0ZW1lbnQiOlt7IlIifV19&Signature=q~s&Key-Pair-Id=K", "https://h/a?Policy=***&Signature=***&Key-Pair-Id=***"),
    ("https://h/a?access_token=1;s=2", "https://h/a?access_token=***;s=2"),
    ("https://h/a?accessToken=1&apiKey=2&APIKEY=3&key=4", "https://h/a?accessToken=***&apiKey=***&APIKEY=***&key=***"),
    ("https://h/a?%73ig=1&X%2DAmz%2DSignature=2", "https://h/a?%73ig=***&X%2DAmz%2DSignature=***"),
    ("https://h/a?hdnts=exp=1~acl=/*~hmac=ab&w=1", "https://h/a?hdnts=***&w=1"),
    ("https://h/a?w=4&s=0123456789abcdef0123456789abcdef", "https://h/a?w=4&s=***"),
    ("https://h/a#access_token=12", "https://h/a#access_token=***"),
    ("https://h/a?password=a%26b&x=1", "https://h/a?password=***&x=1"),
    ("https://h/a?url=http://b/?sig=q&x=1", "https://h/a?url=http://b/?sig=***&x=1"),
    (
        "https://h/_next/image?url=https%3A%2F%2Fb%2Fa.jpg%3FX-Amz-Signature%3Dab%26X-Amz-Date%3D1&w=640",
        "https://h/_next/image?url=https%3A%2F%2Fb%2Fa.jpg%3FX-Amz-Signature%3D***%26X-Amz-Date%3D1&w=640",
    ),
    ("https://h/fetch/https%3A%2F%2Fme%3Apw%40b%2Fa%3Fsig%3Dab", "https://h/fetch/https%3A%2F%2F***%40b%2Fa%3Fsig%3D***"),
    ("https://h/a?CloudFront-Policy=eyJTdGF0ZW1lbnQiOltd&CloudFront-Signature=q~s", "https://h/a?CloudFront-Policy=***&CloudFront-Signature=***"),
    ("https://h/a?Policy=eyJTdGFbZWIlbnQiOlt_&x=1", "https://h/a?Policy=***&x=1"),
    ("https://h/a?hdntl=exp=1~acl=/*~data=hdntl~hmac=ab&w=1", "https://h/a?hdntl=***&w=1"),
    ("https://h/a?hdnea=exp=1~hmac=ab&__gda__=1_ab&w=1", "https://h/a?hdnea=***&__gda__=***&w=1"),
    ("https://h/a?GoogleAccessId=me@p.iam&Expires=1&Signature=a%2Bb", "https://h/a?GoogleAccessId=***&Expires=1&Signature=***"),
    ("https://h/a?OSSAccessKeyId=LT&Expires=1&Signature=a&x-oss-process=image/resize,w_480", "https://h/a?OSSAccessKeyId=***&Expires=1&Signature=***&x-oss-process=image/resize,w_480"),
    ("https://h/a?x-oss-credential=LT%2F1&x-oss-signature=ab&x-oss-expires=9", "https://h/a?x-oss-credential=***&x-oss-signature=***&x-oss-expires=9"),
    ("https://h/a?q-sign-algorithm=sha1&q-ak=AKID&q-signature=ab", "https://h/a?q-sign-algorithm=sha1&q-ak=***&q-signature=***"),
    ("https://h/a?sp=r&st=2024-01-01T00%3A00%3A00Z&se=2024-01-02T00%3A00%3A00Z&sv=2022-11-02&sr=b&sig=a%2F%3D", "https://h/a?sp=r&st=2024-01-01T00%3A00%3A00Z&se=2024-01-02T00%3A00%3A00Z&sv=2022-11-02&sr=b&sig=***"),
    ("https://h/a?verify=1500000000-QZjx%2F4JaB%3D&w=1", "https://h/a?verify=***&w=1"),
    ("https://h/a?secure=abcDEF0123456789abcd==,1500&w=1", "https://h/a?secure=***&w=1"),
    ("https://h/a?stp=dst-jpg&oh=00_AfABCDEF0123456789abcd&oe=65000000", "https://h/a?stp=dst-jpg&oh=***&oe=65000000"),
    ("https://h/a?ex=650f&is=651a&hm=0123456789abcdef0123456789abcdef&width=480", "https://h/a?ex=650f&is=651a&hm=***&width=480"),
    ("https://h/a?w=480&s=01234567890123456789012345678901", "https://h/a?w=480&s=***"),
    ("https://h/a?Edge-Cache-Token=URLPrefix=aHR0~Expires=1~Signature=ab&w=1", "https://h/a?Edge-Cache-Token=***&w=1"),
    (f"https://h/?u=x%3D{JWT}", "https://h/?u=x%3D***"),
    (f"https://h/{JWT}/a.webp?v={JWT}", "https://h/***/a.webp?v=***"),
]  # fmt: skip
PLAIN = [
    "https://h/a@b/c",
    "https://h:8443/a@b/c",
    "https://h/a?design=flat&signal=4&author=me&tokenizer=1&keyword=x&monkey=2",
    "https://secure.gravatar.com/avatar/0a?s=80",
    "https://h/a?s=480&h=320&t=1700000000000&k=20&e=1&hash=deadbeef&code=de&secure=1&verify=true&policy=public&oh=12&hm=4",
    "https://h/a?s=480x320&st=2024-01-01T00%3A00%3A00Z&sign=left&policy=no-referrer-when-downgrade&Expires=1700000000",
    "https://res.cloudinary.com/x/s--AbCdEf12--/v1/a.jpg",
    "https://h/a.webp?v=0123456789abcdef0123456789abcdef&w=480",
    "https://h/eyJidWNrZXQiOiJtZWRpYSIsImtleSI6ImEuanBnIn0=",
    "https://h/a?sig=",
    "https://h/100%25/a",
]


@pytest.mark.parametrize(("url", "shown"), SHOWN)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert redact_url(url) == shown
    assert redact_url(url, room=None) == shown
    assert is_redacted(shown)


@pytest.mark.parametrize("url", PLAIN)
def test_a_url_without_a_secret_is_shown_as_it_is(url):
    assert redact_url(url) == url
    assert not is_redacted(url)


@pytest.mark.parametrize(("url", "shown"), SHOWN)
def test_a_sentence_loses_the_secrets_of_its_urls_and_nothing_else(url, shown):
    for text in ("What ({}), and then.", "Redirected to {}.", 'href="{}"', "{}"):
        assert redact_text(text.format(url)) == text.format(shown)


def test_a_long_token_under_a_short_name_goes_whole():
    assert redact_url("https://h/?s=" + "a1" * 2_000 + "&w=1", room=None) == "https://h/?s=***&w=1"


def test_words_that_are_no_url_stay():
    text = "ann@example.org says token=5; key = value, 100% of s=1 “Basic photography” [eyJ] a&b"
    assert redact_text(text) == text


def test_messages_show_no_endless_urls():
    assert len(redact_url("https://h/" + "a" * 10_000)) < 400
    assert len(redact_url("https://h/" + "a" * 10_000, room=None)) == 10_010


def test_a_cut_url_is_cut_behind_its_secrets():
    shown = redact_url("https://h/?sig=" + "Z" * 9_000 + "&w=1")
    assert shown == "https://h/?sig=***"


# Letters that no name, host or path below has, so that a single one that is left would be seen.
SECRET = st.text("QZJ", min_size=8, max_size=40)
NAME = st.sampled_from(
    [
        *("sig", "Signature", "X-Amz-Signature", "X-Amz-Credential", "x-amz-security-token", "token", "access_token"),
        *(
            "key",
            "apikey",
            "api_key",
            "client_secret",
            "password",
            "Key-Pair-Id",
            "hdnts",
            "auth",
            "wp_hmac",
            "sessionId",
        ),
    ]
)
HARMLESS = st.lists(st.sampled_from(["w=480", "fit=crop", "v=3", "s=80", "X-Amz-Date=2026"]), max_size=3)
HOST = st.sampled_from(["example.org", "cdn.example.org:8443", "[2001:db8::1]", "xn--e1aybc.example"])
PATH = st.sampled_from(["/", "/a.webp", "/a@b/c.jpg", "/%D0%B0/b c.png", "/s--ab12--/v1/a"])


@st.composite
def signed(draw):
    """A URL, nested in others up to twice, and the secret in it."""
    secret, host, path = draw(SECRET), draw(HOST), draw(PATH)
    parameters = draw(st.permutations([f"{draw(NAME)}={secret}", *draw(HARMLESS)]))
    url = f"https://{host}{path}?{'&'.join(parameters)}"
    if draw(st.booleans()):
        url = url.replace("//", f"//user:{secret}@", 1)
    for _ in range(draw(st.integers(0, 2))):
        outer = draw(st.sampled_from(["https://img.example/_next/image?url={}&w=640", "https://img.example/fetch/{}"]))
        url = outer.format(quote(url, safe=""))
    return url, secret, host


@given(signed(), st.sampled_from([300, None, 40]))
def test_no_letter_of_a_secret_is_shown_and_the_url_stays_recognisable(case, room):
    url, secret, host = case
    shown = redact_url(url, room=room)
    assert not set(secret) & set(shown)
    assert redact_url(shown, room=room) == shown
    if room is None:
        assert host in shown or quote(host, safe="") in shown or quote(quote(host, safe=""), safe="") in shown


@given(
    st.lists(
        st.text(max_size=12) | st.sampled_from(["https://", "?", "&", "=", "@", "sig", "%3D", "%2540", "***", JWT])
    )
)
def test_whatever_the_text_it_is_redacted_once(parts):
    text = "".join(parts)
    for redact in (redact_text, redact_log, redact_url, lambda url: redact_url(url, room=None)):
        once = redact(text)
        assert redact(once) == once


@given(HOST, PATH, HARMLESS)
def test_an_honest_url_is_never_touched(host, path, parameters):
    url = f"https://{host}{path}?{'&'.join(parameters)}"
    assert redact_url(url) == redact_text(url) == url


def test_names_of_secret_headers_are_known():
    secret = ["Authorization", "Cookie", "Set-Cookie", "proxy-authorization", "X-API-Key", "X-Auth-Token", "X-Auth"]
    secret += ["x-amz-security-token", "WWW-Authenticate", "Authentication-Info", "X-CSRF-Token"]
    plain = ["Referer", "Accept", "Accept-Language", "User-Agent", "Author", "X-Forwarded-For", "ETag", "X-Cache-Key"]
    assert [name for name in secret if not is_secret_header(name)] == []
    assert [name for name in plain if is_secret_header(name)] == []


def test_headers_that_are_kept_hold_no_cookie_and_no_signed_url():
    came = [["set-cookie", "id=hush"], ["location", "https://h/a?sig=hush"], ["etag", '"a=b"']]
    came.append(["link", "<https://h/?token=hush>; rel=x"])
    assert lasting_headers(came) == [
        ("location", "https://h/a?sig=***"),
        ("etag", '"a=b"'),
        ("link", "<https://h/?token=***>; rel=x"),
    ]


def test_a_traceback_loses_headers_as_well():
    text = "E: {'Authorization': 'Basic hush'}\nCookie: id=hush; b=hush\n[('X-Api-Key', 'hush')] Bearer hush1234567\n"
    text += "ValueError: https://me:hush@h/a?sig=hush\n"
    assert "hush" not in redact_log(text)
    assert redact_log(text).count("\n") == 4


def test_json_keeps_its_shape_and_the_keys_of_objects():
    row = {"key": "h/a?sig=1", "url": "https://h/a?sig=1", "error": {"message": "https://h/?key=2."}, "list": [1, None]}
    assert redact_values(row) == {
        "key": "h/a?sig=1",
        "url": "https://h/a?sig=***",
        "error": {"message": "https://h/?key=***."},
        "list": [1, None],
    }


@pytest.mark.parametrize(
    "name",
    ["Authorization", "X-API-Key", "x_auth", "x_api_key", "X-Functions-Key", "X-Authenticated-User", "X-JWT-Assertion"],
)
def test_a_header_is_secret_by_its_name_whatever_joins_its_words(name: str) -> None:
    assert is_secret_header(name)


@pytest.mark.parametrize("name", ["Referer", "Keywords", "X-Keyboard", "Accept", "User-Agent", "Author"])
def test_a_header_with_a_plain_name_is_not_secret(name: str) -> None:
    assert not is_secret_header(name)


def test_for_programs_urls_stay_whole_but_for_a_password_and_sentences_do_not() -> None:
    row = {
        "url": "https://me:hush@h.example/a.webp?sig=QZJQZJQZ",
        "alt": "mail me@h.example, sizes=100vw",
        "error": {"code": "x", "message": "https://h.example/a.webp?sig=QZJQZJQZ is gone"},
        "key": "h.example/a~sig=1.webp",
        "candidates": [{"url": "https://h.example/b.webp?token=QZJ&w=480"}],
    }
    assert redact_values(row, whole_urls=True) == {
        **row,
        "url": "https://***@h.example/a.webp?sig=QZJQZJQZ",
        "error": {"code": "x", "message": "https://h.example/a.webp?sig=*** is gone"},
    }
