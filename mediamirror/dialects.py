"""What an address asks an image server for, and which picture it names: one table of dialects.

Everything that wants to know about sizes in addresses asks here: grouping by naming, the rules about names and widths, and
what people are told of them. A new dialect is an entry of ``dialects.txt`` (or a name in `QUERY` or `WORDS`) with its example, which
a test reads. An entry says by which pattern a size is found, what stays of the address when it is taken away, and whether it is
asked for or only stands in a name.

No URL is made up and nothing is fetched. Every pattern takes linear time.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from mediamirror.first_use import dataclass, pattern

HOLE = "{}"
"""What stands in a stem where a size stood."""
MAX_URL = 2048
"""Longest URL that is looked at, in code points."""


class Means(Enum):
    """What a word of an operation or a name in a query says."""

    WIDTH = "width"
    HEIGHT = "height"
    SIZE = "size"
    """Width and height, or one number for the longer side."""
    BOX = "box"
    """Width and height; a lone number says something else."""
    DENSITY = "density"
    FORMAT = "format"
    WITH = "with"
    """Says nothing of the size, and belongs to it: a crop, a quality."""
    OPERATIONS = "operations"
    """Its value is a list of operations, of `WORDS`."""


class Asked(NamedTuple):
    """What an address asks for. Sizes are pixels of the file, the density multiplied in; None is not said.

    ``dialect`` names the row of the table. ``format`` is a format, or ``auto`` where the server chooses one.
    """

    dialect: str
    width: int | None = None
    height: int | None = None
    format: str | None = None

    @property
    def sized(self) -> bool:
        """Whether a width or a height is asked for."""
        return self.width is not None or self.height is not None


class Reading(NamedTuple):
    """One address read: what it asks for (None: nothing), and its ``stem``, the same for all sizes of one picture."""

    asked: Asked | None
    stem: str


@dataclass(frozen=True, slots=True)
class Form:
    """One dialect whose sizes stand in the path.

    ``pattern`` may have the groups ``w``, ``h`` and ``f`` (format). ``by`` takes its place in the stem. ``hint`` and ``host``
    are texts that an address of this dialect always holds (or one of several, with blanks between): without them the pattern
    is not tried. ``signs`` are given where the size stands at the end of a file's name, which no server reads: its pattern is that
    of what stands between one of these characters and the ending. ``example`` is one address of it, ``source`` where it was seen.
    """

    name: str
    pattern: str
    example: str
    source: str
    by: str = ""
    hint: str = ""
    host: str = ""
    signs: str = ""

    @property
    def in_folders(self) -> bool:
        """Whether all that its pattern matches stands before the last slash."""
        return self.pattern.endswith(("/", "/)"))

    @property
    def needs_name(self) -> bool:
        """Whether it may match behind the last slash although its hint stands before that, or it has none."""
        ends = self.pattern.endswith((r"\Z", r"\Z)"))
        in_name = bool(self.hint) and ends and "/" not in self.pattern and "[^" not in self.pattern
        return not in_name and not self.in_folders


_EXT = r"(?=\.(?:jpe?g|png|webp|avif|gif)(?:\.(?:webp|avif))?\Z)"
"""Where a file's name ends: the size stands before it."""
_SIZES = r"(?:thumb(?:nail)?|small|medium|large|x-?large|xs|sm|md|lg|x{1,3}l|mini|big|full|orig(?:inal)?|preview)"
_TERMS = {"<number>": r"[1-9][0-9]{1,4}", "<sizes>": _SIZES, "<ending>": _EXT}


def _forms(table: str) -> Iterable[Form]:
    for entry in table.split("\n\n"):
        name, *rows = entry.strip().splitlines()
        if name.startswith("["):
            told = dict(row.split(" = ", 1) for row in rows)
            for term, meaning in _TERMS.items():
                told["pattern"] = told["pattern"].replace(term, meaning)
            yield Form(name[1:-1], **told)


FORMS: tuple[Form, ...] = tuple(_forms(Path(__file__).with_name("dialects.txt").read_text(encoding="utf-8")))


def _by_word(rows: dict[Means, str]) -> dict[str, Means]:
    return {word: means for means, words in rows.items() for word in words.split()}


