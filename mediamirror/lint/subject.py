"""What rules look at: an image set and what is known of each of its files; and what names promise of a file.

Names are file extensions, MIME types, and the widths that file names tell. A number in a file name is rarely a width: it is a
year, a date, a counter, an id. So a width tag counts in two cases only: it has a form that nothing else has, or it stands at
the end of the name and equals a width descriptor of the same image set.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fractions import Fraction
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from mediamirror.errors import FetchError, ImageError, NotAnImage, UsageError
from mediamirror.first_use import dataclass, pattern
from mediamirror.lint.screens import Browser
from mediamirror.model import (
    Candidate,
    Download,
    Facts,
    ImageFacts,
    ImageSet,
    Look,
    OpaqueFacts,
    Problem,
    Promise,
    Reference,
    Severity,
    Source,
    Variant,
)

_SURE = (
    # Spatie's media library: name___conversion_width_height, and this family's name-sm-___webp_480.
    pattern(r"___(?P<tag>[A-Za-z][A-Za-z0-9_-]{0,60}?_(?P<width>\d{2,5})(?:_\d{2,5})?)\Z", re.ASCII),
    # WordPress and many others: name-300x200. Aspect ratios (16x9) have one digit or two.
    pattern(r"[-_](?P<tag>(?P<width>\d{2,5})x(?P<height>\d{2,5}))\Z", re.ASCII),
    # name-480w, name_480w, name@480w, name.480w; or the tag alone.
    pattern(r"(?:^|[-_@.])(?P<tag>(?P<width>\d{2,5})w)\Z", re.ASCII | re.IGNORECASE),
    # name-w480, name_w480, name@w480, name_w_480, w480.
    pattern(r"(?:^|[-_@.])(?P<tag>w_?(?P<width>\d{2,5}))\Z", re.ASCII | re.IGNORECASE),
)
_MAYBE = pattern(r"[-_@.](?P<tag>(?P<width>\d{2,5})(?:px)?)\Z", re.ASCII | re.IGNORECASE)
_SIZE = pattern(r"(\d+)x(\d+)", re.ASCII)
_LONGEST = 80
"""Tags stand at the end of a name and are short: no more of it is searched."""
_RATIOS = 32
"""Sides below this many pixels are ratios or icons, not rungs."""


@dataclass(frozen=True, slots=True)
class WidthTag:
    """A width in pixels that a file name tells, and the piece of the name that tells it.

    With a ``height`` it is a box: the file fills one of its sides, as ``max-600x600`` and WordPress's thumbnails do.
    """

    width: int
    text: str
    height: int | None = None

    @property
    def sides(self) -> tuple[int, ...]:
        """The sizes in pixels, one of which the file has."""
        return (self.width,) if self.height is None else (self.width, self.height)


def width_tag(url: str, known_widths: Collection[int] = ()) -> WidthTag | None:
    """The width that a URL's file name promises, or None.

    ``known_widths`` are the width descriptors of the image set that the URL belongs to: only they make a width of a bare number
    (``name_480.webp``).
    """
    stem = split_extensions(file_name(url))[0][-_LONGEST:]
    for form in _SURE:
        if (found := form.search(stem)) is not None:
            return _sure(found)
    found = _MAYBE.search(stem)
    if found is not None and int(found["width"]) in known_widths:
        return WidthTag(int(found["width"]), found["tag"])
    return None


def _sure(found: re.Match[str]) -> WidthTag | None:
    width, size = int(found["width"]), _SIZE.fullmatch(found["tag"])
    small = min(int(size[1]), int(size[2])) < _RATIOS if size else width == 0
    return None if small else WidthTag(width, found["tag"], int(size[2]) if size else None)


_EXTENSIONS = {
    "avif": "avif", "avifs": "avif",
    "gif": "gif", "gifv": "gifv",
    "jpg": "jpeg", "jpeg": "jpeg", "jpe": "jpeg", "jfif": "jpeg", "jif": "jpeg", "jfi": "jpeg", "pjpeg": "jpeg", "pjp": "jpeg",
    "png": "png", "apng": "png",
    "webp": "webp",
    "bmp": "bmp", "heic": "heic", "heif": "heif", "ico": "ico", "jp2": "jp2", "jxl": "jxl", "svg": "svg",
    "tif": "tiff", "tiff": "tiff",
}  # fmt: skip

# image/jpg, image/x-png and their like are registered nowhere, and every browser takes them for what they mean.
_MIME_TYPES = {
    "image/avif": "avif", "image/avif-sequence": "avif",
    "image/gif": "gif",
    "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/pjpeg": "jpeg", "image/x-jpeg": "jpeg",
    "image/png": "png", "image/x-png": "png", "image/apng": "png", "image/vnd.mozilla.apng": "png",
    "image/webp": "webp", "image/x-webp": "webp",
}  # fmt: skip

VAGUE_TYPES = frozenset({
    "application/octet-stream", "binary/octet-stream", "application/x-octet-stream", "application/unknown", "image/*",
    "*/*",
})  # fmt: skip
"""Content types that say nothing about the format."""


@lru_cache(maxsize=64)
def file_name(url: str) -> str:
    """The last segment of a URL's path, percent-decoded; empty when there is none."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def split_extensions(name: str) -> tuple[str, str]:
    """A file name's stem without any image extension, and the last extension (lower case) when it is an image one.

    >>> split_extensions("a-480.jpg.webp")
    ('a-480', 'webp')
    >>> split_extensions("show.php")
    ('show.php', '')
    """
    last = ""
    while True:
        stem, dot, extension = name.rpartition(".")
        extension = extension.lower()
        if not dot or extension not in _EXTENSIONS:
            return name, last
        name, last = stem, last or extension


