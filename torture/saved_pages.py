"""``python -m torture.saved_pages [FOLDER]``: saved pages of real sites, and what Chromium's own tree of each names.

Without a FOLDER, pages that three packages test with are fetched from the package index. Scripts are off and nothing is loaded: every
URL that the standard has in an attribute (``img``, ``source``, ``input``, ``poster``, ``link``, SVG's ``image``, ``background``,
``style``) has to be found, or told of in a problem. Prints what is in neither.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from fixtures.browser.chromium import NoChromium, ensure_chromium, running_chromium
from fixtures.browser.screens import Screen
from mediamirror.markup.extract import extract_document
from mediamirror.markup.places.urls import resolve
from mediamirror.markup.standard.srcset import parse_srcset
from mediamirror.model import Extraction

PACKAGES = ("trafilatura==1.1.0", "htmldate==1.2.2", "newspaper4k==0.9.6")
SMALLEST = 3_000
"""Bytes of a file below which it is a test's scrap."""
SITE = "http://pages.example/dir/"
NAMED = r"""() => {
  const found = [];
  const add = (how, element, value) => { if (value && value.trim()) found.push([how, value, element.baseURI]); };
  const icons = ['icon', 'apple-touch-icon', 'apple-touch-icon-precomposed'];
  const walk = root => {
    for (const element of root.querySelectorAll('*')) {
      const is = name => element.localName === name, at = name => element.getAttribute(name);
      const relations = (at('rel') || '').toLowerCase().split(/\s+/);
      if (is('template')) walk(element.content);
      if (is('img')) add('src', element, at('src'));
      if (is('img') || is('source') && element.parentNode.localName === 'picture') add('srcset', element, at('srcset'));
      if (is('input') && (at('type') || '').toLowerCase() === 'image') add('input', element, at('src'));
      if (is('video')) add('poster', element, at('poster'));
      if (is('image')) add('svg', element, at('href') || at('xlink:href'));
      if (is('link') && icons.some(name => relations.includes(name))) add('icon', element, at('href'));
      if (is('link') && relations.includes('preload') && (at('as') || '').toLowerCase() === 'image') {
        add('preload', element, at('href'));
        add('srcset', element, at('imagesrcset'));
      }
      if (['body', 'table', 'td', 'th', 'tr'].includes(element.localName)) add('background', element, at('background'));
      const background = element.style?.backgroundImage || '';
      for (const [, url] of background.matchAll(/url\("((?:[^"\\]|\\.)*)"\)/g)) add('style', element, url);
    }
  };
  walk(document);
  return [document.characterSet, found];
}"""


class Server(ThreadingHTTPServer):
    """Says nothing of a browser that leaves."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(pages: Sequence[Path]) -> Iterator[int]:
    """Serve each page under its number, and nothing else: another page that one leads to is answered with 204."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2].removesuffix(".html")
            asked = self.headers["Host"] in SITE and name.isdecimal() and int(name) < len(pages)
            body = pages[int(name)].read_bytes() if asked else None
            self.send_response(204 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def fetched(folder: Path) -> Path:
    """Fetch the packages' sources, which hold their tests, and unpack them."""
    words = ["download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder), *PACKAGES]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    for packed in folder.glob("*.tar.gz"):
        with tarfile.open(packed) as members:
            members.extractall(folder, filter="data")
    return folder


def found_in(page: Path, url: str) -> tuple[set[str], str]:
    """The URLs that we find in a page, and all that we tell of it."""
    found: Extraction = extract_document(page.read_bytes(), media_type="text/html", base_url=url, document=page.name)
    problems = [*found.problems, *(problem for row in found.sets for problem in row.problems)]
    told = "\n".join(word for problem in problems for word in (problem.message, *problem.words))
    return {candidate.url for row in found.sets for candidate in row.candidates}, told


def named(rows: Sequence[Sequence[str]], encoding: str) -> Iterator[tuple[str, str]]:
    """How and which URLs the browser's tree names, as they would be asked for."""
    for how, value, base in rows:
        for url in [c.url for c in parse_srcset(value).candidates] if how == "srcset" else [value]:
            if isinstance(whole := resolve(url, base, encoding=encoding), str):
                yield how, whole


def main() -> int:
    """Read every page both ways; return 1 if the browser names a URL that we neither find nor tell of."""
    parser = argparse.ArgumentParser(prog="python -m torture.saved_pages", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="saved-pages-") as scratch:
        top = options.folder or fetched(Path(scratch))
        pages = sorted(p for p in top.rglob("*.htm*") if p.is_file() and p.stat().st_size > SMALLEST)
        counts: Counter[str] = Counter()
        with serving(pages) as port, running_chromium(ensure_chromium(), http_port=port, https_port=1) as chromium:
            for number, page in enumerate(pages):
                with chromium.tab(Screen(1280, 720), scripting=False) as tab:
                    url = f"{SITE}{number}.html"
                    tab.open(url)
                    encoding, rows = tab.evaluate(NAMED)
                ours, told = found_in(page, url)
                for how, each in set(named(rows, encoding.lower())):
                    # A message shortens what is long, and shows a relative URL as it is written.
                    missed = each not in ours and each[:60] not in told and each.rpartition("/")[2] not in told
                    counts["named"] += 1
                    counts["missed"] += missed
                    if missed:
                        print(f"MISSED: {page.name}: {how}: {each[:200]}", flush=True)
    print(f"{len(pages):,} pages: {counts['named']:,} URLs in the browser's trees, {counts['missed']:,} missed.")
    return 1 if counts["missed"] or not pages else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NoChromium as missing:
        sys.exit(f"{missing}")
