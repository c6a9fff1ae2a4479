"""URL -> key. Pure: a key says where an object lies, and two URLs never share one.

``path`` keeps a URL readable, so that pages are switched to the mirror by swapping a prefix: a plain URL
``https://host/a/b.jpg`` has the key ``host/a/b.jpg``. A percent-encoded segment is decoded when that loses nothing
(``%D0%BA.jpg`` is ``к.jpg``), as a server decodes it again when the page asks. Any other origin shows in the first
segment (``host+http``, ``host+https+8443``). A segment that can't stay as it is carries a mark: ``~`` and the first 10
hex digits of the URL's sha256, before the extension.

``named`` is ``path``, but where an address asks an image server for a size (`dialects`), the key holds the picture's own
folder and name, the size, and the mark: ``host/up/photo-w640~ff405549e3.webp`` instead of ``host/_next/image~ff405549e3``.

Why no two URLs share a key: a plain segment never looks marked, and plain segments alone give the URL back; two keys
with a mark are equal only where two URLs share 40 bits of sha256 and everything readable. Why a file is never a directory
of another: an unmarked last segment has an image extension and an unmarked inner one has none.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256 as sha256_of
from urllib.parse import quote, unquote_to_bytes

import ada_url

from mediamirror.dialects import HOLE, read, split
from mediamirror.errors import InvalidURL
from mediamirror.first_use import dataclass, pattern
from mediamirror.settings import Layout
from mediamirror.store.base import MAX_KEY_BYTES, RESERVED

MAX_PATH_KEY_BYTES = MAX_KEY_BYTES - 256
"""Longest key made here, so that a store's prefix has room."""

MAX_SEGMENT_BYTES = 255
"""Longest file name on the usual file systems."""

_EXTENSION = pattern(
    r"\.(?:apng|avif|bmp|gif|heic|heif|ico|jfif|jpe|jpe?g|jxl|png|svgz?|tiff?|webp)\Z", re.IGNORECASE | re.ASCII
)
_MARKED = pattern(r"~[0-9a-f]{10}(?=\.|\Z)", re.IGNORECASE | re.ASCII)
_ODD = pattern(r'[\x00-\x1f\x7f-\x9f\\/"<>|?#%`{}^\[\]]')
"""Characters that are trouble in file names, in keys or in URLs made from them."""

_ODD_WHERE_CASE_FOLDS = pattern(r"[:*]")
"""Fine on Linux and in S3, and common at image CDNs; a file system that folds case mostly refuses them too."""

_RESERVED_NAME = pattern(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?: *\.| *$|:)", re.IGNORECASE)
_KEPT_BY_WHATWG = "!$&'()*+,-./:;=@_|~[]\\"
"""ASCII besides letters and digits that the URL standard's path percent-encode set leaves alone."""

_USER_INFO = pattern(r"//[^/?#]*@")

_LONGEST_NAMED = 120
_FORMATS = {"jpg": "jpeg", "jpe": "jpeg", "jfif": "jpeg", "apng": "png", "tif": "tiff", "svgz": "svg"}
"""Formats of the extensions that are not called as their format is."""
_SUFFIX = {"jpeg": "jpg", "tiff": "tif", "svg+xml": "svg"}


def key_for(
    url: str,
    *,
    layout: Layout = "path",
    sha256: str | None = None,
    format: str | None = None,
    case_insensitive: bool = False,
    true_ending: bool = False,
) -> str:
    """Return the key under which the bytes of ``url`` are stored: never longer than `MAX_PATH_KEY_BYTES`.

    ``path`` and ``named`` look at the URL alone (its fragment aside). ``hash`` needs ``sha256``, and ``format`` (``webp``, ``jpeg``,
    ...) for the extension. With ``case_insensitive`` names with capitals are marked too. With ``true_ending`` a name that does not
    end as ``format`` does gets that ending, and a mark. Raises `InvalidURL` for what is no http or https URL.
    """
    if layout == "hash":
        if sha256 is None:
            raise ValueError("the hash layout needs the sha256 of the bytes")
        return hash_key(sha256, format)
    if layout == "path" and not true_ending and (plain := _plain_key(url, case_insensitive)) is not None:
        return plain
    address = _parse(url)
    named = _named_key(address, case_insensitive) if layout == "named" else None
    key = named or _path_key(address, case_insensitive)
    return _truly_ended(key, address.mark, format, case_insensitive) if true_ending and format else key


def _truly_ended(key: str, mark: str, format: str, folds: bool) -> str:
    """Return the key with the ending of the bytes' format: as it is where it has one of them, else with a mark before it."""
    folder, slash, name = key.rpartition("/")
    stem, ending = _split(name)
    word = ending[1:].lower()
    if _FORMATS.get(word, word) == format:
        return key
    ended = _marked(f"{stem.removesuffix(mark)}.{_SUFFIX.get(format, format)}", mark, folds)
    return f"{folder}{slash}{ended}" if len(f"{folder}{slash}{ended}".encode()) <= MAX_PATH_KEY_BYTES else key


