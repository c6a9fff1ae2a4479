"""Fifteen mistakes of each command: what happened, to which thing, what to do now; exit code 2, and nothing is left behind.

A row is a command line and what its message has to say. Words before it such as ``MEDIAMIRROR_TO=x`` are set in the environment.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from mediamirror.catalog.catalog import connect
from mediamirror.cli.app import run
from mediamirror.settings import default_catalog

MISTAKES: dict[str, list[tuple[str, str]]] = {
    "": [
        ("", "Usage: mediamirror"),
        ("mirorr page.html", "No such command 'mirorr'. Did you mean 'mirror'?"),
        ("--colour", "No such option '--colour'"),
        ("--config nowhere.toml parse page.html", "nowhere.toml can't be read (No such file or directory): name another"),
        ("--config site parse page.html", "The config file site can't be read (Is a directory)"),
        ("--config broken.toml parse page.html", "broken.toml is not valid TOML"),
        ("--config typo.toml parse page.html", "no option 'conncurrency'. Did you mean concurrency?"),
        ("--config value.toml mirror page.html --to m", "give a whole number from 1 to 4096. It comes from value.toml"),
        ("--config glob.toml verify page.html", "number 1: '[abc' has a [ without its ]"),
        ("--config", "Option '--config' requires an argument"),
        ("MEDIAMIRROR_CONCURRENCY=many mirror page.html --to m", "from 1 to 4096. It comes from MEDIAMIRROR_CONCURRENCY"),
        ("MEDIAMIRROR_TO=s3:/x mirror page.html", "mediamirror: not from the command line: --to from MEDIAMIRROR_TO."),
        ("MEDIAMIRROR_CATALOG=page.html mirror page.html --to m", "page.html is damaged, or is no catalog at all"),
        ("MEDIAMIRROR_CATALOG=page.html catalog ls", "not from the command line: --catalog from MEDIAMIRROR_CATALOG."),
        ("MEDIAMIRROR_INCLUDE=[abc mirror page.html --to m", "[[] for the character itself. It comes from MEDIAMIRROR_INCLUDE"),
        ("MEDIAMIRROR_AS=word parse page.html", "'word' is no kind of document: use auto, srcset, html"),
        ("MEDIAMIRROR_TIMEOUT=0 parse page.html", "'0' leaves no time at all: give more seconds. It comes from MEDIAMIRROR_TIMEOUT"),
    ],
    "mirror": [
        ("", "Missing option '--to'. A directory, or s3://bucket/prefix."),
        ("--to m", "mirror needs an INPUT (or --retry-failed)"),
        ("nowhere.html --to m", "nowhere.html does not exist: give a path, a directory, a glob, a URL, or -"),
        ("'no*.htm' --to m", "no*.htm matches nothing: give a path"),
        ("http:// --to m", "'http://' is not a URL that can be requested: write one such as https://example.org/"),
        ("page.html --to ''", "DEST is empty. Give a directory, or s3://bucket/prefix"),
        ("page.html --to s3://b/p", "s3://b/p names no valid bucket (3 characters at least)"),
        ("page.html --to page.html", "page.html is a file. Give a directory"),
        ("page.html --to page.html/m", "page.html is a file, so that page.html/m can't be made"),
        ("page.html --to s3://bucket/x --endpoint-url nohost", "'nohost' is no address of a server: write http://127.0.0.1:8333"),
        ("page.html --to s3://bucket/x", "No credentials were found for the bucket bucket. Set AWS_ACCESS_KEY_ID"),
        ("page.html --to m --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("page.html --to m --catalog site", "site is no regular file, so it can be no catalog: name another"),
        ("page.html --to m --rungs big", "--rungs takes all, largest, or widths such as 480,1280; not 'big'"),
        ("page.html --to m --min-width 0", "0 is too small: give a whole number from 1 on"),
        ("page.html --to m --concurrency 9999", "9999 is too large: give a whole number from 1 to 4096"),
        ("page.html --to m --include '[abc'", "'[abc' has a [ without its ]"),
        ("page.html --to m --exclude ''", "An empty pattern matches nothing"),
        ("page.html --to m --include 'x[z-a]'", "has a range that ends before it begins"),
        ("page.html --to m --as words", "'words' is no kind of document"),
        ("page.html --to m --base-url example.org", "'example.org' is not an absolute URL such as https://example.org/"),
        ("page.html --to m --fresh-for soon", "'soon' is not a duration: write 90, 30m, 24h or 7d"),
        ("page.html --to m --max-size lots", "'lots' is not a size: write 500k, 2M, 1G or plain bytes"),
        ("page.html --to m --timeout 0", "'0' leaves no time at all: give more seconds"),
        ("page.html --to m -H nocolon", "-H needs 'Name: value'"),
        ("page.html --to m -H @nowhere", "-H @nowhere: the file can't be read (No such file or directory)"),
        ("page.html --to m --cacert page.html", "--cacert page.html holds no PEM certificate"),
        ("page.html --to m --error-file .", ". is a folder: give the name of a file in it"),
        ("page.html --to m --error-file page.html", "page.html contains something else than the URLs of an earlier run"),
        ("page.html --to m --error-file nowhere/e.txt", "nowhere/e.txt can't be written (No such file or directory)"),
        ("page.html --to m --rewrite-to page.html", "page.html is a file, and pages are written into a folder"),
        ("page.html --to m --public-url https://m.example/", "give --rewrite-to OUT with it"),
        ("page.html --to m/news --endpoint-url http://127.0.0.1:9", "--endpoint-url: only to reach a bucket"),
        ("page.html --to m --acl private --metadata a=b", "--acl, --metadata: only for a bucket, s3://bucket/prefix"),
        ("page.html --to m --any-host", "--any-host: only with --depth N or --follow-sitemap"),
        ("page.html --to m -n --error-file words.txt", "--error-file: not with --dry-run"),
        ("--to m --retry-failed --include '*.jpg'", "--include: only with INPUTs"),
    ],
    "verify": [
        ("page.html --write-baseline -", "a file of that name is ./-"),
        ("page.html --report -", "a file of that name is ./-"),
        ("--mirror m --catalog -", "a file of that name is ./-"),
        ("", "verify needs INPUTs, or --mirror DEST: one of the two"),
        ("page.html --mirror kept", "verify needs INPUTs, or --mirror DEST: one of the two"),
        ("nowhere", "nowhere does not exist"),
        ("--mirror nowhere", "nowhere is not there. Check the path of DEST"),
        ("--mirror page.html", "page.html is a file. Give a directory"),
        ("--mirror site", "No record says what site should hold"),
        ("--mirror site --repair", "No record says what site should hold"),
        ("--mirror kept --sample 200%", "'200%' is not a share such as 5% or 0.05"),
        ("--mirror kept --repair --from nowhere", "nowhere is not there. Check the path of SRC"),
        ("--mirror kept --from site", "give --repair with it"),
        ("site --root site --estimate --check header", "--estimate: not with --check header"),
        ("--mirror kept --baseline page.html --root site", "--root, --baseline: only with INPUTs"),
        ("site --root site --repair --sample 5%", "--sample, --repair: only with --mirror DEST"),
        ("site --root nowhere", "--root nowhere is not a directory"),
        ("site --root site --baseline nowhere.json", "The baseline nowhere.json does not exist: make it with --write-baseline"),
        ("site --root site --baseline page.html", "left as it is: give the file that --write-baseline wrote"),
        ("site --root site --write-baseline page.html", "page.html is no baseline, and is left as it is"),
        ("site --root site --write-baseline .", "can't be written to . (it is a folder)"),
        ("site --root site --write-baseline nowhere/b.json", "can't be written to nowhere/b.json (there is no such folder)"),
        ("site --root site --select NOPE", "There is no rule 'NOPE'"),
        ("site --root site --ladder wide", "'wide' is no ladder: write widths in pixels"),
        ("site --root site --report page.html", "page.html (it is a file, and a report is a folder): make"),
        ("site --root site --report site", "site already holds an index.html that is no report of ours: name another folder"),
        ("site --root site --format html", "'html' is not one of 'table', 'json'"),
    ],
    "parse": [
        ("", "Missing argument 'INPUT...'. A path, a directory, a glob, a URL, or - for standard input."),
        ("nowhere", "nowhere does not exist"),
        ("'*.htm'", "*.htm matches nothing"),
        ("''", "An empty name does not exist"),
        ("file:///etc/hosts", "INPUT is read over http and https only, not file; give the path itself"),
        ("ftp://example.org/x", "download it first and give its path"),
        ("https://", "'https://' is not a URL that can be requested"),
        ("empty", "empty holds no document, by extension or content"),
        ("page.html --as word", "'word' is no kind of document"),
        ("page.html --as parquet", "page.html can't be read as Parquet"),
        ("page.html --base-url ''", "'' is not an absolute URL"),
        ("page.html --depth -1", "-1 is too small: give a whole number from 0 to 100"),
        ("page.html --max-sets 1.5", "'1.5' is not a whole number"),
        ("page.html --format csv", "'csv' is not one of 'table', 'json', 'jsonl'"),
        ("page.html --max-document-size big", "'big' is not a size"),
        ("page.html --max-document-size 0", "'0' is no size to work with"),
        ("page.html --links=yes", "'--links' does not take a value"),
        ("page.html --connect-to a:b", "--connect-to needs HOST:PORT:HOST2:PORT2"),
        ("page.html --allow-host 10.0.0.0/99", "--allow-host needs a name, an address or a block"),
    ],
    "simulate": [
        ("", "Missing argument 'INPUT...'."),
        ("nowhere", "nowhere does not exist"),
        ("page.html --viewport 390", "'390' is no viewport: write width x height @ density, such as 390x844@3"),
        ("page.html --viewport 390x844@0", "'390x844@0' is no viewport"),
        ("page.html --viewport axb@c", "'axb@c' is no viewport"),
        ("page.html --browser edge", "'edge' is not one of 'common', 'chromium'"),
        ("page.html --root nowhere", "--root nowhere is not a directory"),
        ("page.html --root page.html", "--root page.html is not a directory"),
        ("page.html --format json", "'json' is not one of 'table', 'jsonl'"),
        ("page.html --as word", "'word' is no kind of document"),
        ("page.html --base-url x", "'x' is not an absolute URL"),
        ("page.html --timeout never", "'never' is not a number of seconds: write 30 or 0.5"),
        ("page.html --retries many", "'many' is not a whole number: give a whole number from 0 to 20"),
        ("page.html --proxy ftp://x", "--proxy needs a URL such as http://proxy.example:3128"),
        ("page.html --cacert nowhere.pem", "--cacert nowhere.pem can't be read"),
    ],
    "sync": [
        ("", "Missing argument 'SRC'. A directory, or s3://bucket/prefix."),
        ("kept", "Missing argument 'DEST'."),
        ("nowhere m", "nowhere is not there. Check the path of SRC"),
        ("page.html m", "page.html is a file"),
        ("kept page.html", "page.html is a file"),
        ("kept kept", "SRC and DEST are the same place"),
        ("kept kept/sub", "DEST lies inside SRC"),
        ("kept s3:/x", "s3:/x lacks a slash or two"),
        ("kept s3://bucket/x", "No credentials were found for the bucket bucket"),
        ("kept s3://bucket/x --endpoint-url nohost", "'nohost' is no address of a server"),
        ("kept m --include '[a'", "has a [ without its ]"),
        ("kept m --max-delete -1", "-1 is too small"),
        ("kept m --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("kept m --metadata novalue", "'novalue' is not of the form key=value"),
        ("kept m --size-only --checksum", "--size-only excludes --checksum"),
        ("kept m x", "Got unexpected extra argument (x)"),
        ("kept m --max-delete 5 --force", "--max-delete, --force: only with --delete"),
        ("kept m --concurrency 0", "0 is too small"),
    ],
    "check": [
        ("", "Missing argument 'SRC'."),
        ("kept", "Missing argument 'DEST'."),
        ("nowhere kept", "nowhere is not there. Check the path of SRC"),
        ("kept nowhere", "nowhere is not there. Check the path of DEST"),
        ("kept page.html", "page.html is a file"),
        ("kept site --combined .", ". is a folder: give the name of a file in it"),
        ("kept site --combined nowhere/c.txt", "nowhere/c.txt can't be written"),
        ("nowhere site --combined words.txt", "nowhere is not there"),
        ("kept site --differ out.txt --match out.txt", "--differ and --match both name out.txt, which would be written over"),
        ("kept site --combined page.html --catalog page.html", "--combined and --catalog both name page.html"),
        ("kept s3:/x", "s3:/x lacks a slash or two"),
        ("kept site --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("kept site --exclude ''", "An empty pattern matches nothing"),
        ("kept site --concurrency none", "'none' is not a whole number"),
        ("kept site --size-only --download", "--size-only excludes"),
        ("kept site --format csv", "'csv' is not one of"),
    ],
    "report": [
        ("", "report needs a DEST, or --catalog FILE, or both"),
        ("nowhere", "Nothing is recorded of nowhere: there is no catalog"),
        ("site", "Nothing is recorded of site: there is no catalog"),
        ("page.html", "page.html is a file"),
        ("s3:/x", "s3:/x lacks a slash or two"),
        ("s3://bucket/x", "Nothing is recorded of s3://bucket/x"),
        ("kept -o page.html", "page.html (it is a file, and a report is a folder)"),
        ("kept -o site", "site already holds an index.html that is no report of ours"),
        ("--catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("--catalog nowhere.sqlite", "There is no catalog nowhere.sqlite: check its path, or give the DEST"),
        ("kept --catalog site", "site is no regular file, so it can be no catalog"),
        ("kept --workers 0", "0 is too small: give a whole number from 1 to 256"),
        ("kept --concurrency many", "'many' is not a whole number"),
        ("kept --format html", "No such option '--format'"),
        ("kept kept", "Got unexpected extra argument (kept)"),
    ],
    "rewrite": [
        ("", "Missing argument 'INPUT...'. A page, a folder of pages, or a glob."),
        ("nowhere --mirror kept --diff", "nowhere does not exist"),
        ("page.html --mirror kept", "Where shall the pages go? Give one of --to OUT, --in-place"),
        ("page.html --mirror kept --to out --in-place", "Where shall the pages go?"),
        ("page.html --mirror kept --to page.html", "page.html is a file, and pages are written into a folder"),
        ("site --mirror kept --to site", "Of site and site, one is inside the other"),
        ("site --mirror kept --to site/out", "Of site and site/out, one is inside the other"),
        ("page.html --mirror nowhere --diff", "There is no catalog"),
        ("page.html --mirror kept --public-url x --diff", "'x' is neither a URL such as https://media.example.org/ nor a path"),
        ("page.html --map nowhere.csv --diff", "The map nowhere.csv can't be read (No such file or directory): name another"),
        ("page.html --map bytes.bin --diff", "The map bytes.bin is no CSV in UTF-8"),
        ("page.html --map words.csv --diff", "The map words.csv has no URL: a row is an old one, a comma, and a new one"),
        ("page.html --catalog page.html --diff", "page.html is damaged, or is no catalog at all"),
        ("page.html --mirror kept --stdout --diff", "give one of them"),
        ("site page.html --mirror kept --stdout", "--stdout prints one page: give one INPUT"),
        ("https://example.org/ --mirror kept --diff", "save the page first, and give its path"),
        ("page.html --mirror kept --as word --diff", "'word' is no kind of document"),
    ],
    "map": [
        ("", "Under which URL do browsers find the mirror? Give --public-url URL"),
        ("kept", "Give --public-url URL"),
        ("nowhere --public-url https://m.example/", "There is no catalog"),
        ("page.html --public-url https://m.example/", "page.html is a file"),
        ("s3:/x --public-url https://m.example/", "s3:/x lacks a slash or two"),
        ("--catalog page.html --public-url https://m.example/", "page.html is damaged, or is no catalog at all"),
        ("--catalog nowhere.sqlite --public-url https://m.example/", "There is no catalog nowhere.sqlite"),
        ("kept --public-url m.example", "'m.example' is neither a URL such as https://media.example.org/ nor a path"),
        ("kept --public-url ''", "'' is empty or holds a blank"),
        ("kept --public-url https://m.example/ --format iis", "'iis' is not one of 'csv', 'nginx'"),
        ("kept --public-url https://m.example/ -o .", ". is a folder: give the name of a file in it"),
        ("kept --public-url https://m.example/ -o nowhere/m.csv", "nowhere/m.csv can't be written"),
        ("kept --catalog page.html -o page.html --public-url https://m.example/", "--output and --catalog both name page.html"),
        ("kept kept --public-url https://m.example/", "Got unexpected extra argument (kept)"),
        ("s3://bucket/x --endpoint-url nohost --public-url https://m.example/", "'nohost' is no address of a server"),
    ],
    "rules": [
        ("MM999", "There is no rule 'MM999'"),
        ("nonsense", "There is no rule 'nonsense'"),
        ("''", "There is no rule '': see `mediamirror rules`"),
        ("301", "There is no rule '301'"),
        ("'*'", "There is no rule '*': see `mediamirror rules`"),
        ("MM3,MM4", "There is no rule 'MM3,MM4'"),
        ("MM301 MM302", "Got unexpected extra argument (MM302)"),
        ("'MM 301'", "There is no rule 'MM 301'"),
        ("--format json", "No such option '--format'"),
        ("--all", "No such option '--all'"),
        ("-v", "No such option '-v'"),
        ("page.html", "There is no rule 'page.html'"),
        ("MM301x", "did you mean MM301"),
        ("declared-widht", "did you mean"),
        ("МM301", "did you mean MM301"),  # its first letter is Cyrillic
    ],
    "catalog ls": [
        ("", "Which catalog? Give the DEST of the mirror, or --catalog FILE. There are: "),
        ("nowhere", "There is no catalog"),
        ("page.html", "page.html is a file"),
        ("kept --to m", "DEST was given twice, as kept and as --to m"),
        ("kept --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("--catalog nowhere.sqlite", "There is no catalog nowhere.sqlite"),
        ("--catalog site", "site is no regular file"),
        ("kept --width wide", "'wide' is not a width: write 480, 480-1280"),
        ("kept --width 900-300", "'900-300' ends before it begins: write the smaller width first"),
        ("kept --status good", "'good' is not one of 'stored', 'rejected'"),
        ("kept --rule NOPE", "There is no rule 'NOPE'"),
        ("kept --host '['", "has a [ without its ]"),
        ("kept --format csv", "'csv' is not one of"),
        ("s3:/x", "s3:/x lacks a slash or two"),
        ("s3://bucket/x --endpoint-url nohost", "'nohost' is no address of a server"),
        ("kept kept", "Got unexpected extra argument (kept)"),
    ],
    "catalog show": [
        ("", "Missing argument 'URL|KEY|SHA'. A URL, a key, or a sha256"),
        ("x", "Which catalog? Give the DEST of the mirror"),
        ("abcdef kept", "The catalog knows no 'abcdef': give a URL as the page has it, a key"),
        ("https://example.org/none.webp kept", "The catalog knows no 'https://example.org/none.webp'"),
        ("'' kept", "The catalog knows no ''"),
        ("abc kept", "The catalog knows no 'abc'"),
        ("a_320.webp nowhere", "There is no catalog"),
        ("a_320.webp page.html", "page.html is a file"),
        ("a_320.webp --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("a_320.webp --catalog nowhere.sqlite", "There is no catalog nowhere.sqlite"),
        ("a_320.webp kept --to m", "DEST was given twice"),
        ("a_320.webp kept --format csv", "'csv' is not one of 'table', 'json'"),
        ("a_320.webp s3:/x", "s3:/x lacks a slash or two"),
        ("a_320.webp ''", "DEST is empty"),
        ("a_320.webp kept more", "Got unexpected extra argument (more)"),
    ],
    "catalog export": [
        ("", "Which catalog? Give the DEST of the mirror"),
        ("nowhere", "There is no catalog"),
        ("kept -o .", ". is a folder: give the name of a file in it"),
        ("kept -o x.xlsx", "x.xlsx: .xlsx is not an extension that a catalog can have: use .jsonl"),
        ("kept -o x.csv.gz", "x.csv.gz: .gz is not an extension"),
        ("kept -o page.html", "page.html: .html is not an extension"),
        ("kept -o rows.json", "rows.json: .json is not an extension"),
        ("kept -o x.csv --format parquet", "x.csv is named like csv, and --format says parquet: change one of them"),
        ("kept -o nowhere/x.csv", "nowhere/x.csv can't be written (No such file or directory): check its folder"),
        ("kept --format parquet", "A Parquet file can't go to standard output: name it with -o FILE"),
        ("kept --format parquet -o -", "A Parquet file can't go to standard output: name it with -o FILE"),
        ("kept --format xlsx", "'xlsx' is not one of 'jsonl', 'csv', 'parquet', 'warc'"),
        ("--catalog page.html --format warc", "give DEST beside --catalog"),
        ("--catalog page.html -o x.csv", "page.html is damaged, or is no catalog at all"),
        ("--catalog rows.jsonl -o rows.jsonl", "--output and --catalog both name rows.jsonl, which would be written over"),
        ("kept --width ''", "'' is not a width"),
    ],
    "catalog gc": [
        ("", "Which mirror? Give DEST: a directory, or s3://bucket/prefix"),
        ("nowhere", "nowhere is not a directory. Make it first, or give another place"),
        ("page.html", "page.html is a file"),
        ("page.html/m", "page.html is a file, so that page.html/m can't be made"),
        ("kept --older-than soon", "'soon' is not a duration"),
        ("kept --older-than -1", "'-1' is not a duration"),
        ("kept --keep-runs 0", "0 is too small: give a whole number from 1 on"),
        ("kept --max-delete -2", "-2 is too small: give a whole number from 0 on"),
        ("kept --max-delete some", "'some' is not a whole number"),
        ("kept --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("kept --catalog site", "site is no regular file"),
        ("kept --to m", "DEST was given twice"),
        ("s3:/x", "s3:/x lacks a slash or two"),
        ("s3://bucket/x", "No credentials were found for the bucket bucket"),
        ("kept --remove", "No such option '--remove'"),
    ],
    "catalog rebuild": [
        ("", "Which mirror? Give DEST"),
        ("nowhere", "nowhere is not a directory. Make it first, or give another place"),
        ("page.html", "page.html is a file"),
        ("kept", "is intact: nothing was changed"),
        ("kept --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("kept --catalog page.html --force", "nothing was changed. Name another file with --catalog"),
        ("kept --catalog site", "site is no regular file"),
        ("kept --to m", "DEST was given twice"),
        ("kept m", "Got unexpected extra argument (m)"),
        ("s3:/x", "s3:/x lacks a slash or two"),
        ("s3://", "names no valid bucket"),
        ("s3://bucket/x", "No credentials were found for the bucket bucket"),
        ("s3://bucket/x --endpoint-url nohost", "'nohost' is no address of a server"),
        ("https://example.org/m", "https://example.org/m can't be a DEST"),
        ("kept --force=yes", "'--force' does not take a value"),
    ],
    "catalog import": [
        ("", "Which mirror? Give DEST"),
        ("nowhere", "nowhere is not a directory. Make it first, or give another place"),
        ("page.html", "page.html is a file"),
        ("kept --list nowhere.jsonl", "The list nowhere.jsonl can't be read (No such file or directory): name another"),
        ("kept --list site", "The list site can't be read (Is a directory)"),
        ("kept --list rows.jsonl", 'Line 1 of the list is not of the form {"url"'),
        ("kept --list bytes.bin", "Line 1 of the list is not of the form"),
        ("kept --base-url x", "'x' is not an absolute URL such as https://example.org/"),
        ("kept --base-url ''", "'' is not an absolute URL"),
        ("kept --catalog page.html", "page.html is damaged, or is no catalog at all"),
        ("kept --catalog site", "site is no regular file"),
        ("kept --to m", "DEST was given twice"),
        ("s3:/x", "s3:/x lacks a slash or two"),
        ("s3://bucket/x", "No credentials were found for the bucket bucket"),
        ("gopher://example.org/", "can't be a DEST"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a user's files, a mirror with its catalog, and no credentials."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "MEDIAMIRROR_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(folder / "home"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("COLUMNS", "400")
        patch.chdir(folder)
        _fill(folder)
        assert run(["catalog", "import", "kept", "--base-url", "https://example.org/"]) == 0
        yield folder


def _fill(folder: Path) -> None:
    for name in ("site", "kept", "empty", "home"):
        (folder / name).mkdir()
    Image.new("RGB", (320, 180)).save(folder / "site" / "a_320.webp")
    Image.new("RGB", (320, 180)).save(folder / "kept" / "a_320.webp")
    texts = {
        "site/index.html": '<img alt="x" src="a_320.webp">\n',
        "page.html": "<p>The user's own page.</p>\n",
        "words.txt": "older words\n",
        "words.csv": "one,two\n",
        "rows.jsonl": "no JSON\n",
        "broken.toml": "to = [\n",
        "typo.toml": "conncurrency = 3\n",
        "value.toml": '[mirror]\nconcurrency = "many"\n',
        "glob.toml": '[[verify.per-path]]\npath = "[abc"\nignore = ["MM105"]\nreason = "x"\n',
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "bytes.bin").write_bytes(bytes(range(256)) * 20)


def _all_of(folder: Path) -> dict[str, str]:
    """Every file and what is in it; what SQLite keeps beside a database that is read is left away."""
    paths = [path for path in sorted(folder.rglob("*")) if not path.name.endswith(("-shm", "-wal"))]
    return {str(path.relative_to(folder)): _content(path) for path in paths}


def _content(path: Path) -> str:
    """A file's bytes as a hash; of a catalog its rows but for the list of runs, which names those that were refused, too."""
    if not path.is_file():
        return "a folder"
    if path.suffix != ".sqlite":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with closing(sqlite3.connect(path)) as catalog:
        return "\n".join(line for line in catalog.iterdump() if "runs" not in line)