WORDS = _by_word(
    {
        Means.WIDTH: "w fw width wid mw maxwidth",
        Means.HEIGHT: "h fh height hei mh maxheight",
        Means.SIZE: "s size resize fitandfill thumbnail cover contain inside crop max min",
        Means.DENSITY: "dpr zoom",
        Means.FORMAT: "f fm format o output",
    }
)
"""Operations in a segment of the path or in a value: ``w_320,f_auto`` (Cloudinary, Wix, ipx), ``width=320,fit=cover``
(Cloudflare), ``resize=width:320`` (Hygraph, Filestack),
``cover=320x-`` (TwicPics), ``w-320`` (ImageKit), ``w:320`` (imgproxy, Optimole)."""

QUERY = _by_word(
    {
        Means.WIDTH: "w width wid imwidth maxwidth max-w sw rw im_w mw imgwidth odnwidth scale.width scale-down-to",
        Means.HEIGHT: "h height hei imheight maxheight max-h sh mh rh odnheight scale.height",
        Means.SIZE: "resize fit size downsize",
        Means.BOX: "thumb cs _ex fitin s",
        Means.DENSITY: "dpr zoom",
        Means.FORMAT: "fm format fmt f output wx_fmt auto ext type to",
        Means.WITH: "crop quality q strip canvas",
        Means.OPERATIONS: "tr imgeng im twic x-oss-process x-image-process image_process imageslim imgopt io fn "
        "imagemogr2 imageview2",
    }
)
"""Names in a query: imgix and all that speak as it does, Shopify, Photon, Scene7, Akamai, ImageKit (``tr``), ImageEngine
(``imgeng``), TwicPics, Alibaba, Huawei, Qiniu and Tencent (``imageMogr2/thumbnail/320x``, with no ``=`` after the name). Values
that can't be what the name means leave the pair alone: ``?s=abc``, ``?size=big``, ``?w=1``."""


_Row = tuple[Form, re.Pattern[str]]


def _rows(wanted: Callable[[Form], bool]) -> tuple[_Row, ...]:
    return tuple((form, pattern(form.pattern, re.IGNORECASE | re.ASCII)) for form in FORMS if wanted(form))


_WITH_HOST = _rows(lambda f: bool(f.host))
_HOST = pattern("|".join(re.escape(form.host) for form, _ in _WITH_HOST))
_WITH_HINT = _rows(lambda f: bool(f.hint) and not f.host)
_SEGMENTS = _rows(lambda f: not (f.host or f.hint or f.signs))
_IN_NAME = {sign: [form for form in FORMS if sign in form.signs] for sign in "-_.@"}
_SIZE_IN_NAME = pattern(
    "(?:"
    + "|".join(
        f"{re.escape(sign)}(?:{'|'.join(f'{form.pattern}()' for form in forms)})" for sign, forms in _IN_NAME.items()
    )
    + f"){_EXT}",
    re.IGNORECASE | re.ASCII,
)
"""One of the rows about names. A group at the end of each says which it was."""
_LEFT = [
    left for forms in _IN_NAME.values() for form in forms for left in (["", form.by] if "\\1" in form.by else [form.by])
]
"""What is left of it, by the group."""


def _found_as(text: str) -> tuple[str, str, str]:
    """Take a text apart: what stands before its first character that is no letter or digit, from there on, a slash at its end."""
    at = next(index for index, each in enumerate(text) if not each.isalnum())
    end = "/" if text[at + 1 :].endswith("/") else ""
    return text[:at], text[at:].removesuffix(end) if end else text[at:], end


def _any_of(texts: Iterable[str]) -> str:
    """Write an expression that finds one of several texts. It looks only where a character stands that is no letter or digit.

    A slash at the end is not part of what is found: another text may begin with it.
    """
    found: dict[str, list[str]] = {}
    for text in sorted(set(texts), reverse=True):  # of two that begin alike, the longer first
        before, here, end = _found_as(text)
        behind = f"(?<={re.escape(before + here[0])})" if before else ""
        found.setdefault(re.escape(here[0]), []).append(behind + re.escape(here[1:]) + (end and "(?=/)"))
    return "|".join(f"{mark}(?:{'|'.join(rest)})" for mark, rest in found.items())


