"""The options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mediamirror.cli.values import byte_size, duration, seconds

READ = "Reading inputs"
SELECT = "Which variants"
NETWORK = "Network"
CHECK = "Checking"
STORE = "Storing"
OUTPUT = "Output"

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="A path, a directory, a glob, a URL, or - for standard input."),
]
As = Annotated[
    str,
    typer.Option(
        "--as",
        metavar="KIND",
        rich_help_panel=READ,
        help="auto, html, text, srcset, urls, css, markdown, feed, sitemap, json, jsonl, csv, tsv, parquet or warc: "
        "when the guess (Content-Type, extension, content) is wrong.",
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", rich_help_panel=READ, help="What relative URLs resolve on."),
]
Field = Annotated[
    str | None,
    typer.Option(
        "--field",
        metavar="NAME",
        rich_help_panel=READ,
        help="The field of JSON Lines, CSV or Parquet rows that holds the document (default: text, html, …).",
    ),
]
Links = Annotated[
    bool, typer.Option("--links", rich_help_panel=READ, help="Take links to image files (a href) as images too.")
]
Offline = Annotated[
    bool,
    typer.Option("--offline", rich_help_panel=READ, help="Take images from the WARC files among the inputs alone."),
]
FollowSitemap = Annotated[
    bool,
    typer.Option(
        "--follow-sitemap",
        rich_help_panel=READ,
        help="Read the pages in the sitemaps of an INPUT URL's site too, and in a sitemap given as INPUT.",
    ),
]
Depth = Annotated[
    int,
    typer.Option(
        "--depth", metavar="N", min=0, max=100, rich_help_panel=READ, help="Follow links from INPUT URLs N levels far."
    ),
]
SameHost = Annotated[
    bool,
    typer.Option(
        "--same-host/--any-host", rich_help_panel=READ, help="Follow only to the INPUT URLs' own hosts, or to any."
    ),
]
MaxPages = Annotated[
    int,
    typer.Option(
        "--max-pages", metavar="N", min=1, rich_help_panel=READ, help="Stop following after N pages, INPUTs included."
    ),
]
FailEmpty = Annotated[
    bool, typer.Option("--fail-empty", rich_help_panel=READ, help="Exit 1 when no input holds an image.")
]
Format = Annotated[
    Literal["table", "json", "jsonl"], typer.Option("--format", rich_help_panel=OUTPUT, help="How to print the result.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=OUTPUT, help="Print only what went wrong.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", rich_help_panel=OUTPUT, help="Say more on standard error.")]
Explain = Annotated[
    bool, typer.Option("--explain", rich_help_panel=OUTPUT, help="Say in the table which rule found each source.")
]
HideSecrets = Annotated[
    bool,
    typer.Option(
        "--hide-secrets",
        rich_help_panel=OUTPUT,
        help="Put *** for signatures and tokens in the URLs of JSON and of files for programs too, as in all else.",
    ),
]
NoProgress = Annotated[bool, typer.Option("--no-progress", rich_help_panel=OUTPUT, help="Draw no progress bar.")]
FailOn = Annotated[
    Literal["error", "warning", "never"],
    typer.Option("--fail-on", rich_help_panel=OUTPUT, help="Exit 1 when a finding is at least this grave."),
]

Rungs = Annotated[
    str,
    typer.Option("--rungs", metavar="RUNGS", rich_help_panel=SELECT, help="all, largest, or widths such as 480,1280."),
]
MinWidth = Annotated[
    int | None, typer.Option("--min-width", min=1, metavar="PX", rich_help_panel=SELECT, help="Leave narrower ones.")
]
Include = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="GLOB", rich_help_panel=SELECT, help="Only URLs that match (may be repeated)."),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", rich_help_panel=SELECT, help="No URL that matches (may be repeated)."),
]
FreshFor = Annotated[
    float,
    typer.Option(
        "--fresh-for",
        parser=duration,
        show_default=False,
        metavar="TIME",
        rich_help_panel=SELECT,
        help="Don't ask again for what was checked within this time (24h, 7d).",
    ),
]

Concurrency = Annotated[
    int, typer.Option("--concurrency", metavar="N", min=1, max=4096, rich_help_panel=NETWORK, help="Requests at once.")
]
HostConcurrency = Annotated[
    int,
    typer.Option(
        "--host-concurrency", metavar="N", min=1, rich_help_panel=NETWORK, help="Requests at once to one host."
    ),
]
Delay = Annotated[
    float,
    typer.Option(
        "--delay", parser=seconds, metavar="S", rich_help_panel=NETWORK, help="Seconds between requests to one host."
    ),
]
LimitRate = Annotated[
    int | None,
    typer.Option(
        "--limit-rate", parser=byte_size, metavar="SIZE", rich_help_panel=NETWORK, help="Bytes a second, in all (2M)."
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries", metavar="N", min=0, max=20, rich_help_panel=NETWORK, help="Further tries after the first."
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", parser=seconds, metavar="S", rich_help_panel=NETWORK, help="Seconds for one request, whole."
    ),
]
Header = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        "-H",
        metavar="'NAME: VALUE'|@FILE",
        show_default=False,  # what a config file or a variable says is a secret, and --help would show it
        rich_help_panel=NETWORK,
        help="Send this with every request; credentials only to the inputs' own hosts. @FILE holds one a line, "
        "so that no token stands in a command line.",
    ),
]
CredentialsFor = Annotated[
    list[str] | None,
    typer.Option(
        "--credentials-for", metavar="HOST", rich_help_panel=NETWORK, help="This host may see credentials too."
    ),
]
UserAgent = Annotated[
    str | None,
    typer.Option("--user-agent", metavar="TEXT", rich_help_panel=NETWORK, help="Who we say we are; add a contact."),
]
ConnectTo = Annotated[
    list[str] | None,
    typer.Option(
        "--connect-to",
        metavar="HOST:PORT:HOST2:PORT2",
        rich_help_panel=NETWORK,
        help="Dial HOST2:PORT2 where HOST:PORT is meant, as curl does.",
    ),
]
CaCert = Annotated[
    Path | None,
    typer.Option("--cacert", metavar="FILE", rich_help_panel=NETWORK, help="Trust these certificates (PEM) too."),
]
Proxy = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        metavar="URL|@FILE",
        show_default=False,  # what a config file or a variable says is a secret, and --help would show it
        rich_help_panel=NETWORK,
        help="Fetch through this HTTP proxy; @FILE holds its URL, for one with a password.",
    ),
]
NoRobots = Annotated[bool, typer.Option("--ignore-robots", rich_help_panel=NETWORK, help="Don't ask robots.txt.")]
RobotsTag = Annotated[
    bool,
    typer.Option(
        "--respect-x-robots-tag",
        rich_help_panel=NETWORK,
        help="Refuse images whose X-Robots-Tag says noindex, noimageindex, noai, noimageai or none.",
    ),
]
Contact = Annotated[
    str | None,
    typer.Option(
        "--contact",
        metavar="URL|MAIL",
        rich_help_panel=NETWORK,
        help="Where a site's owner reaches you; goes into the User-Agent.",
    ),
]
AllowPrivate = Annotated[
    bool,
    typer.Option(
        "--allow-private",
        rich_help_panel=NETWORK,
        help="Fetch from private and all other addresses too, not only from public ones.",
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="HOST[:PORT]",
        rich_help_panel=NETWORK,
        help="Fetch from this name, address or block (10.0.0.0/8) too (may be repeated).",
    ),
]

Check = Annotated[
    Literal["decode", "header"],
    typer.Option("--check", rich_help_panel=CHECK, help="Decode every pixel, or read only the header."),
]
TolerancePx = Annotated[
    str, typer.Option("--tolerance", metavar="1px|1%", rich_help_panel=CHECK, help="How far a width may be off.")
]
KeepRejected = Annotated[
    bool,
    typer.Option("--keep-rejected", rich_help_panel=CHECK, help="Store images that break a promise, if they decode."),
]
KeepSvg = Annotated[
    bool,
    typer.Option(
        "--keep-svg", rich_help_panel=CHECK, help="Store SVG drawings, not looked into; in a bucket as attachments."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, max=256, rich_help_panel=CHECK, help="Decoder processes (one per core)."
    ),
]
NoSandbox = Annotated[
    bool,
    typer.Option(
        "--no-sandbox",
        rich_help_panel=CHECK,
        help="Decode without filtering system calls (-v says what is filtered); limits of memory and CPU stay.",
    ),
]

To = Annotated[str, typer.Option("--to", metavar="DEST", help="A directory, or s3://bucket/prefix.")]
Layout = Annotated[
    Literal["path", "hash"], typer.Option("--layout", rich_help_panel=STORE, help="Keys by URL, or by sha256.")
]
EndpointUrl = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", rich_help_panel=STORE, help="The S3 server, when not AWS."),
]
Region = Annotated[
    str | None, typer.Option("--region", metavar="NAME", rich_help_panel=STORE, help="The bucket's region.")
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", rich_help_panel=STORE, help="A profile of ~/.aws/config.")
]
NoSign = Annotated[bool, typer.Option("--no-sign-request", rich_help_panel=STORE, help="Send no credentials.")]
Acl = Annotated[
    str | None, typer.Option("--acl", metavar="NAME", rich_help_panel=STORE, help="A canned ACL such as public-read.")
]
CacheControl = Annotated[
    str | None,
    typer.Option("--cache-control", metavar="TEXT", rich_help_panel=STORE, help="Cache-Control of the stored objects."),
]
CreateBucket = Annotated[
    bool, typer.Option("--create-bucket", rich_help_panel=STORE, help="Make the bucket of DEST where it is not there.")
]
StorageClass = Annotated[
    str | None, typer.Option("--storage-class", metavar="NAME", rich_help_panel=STORE, help="S3 storage class.")
]
AtomicSets = Annotated[
    bool,
    typer.Option(
        "--atomic-sets/--no-atomic-sets",
        rich_help_panel=STORE,
        help="In a bucket's manifest, tell of an image set after its last variant, or of objects alone.",
    ),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        "--metadata", metavar="K=V", rich_help_panel=STORE, help="Metadata of the stored objects (may be repeated)."
    ),
]
StripMetadata = Annotated[
    bool,
    typer.Option(
        "--strip-metadata",
        rich_help_panel=STORE,
        help="Store WebP, JPEG and PNG without EXIF, XMP, IPTC and comments: the same pixels, orientation and colours.",
    ),
]
CatalogFile = Annotated[
    Path | None,
    typer.Option(
        "--catalog", metavar="FILE", rich_help_panel=STORE, help="The SQLite catalog (default: one per DEST)."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done; fetch and store nothing.")]

COMPARE = "Comparing"
Source = Annotated[str, typer.Argument(metavar="SRC", help="A directory, or s3://bucket/prefix.")]
Destination = Annotated[str, typer.Argument(metavar="DEST", help="A directory, or s3://bucket/prefix.")]
Checksum = Annotated[
    bool,
    typer.Option("--checksum", rich_help_panel=COMPARE, help="Read the source's bytes again, whatever is recorded."),
]
Attributes = Annotated[
    bool,
    typer.Option(
        "--attributes",
        rich_help_panel=COMPARE,
        help="Compare Content-Type, metadata and headers too: one question an object.",
    ),
]
SizeOnly = Annotated[
    bool, typer.Option("--size-only", rich_help_panel=COMPARE, help="The same size is the same object.")
]
IncludeKey = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="GLOB", rich_help_panel=COMPARE, help="Only keys that match (may be repeated)."),
]
ExcludeKey = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", rich_help_panel=COMPARE, help="No key that matches (may be repeated)."),
]
SourceEndpoint = Annotated[
    str | None,
    typer.Option(
        "--source-endpoint-url", metavar="URL", rich_help_panel=STORE, help="The S3 server of SRC, when another."
    ),
]
SourceRegion = Annotated[
    str | None,
    typer.Option("--source-region", metavar="NAME", rich_help_panel=STORE, help="The region of SRC, when another."),
]
SourceProfile = Annotated[
    str | None,
    typer.Option("--source-profile", metavar="NAME", rich_help_panel=STORE, help="The profile for SRC, when another."),
]
