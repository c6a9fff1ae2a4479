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
        r"(\.[a-z]{3,4})/m/(?:[0-9]+x[0-9]+:[0-9]+x[0-9]+/)?(?:fit-[a-z]{2,9}/)?(?:(?P<w>[0-9]{1,5})x(?P<h>[0-9]{1,5}))?(?:/?(?:smart|filters:[^/]*+)|(?!))*+/?\Z",
        "https://a.storyblok.com/f/1/1000x500/p.jpg/m/480x0/",
        "@nuxt/image 2 storyblok",
        by=r"\1",
        hint="/m/",
    ),
    # Sizes at the end of a file's name: given when the file was made, not read by a server.
    Form(
        "spatie-size",
        r"__(\w{1,60}?)_[0-9]{2,5}_[0-9]{2,5}",
        "/r/n___media_library_original_640_360.jpg",
        "spatie/laravel-medialibrary 11",
        by=rf"___\1_{HOLE}",
        signs="_",
    ),
    Form(
        "spatie",
        rf"(?:{_SIZES}-)?___([a-z]+)_[0-9]{{2,5}}",
        "/c/a6dc-sm-___webp_480.webp",
        "spatie/laravel-medialibrary 11",
        by=rf"-___\1_{HOLE}",
        signs="-",
    ),
    Form(
        "density",
        r"(?:[1-4](?:\.[0-9]{1,2})?|0\.[0-9]{1,2})x",
        "/logo@2x.png",
        "Apple's naming of assets",
        signs="@_-",
    ),
    Form(
        "shopify-name",
        r"_(?:[0-9]{1,4}x[0-9]{0,4}|x[0-9]{1,4}|pico|icon|thumb|small|compact|medium|large|grande|original|master)"
        r"(?:_crop_(?:center|top|bottom|left|right))?(?:@[23]x)?(?=(?:\.progressive)?\.(?:jpe?g|png|webp|avif|gif)\Z)",
        "https://cdn.shopify.com/s/p_large.jpg",
        "Shopify img_url",
        host="shopify.",
    ),
    Form(
        "shopify",
        r"[0-9]{2,4}x(?:[0-9]{2,4})?(?:_crop_(?:center|top|bottom|left|right))?(?:@[23]x)?",
        "/s/p_480x320_crop_center@2x.jpg",
        "Shopify img_url",
        signs="-_",
    ),
    Form(
        "wagtail",
        r"(?:(?:max|min|fill)-[0-9]{2,5}x[0-9]{2,5}|(?:width|height)-[0-9]{2,5})(?:-c[0-9]{1,3})?(?:\.[a-z-]+(?:-[0-9]+)?)?",
        "/images/portrait.max-600x600.jpg",
        "Wagtail 8",
        signs=".",
    ),
    Form("wordpress", rf"{_NUMBER}x{_NUMBER}(?:[-_]crop)?", "/up/photo-300x200.jpg", "WordPress 6", signs="-_."),
    Form(
        "easy-thumbnails",
        r"[0-9]{1,5}x[0-9]{1,5}_q[0-9]{1,3}(?:_[a-z0-9,%-]{1,40}){0,8}",
        "/media/boat.jpg.320x0_q85_crop.jpg",
        "easy-thumbnails 2.10",
        signs=".",
    ),
    Form(
        "hugo",
        r"hu_?[0-9a-f]{16,40}_(?:[0-9]{1,12}_)?[0-9]{0,5}x[0-9]{0,5}_(?:resize|fill|fit|crop)(?:_[a-z0-9]{1,20}){0,8}",
        "/post/boat_hu0a1b2c3d4e5f60718293a4b5c6d7e8f9_123456_320x0_resize_q75_box.jpg",
        "Hugo 0.120",
        signs="_",
    ),
    Form(
        "kirby",
        r"[0-9]{2,5}x(?:[0-9]{2,5})?(?:-crop(?:-[a-z0-9]{1,20}){0,6}|-q[0-9]{1,3})",
        "/media/boat-640x427-crop-1-q80.jpg",
        "Kirby 5",
        signs="-",
    ),
    Form(
        "processwire",
        rf"(?:0x{_NUMBER}|{_NUMBER}x0)(?:-[a-z]{{1,20}})?",
        "/files/1/boat.640x0.jpg",
        "ProcessWire 3",
        signs=".",
    ),
    Form("scaled", r"scaled", "/up/photo-scaled.jpg", "WordPress 6", signs="-"),
    Form("width-name", rf"(?:w_?{_NUMBER}|{_NUMBER}(?:w|px))", "/p-w960.webp", "many", signs="-_.@"),
    Form("size-word", _SIZES, "/p-small.jpg", "many", by=f"-{HOLE}", signs="-_"),
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
    # Signatures: another for each size, and part of no picture's name.
    Form(
        "signed-sha1",
        r"/[a-z0-9_-]{27}=(?=/(?:[^/]{1,80}/){0,3}(?:-?[0-9]{1,5}x(?:-?[0-9]{0,5}|orig)|(?:width|height|max|min|fill|scale)-[0-9][^/]*|filters:[^/]*)/)",
        "/0a1b2c3d4e5f60718293a4b5c6d=/fit-in/320x320/boat.jpg",
        "libthumbor 2.0, Wagtail 8",
        by=f"/{HOLE}",
        hint="=/",
    ),
    Form(
        "signed-imgproxy",
        r"/[a-z0-9_-]{43}(?=/[a-z_]{1,30}:[^/]*/)",
        "/0a1b2c3d4e5f60718293a4b5c6d7e8f901234567890/rs:fit:320:0/plain/boat.jpg",
        "imgproxy 3",
        by=f"/{HOLE}",
        hint=":",
    ),
    Form(
        "signed-cloudinary",
        r"/s--[a-z0-9_-]{8,32}--(?=/)",
        "/demo/image/upload/s--0a1b2c3d--/c_fill,w_320/boat.jpg",
        "Cloudinary 2.11",
        hint="/s--",
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
        "wagtail-serve",
        r"/(?:width|(?:max|min|fill)(?=-[0-9]{1,5}x))-(?P<w>[0-9]{2,5})(?:x(?P<h>[0-9]{2,5})(?:-c[0-9]{1,3})?)?"
        r"(?:(?:\||%7C)(?:format-(?P<f>[a-z]+)(?![a-z])|(?!format-))[a-z0-9#-]*)*(?=/|\Z)",
        "/images/0a1b2c3d4e5f60718293a4b5c6d=/7/fill-320x213-c100%7Cformat-webp/boat.jpg",
        "Wagtail 8, @nuxt/image 2.1 wagtail",
        by=f"/{HOLE}",
        hint="/width- /max- /min- /fill-",
    ),
    Form(
        "magento",
        r"(/product/cache)/(?:[0-9]+/[a-z_]+/(?:(?P<w>[0-9]{1,5})x(?P<h>[0-9]{0,5})/)?)?[0-9a-f]{32}(?=/)",
        "/media/catalog/product/cache/0a1b2c3d4e5f60718293a4b5c6d7e8f9/b/o/boat.jpg",
        "Magento 2",
        by=rf"\1/{HOLE}",
        hint="/product/cache/",
    ),
    Form(
        "prestashop",
        r"/([0-9]{1,9})-(?:[a-z]{1,20}_){1,4}default(?:_?2x)?(?=/)",
        "/123-home_default/boat.jpg",
        "PrestaShop 8",
        by=rf"/\1-{HOLE}",
        hint="_default/",
    ),
    Form(
        "rokka",
        r"/dynamic/(?:[^/]{1,80}--)?resize-width-(?P<w>[0-9]{1,5})(?:-height-(?P<h>[0-9]{1,5}))?(?:-[^/]*)?(?=/)",
        "/dynamic/resize-width-320--options-autoformat-true/0a1b2c/boat.jpg",
        "rokka.js 3",
        by=f"/dynamic/{HOLE}",
        hint="/dynamic/",
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
        "picsum-host",
        r"\A(/(?:id|seed)/[^/]{1,80}|)/(?P<w>[0-9]{2,4})(?:/(?P<h>[0-9]{2,4}))?(?=\.[a-z]+\Z|\Z)",
        "https://picsum.photos/id/10/640",
        "@nuxt/image 2.1 picsum",
        by=rf"\1/{HOLE}",
        host="picsum.",
    ),
    Form(
        "wix",
        r"/(v1/(?:crop/[^/]{1,80}/)?)(?:fill|fit)/w_(?P<w>[0-9]{1,5}),h_(?P<h>[0-9]{1,5})(?:,[^/]*)?(?=/)",
        "/media/a~mv2.jpg/v1/fill/w_320,h_213,al_c,q_80,enc_auto/boat.jpg",
        "@wix/image-kit 1.125",
        by=rf"/\1{HOLE}",
        hint="/v1/",
    ),
    Form(
        "imgproxy-basic",
        r"/(?:fit|fill|fill-down|force|auto)/(?P<w>[0-9]{1,5})/(?P<h>[0-9]{1,5})/(?:no|so|ea|we|ce|sm|noea|nowe|soea|sowe)/[01](?=/)",
        "/insecure/fill/640/427/sm/0/aHR0cHM.jpg",
        "imgproxy 2",
        by=f"/{HOLE}",
        hint="/fit/ /fill/ /fill-down/ /force/ /auto/",
    ),
    Form(
        "picsum",
        r"(/id/[0-9]{1,5})/(?P<w>[0-9]{3,4})/(?P<h>[0-9]{3,4})(?=\.[a-z]+\Z|\Z)",
        "/id/10/640/427",
        "Lorem Picsum",
        by=rf"\1/{HOLE}",
        hint="/id/",
    ),
    Form(
        "segment-word",
        rf"/(?:max|square|wc){_W}(?=/)",
        "/hotel/max480/1.jpg",
        "Booking, Ozon",
        by=f"/{HOLE}",
        hint="/max /square /wc",
    ),
    Form(
        "segment-pair",
        r"/(?:r|resize|width)/(?P<w>[1-9][0-9]{1,3}0|375|414|768|828|1024|1366|1536|2048)(?=/)",
        "/r/320/harbour.png",
        "nginx 1.22 image_filter: a round number, or a screen's width; another may be an id",
        by=f"/{HOLE}",
        hint="/r/ /resize/ /width/",
    ),
    Form(
        "segment-size",
        rf"/(?:fit-in/|thumbnail/|resize/)?(?:[sprc-]?{_W}|0?(?=x[1-9]))(?:x(?:-?{_H}|0|h|orig)?|w|px)(?=/)",
        "/unsafe/fit-in/320x320/harbour.png",
        "thumbor 7.8; many: 480w",
        by=f"/{HOLE}",
    ),
)

