"""Every option of every command, in every way to use that command, changes what the job is asked for, or is refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
from click.exceptions import Exit

from mediamirror.cli.app import app
from mediamirror.cli.needs import NEEDS

# Where each command's job lives, and command lines: the ways to use it.
JOBS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mirror": (
        ("mediamirror.jobs.mirror.job.mirror",),
        (
            "page.html --to there",
            "https://a.example/ --to s3://bucket/p --depth 1 --rewrite-to out -H A:b",
            "page.html --to there --dry-run --refetch",
            "page.html --to there --archive site.wacz",
            "--to s3://bucket/p --retry-failed",
            "page.html --to there --engine ray",
        ),
    ),
    "parse": (("mediamirror.jobs.parse.parse",), ("page.html", "https://a.example/ --depth 1")),
    "verify": (
        ("mediamirror.jobs.verify.job.verify", "mediamirror.jobs.scrub.job.scrub"),
        (
            "page.html",
            "https://a.example/ --depth 1 --check header -H A:b",
            "--mirror there",
            "--mirror there --source",
            "--mirror s3://bucket/p --repair --from s3://bucket/q -H A:b",
        ),
    ),
    "simulate": (("mediamirror.jobs.verify.job.simulate_screens",), ("page.html",)),
    "rewrite": (
        ("mediamirror.jobs.rewrite.job.rewrite",),
        (
            "page.html --to out",
            "page.html --in-place --mirror s3://bucket/p",
            "page.html --diff --map map.csv",
            "page.html --stdout",
            "page.html --undo",
        ),
    ),
    "sync": (
        ("mediamirror.jobs.sync.job.sync",),
        ("here there", "s3://bucket/a s3://bucket/b --delete", "s3://bucket/a there --ignore-existing"),
    ),
    "check": (
        ("mediamirror.jobs.sync.check.check",),
        ("here there", "s3://bucket/a s3://bucket/b --one-way"),
    ),
    "report": (("mediamirror.jobs.report.report",), ("there", "s3://bucket/p", "there --no-thumbnails")),
    "catalog gc": (("mediamirror.jobs.catalog.gc.collect_garbage",), ("there", "s3://bucket/p --delete")),
    "catalog rebuild": (("mediamirror.jobs.catalog.adopt.rebuild",), ("there", "s3://bucket/p")),
    "catalog import": (("mediamirror.jobs.catalog.adopt.import_",), ("there", "s3://bucket/p")),
}
MODULES = {"check": "mediamirror.cli.sync"}
# What is for the printing alone, or for what follows the job, and says nothing to the job itself.
PRINTING = {
    "quiet", "verbose", "no_progress", "hide_secrets", "error_file", "metrics_port", "output", "to", "rewrite_to", "public_url",
    "combined", "missing_on_dst", "missing_on_src", "differ", "match", "error", "report", "stdout", "diff",
}  # fmt: skip
WAYS = {"mirror": {"dry_run"}, "verify": {"mirror"}, "rewrite": {"map", "undo", "stdout", "diff"}}
"""What chooses the way itself, and stands in one of the lines."""
FORMAT_MATTERS = {"mirror"}
"""`--format` tells mirror whether the sets are to be told one by one; elsewhere it is for the printing alone."""

# The options that count in every way to use their command. All others have a row in `NEEDS`: a new option goes to one of them.
COUNTS: dict[str, str] = {
    "parse": (
        "as_ base_url field links follow_sitemap fail_empty header user_agent contact connect_to cacert proxy "
        "ignore_robots allow_private allow_host delay retries timeout max_header_size max_redirects min_rate "
        "max_document_size max_document_memory max_documents max_sets max_candidates workers format_ explain hide_secrets quiet "
        "verbose"
    ),
    "mirror": (
        "to layout true_endings catalog atomic_sets strip_metadata dry_run refetch retry_failed check tolerance "
        "keep_rejected keep_svg no_sandbox header user_agent contact connect_to cacert proxy ignore_robots allow_private "
        "allow_host respect_x_robots_tag concurrency host_concurrency limit_rate delay retries timeout workers max_size "
        "max_header_size max_redirects min_rate max_document_size max_document_memory max_documents max_sets "
        "max_candidates max_pixels max_frames max_total_pixels max_decode_memory fail_on format_ quiet verbose "
        "hide_secrets no_progress metrics_port max_time"
    ),
    "verify": (
        "mirror select ignore check no_sandbox report header user_agent contact connect_to cacert proxy ignore_robots "
        "allow_private allow_host respect_x_robots_tag concurrency host_concurrency limit_rate delay retries timeout "
        "workers max_size max_header_size max_redirects min_rate max_pixels max_frames max_total_pixels max_decode_memory "
        "fail_on format_ hide_secrets quiet verbose no_progress"
    ),
    "rewrite": "to in_place undo dry_run stdout diff quiet verbose no_progress",
    "map": "catalog cacert public_url format_ output quiet verbose",
    "sync": (
        "checksum include exclude catalog concurrency cacert ignore_existing delete dry_run format_ quiet verbose "
        "no_progress"
    ),
    "check": (
        "checksum size_only include exclude catalog concurrency cacert download one_way combined missing_on_dst differ "
        "match error format_ quiet verbose no_progress"
    ),
    "report": "output no_thumbnails catalog cacert workers concurrency quiet verbose no_progress",
    "simulate": (
        "viewport browser as_ base_url root header user_agent contact connect_to cacert proxy ignore_robots allow_private "
        "allow_host respect_x_robots_tag retries timeout format_ hide_secrets verbose"
    ),
    "rules": "",
    "catalog ls": "to catalog cacert host image_set width image_format status rule format_ hide_secrets quiet verbose",
    "catalog show": "to catalog cacert format_ verbose",
    "catalog export": "to catalog format_ output host image_set width image_format status rule cacert hide_secrets quiet verbose",
    "catalog gc": "to catalog delete unreferenced unread_for force older_than keep_runs cacert dry_run format_ quiet verbose",
    "catalog rebuild": "to catalog force cacert format_ quiet verbose",
    "catalog import": "to catalog list_ base_url cacert format_ quiet verbose",
}

WORDS = {
    "acl": "private", "as_": "urls", "base_url": "https://example.org/", "connect_to": "a:1:b:2", "header": "X-Of: mine",
    "max_header_size": "9k", "max_decode_memory": "9k", "max_size": "9k", "max_document_size": "9k", "metadata": "of=mine",
    "max_document_memory": "9k",
    "limit_rate": "9k", "proxy": "http://proxy.example:3128", "rungs": "largest", "sample": "5%", "tolerance": "3px",
    "viewport": "390x844@3", "fresh_for": "9h", "older_than": "9h", "unread_for": "9h", "timeout": "9", "delay": "9",
    "archive": "of-mine.wacz", "archive_size": "9k", "max_time": "9h",
    "endpoint_url": "http://127.0.0.1:9", "source_endpoint_url": "http://127.0.0.1:9",
}  # fmt: skip


def commands(group: Any = app, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        if hasattr(found, "commands"):
            yield from commands(found, f"{above}{name} ")
        else:
            yield above + name, found


def options_of(command: str) -> dict[str, Any]:
    return {p.name: p for p in dict(commands())[command].params if p.param_type_name == "option"}


def depending(command: str) -> set[str]:
    return {name for names, _, _ in NEEDS.get(command, ()) for name in names.split()}


def cases() -> Iterator[tuple[str, str]]:
    for command in JOBS:
        chosen = {"to"} if command.startswith("catalog ") else WAYS.get(command, set())
        yield from ((command, name) for name in options_of(command) if name not in chosen)


@pytest.mark.parametrize("command", [name for name, _ in commands()])
def test_of_every_option_it_is_said_where_it_counts(command: str) -> None:
    counts, needs = set(COUNTS[command].split()), depending(command)
    assert not counts & needs
    assert counts | needs == set(options_of(command))


def typed(option: Any, folder: Path) -> list[str]:
    """Another value than the default one, as it is typed."""
    long = max(option.opts, key=len)
    if option.is_flag:
        return [option.secondary_opts[0]] if option.default is True else [long]
    if option.name in WORDS:
        return [long, WORDS[option.name]]
    if choices := getattr(option.type, "choices", None):
        return [long, next(str(c) for c in choices if c != option.default)]
    if option.name == "metrics_port":
        with socket.create_server(("127.0.0.1", 0)) as free:
            return [long, str(free.getsockname()[1])]
    if option.type.name == "integer range":
        return [long, "7"]
    if "path" in option.type.name or option.metavar == "FILE":
        (folder / "named").write_text('{"format": 1, "findings": []}')
        return [long, str(folder / "named")]
    return [long, "named"]


Ask = Callable[[str, str, list[str]], list[Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return what a command line asks its job for, the job itself left away; nothing where it is refused."""

    def ask(command: str, plain: str, options: list[str]) -> list[Any]:
        words = command.split()
        told: list[Any] = []

        async def job(*args: Any, **kwargs: Any) -> None:
            told.append((args, {k: v for k, v in kwargs.items() if k not in ("stdin", "on_event", "on_set")}))

        def run_with(opened: Any, work: Any, *, verbose: bool) -> NoReturn:
            del opened, verbose
            asyncio.run(work(None))
            raise Exit(0)

        def run(work: Any, style: Any, *, verbose: bool) -> NoReturn:
            run_with(style, work, verbose=verbose)

        async def left_away(*_: object) -> None:
            """What follows the job."""

        module = import_module(MODULES.get(command, f"mediamirror.cli.{words[0]}"))
        for home in JOBS[command][0]:
            folder, _, function = home.rpartition(".")
            monkeypatch.setattr(import_module(folder), function, job)
        for name, fake in (("run", run), ("run_with", run_with), ("_rewritten", left_away)):
            monkeypatch.setattr(module, name, fake, raising=False)
        monkeypatch.setattr(module, "_check_rewriting", lambda _: None, raising=False)
        app.main([*words, *plain.split(), *options], standalone_mode=False)
        return told

    return ask


