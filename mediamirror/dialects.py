"""What an address asks an image server for, and which picture it names: one table of dialects.

Everything that wants to know about sizes in addresses asks here: grouping by naming, the rules about names and widths, and
what people are told of them. A new dialect is one row of `FORMS` (or a name in `QUERY` or `WORDS`) and its example, which a
test reads. Rows are data: a pattern, what stays of the address when the size is taken away, and whether the size is asked for
or only stands in a name.

No URL is made up and nothing is fetched. Every pattern takes linear time.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from enum import Enum
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
    is not tried. ``in_name`` says that the
    size stands at the end of a file's name, which no server reads; ``last`` are the characters, in lower case, one of which
    then stands before the ending. ``example`` is one address of it, ``source`` where it was seen.
    """

    name: str
    pattern: str
    example: str
    source: str
    by: str = ""
    hint: str = ""
    host: str = ""
    in_name: bool = False
    last: str = ""

    @property
    def in_folders(self) -> bool:
        """Whether all that its pattern matches stands before the last slash."""
        return self.pattern.endswith(("/", "(?=/)"))

    @property
    def needs_name(self) -> bool:
        """Whether it may match behind the last slash although its hint stands before that, or it has none."""
        ends = self.pattern.endswith((r"\Z", r"\Z)"))
        in_name = bool(self.hint) and ends and "/" not in self.pattern and "[^" not in self.pattern
        return not in_name and not self.in_folders


_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_EXT = r"(?=\.(?:jpe?g|png|webp|avif|gif)(?:\.(?:webp|avif))?\Z)"
"""Where a file's name ends: the size stands before it."""
_SIZES = r"(?:thumb(?:nail)?|small|medium|large|x-?large|xs|sm|md|lg|x{1,3}l|mini|big|full|orig(?:inal)?|preview)"
_NUMBER = r"[1-9][0-9]{1,4}"
_W, _H = rf"(?P<w>{_NUMBER})", rf"(?P<h>{_NUMBER})"