WORDS: dict[str, Means] = {
    **dict.fromkeys(("w", "fw", "width", "wid", "mw", "maxwidth"), Means.WIDTH),
    **dict.fromkeys(("h", "fh", "height", "hei", "mh", "maxheight"), Means.HEIGHT),
    **dict.fromkeys(("s", "size", "resize", "fitandfill", "thumbnail"), Means.SIZE),
    **dict.fromkeys(("cover", "contain", "inside", "crop", "max", "min"), Means.SIZE),
    **dict.fromkeys(("dpr", "zoom"), Means.DENSITY),
    **dict.fromkeys(("f", "fm", "format", "o", "output"), Means.FORMAT),
}
"""Operations in a segment of the path or in a value: ``w_320,f_auto`` (Cloudinary, Wix, ipx), ``width=320,fit=cover``
(Cloudflare), ``resize=width:320`` (Hygraph, Filestack),
``cover=320x-`` (TwicPics), ``w-320`` (ImageKit), ``w:320`` (imgproxy, Optimole)."""

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
            "scale-down-to",
        ),
        Means.WIDTH,
    ),
    **dict.fromkeys(
        ("h", "height", "hei", "imheight", "maxheight", "max-h", "sh", "mh", "rh", "odnheight", "scale.height"),
        Means.HEIGHT,
    ),
    **dict.fromkeys(("resize", "fit", "size", "downsize"), Means.SIZE),
    **dict.fromkeys(("thumb", "cs", "_ex", "fitin", "s"), Means.BOX),
    **dict.fromkeys(("dpr", "zoom"), Means.DENSITY),
    **dict.fromkeys(("fm", "format", "fmt", "f", "output", "wx_fmt", "auto", "ext", "type", "to"), Means.FORMAT),
    **dict.fromkeys(("crop", "quality", "q", "strip", "canvas"), Means.WITH),
    **dict.fromkeys(
        (
            *(
                "tr",
                "imgeng",
                "im",
                "twic",
                "x-oss-process",
                "x-image-process",
                "image_process",
                "imageslim",
                "imgopt",
                "io",
                "fn",
            ),
            *("imagemogr2", "imageview2"),
        ),
        Means.OPERATIONS,
    ),
}
"""Names in a query: imgix and all that speak as it does, Shopify, Photon, Scene7, Akamai, ImageKit (``tr``), ImageEngine
(``imgeng``), TwicPics, Alibaba, Huawei, Qiniu and Tencent (``imageMogr2/thumbnail/320x``, with no ``=`` after the name). Values
that can't be what the name means leave the pair alone: ``?s=abc``, ``?size=big``, ``?w=1``."""


_Row = tuple[Form, re.Pattern[str]]


def _rows(wanted: Callable[[Form], bool]) -> tuple[_Row, ...]:
    return tuple((form, pattern(form.pattern, re.IGNORECASE | re.ASCII)) for form in FORMS if wanted(form))


_WITH_HOST = _rows(lambda f: bool(f.host))
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
    return _rows_of(origin, *_HINT.findall(path))


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