_HINTS = [(hint, place) for place, (form, _) in enumerate(_WITH_HINT) for hint in form.hint.split(" ")]
_HINT = pattern(_any_of(hint for hint, _ in _HINTS))
_BY_HINT = {
    here: [
        place
        for hint, place in _HINTS
        for _, text, end in [_found_as(hint)]
        if text == here or here.startswith(text + end)
    ]
    for _, here, _ in map(_found_as, dict(_HINTS))
}
"""Places of rows in `_WITH_HINT`, by what `_HINT` finds where their hint stands."""
_TAILS = [
    hint[max(hint.rfind("/"), 0) :] for hint, place in _HINTS if hint[-1] != "/" and not _WITH_HINT[place][0].in_folders
]
"""What stands in a name, with the slash before it, where a hint ends in the name."""
_PLAIN_NAME = pattern(
    rf"(?!{'|'.join(re.escape(tail[1:]) for tail in _TAILS if tail[0] == '/')})[A-Za-z0-9-]*+"
    rf"(?:(?!{_any_of(tail for tail in _TAILS if tail[0] != '/')})[._][A-Za-z0-9-]*+)*"
)
"""A name that no dialect reads together with its folders, and that holds no list of operations. Most are so."""
_SEGMENT_SIGN = pattern(
    r"/(?:[0-9]{1,5}+(?:w|px|x(?:orig|-?[0-9]{0,5}h?))/"
    r"|(?=[cdfhimoprstwx-])(?:[sprc-][0-9]{2,5}+(?:w|px|x(?:orig|-?[0-9]{0,5}h?))/|x[0-9]{2,5}/"
    r"|tr:|(?:s[_-]|resize=)?[wh](?:idth|eight)?[_=:-]?[0-9]|s_[0-9]|(?:fm?|format|o|output=f(?:ormat)?)[_=:]"
    r"|(?:dpr[_:]|(?:resize|cover|contain|inside|crop|max|min)(?:-m(?:ax|in))?=)[0-9]))",
    re.IGNORECASE,
)
"""What every address has that a row without a hint knows, or one of whose segments is a lone operation."""
_LONGEST_SIZE = 100
"""Sizes stand at the end of a name and are short: no more of it is searched."""
_MOST_SIZES = 3
"""A name may end in several (``-300x200-scaled``): so many are taken away."""
_WORD = pattern(
    r"(?<![a-z0-9])(?P<name>f?w|width|wid|mw|maxwidth|f?h|height|hei|mh|maxheight|s|size|resize|fitandfill|thumbnail"
    r"|(?:cover|contain|inside|crop|max|min)(?==)|dpr|zoom|f|fm|format|o|output)[_=:/-][!(]?"
    r"(?P<value>[0-9]{1,5}(?:\.[0-9]{1,2})?(?:x[0-9]{0,5}|,[0-9]{1,5}(?=\)))?(?=r?(?:[^0-9a-z.:]|:(?![0-9])|\Z))|(?!width|height|format|fit)[a-z]{3,5}(?![a-z0-9]))",
    re.IGNORECASE | re.ASCII,
)
_OPERATION = pattern(
    r"(?:\A|(?<=/))(?:(?P<lone>(?:tr:[wh]-|s[_-][wh][_-]|(?:resize=)?[wh](?:idth|eight)?[_=:]|(?:width|height)-)(?!20[12][0-9](?:/|\Z))[0-9]{2,5}|s_[0-9]{2,5}x[0-9]{0,5}"
    r"|(?:resize|cover|contain|inside|crop|max|min)(?:-m(?:ax|in))?=[0-9]{2,5}(?:x(?:[0-9]{1,5}|-)?)?|dpr[_:][0-9](?:\.[0-9]{1,2})?"
    r"|w(?!20[12][0-9](?:/|\Z))(?:[0-9]{3,4}|[6-9][0-9])(?:h[0-9]{2,5})?|(?:f|fm|format|o|output=f|output=format)[_=:][a-z]{3,5})(?=/|\Z)"
    r"|tr:[^/]*|[^/,;&%+]*+(?:(?!%2C|\+[wh]_)[%+][^/,;&%+]*+|(?!))*+[,;&%+][^/]*+)",
    re.IGNORECASE | re.ASCII,
)
_COMPACT = pattern(r"w(?P<w>[0-9]{2,5})(?:h(?P<h>[0-9]{2,5}))?", re.IGNORECASE | re.ASCII)
_ANOTHER = pattern(r"(?:\A|(?<=/))https?(?::|%3A)(?=/|\Z)")
"""Behind it stands what is asked of another server."""
_FILE = pattern(r"\.[a-z0-9]{2,5}\Z", re.IGNORECASE | re.ASCII)
_PAIR = pattern(r"(0|[0-9]{2,5})(?:\.[0-9]+)?(?:px)?(?:[,x:]([0-9]{0,5})(?:px)?\*?)?", re.IGNORECASE)
_NAMED_WIDTH = pattern(r"([0-9]{2,5})w|w([0-9]{2,5})")
_SIGNATURE = pattern(
    r"(?:s|c|sig|signature|sign|hmac|hash|token)=(?:sha256(?::|%3A))?(?:[0-9a-f]{16,128}|[a-z0-9_-]{27,86}(?:=|%3D){0,2})",
    re.IGNORECASE,
)
"""A pair of a query that signs the others: another for each size."""
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".ashx")
_NUMBER_VALUE = pattern(r"(0|[5-9]|[0-9]{2,5})(?:\.[0-9]+)?(?:px)?", re.IGNORECASE)
_DENSITY_VALUE = pattern(r"[0-5](?:\.[0-9]{1,3})?")
_FORMAT_NAME = pattern(
    r"(?<![^,;/+ ])(?:auto|format|jpe?g|pjpg|png|webp|avif|gif|jxl)(?=[,;+ ]|-alpha|l[ly]\Z|\Z)", re.IGNORECASE
)
_OPTIMISERS = tuple(
    f"{path}{end}"
    for path in ("/_next/image", "/_vercel/image", "/_amplify/image", "/_image", "/.netlify/images")
    for end in ("", "/")
)
_SOURCE = pattern(r"(?:\A|&)(?:url|href|src)=([^&]+)")
_MOST_NESTED = 4
"""An original that is a parameter may be an address with a parameter of its own: so many are followed."""