FORMS: tuple[Form, ...] = (
    Form(
        "discourse",
        r"/optimized/(\d+X/(?:[0-9a-f]+/)*[0-9a-f]+)_\d+_(?P<w>\d+)x(?P<h>\d+)(?=\.)",
        "/up/optimized/1X/abc12_2_690x388.jpeg",
        "Discourse 3",
        by=r"/original/\1",
        hint="/optimized/",
    ),
    Form(
        "storyblok",
        r"(\.[a-z]{3,4})/m/(?:[0-9]+x[0-9]+:[0-9]+x[0-9]+/)?(?:fit-in/)?(?:(?P<w>[0-9]{1,5})x(?P<h>[0-9]{1,5}))?(?:/?(?:smart|filters:[^/]*+)|(?!))*+/?\Z",
        "https://a.storyblok.com/f/1/1000x500/p.jpg/m/480x0/",
        "@nuxt/image 2 storyblok",
        by=r"\1",
        hint="/m/",
    ),
    # Sizes at the end of a file's name: given when the file was made, not read by a server.
    Form(
        "spatie-size",
        r"___(\w{1,60}?)_[0-9]{2,5}_[0-9]{2,5}" + _EXT,
        "/r/n___media_library_original_640_360.jpg",
        "spatie/laravel-medialibrary 11",
        by=rf"___\1_{HOLE}",
        hint="___",
        in_name=True,
        last=_DIGITS,
    ),
    Form(
        "spatie",
        rf"-(?:{_SIZES}-)?___([a-z]+)_[0-9]{{2,5}}" + _EXT,
        "/c/a6dc-sm-___webp_480.webp",
        "spatie/laravel-medialibrary 11",
        by=rf"-___\1_{HOLE}",
        hint="___",
        in_name=True,
        last=_DIGITS,
    ),
    Form(
        "density",
        r"[@_-](?:[1-4](?:\.[0-9]{1,2})?|0\.[0-9]{1,2})x" + _EXT,
        "/logo@2x.png",
        "Apple's naming of assets",
        in_name=True,
        last="x",
    ),
    Form(
        "shopify-name",
        r"_(?:[0-9]{1,4}x[0-9]{0,4}|x[0-9]{1,4}|pico|icon|thumb|small|compact|medium|large|grande|original|master)"
        r"(?:_crop_(?:center|top|bottom|left|right))?(?:@[23]x)?(?=(?:\.progressive)?\.(?:jpe?g|png|webp|avif|gif)\Z)",
        "https://cdn.shopify.com/s/p_large.jpg",
        "Shopify img_url",
        host="shopify.",
        in_name=True,
    ),
    Form(
        "shopify",
        r"[-_][0-9]{2,4}x(?:[0-9]{2,4})?(?:_crop_(?:center|top|bottom|left|right))?(?:@[23]x)?" + _EXT,
        "/s/p_480x320_crop_center@2x.jpg",
        "Shopify img_url",
        hint="x",
        in_name=True,
        last=_DIGITS + _LETTERS,
    ),
    Form(
        "wagtail",
        r"\.(?:(?:max|min|fill)-[0-9]{2,5}x[0-9]{2,5}|(?:width|height)-[0-9]{2,5})(?:-c[0-9]{1,3})?(?:\.[a-z-]+(?:-[0-9]+)?)?"
        + _EXT,
        "/images/portrait.max-600x600.jpg",
        "Wagtail 8",
        hint="-",
        in_name=True,
        last=_DIGITS + _LETTERS,
    ),
    Form(
        "wordpress",
        rf"[-_.]{_NUMBER}x{_NUMBER}(?:[-_]crop)?" + _EXT,
        "/up/photo-300x200.jpg",
        "WordPress 6",
        hint="x",
        in_name=True,
        last=_DIGITS + "p",
    ),
    Form("scaled", r"-scaled" + _EXT, "/up/photo-scaled.jpg", "WordPress 6", hint="-scaled", in_name=True, last="d"),
    Form(
        "width-name",
        rf"[-_.@](?:w_?{_NUMBER}|{_NUMBER}(?:w|px))" + _EXT,
        "/p-w960.webp",
        "many",
        in_name=True,
        last=_DIGITS + "wx",
    ),
    Form("size-word", rf"[-_]{_SIZES}" + _EXT, "/p-small.jpg", "many", by=f"-{HOLE}", in_name=True, last=_LETTERS),
    Form(
        "futurecdn",
        r"-(?P<w>[1-9][0-9]{2,3})-[1-9][0-9]" + _EXT,
        "https://cdn.mos.cms.futurecdn.net/aB-480-80.jpg",
        "Future",
        host="futurecdn.",
    ),
    Form(
        "mediawiki-name",
        r"(?<=/)((?:[a-z]{1,20}[0-9]{0,5}-){0,3})(?P<w>[0-9]{1,5})px-(?:[^/]+)\Z",
        "/w/commons/thumb/a/ab/P.jpg/300px-P.jpg",
        "MediaWiki 1.44",
        by=rf"\1{HOLE}",
        hint="/thumb/",
    ),
    # Sizes in a folder's name.
    Form(
        "ghost",
        r"/size/w(?P<w>[0-9]{1,5})(?:h(?P<h>[0-9]{1,5}))?(?:/format/(?P<f>[a-z0-9]+))?/",
        "/content/images/size/w600/2020/p.jpg",
        "Ghost 6",
        by="/",
        hint="/size/w",
    ),
    Form(
        "mediawiki",
        r"/thumb(/(?:[^/]+/){0,20}[^/]+)/(?:\{\}|[0-9]+px-[^/]+)\Z",
        "/w/commons/thumb/a/ab/P.jpg/300px-P.jpg",
        "MediaWiki 1.44",
        by=r"\1",
        hint="/thumb/",
    ),
    Form(
        "drupal",
        r"/styles/(?:(?:[^/]*_)?(?:w_?|(?=[0-9]{3,4}(?:w|px|x)))(?P<w>[0-9]{3,4})(?:w|px|x(?P<h>[0-9]{3,4}))?|[^/]+)/(?:public|private)/",
        "/f/styles/max_650x650/public/p.jpg",
        "Drupal 11",
        by="/",
        hint="/styles/",
    ),
    Form(
        "bitrix",
        r"/resize_cache/((?:[^/]+/){0,20})(?P<w>[0-9]+)_(?P<h>[0-9]+)_[0-9a-f]+/",
        "/upload/resize_cache/iblock/1a2/480_320_1/p.jpg",
        "Bitrix",
        by=r"/\1",
        hint="/resize_cache/",
    ),
    Form(
        "gatsby",
        r"/static/([0-9a-f]{32})/[0-9a-z]{4,32}/",
        "/static/0123456789abcdef0123456789abcdef/1a2b3/p.webp",
        "Gatsby 5",
        by=rf"/static/\1/{HOLE}/",
        hint="/static/",
    ),
    Form(
        "bbc",
        r"/(?:ic|(?:ace/)?(?:standard|ws|news))/(?P<w>[0-9]{1,5})(?:x(?:(?P<h>[0-9]{1,5})|n))?/",
        "https://ichef.bbci.co.uk/images/ic/480xn/p.jpg",
        "BBC",
        by=f"/{HOLE}/",
        host="bbci.",
    ),
    Form(
        "medium",
        r"/(?:resize:(?:fit|fill):|max/|fit/[ct]/)(?P<w>[0-9]{1,5})(?:[:/](?P<h>[0-9]{1,5}))?/",
        "https://miro.medium.com/v2/resize:fit:640/1*a.jpeg",
        "Medium",
        by=f"/{HOLE}/",
        host="medium.",
    ),
    Form(
        "wechat",
        r"/(?P<w>[0-9]{1,4})\Z",
        "https://mmbiz.qpic.cn/m/abc/640",
        "WeChat",
        by=f"/{HOLE}",
        host="mmbiz.",
    ),
    Form(
        "google",
        r"=(?:[sw](?P<w>[0-9]{2,5})(?:-h(?P<h>[0-9]{2,5}))?|h[0-9]{2,5})(?:-[a-z0-9]+)*\Z",
        "https://lh3.googleusercontent.com/abc=w640-h480",
        "Google Photos",
        by=HOLE,
        hint="=",
    ),
    Form(
        "google-folder",
        r"/(?:[sw](?P<w>[0-9]{2,5})(?:-h(?P<h>[0-9]{2,5}))?|h[0-9]{2,5})(?:-[a-z0-9]+)*(?=/[^/]*\Z)",
        "https://blogger.googleusercontent.com/img/b/abc/w640-h480/p.jpg",
        "Blogger",
        by=f"/{HOLE}",
        host="googleusercontent.",
    ),
    Form(
        "blogspot",
        r"/(?:[sw](?P<w>[0-9]{2,5})(?:-h(?P<h>[0-9]{2,5}))?|h[0-9]{2,5})(?:-[a-z0-9]+)*(?=/[^/]*\Z)",
        "https://1.bp.blogspot.com/x/s640/p.jpg",
        "Blogger",
        by=f"/{HOLE}",
        host="bp.blogspot.",
    ),
    Form(
        "iiif",
        r"/(full|square|(?:pct:)?[0-9.]{1,9}(?:,[0-9.]{1,9}){3})/(?:(?:\^|%5E)?!?(?P<w>[0-9]{0,5}),(?P<h>[0-9]{0,5})|(?:\^|%5E)?max)/",
        "/i/full/640,/0/default.jpg",
        "IIIF Image API 3",
        by=rf"/\1/{HOLE}/",
        hint=",",
    ),
    Form(
        "imgproxy",
        r"/(?:(?:rs|resize):(?:fit|fill|fill-down|force|auto)?:|(?:s|size):)(?P<w>[0-9]{1,5})(?::(?P<h>[0-9]{1,5}))?(?::[0-9a-z.]*)*(?=/)",
        "/unsafe/f:png/rs:fit:300/plain/https://site.test/boat.jpg",
        "imgproxy-js-core 1.9",
        by=f"/{HOLE}",
        hint=":",
    ),
    Form(
        "uploadcare",
        r"\A(.*)/-/(?:resize|preview|smart_resize|scale_crop|crop)/(?P<w>[0-9]{1,5})?(?:x(?P<h>[0-9]{1,5})?)?(?=/)",
        "https://files.test/a6f8/-/resize/320x/boat.jpg",
        "unpic 4.2 uploadcare",
        by=rf"\1/{HOLE}",
        hint="/-/",
    ),
    Form(
        "uploadcare-format",
        r"/-/(?:format/(?P<f>[a-z]+)|quality/[a-z]+|progressive/[a-z]+)(?=/)",
        "https://files.test/a6f8/-/format/auto/-/quality/smart/boat.jpg",
        "unpic 4.2 uploadcare",
        by="",
        hint="/-/",
    ),
    Form(
        "thumbor-format",
        r"/filters:(?:[a-z_]+\([^()/]*\):)*format\((?P<f>[a-z]+)\)(?::[a-z_]+\([^()/]*\))*(?=/)",
        "/unsafe/fit-in/64x0/filters:format(webp)/boat.jpg",
        "thumbor-ts 1.3",
        by="",
        hint="format(",
    ),
    # Services whose sizes stand in a place of their own.
    Form(
        "amazon",
        r"\._(?:[a-z0-9,]+_)*?(?:[su][xlsr](?P<w>[0-9]{2,4})|[su]y(?P<h>[0-9]{2,4}))(?:,[0-9]+)*_(?:[a-z0-9,]+_)*(?=\.[a-z]+\Z)",
        "/images/I/71abc._AC_SX480_.jpg",
        "Amazon",
        by=f".{HOLE}",
        hint="._",
    ),
    Form(
        "alibaba-name",
        r"\.(?:jpe?g|png)_(?P<w>[0-9]{2,4})x(?P<h>[0-9]{2,4})(?:q[0-9]{1,3})?\.(?:jpe?g|png)(?:_\.(?:webp|avif))?\Z",
        "/kf/abc.jpg_480x480q75.jpg_.webp",
        "AliExpress",
        by=f".{HOLE}",
        hint="g_",
    ),
    Form(
        "at-name",
        r"(\.(?:jpe?g|png|webp|gif|avif))@(?:(?P<w>[0-9]{1,5})w(?:_(?P<h>[0-9]{1,5})h)?|[0-9]{1,5}h)(?:_[0-9a-z]+)*(?=(?:\.[a-z]+)?\Z)",
        "/bfs/abc.jpg@480w_320h_1c.webp",
        "Alibaba OSS of old, Bilibili",
        by=r"\1",
        hint="@",
    ),
    Form("ebay", r"/s-l(?P<w>[0-9]{2,4})(?=\.[a-z]+\Z)", "/g/abc/s-l500.jpg", "eBay", by=f"/s-{HOLE}", hint="/s-l"),
    Form(
        "etsy",
        r"/(il|iusa|iap)_(?P<w>[0-9]{2,4})x(?:n|(?P<h>[0-9]{2,4}))(?=\.)",
        "/r/il/abc/1/il_794xN.1_ab.jpg",
        "Etsy",
        by=rf"/\1_{HOLE}",
        hint="/il_ /iusa_ /iap_",
    ),
    Form(
        "volcano",
        r"(~tplv-[^:/~]+):(?P<w>[0-9]{1,5}):(?P<h>[0-9]{1,5})(?::[a-z0-9]+)*(?=[./]|\Z)",
        "/tos/abc~tplv-x:480:0.image",
        "Volcano Engine veImageX",
        by=rf"\1:{HOLE}",
        hint="~tplv-",
    ),
    Form(
        "jd",
        r"/s(?P<w>[0-9]{2,4})x(?P<h>[0-9]{2,4})_jfs(?=/)",
        "/n1/s480x480_jfs/t1/p.jpg",
        "JD",
        by=f"/{HOLE}",
        hint="_jfs",
    ),
    Form(
        "apple",
        r"/(?P<w>[0-9]{2,4})x(?P<h>[0-9]{2,4})[a-z]{0,2}(?:-[0-9]{1,3})?(?=\.[a-z]+\Z)",
        "/image/thumb/Music/v4/ab/p.jpg/600x600bb.jpg",
        "Apple Music",
        by=f"/{HOLE}",
        hint="/image/thumb/",
    ),
    Form(
        "wikia",
        r"/scale-to-width(?:-down)?/(?P<w>[0-9]{1,5})(?=/|\Z)",
        "/images/a/ab/P.jpg/revision/latest/scale-to-width-down/480",
        "Fandom",
        by=f"/{HOLE}",
        hint="/scale-to-width",
    ),
    Form(
        "kaltura",
        r"/width/(?P<w>[0-9]{1,5})/height/(?P<h>[0-9]{1,5})(?=/|\Z)",
        "/p/1/thumbnail/entry_id/0_a/width/480/height/320",
        "Kaltura",
        by=f"/{HOLE}",
        hint="/height/",
    ),
    Form(
        "wayfair",
        r"/resize-h(?P<h>[0-9]{1,5})-w(?P<w>[0-9]{1,5})(?=[%^/])",
        "/im/1/resize-h320-w480%5Ecompr-r85/1/p.jpg",
        "Wayfair",
        by=f"/{HOLE}",
        hint="/resize-h",
    ),
    Form(
        "aem-rendition",
        r"(/cq5dam\.[a-z]+)\.(?P<w>[0-9]{2,5})\.(?P<h>[0-9]{2,5})(?=\.[a-z]+\Z)",
        "/dam/p.jpg/_jcr_content/renditions/cq5dam.web.480.320.jpeg",
        "Adobe Experience Manager",
        by=rf"\1.{HOLE}",
        hint="/cq5dam.",
    ),
    Form(
        "aem-core",
        r"(\.coreimg(?:\.[0-9]{1,3})?)\.(?P<w>[0-9]{2,5})(?=\.)",
        "/p/_jcr_content/root/image.coreimg.85.480.jpeg/1/p.jpeg",
        "Adobe core components",
        by=rf"\1.{HOLE}",
        hint=".coreimg",
    ),
    Form(
        "craft",
        r"/_(?:(?P<w>[0-9]{1,5})|auto)x(?:(?P<h>[0-9]{1,5})|auto)_[a-z0-9_-]+(?=/)",
        "/up/_480x320_crop_center-center_82_none/p.jpg",
        "Craft 5",
        by=f"/{HOLE}",
        hint="/_",
    ),
    Form(
        "vtex",
        r"(/ids/[0-9]{4,})-(?:(?P<w>[0-9]{1,4})|auto)-(?:(?P<h>[0-9]{1,4})|auto)(?=/|\Z)",
        "/arquivos/ids/155400-480-320/p.jpg",
        "VTEX",
        by=rf"\1-{HOLE}",
        hint="/ids/",
    ),
    Form(
        "linkedin",
        r"shrink_(?P<w>[0-9]{2,4})_(?P<h>[0-9]{2,4})(?=/)",
        "/dms/image/a/profile-displayphoto-shrink_400_400/0/1",
        "LinkedIn",
        by=f"shrink_{HOLE}",
        hint="shrink_",
    ),
    Form(
        "focus",
        r"_w(?P<w>[0-9]{2,4})(?=_r[0-9.]+_fpx)",
        "/images/abc_w480_r1.5_fpx50_fpy50.jpg",
        "Spiegel",
        by=f"_{HOLE}",
        hint="_fpx",
    ),
    Form(
        "zeit",
        r"(/[a-z-]+)__(?P<w>[0-9]{2,4})x(?P<h>[0-9]{2,4})(?:__[a-z]+)?\Z",
        "/pol/boat/wide__480x320__mobile",
        "Zeit",
        by=rf"\1__{HOLE}",
        hint=" ".join(f"__{digit}" for digit in range(10)),
    ),
    Form(
        "ria",
        r"_(?P<w>[0-9]{1,4})x(?P<h>[0-9]{1,4})_[0-9]{1,3}_0_0_[0-9a-f]+(?=\.)",
        "/images/1_0:0:3000:1688_480x0_80_0_0_abc.jpg",
        "RIA",
        by=f"_{HOLE}",
        hint="_0_0_",
    ),
    Form(
        "yandex",
        r"/w?(?P<w>[0-9]{2,4})(?:x(?P<h>[0-9]{2,4}))?\Z",
        "https://avatars.mds.yandex.net/get-x/1/2/480x320",
        "Yandex",
        by=f"/{HOLE}",
        host="avatars.mds.",
    ),
    Form(
        "picsum",
        r"(/id/[0-9]{1,5})/(?P<w>[0-9]{3,4})/(?P<h>[0-9]{3,4})(?=\.[a-z]+\Z|\Z)",
        "/id/10/640/427",
        "Lorem Picsum",
        by=rf"\1/{HOLE}",
        hint="/id/",
    ),
    Form("segment-word", rf"/(?:max|square|wc){_W}(?=/)", "/hotel/max480/1.jpg", "Booking, Ozon", by=f"/{HOLE}"),
    Form(
        "segment-pair",
        r"/(?:r|resize|width)/(?P<w>[1-9][0-9]{1,3}0|375|414|768|828|1024|1366|1536|2048)(?=/)",
        "/r/320/harbour.png",
        "nginx 1.22 image_filter: a round number, or a screen's width; another may be an id",
        by=f"/{HOLE}",
    ),
    Form(
        "segment-size",
        rf"/(?:fit-in/|thumbnail/|resize/)?[spc-]?{_W}x(?:-?{_H}|0|h)?(?=/)",
        "/unsafe/fit-in/320x320/harbour.png",
        "thumbor 7.8",
        by=f"/{HOLE}",
    ),
    Form(
        "segment-height",
        rf"/(?:fit-in/|thumbnail/|resize/)?0?x{_H}(?=/)",
        "/unsafe/0x320/harbour.png",
        "thumbor 7.8",
        by=f"/{HOLE}",
    ),
    Form("segment-width", rf"/{_W}(?:w|px)(?=/)", "/480w/p.jpg", "many", by=f"/{HOLE}"),
)