def format_of_extension(extension: str) -> str | None:
    """The format that a file extension promises, or None for one that promises none."""
    return _EXTENSIONS.get(extension.lower())


def essence(mime: str) -> str:
    """A MIME type in lower case, without its parameters."""
    return mime.partition(";")[0].strip().lower()


def format_of_mime(mime: str) -> str | None:
    """The format that a MIME type names, or None when it names none that is read here."""
    return _MIME_TYPES.get(essence(mime))


_SHOWN = frozenset({"svg", "ico", "bmp"})
"""Formats that every browser shows, so that a name or a Content-Type is promise enough."""
_TYPES = {
    "image/svg+xml": "svg",
    "image/x-icon": "ico", "image/vnd.microsoft.icon": "ico",
    "image/bmp": "bmp", "image/x-ms-bmp": "bmp",
    "image/jxl": "jxl", "image/jp2": "jp2", "image/heic": "heic", "image/heif": "heic", "image/tiff": "tiff",
}  # fmt: skip
"""Types that a ``source`` may name: browsers that can't show the format go on to the next source."""


def some_browser_shows(mime: str) -> bool:
    """Whether a type is one of those that are not read here and that some browser decodes."""
    return essence(mime) in _TYPES


def unread_kind(
    variant: Variant, result: ImageFacts | ImageError | FetchError, download: Download | None
) -> str | None:
    """The format of a picture that is what the page promises, and can't be looked into; None for every other file.

    Promises are the ``type`` of a ``source``, and of an SVG drawing, an icon or a BMP also the file's name or its Content-Type.
    """
    if not isinstance(result, NotAnImage) or result.kind is None:
        return None
    promised = {_TYPES.get(essence(promise.mime)) for promise in variant.promises if promise.mime}
    if result.kind in _SHOWN:
        promised.add(format_of_extension(split_extensions(file_name(variant.url))[1]))
        promised.add(_TYPES.get(download.content_type or "") if download else None)
    return result.kind if result.kind in promised else None


WRITTEN = frozenset({"srcset", "imagesrcset", "src", "href"})
"""Attributes that browsers themselves read; those of lazy loaders are completed by scripts first."""
_ELEMENTS = frozenset({"img", "source", "link"})


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """What is known of one file: how it was served, what its bytes are or why there are none, what they look like.

    ``download`` is None for a file read from a disk, and for one that could not be fetched. ``size`` is the whole file's, in
    bytes, whether or not all of it was fetched.
    """

    result: ImageFacts | ImageError | FetchError
    download: Download | None = None
    size: int | None = None
    sha256: str | None = None
    look: Look | None = None

    @property
    def facts(self) -> ImageFacts | None:
        """The facts, when the bytes are an image."""
        return self.result if isinstance(self.result, ImageFacts) else None


