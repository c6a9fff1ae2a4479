"""How sites name the sizes of one picture: each rule takes the size out of a URL.

What is left is the URL of the original where the rule knows it (``photo-300x200.jpg`` of WordPress is made from ``photo.jpg``),
else the URL with ``{}`` in place of the size. Nothing of it is ever fetched: it only tells which URLs belong together.

| family                 | a size of                                    | is                                                     |
|------------------------|----------------------------------------------|--------------------------------------------------------|
| WordPress              | ``photo.jpg``                                | ``photo-300x200.jpg``, ``photo-scaled.jpg``            |
| Spatie media library   | ``name___media_library_original_{}.jpg``     | ``name___media_library_original_1280_720.jpg``         |
| Spatie, named sizes    | ``name-___webp_{}.webp``                     | ``name-sm-___webp_480.webp``                           |
| densities              | ``logo.png``                                 | ``logo@2x.png``, ``logo-2x.png``                       |
| widths in names        | ``photo.webp``                               | ``photo@480w.webp``, ``photo-w480.webp``              |
| words                  | ``photo-{}.jpg``                             | ``photo-small.jpg``, ``photo_large.jpg``               |
| Shopify                | ``photo.jpg``                                | ``photo_480x.jpg``, ``photo_480x320_crop_center@2x.jpg`` |
| futurecdn              | ``HASH.jpg.webp``                            | ``HASH-480-80.jpg.webp``                               |
| Next.js, Vercel, Astro | the ``url`` parameter                        | ``/_next/image?url=…&w=640&q=75``                      |
| Gatsby                 | ``/static/HASH/{}/photo.jpg``                | ``/static/HASH/1a2b3/photo.jpg``                       |
| Ghost                  | ``/content/images/photo.jpg``                | ``/content/images/size/w600/photo.jpg``                |
| MediaWiki              | ``/commons/a/ab/Photo.jpg``                  | ``/commons/thumb/a/ab/Photo.jpg/300px-Photo.jpg``      |
| Drupal                 | ``/files/photo.jpg``                         | ``/files/styles/large/public/photo.jpg?itok=…``        |
| Bitrix                 | ``/upload/iblock/1a2/photo.jpg``             | ``/upload/resize_cache/iblock/1a2/480_320_1/photo.jpg`` |
| Discourse, Storyblok   | ``/original/1X/HASH.jpeg``                   | ``/optimized/1X/HASH_2_690x388.jpeg``                  |
| BBC                    | ``/ic/{}/p.jpg``                             | ``/ic/480xn/p.jpg``, ``/ace/standard/480/…``           |
| Medium                 | ``/v2/{}/1*abc.jpeg``                        | ``/v2/resize:fit:640/1*abc.jpeg``                      |
| WeChat, Google, IIIF   | ``…/{}``                                     | ``…/640?wx_fmt=gif``, ``…=w640-h480``, ``/full/640,/`` |
| a path's segment       | ``/{}/photo.jpg``                            | ``/480x320/…``, ``/w_480,c_fill/…``, ``/width=480,q=7/…`` |
| a query                | ``photo.jpg``                                | ``photo.jpg?w=480&h=320``, ``?format=500w``           |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

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
