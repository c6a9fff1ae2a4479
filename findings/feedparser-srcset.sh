#!/usr/bin/env bash
# feedparser cleans the HTML in a feed's entries and resolves its relative URLs.
# One would guess: an img keeps its srcset and sizes, since it keeps src, alt, width and height.
# So it is: srcset and sizes are dropped in silence, picture too, and source is left without an attribute: of a responsive
# image only the fallback is left. sanitize_html=False keeps all, but then src is made absolute and srcset is not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "feedparser==6.0.14"
"$work/venv/bin/python" - <<'PY'
from html import escape
from importlib.metadata import version

import feedparser

html = (
    '<picture><source srcset="c.webp 480w, d.webp 960w">'
    '<img src="a.jpg" srcset="a.jpg 480w, b.jpg 960w" sizes="100vw" alt="x" width="480" height="320"></picture>'
)
feed = (
    '<rss version="2.0" xml:base="https://example.org/news/"><channel><title>t</title><item><title>x</title>'
    f"<description>{escape(html)}</description></item></channel></rss>"
)
cleaned = feedparser.parse(feed).entries[0].description
raw = feedparser.parse(feed, sanitize_html=False).entries[0].description
print("feedparser", version("feedparser"))
print("cleaned:    ", cleaned)
print("not cleaned:", raw)
assert 'src="https://example.org/news/a.jpg"' in cleaned and 'width="480"' in cleaned
assert "srcset" not in cleaned and "sizes" not in cleaned and "<picture" not in cleaned
assert "<source />" in cleaned
assert 'src="https://example.org/news/a.jpg"' in raw and 'srcset="a.jpg 480w, b.jpg 960w"' in raw
PY