ROWS = [(f"{command} {words}".strip(), said) for command, rows in MISTAKES.items() for words, said in rows]


@pytest.mark.parametrize(("line", "said"), ROWS, ids=[line or "nothing" for line, _ in ROWS])
def test_a_mistake_ends_in_a_sentence_that_names_it_and_leaves_nothing_behind(
    line: str, said: str, world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line)
    while words and words[0].startswith("MEDIAMIRROR_"):
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, value)
    before = _all_of(world)
    code = run(words)
    printed = capsys.readouterr()
    told = " ".join(printed.err.split())
    assert said in told
    assert (code, printed.out, "Traceback" in told, "unexpected " in told.replace("unexpected extra", "")) == (
        *(2, "", False, False),
    )
    assert _all_of(world) == before


@pytest.mark.parametrize("command", MISTAKES)
def test_there_are_fifteen_mistakes_of_each_command(command: str) -> None:
    assert len(set(MISTAKES[command])) >= 15


def test_a_bucket_that_was_mirrored_to_another_server_names_that_server(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = default_catalog("s3://media/news@http://127.0.0.1:8333")
    with closing(connect(path)) as catalog, catalog:
        catalog.execute("INSERT INTO stores (name) VALUES ('s3://media/news@http://127.0.0.1:8333')")
    hint = "s3://media/news was mirrored from here to http://127.0.0.1:8333: give --endpoint-url http://127.0.0.1:8333."
    for words in ("catalog ls s3://media/news", "report s3://media/news", "verify --mirror s3://media/news"):
        assert run(shlex.split(words)) == 2
        assert hint in capsys.readouterr().err, words
    assert run(shlex.split("catalog ls s3://media/others")) == 2
    assert "was mirrored from here" not in capsys.readouterr().err


def test_a_baseline_that_is_written_says_where_and_how_many(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("thin").mkdir()
    Path("thin/index.html").write_text('<img src="gone.webp" alt="x">')
    assert run(shlex.split("verify thin --root thin --write-baseline known.json")) == 0
    assert "Baseline: known.json, 1 finding accepted." in capsys.readouterr().err
    assert run(shlex.split("verify thin --root thin --baseline known.json --write-baseline known.json")) == 0
    assert "Baseline: known.json, 1 finding accepted." in capsys.readouterr().err


def test_an_error_file_of_a_run_before_is_written_anew(world: Path) -> None:
    Path("failed.txt").write_text("https://127.0.0.1:9/a.webp\t# connect-failed: refused\n")
    assert run(shlex.split("mirror failed.txt --as urls --to m --error-file failed.txt --retries 0")) == 1
    assert Path("failed.txt").read_text().startswith("https://127.0.0.1:9/a.webp\t# ")


def test_lists_of_check_that_is_refused_stay_as_they_were(world: Path) -> None:
    Path("marks.txt").write_text("older")
    assert run(shlex.split("check nowhere kept --combined marks.txt --differ differ.txt")) == 2
    assert (Path("marks.txt").read_text(), Path("differ.txt").exists()) == ("older", False)