@dataclass(frozen=True, slots=True)
class LintOptions:
    """How strict to be: ``ladder`` are the widths in pixels that are expected, ``codes`` the rules that run."""

    tolerance: Tolerance
    codes: frozenset[str]
    ladder: tuple[int, ...] = ()


def parse_ladder(text: str) -> tuple[int, ...]:
    """Parse ``480,768,1280`` (ascending in the result, each once; empty for no ladder). Raises `UsageError`."""
    words = [word.strip().lower().removesuffix("w") for word in text.split(",")] if text.strip() else []
    if not all(word.isascii() and word.isdigit() and 0 < int(word) < 100_000 for word in words):
        raise UsageError(f"{text!r} is no ladder: write widths in pixels, such as 480,768,1280,1920.")
    return tuple(sorted({int(word) for word in words}))


@dataclass(frozen=True, slots=True)
class Member:
    """One candidate of a set, the source it belongs to, and what is known of its file (None: not looked at)."""

    source: Source
    candidate: Candidate
    known: VariantFacts | None

    @property
    def url(self) -> str:
        """The URL that a browser would request."""
        return self.candidate.url

    @property
    def facts(self) -> ImageFacts | None:
        """The facts, when the file is an image that was looked at."""
        return self.known.facts if self.known else None

    @property
    def look(self) -> Look | None:
        """How it looks, when it was decoded and measured."""
        return self.known.look if self.known else None

    @property
    def size(self) -> int | None:
        """Bytes of the file."""
        return self.known.size if self.known else None

    @property
    def shown(self) -> tuple[int, int] | None:
        """Width and height that a browser says the image has."""
        return self.facts.natural if self.facts else None

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of its pixels, the way up that they are shown; nothing for a file that was not looked at."""
        return self.facts.upright if self.facts else (0, 0)


@dataclass(frozen=True, slots=True)
class SetSubject:
    """An image set as the rules see it.

    ``members`` are all candidates, in document order. ``groups`` are those that are meant to show one picture: art direction
    (sources with another ``media``) makes groups of its own, what a browser never selects from is in none, and each URL is in
    a group once.
    """

    image_set: ImageSet
    members: tuple[Member, ...]
    groups: tuple[tuple[Member, ...], ...]
    options: LintOptions
    browser: Browser

    def ladders(self) -> list[tuple[Member, ...]]:
        """The candidates with width descriptors of each source that a browser may select from, where there are two or more."""
        rows = [tuple(m for m in self.of(source) if m.candidate.width is not None) for source in self.sources()]
        return [row for row in rows if len(row) > 1]

    def sources(self) -> list[Source]:
        """The sources that a browser may select from."""
        return [source for source in self.image_set.sources if source.ignored is None]

    def of(self, source: Source) -> tuple[Member, ...]:
        """The members of one source."""
        return tuple(member for member in self.members if member.source is source)


def subject_of(
    image_set: ImageSet, facts: Mapping[str, VariantFacts], options: LintOptions, browser: Browser
) -> SetSubject:
    """Put an image set beside what is known of its files."""
    members = tuple(Member(source, candidate, facts.get(candidate.url)) for source, candidate in image_set.entries)
    groups: dict[str, dict[str, Member]] = {}
    for member in members:
        if member.source.ignored is None:
            groups.setdefault(_direction(member.source), {}).setdefault(member.url, member)
    return SetSubject(image_set, members, tuple(tuple(group.values()) for group in groups.values()), options, browser)


def _direction(source: Source) -> str:
    """What tells art direction apart: the media of a ``source``. That of other elements chooses no picture."""
    return " ".join((source.media or "").lower().split()) if source.carrier == "source" else ""


def variants_of(image_set: ImageSet) -> list[Variant]:
    """The distinct URLs of a set with everything that it promises about each, in document order."""
    promises: dict[str, list[Promise]] = {}
    for source, candidate in image_set.entries:
        place = candidate.reference or Reference(image_set.document, source.carrier, None, image_set.line)
        promises.setdefault(candidate.url, []).append(Promise(candidate.width, source.mime, place))
    return [Variant(url, tuple(rows)) for url, rows in promises.items()]


def lone(problem: Problem) -> ImageSet | None:
    """A set of nothing but a problem, where browsers trip over it: an element all of whose URLs can't be used."""
    if problem.attribute not in WRITTEN:
        return None
    return ImageSet(problem.document, problem.line, (), alt=problem.alt, problems=(problem,))


