"""What the spelling of a URL tells: whether it leads to an image, whether it can be a URL at all, whether two are one picture.

URLs without descriptors that differ only in what names a size are one image set. That is only grouping: no width is taken from a
name, and no URL is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from mediamirror.dialects import HOLE, MAX_URL, read
from mediamirror.first_use import pattern, replace
from mediamirror.model import ImageSet, Span


def stem(url: str) -> str:
    """Return the URL without what names a size in it: the same for all sizes of one picture, and for their original."""
    return read(url).stem


_NUMBERED = pattern(
    r"[-_]([1-9][0-9]{2,3})(?=\.(?:jpe?g|png|webp|avif|gif)(?:\.(?:webp|avif))?(?:\?|\Z))", re.IGNORECASE | re.ASCII
)
_LADDER = frozenset({
    150, 160, 200, 240, 250, 300, 320, 360, 375, 400, 414, 420, 450, 480, 500, 540, 600, 640, 650, 660, 700, 720, 750,
    760, 768, 780, 800, 828, 840, 850, 900, 960, 970, 1000, 1024, 1080, 1100, 1170, 1200, 1242, 1280, 1300, 1366, 1400,
    1440, 1500, 1536, 1600, 1680, 1800, 1920, 2000, 2048, 2200, 2400, 2560, 2880, 3000, 3200, 3840, 4096,
})  # fmt: skip
"""Widths that sites use. A number that ends a name is rarely a width: only where every member has one of these, it counts."""
_YEARS = range(1500, 2101)


def grouped(sets: Iterable[ImageSet], carriers: frozenset[str] | None = None) -> tuple[ImageSet, ...]:
    """Put sets of one URL each, without any descriptor, together where naming says that they are one picture.

    The set stands where its first member stood, and is ``inferred``; its sources are those of the members, in order.
    ``carriers`` limits it to sets of these carriers. Everything else stays as it is. Linear in the number of sets.
    """
    rows = list(sets)
    groups = groups_of([lone_url(row, carriers) for row in rows])
    joined = {group[0]: joined_set([rows[index] for index in group]) for group in groups}
    gone = {index for group in groups for index in group[1:]}
    return tuple(joined.get(index, row) for index, row in enumerate(rows) if index not in gone)


def groups_of(urls: Sequence[str | None]) -> list[list[int]]:
    """Say which of these URLs are one picture each: their indices, in order. None is in no group."""
    members: dict[str, list[int]] = {}
    for index, url in enumerate(urls):
        if url is not None and len(url) <= MAX_URL and HOLE not in url:
            members.setdefault(stem(url), []).append(index)
    groups = [group for group in members.values() if len(group) > 1 and len({urls[index] for index in group}) > 1]
    taken = {index for group in groups for index in group}
    return groups + _numbered(
        urls, sorted(index for group in members.values() for index in group if index not in taken)
    )


def lone_url(row: ImageSet, carriers: frozenset[str] | None = None) -> str | None:
    """The URL of a set that has one and promises nothing about it."""
    if carriers is not None and any(source.carrier not in carriers for source in row.sources):
        return None
    if any(source.candidates and source.candidates[0].width for source in row.sources):
        return None  # most sets, and quickly
    candidates = row.candidates
    urls = {candidate.url for candidate in candidates}
    if len(urls) != 1 or any(c.width or c.density or c.height for c in candidates):
        return None
    return candidates[0].url


def _numbered(urls: Sequence[str | None], indices: list[int]) -> list[list[int]]:
    """``name-480.webp``: bare numbers, where all of them are usual widths and not all may be years."""
    members: dict[str, list[tuple[int, int]]] = {}
    for index in indices:
        url = urls[index] or ""
        match = _NUMBERED.search(url)
        if match is not None and int(match[1]) in _LADDER:
            members.setdefault(url[: match.start()] + HOLE + url[match.end() :], []).append((int(match[1]), index))
    return [
        [index for _, index in group]
        for group in members.values()
        if len(group) > 1 and any(number not in _YEARS for number, _ in group)
    ]


def joined_set(members: Sequence[ImageSet]) -> ImageSet:
    """Make one set of those of one picture."""
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


_EXTENSION = pattern(
    r"\.(?:jpe?g|jfif|pjpeg|png|apng|webp|avif|gif|svgz?|bmp|ico|cur|tiff?|heic|heif|jxl|jp2)\Z", re.IGNORECASE
)
_EXTENSION_TAIL = 16


def has_image_extension(url: str) -> bool:
    """Say whether the path of a URL, absolute or not, ends like an image file."""
    path = url.partition("#")[0].partition("?")[0] if "?" in url or "#" in url else url
    return _EXTENSION.search(path[-_EXTENSION_TAIL:].rstrip()) is not None


def is_image_type(mime: str | None) -> bool:
    """Say whether a MIME type is an image's, by its essence."""
    return mime is not None and mime.strip().lower().startswith("image/")


