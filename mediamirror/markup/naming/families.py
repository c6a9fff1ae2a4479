"""Image sets by naming: URLs without descriptors that differ only in what names a size are one picture.

Only grouping: no width is taken from a name, and no URL is made up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from mediamirror.model import ImageSet

_EXT = r"(?=\.(?:jpe?g|png|webp|avif|gif)(?:\.(?:webp|avif))?\Z)"
HOLE = "{}"


@dataclass(frozen=True, slots=True)
class Parts:
    """A URL in its parts: ``https://host``, the path, and the query with its ``?`` or nothing."""

    origin: str
    path: str
    query: str


Rule = Callable[[Parts], Parts]


def _path(pattern: str, by: str = "", *, host: str = "", hint: str = "", flags: re.RegexFlag = re.IGNORECASE) -> Rule:
    """A rule for paths; ``hint`` is a text that a path of this family always holds, ``host`` one of the origin."""
    compiled = re.compile(pattern, flags | re.ASCII)

    def rule(parts: Parts) -> Parts:
        if hint not in parts.path or host not in parts.origin:
            return parts
        path = compiled.sub(by, parts.path, count=1)
        return parts if path == parts.path else Parts(parts.origin, path, parts.query)

    return rule


_SIZES = r"(?:thumb(?:nail)?|small|medium|large|x-?large|xs|sm|md|lg|x{1,3}l|mini|big|full|orig(?:inal)?|preview)"
_NUMBER = r"[1-9][0-9]{1,4}"

_WHOLE: tuple[Rule, ...] = (
    _path(r"/optimized/(\d+X/(?:[0-9a-f]+/)*[0-9a-f]+)_\d+_\d+x\d+(?=\.)", r"/original/\1", hint="/optimized/"),
    _path(r"/m/[0-9]+x[0-9]+(?:/filters:[^/]*)?/?\Z", host="storyblok."),
)
"""Sizes in a folder's name and a file's at once, or behind the name."""

_NAMES: tuple[Rule, ...] = (
    _path(r"___(\w{1,60}?)_[0-9]{2,5}_[0-9]{2,5}" + _EXT, rf"___\1_{HOLE}", hint="___"),
    _path(rf"-(?:{_SIZES}-)?___([a-z]+)_[0-9]{{2,5}}" + _EXT, rf"-___\1_{HOLE}", hint="___"),
    _path(r"[@_-](?:[1-4](?:\.[0-9]{1,2})?|0\.[0-9]{1,2})x" + _EXT),
    _path(
        r"_(?:[0-9]{1,4}x[0-9]{0,4}|x[0-9]{1,4}|pico|icon|thumb|small|compact|medium|large|grande|original|master)"
        r"(?:_crop_(?:center|top|bottom|left|right))?(?:@[23]x)?(?=(?:\.progressive)?\.(?:jpe?g|png|webp|avif|gif)\Z)",
        host="shopify.",
    ),
    _path(r"_[0-9]{2,4}x(?:[0-9]{2,4})?(?:_crop_(?:center|top|bottom|left|right))?(?:@[23]x)?" + _EXT),
    _path(rf"[-_.]{_NUMBER}x{_NUMBER}" + _EXT),
    _path(r"-scaled" + _EXT, hint="-scaled"),
    _path(rf"[-_.@](?:w_?{_NUMBER}|{_NUMBER}(?:w|px))" + _EXT),
    _path(rf"[-_]{_SIZES}" + _EXT, f"-{HOLE}"),
    _path(r"-[1-9][0-9]{2,3}-[1-9][0-9]" + _EXT, host="futurecdn."),
    _path(r"(?<=/)[0-9]+px-(?:[^/]+)\Z", HOLE, hint="/thumb/"),
)
"""Sizes at the end of a file's name."""

