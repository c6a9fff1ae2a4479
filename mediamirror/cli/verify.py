"""``mediamirror verify``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mediamirror.cli import limits as m
from mediamirror.cli import options as o
from mediamirror.cli.build import (
    check_options,
    fetch_options,
    options_from,
    read_options,
    source_store,
    store_options,
    words,
)
from mediamirror.cli.running import fail, run
from mediamirror.cli.values import share
from mediamirror.errors import UsageError
from mediamirror.redact import redact_text
from mediamirror.settings import (
    CheckOptions,
    FetchOptions,
    JobOptions,
    ReadOptions,
    ScrubOptions,
    VerifyOptions,
)

_DEFAULT, _READ, _CHECK = FetchOptions(), ReadOptions(), CheckOptions()

_NAMED, _TITLE_ROOM = 3, 70
"""How many inputs a report is named after, and how many characters they may take together."""

FORMATS = Literal["table", "json", "jsonl", "junit", "sarif", "github", "md"]


def command(
    context: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT...]", help="A path, a directory, a glob, a URL, or - for standard input."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", metavar="DEST", help="Re-read this mirror instead, and check it against its record."),
    ] = None,
    sample: Annotated[
        str,
        typer.Option(
            "--sample", metavar="PERCENT", help="With --mirror: read only this share of the objects, such as 5%."
        ),
    ] = "100%",
    source: Annotated[
        bool,
        typer.Option("--source", help="With --mirror: ask the origins too whether their files have changed since."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="With --mirror: put back what is damaged or missing, fetched again and proved by its sha256.",
        ),
    ] = False,
    second: Annotated[
        str | None,
        typer.Option("--from", metavar="SRC2", help="With --repair: look first in this other copy of the mirror."),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="With --mirror: do not go on where an interrupted run was.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="With --repair: look for what is damaged, and store nothing.")
    ] = False,
    catalog: o.CatalogFile = None,
    endpoint_url: o.EndpointUrl = None,
    region: o.Region = None,
    profile: o.Profile = None,
    no_sign_request: o.NoSign = False,
    source_endpoint_url: o.SourceEndpoint = None,
    source_region: o.SourceRegion = None,
    source_profile: o.SourceProfile = None,
    as_: o.As = "auto",
    base_url: o.BaseUrl = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            rich_help_panel=o.READ,
            help="Read the site's own URLs from this folder of a built site; fetch nothing.",
        ),
    ] = None,
    field: o.Field = None,
    links: o.Links = False,
    follow_sitemap: o.FollowSitemap = False,
    depth: o.Depth = 0,
    same_host: o.SameHost = True,
    max_pages: o.MaxPages = 1000,
    fail_empty: o.FailEmpty = False,
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="RULE",
            help="Only these rules: codes, names or MM3. A file that can't be read is told all the same.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Not these rules (the longer word wins).")
    ] = None,
    ladder: Annotated[
        str, typer.Option("--ladder", metavar="WIDTHS", help="Widths every set should have, such as 480,768,1280.")
    ] = "",
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Encode each picture as WebP and AVIF to say what could be saved; slow.")
    ] = False,
    check: o.Check = "decode",
    tolerance: o.TolerancePx = "1px",
    workers: o.Workers = None,
    no_sandbox: o.NoSandbox = False,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", metavar="FILE", help="Tell only findings that are not in this file.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option("--write-baseline", metavar="FILE", help="Accept what is found: write it there.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write an HTML report into this folder, too.")
    ] = None,
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
    fail_on: o.FailOn = "error",
    format_: Annotated[FORMATS, typer.Option("--format", rich_help_panel=o.OUTPUT, help="How to print.")] = "table",
    hide_secrets: o.HideSecrets = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
    no_progress: o.NoProgress = False,
) -> None:
    """Check every image variant against what is promised about it, and every set against good practice. Store nothing.

    Examples:

        mediamirror verify page.html https://example.org/news/ dump.txt --fail-on warning

        mediamirror verify dist/ --root dist/ --base-url https://example.org/

        mediamirror verify dist/ --root dist/ --format sarif > findings.sarif

        mediamirror verify page.html --check header --select MM3 --report ./report

        mediamirror verify --mirror s3://media/news --endpoint-url http://127.0.0.1:8333 --sample 5%

        mediamirror verify --mirror ./mirror --source

        mediamirror verify --mirror s3://media/news --repair --from /backup/news
    """
    given = locals()
    from mediamirror import scrub, verify
    from mediamirror.cli.output import Style

    if (mirror is None) == (not inputs):
        fail(UsageError("verify wants INPUTs, or --mirror DEST: one of the two."))
    if source and mirror is None:
        fail(UsageError("--source asks the origins of a mirror: it goes with --mirror DEST."))
    if mirror is None and (repair or second or restart or dry_run):
        fail(UsageError("--repair, --from, --restart and --dry-run go with --mirror DEST."))
    style = Style(
        format_,
        quiet=quiet,
        progress=not no_progress,
        troubled=not verbose,
        title=mirror or _title(inputs or []),
        report=report,
        fail_on=fail_on,
        hide=hide_secrets,
    )
    fetch = fetch_options(given)
    rules = {"select": words(select), "ignore": words(ignore)}
    if mirror is not None:
        scrubbing = options_from(
            ScrubOptions,
            given,
            store=store_options(given),
            job=options_from(JobOptions, given, command="verify --mirror"),
            concurrency=min(concurrency, 32),
            sample=share(sample),
            source=fetch if source else None,
            second_store=source_store(given),
            fetch=fetch,
            per_path=context.obj or (),
            **rules,
        )
        run(lambda output: scrub(mirror, options=scrubbing, catalog=catalog, on_event=output), style, verbose=verbose)
    options = options_from(
        VerifyOptions,
        given,
        read=read_options(given),
        fetch=fetch,
        check=check_options(given),
        job=options_from(JobOptions, given, command="verify"),
        per_path=context.obj or (),
        thumbnails=report is not None,
        **rules,
    )
    run(
        lambda output: verify(inputs or (), options=options, stdin=sys.stdin.buffer, on_event=output),
        style,
        verbose=verbose,
    )


def _title(inputs: list[str]) -> str:
    names = [redact_text(each) for each in inputs[:_NAMED]]
    told = ", ".join(names)
    if len(inputs) > _NAMED or len(told) > _TITLE_ROOM:
        told = names[0] + (f" and {len(inputs) - 1} more" if len(inputs) > 1 else "")
    return told
