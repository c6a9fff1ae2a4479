"""Random documents: URLs in every kind of place, in every spelling, with what real pages do wrong in between."""

from __future__ import annotations

from hypothesis import strategies as st

URLS = (
    "a.jpg",
    "/media/tower_480.webp",
    "../up/boat-300x200.png",
    "https://cdn.example/w_480,c_fill/q_auto:good/boat.jpg",
    "//cdn.example/photo.avif",
    "https://img.example/p.jpg?w=480&fm=webp",
    "https://img.example/p.jpg?w=480&copy=2&lt=1",
    "/кот/пёс.jpg",
    "https://shop.example/mug(1).jpg",
    "https://shop.example/O'Brien.jpg",
    "/_next/image?url=%2Fboat.png&w=640&q=75",
)
NOISE = (
    "",
    " ",
    "\n",
    "<p>Camera 5x zoom, 10w lamp",
    "<div class='x>",
    "</span></p>",
    "<!-- <img src=hidden.jpg> -->",
    "<textarea><img src=text.jpg></textarea>",
    "Текст &copy; 2025 &amp; &nbsp;",
    "<a href=page.html?a=1&amp;b=2>",
    "<br/ >",
    "<img>",
    "< img src=x.jpg>",
    "\x00",
)
HTML = (
    '<img src="{}">',
    "<IMG SRC='{}' alt=\"a > b\">",
    "<img src={}>",
    '<img src="{}" src="second.jpg" srcset="{} 480w, {} 960w" sizes="50vw">',
    "<img srcset='{} 1x,\n\t{}  2x ,' src=\"{}\">",
    '<picture><source type=image/webp srcset=" {} , {} 2x"><img src={} loading=lazy></picture>',
    '<img data-src="{}" data-srcset="{} 480w, {} 800w" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    '<div style="background: url({})">x</div>',
    "<div style='background: url(\"{}\")'>x</div>",
    "<div style=\"background-image: image-set('{}' 1x, url({}) 2x)\">x</div>",
    "<style>.a{{background:url( {} )}} .b{{background:url('{}')}}</style>",
    '<link rel=preload as=image href="{}" imagesrcset="{} 1x, {} 2x">',
    '<meta property="og:image" content="{}"><meta name=twitter:image content={}>',
    '<script type="application/ld+json">{{"@type":"Article","image":["{}","{}"]}}</script>',
    '<noscript><img src="{}"></noscript>',
    "<svg><image href=\"{}\"/><image xlink:href='{}'/></svg>",
    '<video poster="{}"></video>',
    "<iframe srcdoc='<img src=\"{}\">'></iframe>",
    '<iframe srcdoc="&lt;img srcset=&quot;{} 1x, {} 2x&quot;&gt;"></iframe>',
    '<!--[if mso]><img src="{}"><![endif]-->',
)
MARKDOWN = (
    "![boat]({})\n",
    '![a "b"](<{}> "title")\n',
    "![x][ref]\n\n[ref]: {}\n",
    '<img src="{}" srcset="{} 2x">\n',
    "`![code](no.jpg)`\n",
)
TEXT = (
    "date 2025-12-08 news.by https://x.example{} 480w, https://x.example{} 960w\n",
    "Nothing to see here, 5x zoom.\n",
)
CSS = (
    ".a {{ background: url({}) }}\n",
    ".b{{background:url('{}')}}/* url(no.jpg) */",
    '@media print {{ .c {{ content: image-set("{}" 1x, "{}" 2x) }} }}\n',
    "@import url(other.css);\n",
)
FEED = (
    '<item><enclosure url="{}" type="image/jpeg" length="1"/></item>',
    '<item><description>&lt;img src="{}"&gt;</description></item>',
    "<item><content:encoded><![CDATA[<img src='{}' srcset='{} 2x'>]]></content:encoded></item>",
)

_ENCODINGS = (
    ("utf-8", b""),
    ("utf-8", b"\xef\xbb\xbf"),
    ("cp1251", b""),
    ("utf-16-le", b"\xff\xfe"),
    ("utf-16-be", b"\xfe\xff"),
)


def _filled(template: str, urls: list[str], escape: bool) -> str:
    slots = template.count("{}") - template.count("{{}}")
    chosen = [urls[number % len(urls)] for number in range(slots)]
    if escape:
        chosen = [url.replace("&", "&amp;") for url in chosen]
    return template.format(*chosen)


def _pieces(templates: tuple[str, ...]) -> st.SearchStrategy[str]:
    urls = st.lists(st.sampled_from(URLS), min_size=1, max_size=4)
    return st.builds(_filled, st.sampled_from(templates), urls, st.booleans())


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name that says what kind it is, and the bytes."""
    name, templates = draw(
        st.sampled_from(
            (("p.html", HTML), ("p.html", HTML), ("p.md", MARKDOWN), ("p.css", CSS), ("p.txt", TEXT), ("p.rss", FEED))
        )
    )
    noise = st.sampled_from(NOISE if name == "p.html" else ("", "\n", "\n\n"))
    body = "".join(draw(st.lists(st.one_of(_pieces(templates), noise), max_size=8)))
    encoding, mark = draw(st.sampled_from(_ENCODINGS if name == "p.html" else _ENCODINGS[:2]))
    if name == "p.html":
        body = draw(st.sampled_from(("", '<base href="/deep/er/">'))) + body
        body = '<meta charset="windows-1251">' + body if encoding == "cp1251" else body
    if name == "p.rss":
        body = f'<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>{body}</channel></rss>'
    body = draw(st.sampled_from((body, body.replace("\n", "\r\n"))))
    return name, mark + body.encode(encoding, "xmlcharrefreplace" if encoding == "cp1251" else "strict")


def addresses() -> st.SearchStrategy[str]:
    """A manner of new addresses; ``{}`` is filled with a number."""
    return st.sampled_from(
        (
            "https://media.example.org/{}/image.webp",
            "https://media.example.org/m/{}.jpg?w=1&copy=2&amp=3&lt=4",
            "https://media.example.org/w_480,c_fill/{}/image.jpg",
            "https://media.example.org/{}/image(1).png?a=(b)&c=d",
            "/media/{}.avif",
            "https://media.example.org/{}/кот и.webp".replace(" ", "%20"),
        )
    )