WORDS: dict[str, Means] = {
    **dict.fromkeys(("w", "width", "wid", "mw", "maxwidth"), Means.WIDTH),
    **dict.fromkeys(("h", "height", "hei", "mh", "maxheight"), Means.HEIGHT),
    **dict.fromkeys(("s", "size", "resize", "fitandfill", "thumbnail"), Means.SIZE),
    **dict.fromkeys(("dpr", "zoom"), Means.DENSITY),
    **dict.fromkeys(("f", "fm", "format", "o", "output"), Means.FORMAT),
}
"""Operations in a segment of the path or in a value: ``w_320,f_auto`` (Cloudinary, Wix, ipx), ``width=320,fit=cover``
(Cloudflare), ``resize=width:320`` (Hygraph, Filestack), ``w-320`` (ImageKit), ``w:320`` (imgproxy, Optimole)."""

QUERY: dict[str, Means] = {
    **dict.fromkeys(
        (
            "w",
            "width",
            "wid",
            "imwidth",
            "maxwidth",
            "max-w",
            "sw",
            "rw",
            "im_w",
            "mw",
            "imgwidth",
            "odnwidth",
            "scale.width",
        ),
        Means.WIDTH,
    ),
    **dict.fromkeys(
        ("h", "height", "hei", "imheight", "maxheight", "max-h", "sh", "mh", "odnheight", "scale.height"), Means.HEIGHT
    ),
    **dict.fromkeys(("resize", "fit", "size", "downsize"), Means.SIZE),
    **dict.fromkeys(("thumb", "cs", "_ex", "fitin"), Means.BOX),
    **dict.fromkeys(("dpr", "zoom"), Means.DENSITY),
    **dict.fromkeys(("fm", "format", "fmt", "f", "output", "wx_fmt", "auto", "ext", "type", "to"), Means.FORMAT),
    **dict.fromkeys(("crop", "quality", "q", "strip", "canvas"), Means.WITH),
    **dict.fromkeys(
        (
            *("tr", "imgeng", "im", "twic", "x-oss-process", "x-image-process", "imageslim", "imgopt", "io", "fn"),
            *("imagemogr2", "imageview2"),
        ),
        Means.OPERATIONS,
    ),
}
"""Names in a query: imgix and all that speak as it does, Shopify, Photon, Scene7, Akamai, ImageKit (``tr``), ImageEngine
(``imgeng``), TwicPics, Alibaba, Huawei, Qiniu and Tencent (``imageMogr2/thumbnail/320x``, with no ``=`` after the name). Values
that can't be what the name means leave the pair alone: ``?s=abc``, ``?size=big``, ``?w=1``."""