_FOLDERS: tuple[Rule, ...] = (
    _path(r"/size/w[0-9]+(?:h[0-9]+)?(?:/format/[a-z0-9]+)?/", "/", hint="/content/images/"),
    _path(r"/thumb(/(?:[^/]+/)*[^/]+)/(?:\{\}|[0-9]+px-[^/]+)\Z", r"\1", hint="/thumb/"),
    _path(r"/styles/[^/]+/(?:public|private)/", "/", hint="/styles/"),
    _path(r"/resize_cache/((?:[^/]+/)*)[0-9]+_[0-9]+_[0-9a-f]+/", r"/\1", hint="/resize_cache/"),
    _path(r"/static/([0-9a-f]{32})/[0-9a-z]{4,32}/", rf"/static/\1/{HOLE}/", hint="/static/"),
    _path(r"/(?:ic/[0-9]+x(?:[0-9]+|n)|(?:ace/)?(?:standard|ws|news)/[0-9]+)/", f"/{HOLE}/", host="bbci."),
    _path(
        r"/resize:(?:fit|fill):[0-9]+(?::[0-9]+)?/|/(?:max|fit/[ct]|fit/[ct]/[0-9]+)/[0-9]+/",
        f"/{HOLE}/",
        host="medium.",
    ),
    _path(r"/[0-9]{1,4}\Z", f"/{HOLE}", host="mmbiz."),
    _path(
        r"(?:=[swh][0-9]+(?:-[a-z0-9]+)*\Z|/[swh][0-9]+(?:-[a-z0-9]+)*(?=/[^/]*\Z))", HOLE, host="googleusercontent."
    ),
    _path(r"/[swh][0-9]+(?:-[a-z0-9]+)*(?=/[^/]*\Z)", f"/{HOLE}", host="bp.blogspot."),
    _path(r"/(full|square|[0-9]+(?:,[0-9]+){3})/(?:[0-9]+,|,[0-9]+|!?[0-9]+,[0-9]+|max)/", rf"/\1/{HOLE}/"),
    _path(rf"/(?:{_NUMBER}(?:w|px|x{_NUMBER}|x0)|0x{_NUMBER}|w[=_-]?{_NUMBER}|width[=_-]{_NUMBER})(?=/)", f"/{HOLE}"),
)
"""Sizes in a folder's name."""

_STEP = re.compile(
    r"(?<![a-z0-9])(?:(?:w|h|width|height)[_=][0-9]{1,5}|dpr[_=][0-9.]{1,4})(?![0-9a-z.])", re.IGNORECASE
)


def _steps(parts: Parts) -> Parts:
    """Cloudinary, Substack, Wix, Cloudflare: a segment of transformations, parted by commas."""
    if "," not in parts.path:
        return parts
    segments = (_STEP.sub(HOLE, segment) if "," in segment else segment for segment in parts.path.split("/"))
    return Parts(parts.origin, "/".join(segments), parts.query)


_SIZE_NAMES = frozenset(
    {
        *(
            "w",
            "h",
            "width",
            "height",
            "wid",
            "hei",
            "imwidth",
            "imheight",
            "maxwidth",
            "maxheight",
            "max-w",
            "max-h",
            "sw",
            "sh",
        ),
        *("dpr", "resize", "fit", "crop", "size", "quality", "q", "strip", "rw", "im_w", "mw", "mh"),
    }
)
_SIZING = _SIZE_NAMES - {"quality", "q", "strip", "crop"}
_SIZE_VALUE = re.compile(r"[0-9]{1,5}(?:\.[0-9]+)?(?:px)?(?:(?:,|%2c|x|:)[0-9]{1,5}(?:px)?)?", re.IGNORECASE)
_FORMAT_VALUE = re.compile(r"[0-9]{2,5}w")
_AKAMAI = re.compile(r"Resize(?:,|%2C|=|%3D|\()\s*\(?(?:(?:width|height)(?:=|%3D)[0-9]+(?:,|%2C)?)+\)?", re.IGNORECASE)


def _query(parts: Parts) -> Parts:
    """Sizes in a query; what goes with a size (quality, crop) goes with it."""
    if not parts.query:
        return parts
    pairs = parts.query[1:].split("&")
    if not any(_is_size(pair, _SIZING) for pair in pairs):
        return parts
    kept = [pair for pair in pairs if not _is_size(pair, _SIZE_NAMES)]
    return Parts(parts.origin, parts.path, f"?{'&'.join(kept)}" if kept else "")


def _is_size(pair: str, names: frozenset[str]) -> bool:
    name, _, value = pair.partition("=")
    if name.lower() == "im":
        return _AKAMAI.fullmatch(value) is not None
    if name == "format":
        return _FORMAT_VALUE.fullmatch(value) is not None
    return name.lower() in names and _SIZE_VALUE.fullmatch(value) is not None


_OPTIMISER = re.compile(r"/(?:_next/image|_vercel/image|_image)/?\Z")


def _optimiser(parts: Parts) -> Parts:
    """Next.js, Vercel, Astro: the original is a parameter."""
    if _OPTIMISER.search(parts.path) is None:
        return parts
    for pair in parts.query[1:].split("&"):
        name, _, value = pair.partition("=")
        if name in {"url", "href"} and value:
            url = unquote(value)
            return split(url if "//" in url[:8] else f"{parts.origin}{url if url.startswith('/') else '/' + url}")
    return parts


def _drupal(parts: Parts) -> Parts:
    """The token that signs a Drupal style is another for every style."""
    if "/styles/" not in parts.path or "itok=" not in parts.query:
        return parts
    kept = [pair for pair in parts.query[1:].split("&") if not pair.startswith("itok=")]
    return Parts(parts.origin, parts.path, f"?{'&'.join(kept)}" if kept else "")


