"""``mediamirror verify``: documents, or with ``--mirror`` what is stored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mediamirror.cli import options as o
from mediamirror.cli.command import CHECKS, MIRROR, OUTPUT, WHICH, Given, command, option, refuse
from mediamirror.cli.config import share
from mediamirror.cli.running import run
from mediamirror.redact import redact_text
from mediamirror.settings import JobOptions, ScrubOptions, VerifyOptions

if TYPE_CHECKING:
    from mediamirror.cli.output import Output
    from mediamirror.model import Summary

_NAMED, _TITLE_ROOM = 3, 70
"""How many inputs a report is named after, and how many characters they may take together."""

_OF_A_MIRROR = [
    option("--mirror DEST", "Check this mirror against its catalog or manifest, instead of INPUTs.", panel=MIRROR),
    option(
        "--sample PERCENT",
        "Read only this share of the objects, such as 5%.",
        ScrubOptions,
        panel=MIRROR,
        type=share,
        show_default="100%",
    ),
    option(
        "--allow-unrecorded",
        "Accept objects without a recorded sha256; images among them must still decode.",
        panel=MIRROR,
    ),
    option("--source", "Also check whether the files have changed at their origins.", panel=MIRROR),
    option("--repair", "Download damaged or missing objects again; only the recorded bytes are stored.", panel=MIRROR),
    option("--from SRC2", "With --repair: first look in this other copy of the mirror.", panel=MIRROR, name="second"),
    option("--restart", "Start over instead of resuming an interrupted run.", panel=MIRROR),
    option("--dry-run -n", "With --repair: only report what is damaged; store nothing.", panel=MIRROR),
    *[o.CATALOG, *o.PLACE, *o.SOURCE_PLACE],
]

_JUDGING = [
    option(
        "--ladder WIDTHS", "The widths that every set should have, such as 480,768,1280.", VerifyOptions, panel=CHECKS
    ),
    option(
        "--estimate",
        "Encode each image as WebP and AVIF to estimate the possible savings; slow.",
        VerifyOptions,
        panel=CHECKS,
    ),
]
_BASELINES = [
    option("--baseline FILE", "Report only findings that are not in this file.", panel=OUTPUT),
    option("--write-baseline FILE", "Write all findings to this file, as accepted.", panel=OUTPUT, written=True),
]


@command(
    "verify",
    o.SOME_INPUTS,
    _OF_A_MIRROR,
    [*o.READ, *o.ARCHIVES, o.ROOT, o.FAIL_EMPTY],
    option(
        "--select RULE",
        "Run only these rules: codes, names, or code prefixes (MM3). A file that can't be read is always reported.",
        VerifyOptions,
        panel=WHICH,
    ),
    option("--ignore RULE", "Skip these rules (the longer value wins).", VerifyOptions, panel=WHICH),
    o.CHECK,
    _JUDGING,
    o.NO_SANDBOX,
    _BASELINES,
    option("--report DIR", "Also write an HTML report to this folder.", panel=OUTPUT),
    [*o.ASKING, o.CREDENTIALS_FOR, o.ROBOTS_TAG],
    [*o.LOAD, *o.PACE, o.WORKERS],
    [o.MAX_SIZE, *o.ANSWER_LIMITS, *o.READ_LIMITS, *o.IMAGE_LIMITS],
    [o.FAIL_ON, o.format_of("table", "json", "jsonl", "summary", "junit", "sarif", "github", "md"), o.HIDE_SECRETS],
    [o.QUIET, o.VERBOSE, o.NO_PROGRESS],
)
def verify_command(given: Given) -> None:
    """Check every image against its declared width and type, and every image set against good practice. Stores nothing.

    Examples:
        mediamirror verify page.html https://example.org/news/ dump.txt --fail-on warning
        mediamirror verify dist/ --root dist/ --base-url https://example.org/
        mediamirror verify dist/ --root dist/ --format sarif > findings.sarif
        mediamirror verify page.html --check header --select MM3 --report ./report
        mediamirror verify --mirror s3://media/news --endpoint-url http://127.0.0.1:8333 --sample 5%
        mediamirror verify --mirror ./mirror --source
        mediamirror verify --mirror s3://media/news --repair --from /backup/news
    """
    if (given.mirror is None) == (not given.inputs):
        refuse("verify needs INPUTs, or --mirror DEST: one of the two.")
    if given.mirror is None:
        _verify_documents(given)
    else:
        _verify_mirror(given)


def _verify_documents(given: Given) -> None:
    from mediamirror import verify
    from mediamirror.jobs.verify.baseline import read_baseline
    from mediamirror.report.events import plural

    options = o.options_from(
        VerifyOptions,
        given,
        read=o.read_options(given),
        fetch=o.fetch_options(given),
        check=o.check_options(given),
        job=o.options_from(JobOptions, given, command="verify"),
        thumbnails=given.report is not None,
        **o.chosen_rules(given),
    )

    async def job(output: Output) -> Summary:
        summary = await verify(given.inputs, options=options, stdin=sys.stdin.buffer, on_event=output)
        if given.write_baseline is not None:
            told = plural(len(read_baseline(given.write_baseline)), "finding")
            print(f"Baseline: {given.write_baseline}, {told} accepted.", file=sys.stderr)
        return summary

    run(job, _style(given, _title(given.inputs)), verbose=given.verbose)


def _verify_mirror(given: Given) -> None:
    from mediamirror import scrub

    fetch = o.fetch_options(given)
    options = o.options_from(
        ScrubOptions,
        given,
        store=o.store_options(given),
        job=o.options_from(JobOptions, given, command="verify --mirror"),
        concurrency=min(given.concurrency, 32),
        check=o.check_options(given),
        source=fetch if given.source else None,
        second_store=o.source_store(given),
        fetch=fetch,
        **o.chosen_rules(given),
    )
    run(
        lambda output: scrub(given.mirror, options=options, catalog=given.catalog, on_event=output),
        _style(given, given.mirror),
        verbose=given.verbose,
    )


def _style(given: Given, title: str) -> Any:
    from mediamirror.cli.output import Style

    return Style(
        given.format_,
        quiet=given.quiet,
        progress=not given.no_progress,
        troubled=not given.verbose,
        title=title,
        report=given.report,
        fail_on=given.fail_on,
        summary_above=o.summary_above(given) if given.mirror is None or given.format_ == "summary" else None,
        hide=given.hide_secrets,
        apart="end" if given.mirror is None else "next",
    )


def _title(inputs: tuple[str, ...]) -> str:
    names = [redact_text(each) for each in inputs[:_NAMED]]
    told = ", ".join(names)
    if len(inputs) > _NAMED or len(told) > _TITLE_ROOM:
        told = names[0] + (f" and {len(inputs) - 1} more" if len(inputs) > 1 else "")
    return told