_Row = tuple[str, Form, re.Pattern[str]]


def _rows(sign: Callable[[Form], str], wanted: Callable[[Form], bool]) -> tuple[_Row, ...]:
    rows: list[_Row] = []
    for form in filter(wanted, FORMS):
        written = pattern(form.pattern, re.IGNORECASE | re.ASCII)
        rows += [(one, form, written) for one in sign(form).split(" ")]
    return tuple(rows)


_WITH_HOST = _rows(lambda f: f.host, lambda f: bool(f.host))
_WITH_HINT = _rows(lambda f: f.hint, lambda f: bool(f.hint) and not f.host and not f.in_name)
_IN_NAME = _rows(lambda f: f.hint, lambda f: f.in_name and not f.host)
_BY_LAST = {
    c: tuple((place, *row) for place, row in enumerate(_IN_NAME) if c.lower() in row[1].last)
    for c in _DIGITS + _LETTERS + _LETTERS.upper()
}
"""The rows about names by the character before the ending."""


def _any_of(texts: Iterable[str]) -> str:
    """Write an expression that finds one of several texts. It looks only where a character stands that is no letter or digit."""
    found: dict[str, list[str]] = {}
    for text in sorted(set(texts)):
        at = next(index for index, each in enumerate(text) if not each.isalnum())
        before = f"(?<={re.escape(text[: at + 1])})" if at else ""
        found.setdefault(re.escape(text[at]), []).append(before + re.escape(text[at + 1 :]))
    return "|".join(f"{mark}(?:{'|'.join(rest)})" for mark, rest in found.items())