_KEPT = 4096
"""Readings of folders, queries and operations that are kept for the next address."""
_DENSEST = 10
_WIDEST = 9999
"""A lone number over it is an id or a count, no size."""
_STEP = pattern(r"((?<!tr)(?<!transform):(?=[a-z]{1,3}-)|/(?![0-9!]|(?:auto|avif|jpe?g|png|webp)\b)|;)", re.IGNORECASE)
"""What stands between the steps of a chain."""
_LAYER = pattern(r"(?:\A|,)(?:[lu]_|l-(?!end)|watermark)", re.IGNORECASE)
"""What begins a picture or a text that is laid over."""
_ONE_SIDE, _BOTH_SIDES = "query", "query of two sides"


class _Found:
    """What was found so far; the first that names a side says it, since a server reads what stands nearest to it."""

    dialect = ""
    width: int | None = None
    height: int | None = None
    density = 1.0
    format: str | None = None

    def size(self, dialect: str, width: str | None, height: str | None) -> None:
        """Take a width or a height; 0 and nothing are not said."""
        wide, high = int(width or 0) or None, int(height or 0) or None
        # Photon's w beats its resize and its fit.
        beaten = self.dialect == _BOTH_SIDES and dialect == _ONE_SIDE
        if (beaten or (self.width is None and self.height is None)) and (wide or high):
            self.width, self.height, self.dialect = wide, high, dialect
        elif self.dialect == dialect:
            self.width, self.height = self.width or wide, self.height or high

    def step(self, dialect: str, width: str | None, height: str | None, *, whole: bool) -> None:
        """Take a step of a chain: the picture is as the last says. A ``whole`` one leaves nothing of those before it."""
        wide, high = int(width or 0), int(height or 0)
        if wide or high:
            alone = self.dialect == "operations" and dialect == "segment"
            if alone or (self.dialect == dialect and (whole or (wide and self.width) or (high and self.height))):
                self.width = self.height = None
            self.size(dialect, width, height)

    def asked(self) -> Asked | None:
        """The whole, or None where nothing is asked for."""
        width, height, times = self.width, self.height, self.density
        if width is None and height is None and self.format is None:
            return None
        if times != 1 and 0 < times <= _DENSEST:
            width, height = width and round(width * times), height and round(height * times)
        return Asked(self.dialect or "format", width, height, self.format)