_PLAIN = pattern(
    r"(https?)://([a-z0-9][a-z0-9.-]*+)(?::([1-9][0-9]{0,4}+)|(?!))?+"
    r"/((?:[A-Za-z0-9_-][A-Za-z0-9_.-]*+/|(?!))*+[A-Za-z0-9_-][A-Za-z0-9_.-]*+)(\?[!$-&(-;=?-~]*+|(?!))?+"
)
"""The parts of a URL that parsing leaves as it is: scheme, host, port, path, and the query with its question mark."""
_NOT_PLAIN = pattern(
    r"\./|\.(?:apng|avif|bmp|gif|heic|heif|ico|jfif|jpe|jpe?g|jxl|png|svgz?|tiff?|webp)/|(?:^|\.)xn--"
    r"|(?:^|/)(?:CON|PRN|AUX|NUL|(?:COM|LPT)[0-9])(?:[./]|$)",
    re.IGNORECASE | re.ASCII,
)
"""What `_stays` has against a key of such a URL, and hosts that have to be looked at."""
_ADDRESS = pattern(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_LONGEST_PLAIN = 250


def _plain_key(url: str, folds: bool) -> str | None:
    """Return the key of a URL that needs nothing done, as most do; None for one that has to be looked at.

    It is the key that the long way gives: parsing the URL would change nothing, and no segment needs a mark.
    """
    found = _PLAIN.fullmatch(url)
    if found is None or found.end(4) > _LONGEST_PLAIN or (folds and found[4] != found[4].lower()):
        return None
    scheme, host, port, path, query = found.groups()
    last = host.rpartition(".")[2]
    if not ("a" <= last[:1] <= "z" or _ADDRESS.fullmatch(host)):
        return None
    if port and (int(port) > 65_535 or (scheme, port) in {("https", "443"), ("http", "80")}):
        return None
    origin = f"{host}+{scheme}+{port}" if port else host if scheme == "https" else f"{host}+http"
    key = f"{origin}/{path}"
    if _NOT_PLAIN.search(key):
        return None
    stem, extension = _split(key)
    if query is None and extension:
        return key
    return None if stem.endswith(".") else f"{stem}{_mark(url)}{extension}"


def url_of(key: str) -> str | None:
    """Return the URL whose key in the ``path`` layout is ``key``; None where the key does not tell (it is marked, or no such key).

    A first segment without a dot is no host of the open web, and makes no URL.
    """
    host, slash, path = key.partition("/")
    scheme, host = ("http", host.removesuffix("+http")) if host.endswith("+http") else ("https", host)
    if not slash or "." not in host or "+" in host or _MARKED.search(key):
        return None
    url = f"{scheme}://{host}/{quote(path, safe=_KEPT_BY_WHATWG)}"
    try:
        return url if key_for(url) == key else None
    except InvalidURL:
        return None


def hash_key(sha256: str, format: str | None) -> str:
    """Return ``sha256/ab/cd/<hex>.<ext>``, the extension by the format that the bytes really have."""
    name = (format or "bin").lower()
    return f"sha256/{sha256[:2]}/{sha256[2:4]}/{sha256}.{_SUFFIX.get(name, name)}"


@dataclass(frozen=True, slots=True)
class _Address:
    """The parts of a serialised URL that a key is made of. ``extra`` is True when it has a query or user info."""

    href: str
    origin: str
    segments: tuple[str, ...]
    extra: bool
    mark: str


def _parse(url: str) -> _Address:
    try:
        parsed = ada_url.URL(url)
    except ValueError:
        raise InvalidURL(f"{_shown(url)} is not a URL, so it has no place in the mirror.") from None
    # Each attribute is a call into the parser, and every image comes through here: read once.
    protocol, port, host = parsed.protocol, parsed.port, parsed.hostname
    if protocol not in {"http:", "https:"}:
        raise InvalidURL(f"{_shown(url)} is not an http or https URL, so it has no place in the mirror.")
    href = parsed.href.partition("#")[0]
    plain_origin = protocol == "https:" and not port
    scheme = () if plain_origin else (protocol[:-1],)
    origin = "+".join((host, *scheme, *((port,) if port else ())))
    return _Address(
        href=href,
        origin=origin,
        segments=tuple(parsed.pathname[1:].split("/")),
        # A bare "?" is another URL than none, and leaves no trace in `search`.
        extra="?" in href or ("@" in href and bool(parsed.username or parsed.password)) or "+" in host,
        mark=_mark(href),
    )


def _mark(href: str) -> str:
    return f"~{sha256_of(href.encode()).hexdigest()[:10]}"


def _path_key(address: _Address, folds: bool) -> str:
    *inner, last = address.segments
    names = [_origin_name(address, folds)]
    names += [_name(segment, address.mark, folds, plain=not _EXTENSION.search(segment)) for segment in inner]
    names.append(_name(last, address.mark, folds, plain=not address.extra and bool(_EXTENSION.search(last))))
    key = "/".join(names)
    return key if len(key.encode()) <= MAX_PATH_KEY_BYTES else _shortened(names, last, address.mark, folds)


def _named_key(address: _Address, folds: bool) -> str | None:
    """Return the key by the picture and its size; None for an address that asks for no size."""
    asked, stem = read(address.href)
    if asked is None or not asked.sized:
        return None
    host, path, _ = split(stem)
    # What held the operations is said by the size; an address within the path loses its scheme's colon.
    inner = [each for each in path.split("/") if each not in {"", "-", "https:", "http:"} and HOLE not in each]
    if host and host.partition("//")[2] != address.origin.partition("+")[0]:
        inner.insert(0, host.partition("//")[2])  # an original of another site
    last = inner.pop() if inner else "image"
    name, extension = _split(_decoded(last) or last)
    if not extension and asked.format not in {None, "auto", "format"}:
        extension = f".{_SUFFIX.get(asked.format, asked.format)}"
    size = f"-w{asked.width}" if asked.width else f"-h{asked.height}"
    names = [_origin_name(address, folds)]
    names += [_name(segment, address.mark, folds, plain=not _EXTENSION.search(segment)) for segment in inner]
    names.append(_marked(f"{name[:_LONGEST_NAMED]}{size}{extension}", address.mark, folds))
    key = "/".join(names)
    return key if len(key.encode()) <= MAX_PATH_KEY_BYTES else _shortened(names, names[-1], address.mark, folds)


def _origin_name(address: _Address, folds: bool) -> str:
    """The host and, where it is not https on its own port, the scheme and port. IPv6 hosts lose their brackets."""
    plain = "[" not in address.origin and f"{address.origin}/" != RESERVED
    return _name(address.origin, address.mark, folds, plain=plain)


def _name(segment: str, mark: str, folds: bool, *, plain: bool) -> str:
    """Return one path segment as a file name: as it is where it may be, else readable and marked."""
    readable = _decoded(segment)
    if plain and readable is not None and _stays(readable, folds):
        return readable
    return _marked(readable if readable is not None else segment, mark, folds)


def _decoded(segment: str) -> str | None:
    """Undo percent-encoding, or None where encoding the result again would not give the same spelling."""
    if "%" not in segment:
        return segment
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    return text if quote(text, safe=_KEPT_BY_WHATWG) == segment else None


def _stays(name: str, folds: bool) -> bool:
    """Whether a readable segment can be a file name without change."""
    if not name or name[-1] in ". " or name[0] == " " or len(name.encode()) > MAX_SEGMENT_BYTES:
        return False
    if _ODD.search(name) or _MARKED.search(name) or _RESERVED_NAME.match(name):
        return False
    if not name.isascii() and not _settled(name):
        return False
    return not folds or (name == name.casefold() and not _ODD_WHERE_CASE_FOLDS.search(name))


def _settled(name: str) -> bool:
    """Whether a non-ASCII name is visible text, composed, and the same in every release of Unicode and of Python."""
    frozen = unicodedata.ucd_3_2_0
    visible = all(char == " " or frozen.category(char)[0] not in "CZ" for char in name)
    return visible and frozen.normalize("NFC", name) == name


def _marked(name: str, mark: str, folds: bool) -> str:
    """Return ``stem~mark.ext``, the stem cleaned and shortened; only an image extension counts as one."""
    stem, extension = _split(name)
    if folds:
        stem, extension = stem.lower(), extension.lower()
    stem = _MARKED.sub("_", _ODD_WHERE_CASE_FOLDS.sub("_", _ODD.sub("_", stem)))
    stem = "".join(c if c.isascii() else "_" for c in stem).strip(" .")
    if _RESERVED_NAME.match(stem):
        stem = f"_{stem}"
    return f"{stem[: MAX_SEGMENT_BYTES - len(mark) - len(extension)].strip(' .')}{mark}{extension}"


def _split(name: str) -> tuple[str, str]:
    found = _EXTENSION.search(name)
    return (name[: found.start()], found[0]) if found else (name, "")


def _shortened(names: list[str], last: str, mark: str, folds: bool) -> str:
    """Keep the leading directories that fit, then the last name, marked."""
    tail = _name(last, mark, folds, plain=False)
    room = MAX_PATH_KEY_BYTES - len(tail)
    kept = ""
    for name in names[:-1]:
        if len(kept.encode()) + len(name.encode()) + 1 > room:
            break
        kept += f"{name}/"
    return kept + tail


def _shown(url: str) -> str:
    return _USER_INFO.sub("//", url)[:200]