_HINT = pattern(_any_of(hint for hint, _, _ in _WITH_HINT))
_TAILS = [hint[max(hint.rfind("/"), 0) :] for hint, form, _ in _WITH_HINT if hint[-1] != "/" and not form.in_folders]
"""What stands in a name, with the slash before it, where a hint ends in the name."""
_PLAIN_NAME = pattern(
    rf"(?!{'|'.join(re.escape(tail[1:]) for tail in _TAILS if tail[0] == '/')})[A-Za-z0-9-]*+"
    rf"(?:(?!{_any_of(tail for tail in _TAILS if tail[0] != '/')})[._][A-Za-z0-9-]*+)*"
)
"""A name that no dialect reads together with its folders, and that holds no list of operations. Most are so."""
_SEGMENTS = _rows(lambda f: f.hint, lambda f: not (f.host or f.hint or f.in_name))
_SEGMENT_SIGN = pattern(
    r"/(?:[0-9]{1,5}+(?:w|px|x-?[0-9]{0,5}h?)/"
    r"|(?=[cfhmoprstwx-])(?:[spc-][0-9]{2,5}+(?:w|px|x-?[0-9]{0,5}h?)/|x[0-9]{2,5}/|(?:(?:r|resize|width)/|max|square|wc)[0-9]{2,5}/"
    r"|(?:tr:|s[_-]|resize=)?[wh](?:idth|eight)?[_=:-]?[0-9]|s_[0-9]|(?:fm?|format|o|output=f(?:ormat)?)[_=:]))",
    re.IGNORECASE,
)
"""What every address has that a row without a hint knows, or one of whose segments is a lone operation."""
_ENDINGS = frozenset({"jpg", "jpeg", "png", "webp", "avif", "gif"})
_SECOND_ENDINGS = frozenset({"webp", "avif"})
_LONGEST_ENDING = 5
_LONGEST_NAME = 80
"""Sizes stand at the end of a name and are short: no more of it is searched."""
_WORD = pattern(
    r"(?<![a-z0-9])(?P<name>w|width|wid|mw|maxwidth|h|height|hei|mh|maxheight|s|size|resize|fitandfill|thumbnail"
    r"|dpr|zoom|f|fm|format|o|output)[_=:/-][!(]?"
    r"(?P<value>[0-9]{1,5}(?:\.[0-9]{1,2})?(?:x[0-9]{0,5}|,[0-9]{1,5}(?=\)))?(?=r?(?:[^0-9a-z.]|\Z))|(?!width|height|format|fit)[a-z]{3,5}(?![a-z0-9]))",
    re.IGNORECASE | re.ASCII,
)
_LONE = pattern(
    r"(?:tr:[wh]-|s[_-][wh][_-]|(?:resize=)?[wh](?:idth|eight)?[_=:]|(?:width|height)-)(?!20[12][0-9]\Z)[0-9]{2,5}|s_[0-9]{2,5}x[0-9]{0,5}"
    r"|w(?!20[12][0-9]\Z)(?:[0-9]{3,4}|[6-9][0-9])(?:h[0-9]{2,5})?|(?:f|fm|format|o|output=f|output=format)[_=:][a-z]{3,5}",
    re.IGNORECASE | re.ASCII,
)
_COMPACT = pattern(r"w(?P<w>[0-9]{2,5})(?:h(?P<h>[0-9]{2,5}))?", re.IGNORECASE | re.ASCII)
_ADDRESS = frozenset({"http:", "https:", "http%3A", "https%3A"})
_FILE = pattern(r"\.[a-z0-9]{2,5}\Z", re.IGNORECASE | re.ASCII)
_PAIR = pattern(r"(0|[0-9]{2,5})(?:\.[0-9]+)?(?:px)?(?:[,x:]([0-9]{0,5})(?:px)?\*?)?", re.IGNORECASE)
_SQUARESPACE = pattern(r"([0-9]{2,5})w")
_NUMBER_VALUE = pattern(r"(0|[5-9]|[0-9]{2,5})(?:\.[0-9]+)?(?:px)?", re.IGNORECASE)
_DENSITY_VALUE = pattern(r"[0-5](?:\.[0-9]{1,3})?")
_FORMAT_NAME = pattern(
    r"(?<![^,;/+ ])(?:auto|format|jpe?g|pjpg|png|webp|avif|gif|jxl)(?=[,;+ ]|-alpha|\Z)", re.IGNORECASE
)
_OPTIMISERS = ("/_next/image", "/_vercel/image", "/_image", "/.netlify/images")
_SOURCES = frozenset({"url", "href", "src"})
_MOST_NESTED = 4
"""An original that is a parameter may be an address with a parameter of its own: so many are followed."""