def lint_options(tolerance: str = "1px", *, ladder: str = "", codes: frozenset[str]) -> LintOptions:
    """Build options from what a user wrote. Raises `UsageError` that says which word is wrong."""
    return LintOptions(parse_tolerance(tolerance), codes, parse_ladder(ladder))


def is_empty_fallback(problem: Problem) -> bool:
    """Whether a problem is that of an ``src`` with nothing in it, or with a ``#`` that stands for nothing."""
    return problem.code in ("empty-url", "fragment-only") and problem.attribute == "src"


def is_written(source: Source) -> bool:
    """Whether browsers read the source's candidates from the page as it is."""
    first = first_reference(source)
    return first is None or first.attribute in WRITTEN


def is_element(source: Source) -> bool:
    """Whether the source is an element whose sizes, media and type browsers read as they stand."""
    return source.carrier in _ELEMENTS and is_written(source)


def first_reference(source: Source) -> Reference | None:
    """Where a source's first URL stands."""
    return next((c.reference for c in (*source.candidates, source.default) if c and c.reference), None)


def first_url(source: Source) -> str:
    """A source's first URL; empty when it has none."""
    return next((c.url for c in (*source.candidates, source.default) if c is not None), "")


_TOLERANCE = pattern(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(px|%)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """``amount`` pixels, or ``amount`` percent of the promised width when ``percent`` is set."""

    amount: Fraction
    percent: bool = False

    def allows(self, promised: int, real: int) -> bool:
        """Whether a real width, in pixels, is near enough to the promised one."""
        if real == promised:
            return True
        most = self.amount * promised / 100 if self.percent else self.amount
        return abs(real - promised) <= most

    def __str__(self) -> str:
        return f"{float(self.amount):g}{'%' if self.percent else 'px'}"


def parse_tolerance(text: str) -> Tolerance:
    """Parse ``1px`` or ``1%`` (decimals allowed). Raises `UsageError` for anything else."""
    found = _TOLERANCE.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"{text!r} is no tolerance: write pixels or percent, such as 1px or 0.5%.")
    tolerance = Tolerance(Fraction(found[1]), percent=found[2] == "%")
    if tolerance.percent and tolerance.amount > 100:
        raise UsageError(f"A tolerance of {text} would allow any width: write at most 100%.")
    return tolerance


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule looks at: one variant, how it was served, and what its bytes turned out to be.

    ``download`` is None for a file that was read from a disk, and for one that could not be fetched. ``known_widths`` are
    the width descriptors of the image sets that name the variant, its own among them.
    """

    variant: Variant
    download: Download | None
    result: Facts | ImageError | FetchError
    tolerance: Tolerance
    known_widths: frozenset[int]
    look: Look | None = None
    storing: bool = True
    """Whether a mirror asks, which keeps only what it can look into."""
    true_ending: bool = False
    """Whether the name that the file is stored under ends as its bytes are."""
    siblings: tuple[Variant, ...] = ()
    """Every variant of the image set, this one among them; empty where they are not at hand."""

    @property
    def unread(self) -> str | None:
        """The format, when the bytes are a picture as promised of a format that is not read here (an SVG drawing, an icon)."""
        if isinstance(self.result, OpaqueFacts):
            return self.result.format
        return unread_kind(self.variant, self.result, self.download)

    @property
    def facts(self) -> ImageFacts | None:
        """The facts, when the bytes are an image."""
        return self.result if isinstance(self.result, ImageFacts) else None

    @property
    def reference(self) -> Reference | None:
        """Where the variant was named first."""
        return self.variant.promises[0].reference if self.variant.promises else None


@dataclass(frozen=True, slots=True)
class Violation:
    """What a rule function yields: the sentence, the two values that disagree, and who made the promise.

    ``url`` is the file concerned, for rules about sets; empty when there is none. ``explains`` are findings, as pairs of rule
    and URL, that this one accounts for: they are not told beside it. ``severity`` is for a lighter case than the rule's.
    """

    message: str
    declared: str | None = None
    actual: str | None = None
    reference: Reference | None = None
    url: str = ""
    explains: frozenset[tuple[str, str]] = frozenset()
    severity: Severity | None = None