MAX_LOOKED_AT = 8192
"""Longest value taken for one URL, in code points."""
_NO_URL = pattern(r"[\s\"'<>`\\^]")
_START = pattern(r"(?:https?:)?//[^\s/]|/[^\s/]|\.{1,2}/", re.IGNORECASE)
_SERVICE = pattern(
    r"/_next/image\?|/_image\?|/_ipx/|/_vercel/image\?|/cdn-cgi/image/|/image/(?:fetch|upload)/|/images?/resize/"
    r"|[?&](?:wx_fmt|fm|format|fmt|output)=(?:auto|jpe?g|pjpg|png|webp|avif|gif)(?![a-z])"
    r"|//(?:images\.unsplash\.com|miro\.medium\.com|images\.ctfassets\.net|cdn\.sanity\.io/images|mmbiz\.qpic\.cn"
    r"|lh\d\.googleusercontent\.com|i\.kinja-img\.com|substackcdn\.com/image|images\.prismic\.io)/",
    re.IGNORECASE,
)
_DESCRIPTOR = pattern(
    r"(?<=[ \t\r\n])[0-9]{1,9}(?:\.[0-9]{1,9})?[wx](?=[ \t\r\n]*+(?:[0-9]{1,9}h[ \t\r\n]*+|(?!))?+(?:,|\Z))"
)
_HEIGHT = pattern(r"[0-9]{1,9}h")
_LOOKED_BACK = 512
_MAX_DESCRIPTORS = 32


def is_url(text: str) -> bool:
    """Say whether a value is one URL as pages write them: absolute, or with a leading ``/`` or ``./``."""
    return is_one_word(text) and _START.match(text) is not None


def is_reference(text: str) -> bool:
    """Say whether a value can hold URLs at all, and not the name of an attribute or ``none``."""
    return "/" in text or "." in text


def is_one_word(text: str) -> bool:
    """Say whether a value can be one URL at all: not empty, not too long, free of spaces and quotes."""
    return 0 < len(text) <= MAX_LOOKED_AT and _NO_URL.search(text) is None


def is_image_url(text: str) -> bool:
    """Say whether a value is the URL of an image: by the extension of its path, or by the image service it names."""
    if has_image_extension(text):
        if names_page(text):
            return False
        return is_url(text) or (is_one_word(text) and "/" in text)
    return is_url(text) and _SERVICE.search(text) is not None


_JOINT = pattern(
    r"(?:(?P<mark>[,;|][ \t\r\n]*+)|(?<![ \t\r\n])[ \t\r\n]++)(?=(?P<scheme>https?://)|\.{0,2}/)", re.IGNORECASE
)
_NAME = pattern(r"[^,;|\s][^,;|]*+")
_FORMULA = pattern(r"\s*+(?:=\s*+|(?!))?+(?:_xlfn\.)?IMAGE\(\s*+[\"']([^\"'\s]{1,8192}+)[\"']", re.IGNORECASE)
_ATTACHED = pattern(r"\s*+([^()\r\n]{1,300}+)\(([a-z]{4,5}://[^\s()]{1,8192}+)\)\s*+(?:,|\Z)")
_ORIGIN_TAIL = 300
"""Characters in which the host of a URL ends."""
_WIKI_PAGE = pattern(r"[^\W\d_]{2,24}:[^/]")
_OF_ONE = pattern(
    r"(?:https?:)?//(?:(?:www|player|m)\.|(?!))?+(?:youtube\.com/(?:watch|embed|shorts)|youtu\.be/|vimeo\.com/"
    r"|unsplash\.com/photos/[^/?#]++/?(?:[?#]|\Z)|flickr\.com/photos/|pexels\.com/photo/|instagram\.com/(?:p|reel)/"
    r"|(?:twitter|x)\.com/[^/?#]++/status/)",
    re.IGNORECASE,
)
"""Pages about one film or one picture, which tables have beside the file, or in its place."""
_FILE_PAGES = ("//github.com/", "//gitlab.com/", "//api.github.com/")


def names_page(url: str) -> bool:
    """Say whether a URL leads to a page, whatever it ends like: ``File:Kite.jpg``, a file at a code host, a film."""
    path, _, query = url.partition("?")
    if _OF_ONE.match(url) is not None:
        return True
    if _WIKI_PAGE.match(path, path.rfind("/") + 1) is not None:
        return True
    return any(host in url for host in _FILE_PAGES) and ("/blob/" in path or "//api." in path) and query[:3] != "raw"