_KEPT = 4096
"""Readings that are kept for the next address."""
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

    def take(self, other: _Found) -> None:
        """Say what another says."""
        self.__dict__.update(other.__dict__)

    def asked(self) -> Asked | None:
        """The whole, or None where nothing is asked for."""
        width, height, times = self.width, self.height, self.density
        if width is None and height is None and self.format is None:
            return None
        if times != 1 and 0 < times <= _DENSEST:
            width, height = width and round(width * times), height and round(height * times)
        return Asked(self.dialect or "format", width, height, self.format)


@functools.lru_cache(maxsize=_KEPT)
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
    before = _read_folders(address[:cut])
    told = _read_outer_query(query, before.in_styles) if query else _SILENT
    if told.has_source and (original := _original(address, query)) is not None and "?" not in original:
        named = read(original)
        if told.asked is None or named.asked is None:
            return Reading(told.asked or named.asked, named.stem)
    if (
        before.needs_name
        or told.has_source
        or (before.asked is not None and told.asked is not None)
        or _PLAIN_NAME.fullmatch(name) is None
    ):
        return _read_whole(address, query)
    return Reading(told.asked or before.asked, f"{before.stem}{_read_name(name)}{told.stem}")


class _Part(NamedTuple):
    """What the folders of an address, or its query, say by themselves, and their part of the stem.

    ``needs_name`` says that a dialect of these folders looks at the name, too. ``has_source`` says that a parameter may be the
    address of the original.
    """

    asked: Asked | None
    stem: str
    in_styles: bool = False
    needs_name: bool = False
    has_source: bool = False


