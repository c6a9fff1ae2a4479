"""What is secret in a text, and how it is left out: the one place that knows. Pure.

Everything that people read goes through here: a URL keeps its host, path and the names of
its parameters, and loses user name, password, and the values that open a door. docs/decisions/0033 says where, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from mediamirror.first_use import pattern

MARK = "***"
"""What stands in place of a secret. Text that holds it already is left as it is."""

_SHOWN = 300
_PASSES = 8
_LOOKED_AT = 8192

_STRONG = pattern(
    r"""(?: (?:^|[^a-z]) (?: sig | sas | pw | pwd | key | auth | otp )
          | signature | token | secret | passw(?:or)?d | passphrase | hmac | credentials? | jwt | bearer | authori[sz]ation
          | (?:api|access|auth|secret|private|subscription|signing|account) [-_.]? key (?:[-_.]?id)?
          | session[-_.]?id | key[-_]pair[-_]id | access[-_.]?id | hdn[et][sal] | __gda__ | q-ak
        ) [^a-z]* $""",
    re.VERBOSE,
)
"""Names whose value is a secret, whatever it looks like. Of a name in camelCase the end of it counts, in lower case."""
_WEAK = frozenset(
    {"s", "h", "t", "k", "st", "hash", "md5", "sign", "code", "policy", "session", "sid", "pass", "ticket", "nonce", "verify", "e",
     "secure", "tok", "tk", "oh", "hm", "cloud-front-policy"}
)  # fmt: skip
"""Names that are short for a signature here and for a size there: the value decides."""
_TOKEN = pattern(
    r"""(?! \d{4}-\d\d-\d\dT )  # a date, percent-encoded, as an Azure SAS has it
        (?: (?=[^a-zA-Z]*[a-zA-Z]) (?=[^0-9]*[0-9]) [A-Za-z0-9_\-+/=%.,~]{16,} | [0-9a-fA-F]{32,} | eyJ [A-Za-z0-9_\-~=]{13,} )""",
    re.VERBOSE,
)
_HIDDEN = pattern(r"\**…?")

_JWT = pattern(r"(?:(?<![\w-])|(?<=%[0-9a-fA-F]{2}))eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*")
_BEFORE_USERINFO = pattern(
    r"""\b[a-z][a-z0-9+.-]{0,20}:[\\/]{2} | (?:^|(?<=[\s"'(<=,]))[\\/]{2} | \b(?:https?|ftp|wss?):[\\/]?""",
    re.IGNORECASE | re.VERBOSE,
)
_AFTER_USERINFO = pattern(r"[/\\?#]")
# A password with a slash in it, as people type it: what follows the colon is no port.
_ODD_PASSWORD = pattern(r"://(?!\[)(?P<user>[^/?#@:\s]*+:)(?!\d{1,5}(?:[/?#]|$))")
_AFTER_ODD_PASSWORD = pattern(r"[@?#\s]")
# So many times encoded at most: each depth may read the same characters once.
_HIDDEN_USERINFO = pattern(
    r"(%((?:25|(?!)){0,32}+)3A%\2(?:2F)%\2(?:2F))(?:(?!%\2(?:2F|3F|23))[^/?#&])*%\2(?:40)", re.IGNORECASE
)
# A name and its equals sign, plain or percent-encoded once or more (a URL within a URL); what is before it only has to be there.
_NAME = pattern(
    r"""(?: [?&;\#=] | %(?:25)*(?:3F|26|3B|23|3D) )
        ( (?: [^=&;\#?%\s] | %(?!(?:25)*(?:3F|26|3B|23|3D)) ){1,100} )
        (?P<equals> = | %(?P<depth>(?:25)*)3D )""",
    re.IGNORECASE | re.VERBOSE,
)
_PLAIN_END = pattern(r"[&;#]")
_END = pattern(r"[&;#?]|%(?P<depth>(?:25|(?!))*+)(?:26|3B|23)", re.IGNORECASE)
"""What ends the value of a name whose equals sign is plain, or encoded: a separator that is encoded no deeper than that sign."""
_GUESSED_BY = 512
"""Characters of a value that are enough to tell a token from a word."""

_WORD = pattern(r"[^\s\"'<>`]+")
_PUNCTUATION = ".,:!)]}"

_SENTENCES = frozenset({"message", "reason", "error_message"})
"""Fields of JSON that hold sentences."""

_SECRET_HEADER = pattern(
    r"authori[sz]ation|authentic|cookie|token|secret|api[-_]?key|(?<!cache)(?<!surrogate)[-_]key$|password|passcode|credential|session"
    r"|(^|[-_])auth([-_]|$)|signature|jwt|bearer"
)
_HEADER_LINE = pattern(
    r"""(?<![\w-]) ((?:proxy-)?authorization | (?:set-)?cookie2? | x-(?=[a-z-]*(?:token|key|secret))[a-z-]++)
        (["']? \s*+ [:=,] \s* (?:b?["'])?) ([^\r\n"']+)""",
    re.IGNORECASE | re.VERBOSE,
)
_SCHEME = pattern(r"\b(bearer|basic)(\s+)(?=[^\s]*[0-9=])[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def redact_url(url: str, *, room: int | None = _SHOWN) -> str:
    """A URL without userinfo and without values that look like a signature, a token or a password.

    What stays is recognisable: ``https://h/a.webp?w=480&sig=***``. Longer than ``room`` characters it is cut (None: never).
    Applied twice it gives what it gives once; a URL without a secret is returned as it is.
    """
    if room is None:
        return _redacted(url)
    shown = _redacted(url[:_LOOKED_AT])
    return shown if len(shown) <= room else shown[:room] + "…"


def redact_text(text: str) -> str:
    """A sentence with every URL in it redacted; words that are no URL stay."""
    if not suspicious(text):
        return text
    return _WORD.sub(_redact_word, text)


def redact_log(text: str) -> str:
    """A log line or traceback: URLs redacted, and the values of headers that hold credentials."""
    text = _HEADER_LINE.sub(rf"\1\2{MARK}", redact_text(text))
    return _SCHEME.sub(rf"\1\2{MARK}", text)


def redact_values(value: Any, *, whole_urls: bool = False) -> Any:
    """JSON with every text in it redacted, but for object keys (``key``), which have to be exact.

    With ``whole_urls`` a program can match and fetch the URLs in it: they lose user name and password alone, which no request
    of ours carries. Sentences (``message``) are for people and are redacted all the same.
    """
    if isinstance(value, str):
        return without_userinfo(value) if whole_urls else redact_text(value)
    if isinstance(value, dict):
        return {
            name: each if name == "key" else redact_values(each, whole_urls=whole_urls and name not in _SENTENCES)
            for name, each in value.items()
        }
    return [redact_values(each, whole_urls=whole_urls) for each in value] if isinstance(value, list | tuple) else value


def may_hide(line: str) -> bool:
    """Whether `redact_values` with ``whole_urls`` may change something in a value whose JSON is ``line``: one look for all of it."""
    return "@" in line or "%40" in line or (suspicious(line) and any(f'"{name}":' in line for name in _SENTENCES))


def without_userinfo(text: str) -> str:
    """A text whose URLs have lost user name and password, and nothing else."""
    return _WORD.sub(lambda found: _without_userinfo(found[0]), text) if "@" in text or "%40" in text else text


def is_redacted(url: str) -> bool:
    """Whether something was left out of a URL, so that nobody can ask for it any more."""
    return MARK in url


def is_secret_header(name: str) -> bool:
    """True for Authorization, Cookie, Set-Cookie and whatever is named like a key or a token."""
    return _SECRET_HEADER.search(name.lower()) is not None


def lasting_headers(headers: Iterable[Iterable[str]]) -> list[tuple[str, str]]:
    """Headers as they may be kept: without those that hold credentials, and with the URLs in the others redacted."""
    pairs = (tuple(pair) for pair in headers)
    return [(name, redact_text(value)) for name, value in pairs if not is_secret_header(name)]


def suspicious(text: str) -> bool:
    """Whether a text may hold anything that has to be left out; False saves looking closer."""
    return "=" in text or "@" in text or "%" in text or "eyJ" in text


def _redact_word(match: re.Match[str]) -> str:
    word = match[0]
    bare = word.rstrip(_PUNCTUATION)
    return _redacted(bare) + word[len(bare) :]


def _redacted(url: str) -> str:
    # What one pass leaves out may let the next one see more, in text that is no URL but looks like several.
    for _ in range(_PASSES if suspicious(url) else 0):
        before, url = url, _redacted_once(url)
        if url == before:
            break
    return url


def _redacted_once(url: str) -> str:
    if "eyJ" in url:
        url = _JWT.sub(MARK, url)
    url = _without_userinfo(url)
    return _without_values(url) if "=" in url or "%" in url else url


def _without_userinfo(url: str) -> str:
    if "@" in url:
        url = _marked(_marked(url, _ODD_PASSWORD, _AFTER_ODD_PASSWORD), _BEFORE_USERINFO, _AFTER_USERINFO)
    if "%" in url:
        url = _HIDDEN_USERINFO.sub(lambda found: f"{found[1]}{MARK}%{found[2]}40", url)
    return url


def _marked(url: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """Put the mark between what ``opening`` finds and the last @ before ``closing``. Linear: no part is looked through twice.

    The @ itself may be what closes; what ``opening`` calls ``user`` belongs to what goes.
    """
    parts: list[str] = []
    done = at = 0
    last = stop = -1
    while (found := opening.search(url, at)) is not None:
        at = found.end()
        if at > stop:
            end = closing.search(url, at)
            stop = end.start() if end is not None else len(url)
            last = url.rfind("@", at, stop + 1)
        if last >= at:
            parts += (url[done : found.start("user") if "user" in opening.groupindex else at], MARK)
            done, at = last, last + 1
    return "".join((*parts, url[done:]))


def _without_values(url: str) -> str:
    """Walk from name to name, into URLs within the URL too; a secret value is passed over whole."""
    parts: list[str] = []
    done = at = 0
    while (found := _NAME.search(url, at)) is not None:
        at = found.start("equals")
        strong = _is_strong(found[1])
        if strong is None:
            continue
        start, depth = found.end(), found["depth"]
        if strong or _TOKEN.fullmatch(_value_at(url, start, start + _GUESSED_BY, depth)):
            value = _value_at(url, start, len(url), depth)
            if not _HIDDEN.fullmatch(value):
                parts += (url[done:start], MARK)
                done = start + len(value)
            at = max(at, start + len(value))
    return "".join((*parts, url[done:]))


@lru_cache(maxsize=1024)
def _is_strong(name: str) -> bool | None:
    """True for a name whose value is a secret, False for one where the value decides, None for all others."""
    plain = unquote(unquote(name)) if "%" in name else name
    # apiKey and accessToken: a capital begins a word.
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", plain).lower()
    if _STRONG.search(plain):
        return True
    return False if plain in _WEAK else None


def _value_at(url: str, start: int, end: int, depth: str | None) -> str:
    """The value that begins at ``start``; ``depth`` are the ``25`` between % and 3D of its equals sign, None for a plain one."""
    if depth is None:
        found = _PLAIN_END.search(url, start, end)
    else:
        ends = _END.finditer(url, start, end)
        found = next((each for each in ends if len(each["depth"] or "") <= len(depth)), None)
    return url[start : found.start() if found is not None else end]
