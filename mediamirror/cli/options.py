"""Every option that several commands share, written once, and the option groups that are made of what was given.

A field of an option group takes the option of the same name; only what is told in other words than it is kept is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import click

from mediamirror.cli.command import (
    ASK,
    CHECKS,
    COMPARE,
    LIMITS,
    OUTPUT,
    PATH,
    SPEED,
    WHAT,
    WHERE,
    WHICH,
    Given,
    Option,
    argument,
    configured,
    option,
)
from mediamirror.cli.config import (
    absolute_url,
    allowed_host,
    endpoint,
    headers,
    host_name,
    kind,
    more_seconds,
    proxy_url,
    rewired,
    rungs,
    tolerance,
)
from mediamirror.settings import (
    Check,
    CheckOptions,
    CompareOptions,
    Engine,
    EngineOptions,
    FailOn,
    FetchOptions,
    JobOptions,
    Layout,
    ReadOptions,
    SelectOptions,
    StoreOptions,
    SyncOptions,
)

_Group = TypeVar("_Group")
LARGE = 200
"""Image sets above which a table is a summary, unless a table is asked for."""


def _rows(panel: str, group: Any, *rows: tuple[str, str] | tuple[str, str, dict[str, Any]]) -> list[Option]:
    """Make options of one panel whose defaults are those of one group."""
    return [option(words, text, group, panel=panel, **(more[0] if more else {})) for words, text, *more in rows]


_INPUT = "A path, a directory, a glob, a URL, or - for standard input."
INPUTS = argument("inputs", "INPUT...", _INPUT, nargs=-1, required=True)
SOME_INPUTS = argument("inputs", "[INPUT...]", _INPUT, nargs=-1)
SOURCE = argument("source", "SRC", "A directory, or s3://bucket/prefix.")
DESTINATION = argument("destination", "DEST", "A directory, or s3://bucket/prefix.")

READ = _rows(
    WHAT,
    ReadOptions,
    (
        "--as KIND",
        "auto, html, text, srcset, urls, css, markdown, feed, sitemap, json, jsonl, csv, tsv, parquet, warc, "
        "har, mhtml, webarchive, zip or tar: "
        "if the guess (by Content-Type, extension, content) is wrong.",
        {"name": "as_", "type": kind},
    ),
    (
        "--base-url URL",
        "The URL of the page, to resolve relative URLs. For a folder or an archive: the URL before the path of each page.",
        {"type": absolute_url},
    ),
    ("--field NAME", "The field of JSON Lines, CSV or Parquet rows with the document (default: text, html, …)."),
    ("--links", "Treat links to image files (a href) as images too."),
    ("--follow-sitemap", "Also read the pages in the sitemaps of an INPUT URL's site, or in a sitemap given as INPUT."),
    ("--depth N", "Follow links from INPUT URLs, N levels deep.", {"least": 0, "most": 100}),
    ("--same-host/--any-host", "Follow links only to the hosts of the INPUT URLs, or to any host."),
    ("--max-pages N", "Stop following after N pages, INPUTs included."),
)
ARCHIVES = _rows(
    WHAT,
    ReadOptions,
    ("--offline", "Make no connection to an origin: take images only from the web archives among the INPUTs."),
    ("--all-images", "Take all images of the web archives among the INPUTs, even if no page references them."),
    ("--keep-data", "Also take images embedded in pages (data: URLs), named by their hash."),
    (
        "--check-hashes",
        "Compare the files of each WACZ among the INPUTs with its list of hashes, and report whether it is signed.",
    ),
)
FAIL_EMPTY = option("--fail-empty", "Exit 1 if no INPUT contains an image.", JobOptions, panel=WHAT)
ROOT = option("--root DIR", "Read the site's URLs from this document root; download nothing.", panel=WHAT)

SELECT = _rows(
    WHICH,
    SelectOptions,
    (
        "--rungs all|largest|WIDTHS",
        "The widths of each image set to store, such as 480,1280, by width descriptors, else by the URLs. If an image is "
        "rejected, the next best is tried.",
        {"type": rungs},
    ),
    ("--min-width PX", "Skip variants narrower than PX pixels."),
    ("--include GLOB", "Only URLs that match (may be repeated)."),
    ("--exclude GLOB", "No URL that matches (may be repeated)."),
    ("--fresh-for TIME", "Skip files that were checked within this time (20h, 7d).", {"show_default": False}),
    ("--refetch", "Download every file again, without revalidation, for origins with wrong ETags."),
)

_SECRET = {"show_default": False}  # what a config file or a variable says is a secret, and --help would show it
ASKING = _rows(
    ASK,
    None,
    (
        "--header -H 'NAME: VALUE'|@FILE",
        "Send this header with every request: Accept-Language, Referer and other common ones to every host, all others only to "
        "the hosts of the INPUTs. @FILE has one per line, so that no token appears on the command line.",
        _SECRET | {"multiple": True, "type": headers},
    ),
    ("--user-agent TEXT", "The User-Agent to send; please include a contact."),
    ("--contact URL|MAIL", "How a site's owner can reach you; added to the User-Agent."),
    (
        "--connect-to HOST:PORT:HOST2:PORT2",
        "Connect to HOST2:PORT2 instead of HOST:PORT, like curl --connect-to.",
        {"multiple": True, "type": rewired},
    ),
    ("--cacert FILE", "Trust these certificates (PEM) too."),
    (
        "--proxy URL|@FILE",
        "Use this HTTP proxy; @FILE contains its URL, for one with a password.",
        _SECRET | {"type": proxy_url},
    ),
    ("--ignore-robots", "Ignore robots.txt, and download what it forbids."),
    ("--allow-private", "Allow requests to private and all other addresses, not only to public ones."),
    (
        "--allow-host HOST[:PORT]",
        "Also allow requests to this name, address or block (10.0.0.0/8); may be repeated.",
        {"multiple": True, "type": allowed_host},
    ),
)
CACERT = next(each for each in ASKING if each.name == "cacert")
CREDENTIALS_FOR = option(
    "--credentials-for HOST[:PORT]", "Send every -H header to this host too.", FetchOptions, panel=ASK, type=host_name
)
ROBOTS_TAG = option(
    "--respect-x-robots-tag",
    "Reject images whose X-Robots-Tag says noindex, noimageindex, noai, noimageai or none.",
    FetchOptions,
    panel=ASK,
)

PACE = _rows(
    SPEED,
    FetchOptions,
    ("--delay S", "Wait S seconds between requests to one host."),
    ("--retries N", "Retry a failed request up to N times.", {"least": 0, "most": 20}),
    ("--timeout S", "Abort a request, with its body, after S seconds.", {"type": more_seconds}),
)
CONCURRENCY = option("--concurrency N", "Parallel requests.", FetchOptions, panel=SPEED, most=4096)
LOAD = [
    CONCURRENCY,
    *_rows(
        SPEED,
        FetchOptions,
        ("--host-concurrency N", "Parallel requests to one host."),
        ("--limit-rate SIZE", "Download at most SIZE bytes per second in total, such as 2M."),
    ),
]
WORKERS = option("--workers N", "Decoder processes (one per core).", CheckOptions, panel=SPEED, most=256)
ENGINE = [
    option(
        "--engine",
        "Let this process do all the work, or share it among --workers processes, or on a Ray cluster: docs/scale.md.",
        EngineOptions,
        panel=SPEED,
        choices=get_args(Engine),
    ),
    option(
        "--ray-address HOST:PORT|auto",
        "The Ray cluster to use; without it, one is started on this machine for the run.",
        EngineOptions,
        panel=SPEED,
    ),
    option(
        "--workers N",
        "Decoder processes; with an --engine the workers that share the run, of which each has one (one per core).",
        CheckOptions,
        panel=SPEED,
        most=256,
    ),
]

ANSWER_LIMITS = _rows(
    LIMITS,
    FetchOptions,
    ("--max-header-size SIZE", "Reject a response with more bytes of headers."),
    ("--max-redirects N", "Follow at most N redirects from one URL.", {"least": 0}),
    ("--min-rate N", "Abort a download slower than N bytes per second over 30 s; 0 switches this off.", {"least": 0}),
)
MAX_SIZE = option("--max-size SIZE", "Reject a larger body, also after decompression.", FetchOptions, panel=LIMITS)
READ_LIMITS = _rows(
    LIMITS,
    ReadOptions,
    ("--max-document-size SIZE", "Reject a larger document, also after decompression.", {"field": "max_document"}),
    ("--max-document-memory SIZE", "Stop reading a document that needs more memory."),
    ("--max-documents N", "Stop reading after N documents."),
    ("--max-sets N", "Take at most N image sets from one document."),
    ("--max-candidates N", "Take at most N candidates from one image set."),
)
IMAGE_LIMITS = _rows(
    LIMITS,
    CheckOptions,
    ("--max-pixels N", "Reject images with more than N pixels."),
    ("--max-frames N", "Reject animations with more than N frames."),
    ("--max-total-pixels N", "Reject animations with more than N pixels in all frames."),
    ("--max-decode-memory SIZE", "Reject images that need more memory to decode."),
)

CHECK = _rows(
    CHECKS,
    CheckOptions,
    ("--check", "Decode every pixel, or read only the header.", {"choices": get_args(Check)}),
    ("--tolerance 1px|1%", "Accept widths that differ by at most this.", {"type": tolerance}),
)
NO_SANDBOX = option(
    "--no-sandbox",
    "Decode without a system call filter (-v prints what it filters); limits of memory and CPU still apply.",
    panel=CHECKS,
)
KEEP = _rows(
    CHECKS,
    CheckOptions,
    ("--keep-rejected", "Also store images with the wrong width, if they decode."),
    ("--keep-svg", "Store SVG files unchecked; in a bucket with Content-Disposition: attachment."),
)

TO = option("--to DEST", "A directory, or s3://bucket/prefix.", panel=WHERE, required=True)
LAYOUT = option(
    "--layout",
    "Build keys from the URL (path), image name and size (named), or sha256 (hash): docs/keys.md.",
    StoreOptions,
    panel=WHERE,
    choices=get_args(Layout),
)
TRUE_ENDINGS = option(
    "--true-endings",
    "Give each key the extension of its real format (photo.jpg that contains AVIF): docs/keys.md.",
    StoreOptions,
    panel=WHERE,
)
MAX_DELETE = option("--max-delete N", "Change nothing if more objects would be deleted.", panel=WHERE, least=0)
CATALOG = option("--catalog FILE", "The SQLite catalog (default: one per DEST).", panel=WHERE)
PUBLIC_URL = option(
    "--public-url URL",
    "The URL at which browsers find the mirror's keys; without it, pages use relative paths to a mirror in a directory.",
    panel=WHERE,
)
DRY_RUN = option("--dry-run -n", "Print what would be done; change nothing.", panel=WHERE)
PLACE = _rows(
    WHERE,
    StoreOptions,
    ("--endpoint-url URL", "The S3 server, if it is not AWS.", {"type": endpoint}),
    ("--region NAME", "The bucket's region."),
    ("--profile NAME", "A profile of ~/.aws/config."),
    ("--no-sign-request", "Send no credentials."),
)
SOURCE_PLACE = _rows(
    WHERE,
    None,
    ("--source-endpoint-url URL", "The S3 server of SRC (or --from), if different.", {"type": endpoint}),
    ("--source-region NAME", "The region of SRC (or --from), if different."),
    ("--source-profile NAME", "The profile for SRC (or --from), if different."),
)
WRITE = _rows(
    WHERE,
    StoreOptions,
    ("--acl NAME", "A canned ACL such as public-read."),
    ("--cache-control TEXT", "Cache-Control of the stored objects."),
    ("--storage-class NAME", "S3 storage class."),
    ("--create-bucket", "Create the bucket of DEST if it does not exist."),
    ("--metadata K=V", "Metadata of the stored objects (may be repeated)."),
)
WRITE_SETS = _rows(
    WHERE,
    StoreOptions,
    (
        "--atomic-sets/--no-atomic-sets",
        "Record image sets in the manifest, each after its last variant; with --no-atomic-sets only objects.",
    ),
    (
        "--strip-metadata",
        "Store WebP, JPEG and PNG without EXIF, XMP, IPTC and comments: the same pixels, orientation and colours.",
    ),
)

COMPARING = _rows(
    COMPARE,
    CompareOptions,
    ("--checksum", "Hash the bytes of SRC again, whatever is recorded."),
    ("--size-only", "Treat objects with the same key and size as identical."),
    ("--attributes", "Also compare Content-Type, metadata and headers: one HEAD request per object."),
    ("--include GLOB", "Only keys that match (may be repeated)."),
    ("--exclude GLOB", "No key that matches (may be repeated)."),
)

QUIET = option("--quiet -q", "Print only what went wrong.", panel=OUTPUT)
VERBOSE = option("--verbose -v", "Print more on standard error.", panel=OUTPUT)
NO_PROGRESS = option("--no-progress", "Show no progress bar, and no progress line every 30 s.", panel=OUTPUT)
OUTPUT_FILE = option(
    "--output -o FILE",
    "Write to FILE; default and - are standard output.",
    panel=OUTPUT,
    written=True,
    type=PATH,
    callback=lambda _, __, path: None if path == Path("-") else path,
)
HIDE_SECRETS = option(
    "--hide-secrets",
    "Replace signatures and tokens in URLs by *** also in JSON and in files for programs.",
    panel=OUTPUT,
)
FAIL_ON = option(
    "--fail-on", "Exit 1 if a finding has this severity or higher.", JobOptions, panel=OUTPUT, choices=get_args(FailOn)
)


def format_of(*choices: str) -> Option:
    """Make ``--format`` with the formats that a command can print; the first is the default."""
    text = "The output format."
    if "summary" in choices:
        text += f" For more than {LARGE} image sets the default is a summary, unless -q or -v is given."
    return option("--format", text, panel=OUTPUT, name="format_", choices=choices, default=choices[0])


def summary_above(given: Given) -> int | None:
    """Return how many image sets make a table a summary: any, many where nobody asked for a table, or None for a table always."""
    if given.format_ == "summary":
        return -1
    asked = click.get_current_context().get_parameter_source("format_") is not click.core.ParameterSource.DEFAULT
    return None if asked or given.quiet or given.verbose or given.format_ != "table" else LARGE


TABLE_OR_JSON = format_of("table", "json", "jsonl")
PRINTING = [TABLE_OR_JSON, QUIET, VERBOSE]


def options_from(group: type[_Group], given: Given, **special: Any) -> _Group:
    """Build an option group: each field from what is given under its name, ``special`` ones as they are, else its default."""
    told = vars(given)
    names = [field.name for field in fields(cast("Any", group)) if field.name in told and field.name not in special]
    return group(**{name: told[name] for name in names}, **special)


def fetch_options(given: Given) -> FetchOptions:
    """Build the options for asking servers."""
    return options_from(
        FetchOptions,
        given,
        headers=tuple(header for several in given.header for header in several),
        robots=not given.ignore_robots,
        allow_hosts=given.allow_host,
    )


def read_options(given: Given) -> ReadOptions:
    """Build the options for reading the INPUTs."""
    largest = {"max_document": given.max_document_size} if hasattr(given, "max_document_size") else {}
    return options_from(ReadOptions, given, **largest)


def check_options(given: Given) -> CheckOptions:
    """Build the options for looking at the bytes."""
    return options_from(CheckOptions, given, sandbox=not given.no_sandbox)


def store_options(given: Given) -> StoreOptions:
    """Build the options of the place that is written to, or of the one mirror that is read."""
    return options_from(StoreOptions, given)


def source_store(given: Given) -> StoreOptions | None:
    """Return how to reach SRC when that differs from DEST, else None. What is only for writing is left out."""
    own = {name: getattr(given, f"source_{name}") for name in ("endpoint_url", "region", "profile")}
    if all(value is None for value in own.values()):
        return None
    told = {name: getattr(given, name) if value is None else value for name, value in own.items()}
    return StoreOptions(no_sign_request=given.no_sign_request, cacert=given.cacert, **told)


def sync_options(given: Given) -> SyncOptions:
    """Build how two places are compared, reached and made alike."""
    compare, source = options_from(CompareOptions, given), source_store(given)
    return options_from(SyncOptions, given, compare=compare, store=store_options(given), source=source)


def chosen_rules(given: Given) -> dict[str, Any]:
    """Return which rules count: ``--select`` and ``--ignore`` may be repeated and hold several words with commas between."""
    return {
        "select": tuple(_words(given.select)),
        "ignore": tuple(_words(given.ignore)),
        "per_path": configured().per_path,
    }


def _words(values: tuple[str, ...]) -> Iterator[str]:
    return (word.strip() for value in values for word in value.split(",") if word.strip())