_SILENT = _Part(None, "")


def _read_whole(address: str, query: str) -> Reading:
    found = _Found()
    for _ in range(_MOST_NESTED):
        query = _read_query(query, "/styles/" in address, found) if query else ""
        original = _original(address, query)
        if original is None:
            break
        address, _, query = original.partition("#")[0].partition("?")
    origin, path, _ = split(address)
    path = _read_path(path, _rows_for(origin, path), found)
    return Reading(found.asked(), f"{origin}{path}{query and '?' + query}")


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
def _read_outer_query(query: str, in_styles: bool) -> _Part:
    """Read a query before which nothing was read: the pictures of a site share a few."""
    found = _Found()
    left = _read_query(query, in_styles, found)
    has_source = any(pair.partition("=")[0] in _SOURCES for pair in left.split("&"))
    return _Part(found.asked(), left and "?" + left, has_source=has_source)


@functools.lru_cache(maxsize=_KEPT)
def _read_folders(folders: str) -> _Part:
    """Read all before the name, by itself: the pictures of a site share a few."""
    origin, path, _ = split(folders)
    in_styles = "/styles/" in path
    rows = _rows_for(origin, path)
    if (folders and not path) or (rows and any(form.needs_name for _, form, _ in rows)):
        return _Part(None, folders, in_styles, needs_name=True)
    found = _Found()
    stem = origin + _read_path(path, rows, found)
    return _Part(found.asked(), stem, in_styles)


def _read_query(query: str, in_styles: bool, found: _Found) -> str:
    """Note what a query asks for; return it without the sizes, and without what goes with them."""
    pairs = query.split("&")
    if in_styles:  # the token that signs a Drupal style is another for every style
        pairs = [pair for pair in pairs if not pair.startswith("itok=")]
    kept: list[tuple[str, bool]] = []
    sized = False
    for pair in pairs:
        name, _, value = pair.partition("=")
        if "/" in name:
            name, value = name.partition("/")[0], pair
        means = QUERY.get(name.lower())
        if means is not None and _take(means, name.lower(), value, found):
            sized = True
        else:
            goes_along = means is Means.WITH and _PAIR.fullmatch(unquote(value)) is not None
            kept.append((pair, goes_along or pair.startswith("$")))
    left = [pair for pair, goes_along in kept if not (sized and goes_along)]
    return "&".join(left)


def _take(means: Means, name: str, value: str, found: _Found) -> bool:
    """Note one pair of a query; False where the value can't be what the name means."""
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
        wide = _SQUARESPACE.fullmatch(value) if name == "format" else None
        if wide is not None:
            found.size("squarespace", wide[1], None)
        return wide is not None
    if means is Means.DENSITY and _DENSITY_VALUE.fullmatch(value) is not None:
        found.density = float(value)
        return True
    listed = means is Means.OPERATIONS or (name == "q" and "," in value)
    return listed and _operations(name, value, found) != value


def _operations(dialect: str, text: str, found: _Found) -> str:
    """Note what a list of operations asks for; return it with holes in place of the sizes.

    Steps of a chain follow each other, and the last says how large the picture is; a picture laid over it has a size of its own.
    """
    if _STEP.search(text) is None and _LAYER.search(text) is None:
        return _step(dialect, text, found)
    layers = 0
    steps = _STEP.split(text)
    for index, step in enumerate(steps):
        layer = _LAYER.search(step)
        if layer is not None and layer.start():  # one is laid over within a step
            own, rest = step[: layer.start()], step[layer.start() :]
            steps[index] = _step(dialect, own, found) + rest
        elif layer is None and not layers:
            steps[index] = _step(dialect, step, found)
        if layer is not None and "l-" in layer[0]:
            layers += 1
        if layers and "l-end" in step:
            layers -= 1
    return "".join(steps)