def read(url: str) -> Reading:
    """Read one address. Its fragment is left away; one longer than `MAX_URL` is its own stem and asks for nothing.

    The folders of an address and its query are read once for all that share them. That is enough for most; where a dialect
    needs the name beside its folders, or where two places say something, the address is read as a whole.
    """
    if len(url) > MAX_URL:
        return Reading(None, url)
    if "#" in url:
        url = url.partition("#")[0]
    address, _, query = url.partition("?")
    cut = address.rfind("/") + 1
    name = address[cut:]
    asked, stem, in_styles, needs_name = _read_folders(address[:cut])
    if needs_name or _PLAIN_NAME.fullmatch(name) is None:
        asked, stem = _read_address(address, _Found())
    else:
        stem = f"{stem}{_read_name(name)}"
    if not query:
        return Reading(asked, stem)
    told, ends, speaks = _read_outer_query(query, in_styles, name.lower().endswith(_PICTURES))
    original = _original(address, query) if address.endswith(_OPTIMISERS) else None
    if original is not None and "?" not in original:
        asked, stem = read(original)
        ends = ""
    if (original is not None and "?" in original) or (asked is not None and speaks):
        return _read_whole(address, query)
    return Reading(asked or told, f"{stem}{ends}")


def _read_whole(address: str, query: str) -> Reading:
    """Read a query and what stands before it in one another's light."""
    found = _Found()
    for _ in range(_MOST_NESTED):
        query = _read_query(query, "/styles/" in address, address.lower().endswith(_PICTURES), found) if query else ""
        original = _original(address, query) if address.endswith(_OPTIMISERS) else None
        if original is None:
            break
        address, _, query = original.partition("#")[0].partition("?")
    asked, stem = _read_address(address, found)
    return Reading(asked, f"{stem}{query and '?' + query}")


def _read_address(address: str, found: _Found) -> Reading:
    """Read all before the query."""
    origin, path, _ = split(address)
    path = _read_path(path, _rows_for(origin, path), found)
    return Reading(found.asked(), f"{origin}{path}")


def split(url: str) -> tuple[str, str, str]:
    """Take a URL apart: ``https://host``, the path, the query without its ``?``. Its fragment goes."""
    address, _, query = url.partition("#")[0].partition("?")
    start = address.find("//")
    if start < 0 or "/" in address[:start]:  # what stands in a path is the address of another server
        return "", address, query
    end = address.find("/", start + 2)
    end = len(address) if end < 0 else end
    return address[:end], address[end:], query


@functools.lru_cache(maxsize=_KEPT)
def _read_outer_query(query: str, in_styles: bool, of_picture: bool) -> tuple[Asked | None, str, bool]:
    """Read a query before which nothing was read: the pictures of a site share a few.

    Return what it asks for, what is left of it, and whether it says how to read what is asked for before it.
    """
    found = _Found()
    left = _read_query(query, in_styles, of_picture, found)
    told = found.asked()
    return told, left and "?" + left, told is not None or found.density != 1


@functools.lru_cache(maxsize=_KEPT)
def _read_folders(folders: str) -> tuple[Asked | None, str, bool, bool]:
    """Read all before the name, by itself: the pictures of a site share a few.

    Return what they ask for, their part of the stem, whether they are of a Drupal style, and whether a dialect of theirs looks at
    the name, too.
    """
    origin, path, _ = split(folders)
    in_styles = "/styles/" in path
    rows = _rows_for(origin, path)
    if (folders and not path) or (rows and any(form.needs_name for form, _ in rows)):
        return None, folders, in_styles, True
    if not rows and _SEGMENT_SIGN.search(path) is None and not _has_list(path):
        return None, folders, in_styles, False
    found = _Found()
    stem = origin + _read_path(path, rows, found)
    return found.asked(), stem, in_styles, False


def _read_query(query: str, in_styles: bool, of_picture: bool, found: _Found) -> str:
    """Note what a query asks for; return it without the sizes, and without what goes with them."""
    pairs = query.split("&")
    if (
        in_styles or "ik-s=" in query
    ):  # what signs a Drupal style, and an address of ImageKit, is another for every size
        pairs = [pair for pair in pairs if not pair.startswith(("itok=", "ik-s="))]
    left: list[str] = []
    for pair in pairs:
        name, _, value = pair.partition("=")
        if "/" in name:
            name, value = name.partition("/")[0], pair
        means = QUERY.get(name.lower())
        if means is None or not _take(means, name.lower(), value, found):
            left.append(pair)
    if len(left) < len(pairs):  # a size is asked for
        of_picture = of_picture or _SOURCE.search(query) is not None
        left = [pair for pair in left if not _goes_along(pair, of_picture)]
    return "&".join(left)