def joined(text: str) -> list[Span]:
    """The places of the URLs in a value that joins several by ``,``, ``;``, ``|`` or blanks; none where it does not.

    A comma may be part of a URL. One parts two where a URL, or a path, begins behind it, and before it stands an image's ending, or
    a URL that carries no other: that of a service which takes several is one, unless the next begins like it.
    """
    start = len(text) - len(text.lstrip())
    # Nearly every value ends here: it begins with no URL, or joins nothing.
    if _START.match(text, start) is None or _JOINT.search(text, start) is None:
        return []
    spans: list[Span] = []
    end = len(text.rstrip(" \t\r\n,;|"))
    for joint in _JOINT.finditer(text, start, end):
        if joint.start() - start > MAX_LOOKED_AT:
            return []
        url = text[start : joint.start()].rstrip()
        following = text[joint.end() : joint.end() + _ORIGIN_TAIL] if joint["scheme"] else ""
        if joint["mark"] is None or has_image_extension(url) or (following and _is_whole(url, following)):
            spans.append((start, start + len(url)))
            start = joint.end()
    spans.append((start, end))
    parts = [text[slice(*span)] for span in spans]
    return spans if len(parts) > 1 and all(map(_is_joined, parts)) else []


def _is_whole(url: str, following: str) -> bool:
    return url[:4].lower() == "http" and ("://" not in url[8:] or same_host(url, following))


def parts_of(text: str) -> list[Span]:
    """The places of the URLs in a value: those that it joins, or all of it without the blanks around, and a comma at its end.

    Bare names of files are joined by commas and semicolons too, if each ends like an image's (Wix).
    """
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    listed = len(text.rstrip(" \t\r\n,;|"))
    if not has_image_extension(text[start:listed]):
        return joined(text) or [(start, max(start, end))]
    names = [(name.start(), name.start() + len(name[0].rstrip())) for name in _NAME.finditer(text, start, listed)]
    are_names = all(has_image_extension(text[slice(*name)]) for name in names)
    return joined(text) or (names if are_names and names else [(start, listed)])


def shown_by(text: str) -> Span | None:
    """The place of the URL in a sheet's ``=IMAGE("URL")``; None for any other value."""
    formula = _FORMULA.match(text)
    return formula.span(1) if formula is not None else None


def attached(text: str) -> list[tuple[Span, Span]]:
    """The places of names and URLs in a value that is ``NAME (URL)``, once or several times, as Airtable exports files."""
    found: list[tuple[Span, Span]] = []
    at = 0
    while (match := _ATTACHED.match(text, at)) is not None:
        found.append((match.span(1), match.span(2)))
        at = match.end()
    return found if at == len(text) else []


def joined_images(text: str) -> list[Span]:
    """The places of the URLs in a value that joins several, where they are images' by their looks, whatever the value is called.

    The last behind a comma need not look like one.
    """
    found = joined(text)
    looks = [is_image_url(text[slice(*span)]) for span in found]
    if looks and not looks[-1]:
        looks[-1] = not text[found[-2][1] : found[-1][0]].isspace()
    return found if all(looks) else []


def _is_joined(url: str) -> bool:
    return is_url(url) and (has_image_extension(url) or url[:4].lower() == "http")


def is_srcset_like(text: str) -> bool:
    """Say whether a value reads as a srcset: somewhere an image's URL, white space and a descriptor that ends there."""
    return ("w" in text or "x" in text) and any(
        _ends_described(text, match.start()) for match in islice(_DESCRIPTOR.finditer(text), _MAX_DESCRIPTORS)
    )


def _ends_described(text: str, descriptor: int) -> bool:
    words = text[max(0, descriptor - _LOOKED_BACK) : descriptor].split()
    if words and _HEIGHT.fullmatch(words[-1]):
        words.pop()
    return bool(words) and (has_image_extension(words[-1]) or _START.match(words[-1]) is not None)


_WORD = pattern(r"[A-Za-z0-9]+|[^A-Za-z0-9]+")
_ORIGIN = pattern(r"(?:https?:)?(?:\\?/){2}[^/\\?#]*", re.IGNORECASE)
_SIZE = pattern(
    r"\d+|[wh]\d+|\d+[wh]|\d+x\d*|x\d+|xs|sm|md|lg|x{1,3}l|thumb|small|medium|large|mini|full|original|scaled",
    re.IGNORECASE,
)


def same_stem(one: str, other: str) -> bool:
    """Say whether two URLs differ only in words that name a size (``480``, ``w480``, ``300x200``, ``sm``, ``2x``)."""
    words, others = _WORD.findall(one), _WORD.findall(other)
    if len(words) != len(others):
        return False
    return all(a == b or (_SIZE.fullmatch(a) and _SIZE.fullmatch(b)) for a, b in zip(words, others, strict=True))


def same_host(one: str, other: str) -> bool:
    """Say whether two URLs start with the same scheme and host as written, or both with none."""
    origins = [_ORIGIN.match(url) for url in (one, other)]
    first, second = (origin[0].lower() if origin is not None else "" for origin in origins)
    return first == second