def _step(dialect: str, text: str, found: _Found) -> str:
    sides: list[str | None] = [None, None]

    def take(word: re.Match[str]) -> str:
        means, value = WORDS[word["name"].lower()], word["value"].lower()
        if means is Means.FORMAT:
            if (named := _FORMAT_NAME.fullmatch(value)) is not None:
                found.format = found.format or named[0]
            return word[0]
        if not value[0].isdigit():
            return word[0]
        wide, _, high = value.replace(",", "x").partition("x")
        if means is Means.DENSITY:
            found.density = float(wide)
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
    found.step(dialect, *sides, whole="," in text)
    return left


def _original(address: str, query: str) -> str | None:
    """Next.js, Vercel, Astro, Netlify: the original is a parameter."""
    if not query or not address.rstrip("/").endswith(_OPTIMISERS):
        return None
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in _SOURCES and value:
            url = unquote(value)
            return url if "//" in url[:8] else f"{split(address)[0]}{'' if url.startswith('/') else '/'}{url}"
    return None


@functools.lru_cache(maxsize=256)
def _of_host(origin: str) -> tuple[_Row, ...]:
    return tuple(row for row in _WITH_HOST if row[0] in origin)


def _rows_for(origin: str, path: str) -> tuple[_Row, ...]:
    hinted = [row for row in _WITH_HINT if row[0] in path] if _HINT.search(path) is not None else ()
    return (*_of_host(origin), *hinted)


def _read_path(path: str, rows: tuple[_Row, ...], found: _Found) -> str:
    """Note what a path asks for; return it with holes, and without what belongs to its sizes."""
    for _, form, written in rows:
        path = _read_form(form, written, path, found)
    folders, slash, name = path.rpartition("/")
    name = _read_name(name)
    signed, listed = _SEGMENT_SIGN.search(f"{folders}/") is not None, _has_list(name)
    if signed:
        path = f"{folders}/"
        for _, form, written in _SEGMENTS:
            path = _read_form(form, written, path, found)
        folders = path[:-1]
    if signed or listed or _has_list(folders):
        folders, asks_another = _read_segments(folders, found)
        if listed and not asks_another and _FILE.search(name) is None:
            name = _operations("operations", name, found)
    return f"{folders}{slash}{name}"


def _read_form(form: Form, written: re.Pattern[str], path: str, found: _Found) -> str:
    match = written.search(path)
    if match is None:
        return path
    if written.groupindex:
        groups = match.groupdict()
        found.size(form.name, groups.get("w"), groups.get("h"))
        found.format = found.format or groups.get("f")
    return _without(match, form.by, path)


def _without(match: re.Match[str], by: str, text: str) -> str:
    if "\\1" in by:  # what `Match.expand` does, which reads its template anew at each call
        by = by.replace("\\1", match[1])
    return text[: match.start()] + by + text[match.end() :]


@functools.lru_cache(maxsize=_KEPT)
def _read_name(name: str) -> str:
    """Take the sizes from the end of a file's name. They ask for nothing: no server reads them."""
    dot = name.rfind(".")
    ending = name[dot + 1 :].lower()
    if ending not in _ENDINGS or name[:dot].isalnum():  # every size begins with a sign
        return name
    if ending in _SECOND_ENDINGS:
        other = name.rfind(".", 0, dot)
        if other > 0 and name[other + 1 : dot].lower() in _ENDINGS:
            dot = other
    rows = _BY_LAST.get(name[dot - 1 : dot])
    start, done = max(0, dot - _LONGEST_NAME), -1
    while rows is not None:
        for place, hint, form, written in rows:
            if hint in name and place > done and (match := written.search(name, start)) is not None:
                name, done, at = _without(match, form.by, name), place, match.start()
                # With a hole before the ending nothing else can stand there; else what stands there now may be a size, too.
                ends = form.by.endswith(HOLE) or name[:at].isalnum()
                rows = None if ends else _BY_LAST.get(name[at - 1 : at])
                break
        else:
            break
    return name


def _has_list(path: str) -> bool:
    """Whether something in it stands between the operations of a list."""
    return "," in path or "&" in path or "%2C" in path or ";" in path or "+w_" in path or "+h_" in path


def _read_segments(folders: str, found: _Found) -> tuple[str, bool]:
    """Note what the segments before the last ask for; return them with holes, and whether they ask another server."""
    segments = folders.split("/")
    for index, segment in enumerate(segments):
        if segment in _ADDRESS:  # what is asked of another server stands behind it
            return "/".join(segments), True
        if _has_list(segment):
            segments[index] = _operations("operations", segment, found)
        elif _LONE.fullmatch(segment) is not None:
            compact = _COMPACT.fullmatch(segment)
            if compact is not None:
                found.size("segment", compact["w"], compact["h"])
                segments[index] = HOLE
            else:
                segments[index] = _operations("segment", segment, found)
    return "/".join(segments), False
