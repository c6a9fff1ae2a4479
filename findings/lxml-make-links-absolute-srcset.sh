#!/usr/bin/env bash
# lxml.html.make_links_absolute() and iterlinks() are the usual way to resolve or collect the links of a page.
# One would guess: they know srcset, since they know src, href, poster and even the url() of a style attribute.
# So it is: srcset of img and source is no link to them. The result mixes absolute src with relative srcset, which
# browsers prefer; a page saved under another address then shows broken pictures.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "lxml==6.1.3"
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import version

import lxml.html

page = lxml.html.fromstring(
    '<div style="background: url(e.jpg)"><picture><source srcset="c.webp 480w, d.webp 960w">'
    '<img src="a.jpg" srcset="a.jpg 480w, b.jpg 960w" alt=""></picture></div>'
)
links = [(element.tag, attribute, url) for element, attribute, url, _ in page.iterlinks()]
page.make_links_absolute("https://example.org/news/")
print("lxml", version("lxml"))
print("iterlinks():", links)
print(lxml.html.tostring(page, encoding="unicode"))
assert links == [("div", "style", "e.jpg"), ("img", "src", "a.jpg")], links
assert page.xpath("//img/@src") == ["https://example.org/news/a.jpg"]
assert page.xpath("//@srcset") == ["c.webp 480w, d.webp 960w", "a.jpg 480w, b.jpg 960w"]
PY
