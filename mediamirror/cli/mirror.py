"""``mediamirror mirror``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mediamirror.cli import limits as m
from mediamirror.cli import options as o
from mediamirror.cli.build import (
    check_options,
    fetch_options,
    options_from,
    read_options,
    select_options,
    store_options,
)
from mediamirror.cli.running import fail, run_with
from mediamirror.errors import UsageError
from mediamirror.settings import (
    CheckOptions,
    FetchOptions,
    JobOptions,
    MirrorOptions,
    ReadOptions,
)

_DEFAULT, _READ, _CHECK = FetchOptions(), ReadOptions(), CheckOptions()


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            show_default=False,
            help="A path, a directory, a glob, a URL, or - for standard input. None is needed with --retry-failed.",
        ),
    ] = None,
    *,
    to: o.To,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            rich_help_panel=o.SELECT,
            help="Only what failed last time: of the INPUTs, or without any, of all that was ever mirrored to DEST.",
        ),
    ] = False,
    error_file: Annotated[
        Path | None,
        typer.Option(
            "--error-file",
            metavar="FILE",
            rich_help_panel=o.OUTPUT,
            help="Write the URL of each variant that failed, and why, into this file; it can be an INPUT (--as urls).",
        ),
    ] = None,
    as_: o.As = "auto",
    base_url: o.BaseUrl = None,
    field: o.Field = None,
    links: o.Links = False,
    follow_sitemap: o.FollowSitemap = False,
    depth: o.Depth = 0,
    same_host: o.SameHost = True,
    max_pages: o.MaxPages = 1000,
    offline: o.Offline = False,
    fail_empty: o.FailEmpty = False,
    rungs: o.Rungs = "all",
    min_width: o.MinWidth = None,
    include: o.Include = None,
    exclude: o.Exclude = None,
    fresh_for: o.FreshFor = 0.0,
    check: o.Check = "decode",
    tolerance: o.TolerancePx = "1px",
    keep_rejected: o.KeepRejected = False,
    keep_svg: o.KeepSvg = False,
    workers: o.Workers = None,
    no_sandbox: o.NoSandbox = False,
    layout: o.Layout = "path",
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    acl: o.Acl = None,
    cache_control: o.CacheControl = None,
    storage_class: o.StorageClass = None,
    create_bucket: o.CreateBucket = False,
    atomic_sets: o.AtomicSets = True,
    metadata: o.Metadata = None,
    strip_metadata: o.StripMetadata = False,
    concurrency: o.Concurrency = _DEFAULT.concurrency,
    host_concurrency: o.HostConcurrency = _DEFAULT.host_concurrency,
    delay: o.Delay = 0.0,
    limit_rate: o.LimitRate = None,
    retries: o.Retries = _DEFAULT.retries,
    timeout: o.Timeout = _DEFAULT.timeout,
    max_size: m.MaxSize = _DEFAULT.max_size,
    max_header_size: m.MaxHeaderSize = _DEFAULT.max_header_size,
    max_redirects: m.MaxRedirects = _DEFAULT.max_redirects,
    min_rate: m.MinRate = _DEFAULT.min_rate,
    max_document_size: m.MaxDocumentSize = _READ.max_document,
    max_documents: m.MaxDocuments = _READ.max_documents,
    max_sets: m.MaxSets = _READ.max_sets,
    max_candidates: m.MaxCandidates = _READ.max_candidates,
    max_pixels: m.MaxPixels = _CHECK.max_pixels,
    max_frames: m.MaxFrames = _CHECK.max_frames,
    max_total_pixels: m.MaxTotalPixels = _CHECK.max_total_pixels,
    max_decode_memory: m.MaxDecodeMemory = _CHECK.max_decode_memory,
    header: o.Header = None,
    credentials_for: o.CredentialsFor = None,
    user_agent: o.UserAgent = None,
    contact: o.Contact = None,
    connect_to: o.ConnectTo = None,
    cacert: o.CaCert = None,
    proxy: o.Proxy = None,
    ignore_robots: o.NoRobots = False,
    respect_x_robots_tag: o.RobotsTag = False,
    allow_private: o.AllowPrivate = False,
    allow_host: o.AllowHost = None,
    dry_run: o.DryRun = False,
    fail_on: o.FailOn = "error",
    format_: o.Format = "table",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    hide_secrets: o.HideSecrets = False,
    no_progress: o.NoProgress = False,
) -> None:
    """Fetch, check, store and remember every image variant that the inputs name.

    Examples:

        mediamirror mirror news-by.txt --to ./mirror

        mediamirror mirror page.html --to s3://media/news --endpoint-url http://127.0.0.1:8333

        mediamirror mirror pages/ --to ./dataset --layout hash --rungs largest --min-width 640

        mediamirror mirror urls.txt --as urls --to ./mirror --fresh-for 24h --format jsonl

        mediamirror mirror https://example.org/ --depth 2 --delay 1 --to ./mirror

        mediamirror mirror page.html --to s3://public/news --strip-metadata

        mediamirror mirror --retry-failed --to ./mirror --error-file failed.txt
    """
    given = locals()
    from mediamirror import mirror
    from mediamirror.cli.output import ErrorFile, Output, Style

    if not inputs and not retry_failed:
        fail(UsageError("mirror wants an INPUT (or --retry-failed): `mediamirror mirror --help` has examples."))

    options = MirrorOptions(
        read=read_options(given),
        fetch=fetch_options(given),
        check=check_options(given),
        select=select_options(given),
        store=store_options(given),
        job=options_from(JobOptions, given, tell_sets=format_ == "table", command="mirror"),
    )
    style = Style(format_, quiet=quiet, progress=not no_progress, hide=hide_secrets)
    run_with(
        lambda: ErrorFile(error_file, Output(style), hide=hide_secrets),
        lambda output: mirror(
            inputs or (), to=to, options=options, catalog=catalog, stdin=sys.stdin.buffer, on_event=output
        ),
        verbose=verbose,
    )