def _goes_along(pair: str, of_picture: bool) -> bool:
    """Whether a pair beside a size says how the picture is made in that size, or signs it."""
    name, _, value = pair.partition("=")
    made = QUERY.get(name.lower()) is Means.WITH and _PAIR.fullmatch(unquote(value)) is not None
    return made or pair.startswith("$") or (of_picture and _SIGNATURE.fullmatch(pair) is not None)


def _take(means: Means, name: str, value: str, found: _Found) -> bool:
    """Note one pair of a query; False where the value can't be what the name means."""
    if means is Means.WITH and name != "q":
        return False
    value = unquote(value) if "%" in value else value
    if means is Means.WIDTH or means is Means.HEIGHT:
        number = _NUMBER_VALUE.fullmatch(value)
        if number is not None:
            found.size(_ONE_SIDE, *((number[1], None) if means is Means.WIDTH else (None, number[1])))
        return number is not None
    if means is Means.SIZE or means is Means.BOX:
        pair = _PAIR.fullmatch(value)
        if pair is not None and pair[2] is None and (means is Means.BOX or int(pair[1]) > _WIDEST):
            return False
        if pair is not None:
            found.size(_BOTH_SIDES, pair[1], pair[2])
        return pair is not None
    if means is Means.FORMAT:
        named = _FORMAT_NAME.search(value)
        found.format = found.format or (named[0].lower() if named else None)
        wide = _NAMED_WIDTH.fullmatch(value) if name in {"format", "type"} else None
        if wide is not None:
            found.size("squarespace", wide[1] or wide[2], None)
        return wide is not None
    if means is Means.DENSITY and _DENSITY_VALUE.fullmatch(value) is not None:
        found.density = float(value)
        return True
    listed = means is Means.OPERATIONS or (name == "q" and "," in value)
    return listed and _operations(name, value, found) != value


class _Step(NamedTuple):
    """What one step of a list of operations says; ``whole``: it stands between others, and is all that is done in its turn."""

    width: str | None
    height: str | None
    whole: bool
    density: float | None
    format: str | None


def _operations(dialect: str, text: str, found: _Found) -> str:
    """Note what a list of operations asks for; return it with holes in place of the sizes."""
    left, steps = _steps_of(text)
    for step in steps:
        found.format = found.format or step.format
        found.density = step.density or found.density
        found.step(dialect, step.width, step.height, whole=step.whole)
    return left


@functools.lru_cache(maxsize=_KEPT)
def _steps_of(text: str) -> tuple[str, list[_Step]]:
    """Read a list of operations: the pictures of a site share a few.

    Steps of a chain follow each other, and the last says how large the picture is; a picture laid over it has a size of its own.
    """
    left, read, layers = [], [], 0
    for step in _STEP.split(text):
        layer = _LAYER.search(step)
        own = layer.start() if layer is not None else 0 if layers else len(step)
        if own:  # not laid over, or not all of it
            holed, says = _read_step(step[:own])
            left.append(holed)
            read.append(says)
        left.append(step[own:])
        if layer is not None and "l-" in layer[0]:
            layers += 1
        if layers and "l-end" in step:
            layers -= 1
    return "".join(left), read


@functools.lru_cache(maxsize=_KEPT)
def _read_step(text: str) -> tuple[str, _Step]:
    """Return a step with holes, and what it says."""
    sides: list[str | None] = [None, None]
    density, named = None, None

    def take(word: re.Match[str]) -> str:
        nonlocal density, named
        means, value = WORDS[word["name"].lower()], word["value"].lower()
        if means is Means.FORMAT:
            named = named or (value if _FORMAT_NAME.fullmatch(value) is not None else None)
            return word[0]
        if not value[0].isdigit():
            return word[0]
        wide, _, high = value.replace(",", "x").partition("x")
        if means is Means.DENSITY:
            density = float(wide)
            return HOLE
        side = wide.partition(".")[0]
        if len(wide) > 1 == len(side) or side in {"1", "2", "3", "4"}:  # a share of the original, or no size
            return word[0]
        if means is not Means.HEIGHT:
            sides[0] = sides[0] or side
        if means is Means.HEIGHT or high:
            sides[1] = sides[1] or (side if means is Means.HEIGHT else high)
        return HOLE

    left = _WORD.sub(take, text)
    return left, _Step(sides[0], sides[1], "," in text, density, named)