@pytest.mark.parametrize(("command", "name"), list(cases()))
def test_the_option_changes_what_the_job_is_asked_for_or_is_refused(
    command: str, name: str, asked: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = typed(options_of(command)[name], tmp_path)
    refused = taken = 0
    for line in JOBS[command][1]:
        if words[0] in line.split() or (name == "header" and "-H" in line):
            taken += 1
            continue
        plain = asked(command, line, [])
        assert len(plain) == 1, f"{line}: {capsys.readouterr().err}"
        changed = asked(command, line, words)
        if not changed:
            refused += 1
            assert f"{words[0]}: " in capsys.readouterr().err, line
            continue
        taken += 1
        for_printing = name in PRINTING or (name == "format_" and command not in FORMAT_MATTERS)
        assert changed != plain or for_printing, f"{line} {' '.join(words)}: it does nothing, and nobody says so"
    assert taken, "it is refused everywhere"
    assert bool(refused) is (name in depending(command)), "NEEDS says otherwise"


@pytest.mark.parametrize("line", ["map there", "catalog ls there", "catalog show there x", "catalog export there"])
def test_what_reaches_a_bucket_is_refused_where_a_catalog_of_a_directory_is_asked(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app.main([*line.split(), "--endpoint-url", "http://127.0.0.1:9"], standalone_mode=False)
    assert "--endpoint-url: only to reach a bucket" in capsys.readouterr().err


def test_what_a_config_file_says_is_left_where_it_does_not_count(
    asked: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDIAMIRROR_CACHE_CONTROL", "no-store")
    monkeypatch.setenv("MEDIAMIRROR_ERROR_FILE", str(tmp_path / "failed.txt"))
    assert asked("mirror", "page.html --to there --dry-run", [])


def test_a_repeated_option_is_kept_whole(asked: Ask) -> None:
    [(_, told)] = asked("mirror", "page.html --to there", ["--include", "*.webp", "--include", "*.jpg"])
    assert told["options"].select.include == ("*.webp", "*.jpg")