RULES: tuple[Rule, ...] = (_optimiser, _drupal, _query, *_WHOLE, *_NAMES, *_FOLDERS, _steps)
"""Every rule, in the order in which they are applied; each works on what the ones before have left."""


def split(url: str) -> Parts:
    """Take a URL apart; its fragment goes."""
    url = url.partition("#")[0]
    start = url.find("//")
    end = url.find("/", start + 2) if start >= 0 else 0
    end = len(url) if end < 0 else end
    path, mark, query = url[end:].partition("?")
    return Parts(url[:end], path, mark + query if query else "")


def stem(url: str) -> str:
    """Return the URL without what names a size in it: the same for all sizes of one picture, and for their original."""
    parts = split(url)
    for rule in RULES:
        parts = rule(parts)
    return f"{parts.origin}{parts.path}{parts.query}"


MAX_URL = 2048
"""Longest URL that is looked at, in code points."""
_NUMBERED = re.compile(
    r"[-_]([1-9][0-9]{2,3})(?=\.(?:jpe?g|png|webp|avif|gif)(?:\.(?:webp|avif))?(?:\?|\Z))", re.IGNORECASE | re.ASCII
)
_LADDER = frozenset(
    {
        *(
            150,
            160,
            200,
            240,
            250,
            300,
            320,
            360,
            375,
            400,
            414,
            420,
            450,
            480,
            500,
            540,
            600,
            640,
            650,
            660,
            700,
            720,
            750,
            760,
        ),
        *(
            768,
            780,
            800,
            828,
            840,
            850,
            900,
            960,
            970,
            1000,
            1024,
            1080,
            1100,
            1170,
            1200,
            1242,
            1280,
            1300,
            1366,
            1400,
            1440,
        ),
        *(1500, 1536, 1600, 1680, 1800, 1920, 2000, 2048, 2200, 2400, 2560, 2880, 3000, 3200, 3840, 4096),
    }
)
"""Widths that sites use. A number that ends a name is rarely a width: only where every member has one of these, it counts."""
_YEARS = range(1500, 2101)


def grouped(sets: Iterable[ImageSet], carriers: frozenset[str] | None = None) -> tuple[ImageSet, ...]:
    """Put sets of one URL each, without any descriptor, together where naming says that they are one picture.

    The set stands where its first member stood, and is ``inferred``; its sources are those of the members, in order.
    ``carriers`` limits it to sets of these carriers. Everything else stays as it is. Linear in the number of sets.
    """
    rows = list(sets)
    members: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        url = _lone_url(row, carriers)
        if url is not None:
            members.setdefault(stem(url), []).append(index)
    groups = [group for group in members.values() if len({rows[index].candidates[0].url for index in group}) > 1]
    taken = {index for group in groups for index in group}
    groups += _numbered(rows, [index for group in members.values() for index in group if index not in taken])
    joined = {group[0]: _joined([rows[index] for index in group]) for group in groups}
    gone = {index for group in groups for index in group[1:]}
    return tuple(joined.get(index, row) for index, row in enumerate(rows) if index not in gone)


def _lone_url(row: ImageSet, carriers: frozenset[str] | None) -> str | None:
    """The URL of a set that has one and promises nothing about it."""
    if carriers is not None and any(source.carrier not in carriers for source in row.sources):
        return None
    if any(source.candidates and source.candidates[0].width for source in row.sources):
        return None  # most sets, and quickly
    candidates = row.candidates
    urls = {candidate.url for candidate in candidates}
    if len(urls) != 1 or any(c.width or c.density or c.height for c in candidates):
        return None
    url = candidates[0].url
    return url if len(url) <= MAX_URL and HOLE not in url else None


def _numbered(rows: Sequence[ImageSet], indices: list[int]) -> list[list[int]]:
    """``name-480.webp``: bare numbers, where all of them are usual widths and not all may be years."""
    members: dict[str, list[tuple[int, int]]] = {}
    for index in sorted(indices):
        url = rows[index].candidates[0].url
        match = _NUMBERED.search(url)
        if match is not None and int(match[1]) in _LADDER:
            members.setdefault(url[: match.start()] + HOLE + url[match.end() :], []).append((int(match[1]), index))
    return [
        [index for _, index in group]
        for group in members.values()
        if len(group) > 1 and any(number not in _YEARS for number, _ in group)
    ]


def _joined(members: Sequence[ImageSet]) -> ImageSet:
    first = members[0]
    return replace(
        first,
        sources=tuple(source for row in members for source in row.sources),
        alt=next((row.alt for row in members if row.alt), None),
        context=next((row.context for row in members if row.context), None),
        inferred=True,
        problems=tuple(problem for row in members for problem in row.problems),
        places=tuple(place for row in members for place in row.places),
    )