def _original(address: str, query: str) -> str | None:
    """Next.js, Vercel, Astro, Netlify: the original is a parameter."""
    source = _SOURCE.search(query)
    if source is None:
        return None
    url = unquote(source[1])
    return url if "//" in url[:8] else f"{split(address)[0]}{'' if url.startswith('/') else '/'}{url}"


def _rows_for(origin: str, path: str) -> tuple[_Row, ...]:
    hints = _HINT.findall(path)
    return _rows_of(origin, *hints) if hints or _HOST.search(origin) is not None else ()


@functools.lru_cache(maxsize=_KEPT)
def _rows_of(origin: str, *hints: str) -> tuple[_Row, ...]:
    places = sorted({place for hint in hints for place in _BY_HINT[hint]})
    return *(row for row in _WITH_HOST if row[0].host in origin), *(_WITH_HINT[place] for place in places)


def _read_path(path: str, rows: Iterable[_Row], found: _Found) -> str:
    """Note what a path asks for; return it with holes, and without what belongs to its sizes."""
    another = _ANOTHER.search(path) if "/http" in path else None
    if (
        another is not None and another.start()
    ):  # what stands behind it is asked of another server, unless nothing is asked before
        head = _read_path(path[: another.start()], rows, found)
        if found.width is not None or found.height is not None:
            folders, slash, name = path[another.start() :].rpartition("/")
            return f"{head}{folders}{slash}{_read_name(name)}"
    for form, written in rows:
        path = _read_form(form, written, path, found)
    folders, slash, name = path.rpartition("/")
    name = _read_name(name)
    signed = _SEGMENT_SIGN.search(f"{folders}/") is not None
    if signed:
        path = f"{folders}/"
        for form, written in _SEGMENTS:
            path = _read_form(form, written, path, found)
        folders = path[:-1]
    listed = _has_list(name) or name.startswith(("w=", "width=", "h=", "height="))
    if signed or listed or _has_list(folders):
        another = another and _ANOTHER.search(folders)
        end = len(folders) if another is None else another.start()
        folders = _OPERATION.sub(functools.partial(_read_segment, found), folders[:end]) + folders[end:]
        if listed and another is None and _FILE.search(name) is None:
            name = _operations("operations", name, found)
    return f"{folders}{slash}{name}"


def _read_segment(found: _Found, segment: re.Match[str]) -> str:
    """Note what the operations of a segment ask for; return it with holes."""
    if segment["lone"] is None:
        return _operations("operations", segment[0], found)
    compact = _COMPACT.fullmatch(segment[0])
    if compact is None:
        return _operations("segment", segment[0], found)
    found.size("segment", compact["w"], compact["h"])
    return HOLE


def _read_form(form: Form, written: re.Pattern[str], path: str, found: _Found) -> str:
    match = written.search(path)
    if match is None:
        return path
    groups = written.groupindex
    if groups:
        found.size(form.name, match["w"] if "w" in groups else None, match["h"] if "h" in groups else None)
        found.format = found.format or (match["f"] if "f" in groups else None)
    return _without(match, form.by, path)


def _without(match: re.Match[str], by: str, text: str) -> str:
    if "\\1" in by:  # what `Match.expand` does, which reads its template anew at each call
        by = by.replace("\\1", match[1])
    return text[: match.start()] + by + text[match.end() :]


def _read_name(name: str) -> str:
    """Take the sizes from the end of a file's name. They ask for nothing: no server reads them."""
    left_over = _MOST_SIZES
    while left_over and (match := _SIZE_IN_NAME.search(name, len(name) - _LONGEST_SIZE)) is not None:
        left_over -= 1
        group = match.lastindex or 0
        left = _LEFT[group - 1]
        kept = match[group - 1] if "\\1" in left else ""
        name = name[: match.start()] + left.replace("\\1", kept) + name[match.end() :]
        if left:  # a hole stands before the ending, and nothing else can
            break
    return name


def _has_list(path: str) -> bool:
    """Whether something in it stands between the operations of a list."""
    return "," in path or "&" in path or "%2C" in path or ";" in path or "+w_" in path or "+h_" in path
