"""``mediamirror parse``."""

from __future__ import annotations

import sys

from mediamirror.cli import limits as m
from mediamirror.cli import options as o
from mediamirror.cli.build import fetch_options, options_from, read_options
from mediamirror.cli.running import run
from mediamirror.settings import FetchOptions, JobOptions, ParseOptions, ReadOptions

_DEFAULT, _READ = FetchOptions(), ReadOptions()


def command(
    inputs: o.Inputs,
    as_: o.As = "auto",
    base_url: o.BaseUrl = None,
    field: o.Field = None,
    links: o.Links = False,
    follow_sitemap: o.FollowSitemap = False,
    depth: o.Depth = 0,
    same_host: o.SameHost = True,
    max_pages: o.MaxPages = 1000,
    fail_empty: o.FailEmpty = False,
    header: o.Header = None,
    user_agent: o.UserAgent = None,
    contact: o.Contact = None,
    connect_to: o.ConnectTo = None,
    cacert: o.CaCert = None,
    proxy: o.Proxy = None,
    ignore_robots: o.NoRobots = False,
    allow_private: o.AllowPrivate = False,
    allow_host: o.AllowHost = None,
    delay: o.Delay = 0.0,
    timeout: o.Timeout = 60.0,
    max_header_size: m.MaxHeaderSize = _DEFAULT.max_header_size,
    max_redirects: m.MaxRedirects = _DEFAULT.max_redirects,
    min_rate: m.MinRate = _DEFAULT.min_rate,
    max_document_size: m.MaxDocumentSize = _READ.max_document,
    max_documents: m.MaxDocuments = _READ.max_documents,
    max_sets: m.MaxSets = _READ.max_sets,
    max_candidates: m.MaxCandidates = _READ.max_candidates,
    retries: o.Retries = _DEFAULT.retries,
    format_: o.Format = "table",
    explain: o.Explain = False,
    hide_secrets: o.HideSecrets = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> None:
    """Say what image sets are in the inputs; fetch nothing but INPUT, and the pages it leads to where asked.

    Examples:

        mediamirror parse news-by.txt

        mediamirror parse page.html --base-url https://example.org/ --format jsonl

        mediamirror parse https://example.org/ --follow-sitemap --depth 1 --max-pages 200

        curl -s https://example.org/ | mediamirror parse - --as html --base-url https://example.org/
    """
    given = locals()
    from mediamirror import parse
    from mediamirror.cli.output import Style

    options = ParseOptions(
        read=read_options(given), fetch=fetch_options(given), job=options_from(JobOptions, given, command="parse")
    )
    run(
        lambda output: parse(inputs, options=options, stdin=sys.stdin.buffer, on_event=output),
        Style(format_, quiet=quiet, progress=False, sets=True, explain=explain, hide=hide_secrets),
        verbose=verbose,
    )
