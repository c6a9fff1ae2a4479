"""A document loads what its own kind needs: a run over texts pays for no HTML parser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_HTML = {
    "text": b"today https://a.example/a_480.webp 480w, https://a.example/a_960.webp 960w",
    "srcset": b"https://a.example/a_480.webp 480w, https://a.example/a_960.webp 960w",
    "urls": b"https://a.example/a.webp\n",
    "css": b"a { background: image-set(url(https://a.example/a.webp) 1x) }",
    "jsonl": b'{"image": "https://a.example/a.webp", "text": "words"}\n',
    "json": b'{"image": "https://a.example/a.webp"}',
    "csv": b"page,image\nhttps://a.example/,https://a.example/a.webp\n",
    "feed": b'<rss><channel><item><enclosure url="https://a.example/a.webp" type="image/webp"/></item></channel></rss>',
    "sitemap": b'<urlset xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"><url><loc>https://a.example/</loc>'
    b"<i:image><i:loc>https://a.example/a.webp</i:loc></i:image></url></urlset>",
}


def modules(code: str, *arguments: str) -> set[str]:
    """The modules that are loaded once ``code`` has run in a process of its own."""
    program = f"import sys\n{code}\nprint('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED ")[2].split())


def extracting(kind: str, data: bytes) -> set[str]:
    return modules(
        f"from mediamirror.markup.extract import extract_document\nassert extract_document({data!r}, as_={kind!r}).sets"
    )


@pytest.mark.parametrize("kind", WITHOUT_HTML)
def test_a_document_without_html_loads_no_html_parser(kind: str) -> None:
    loaded = extracting(kind, WITHOUT_HTML[kind])
    assert not {name for name in loaded if name.startswith(("turbohtml", "mediamirror.markup.page"))}


@pytest.mark.parametrize("kind", ["text", "srcset", "urls", "css"])
def test_a_text_or_a_style_sheet_loads_no_reader_of_records(kind: str) -> None:
    loaded = extracting(kind, WITHOUT_HTML[kind])
    assert not {name for name in loaded if name.startswith("mediamirror.markup.records.")} - {
        "mediamirror.markup.records.lists"
    }


def test_a_page_does_load_it() -> None:
    assert {"turbohtml", "mediamirror.markup.page.html"} <= extracting("html", b"<img src=https://a.example/a.webp>")


def test_a_whole_run_over_a_text_loads_no_html_parser(tmp_path: Path) -> None:
    document = tmp_path / "in.txt"
    document.write_bytes(WITHOUT_HTML["text"])
    loaded = modules(
        "from mediamirror.cli.app import main\n"
        "sys.argv = ['mediamirror', 'parse', sys.argv[1]]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code",
        str(document),
    )
    assert "mediamirror.markup.text.prose" in loaded
    assert not {name for name in loaded if name.partition(".")[0] in {"turbohtml", "tinycss2"}}
