"""Every option of every command changes what the command asks its job for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.exceptions import Exit

from mediamirror.cli.app import app

# Where each command's job lives, and a command line without options.
JOBS = {
    "mirror": ("mediamirror.jobs.mirror.job.mirror", "page.html --to there"),
    "parse": ("mediamirror.jobs.parse.parse", "page.html"),
    "verify": ("mediamirror.jobs.verify.job.verify", "page.html"),
    "verify --mirror": ("mediamirror.jobs.scrub.job.scrub", "--mirror there"),
    "simulate": ("mediamirror.jobs.verify.job.simulate_screens", "page.html"),
    "rewrite": ("mediamirror.jobs.rewrite.job.rewrite", "page.html"),
    "sync": ("mediamirror.jobs.sync.job.sync", "here there"),
    "check": ("mediamirror.jobs.sync.check.check", "here there"),
    "report": ("mediamirror.jobs.report.report", "there"),
    "catalog gc": ("mediamirror.jobs.catalog.gc.collect_garbage", "there"),
    "catalog rebuild": ("mediamirror.jobs.catalog.adopt.rebuild", "there"),
    "catalog import": ("mediamirror.jobs.catalog.adopt.import_", "there"),
}
MODULES = {"check": "mediamirror.cli.sync"}
# What is for the printing alone, and says nothing to the job.
PRINTING = {
    "help", "quiet", "verbose", "no_progress", "hide_secrets", "explain", "error_file", "output", "to",
    "combined", "missing_on_dst", "missing_on_src", "differ", "match", "error",
}  # fmt: skip
# `--format` tells mirror whether the sets are to be told one by one; elsewhere it is for the printing alone.
FORMAT_MATTERS = {"mirror"}
# With --mirror no page is read and no rule is chosen but by --select and --ignore; without it these are refused.
NOT_FOR_A_MIRROR = {
    "as_", "base_url", "root", "field", "links", "follow_sitemap", "depth", "same_host", "max_pages", "fail_empty", "ladder",
    "estimate", "check", "tolerance", "workers", "no_sandbox", "baseline", "write_baseline", "report", "max_document_size",
    "max_document_memory",
    "max_documents", "max_sets", "max_candidates", "max_pixels", "max_frames", "max_total_pixels", "max_decode_memory", "mirror",
}  # fmt: skip
ONLY_FOR_A_MIRROR = {
    "mirror", "sample", "source", "repair", "second", "restart",
    "allow_unrecorded", "dry_run", "catalog", "endpoint_url", "region", "profile",
    "no_sign_request", "source_endpoint_url", "source_region", "source_profile",
}  # fmt: skip
# These go to `rewrite`, which follows `mirror`: tests/e2e/test_rewrite.py.
FOR_THE_REWRITE_AFTER_IT = {"rewrite_to", "public_url"}
WORDS = {
    "acl": "private", "as_": "urls", "base_url": "https://example.org/", "connect_to": "a:1:b:2", "header": "X-Of: mine",
    "max_header_size": "9k", "max_decode_memory": "9k", "max_size": "9k", "max_document_size": "9k", "metadata": "of=mine",
    "max_document_memory": "9k",
    "limit_rate": "9k", "proxy": "http://proxy.example:3128", "rungs": "largest", "sample": "5%", "tolerance": "3px",
    "viewport": "390x844@3", "fresh_for": "9h", "older_than": "9h", "unread_for": "9h", "timeout": "9", "delay": "9",
    "endpoint_url": "http://127.0.0.1:9", "source_endpoint_url": "http://127.0.0.1:9",
}  # fmt: skip


def cases() -> list[tuple[str, str]]:
    return [(command, name) for command in JOBS for name in named_options(command)]


def named_options(command: str) -> dict[str, Any]:
    found: Any = app
    for word in command.removesuffix(" --mirror").split():
        found = found.get_command(None, word)
    left_out = set(PRINTING) | (set() if command in FORMAT_MATTERS else {"format_"})
    if command == "mirror":
        left_out |= FOR_THE_REWRITE_AFTER_IT
    if command == "verify --mirror":
        left_out |= NOT_FOR_A_MIRROR
    elif command == "verify":
        left_out |= ONLY_FOR_A_MIRROR
    return {p.name: p for p in found.params if p.param_type_name == "option" and p.name not in left_out}


def typed(option: Any, folder: Path) -> list[str]:
    """Another value than the default one, as it is typed."""
    long = max(option.opts, key=len)
    if option.is_flag:
        return [option.secondary_opts[0]] if option.default is True else [long]
    if option.name in WORDS:
        return [long, WORDS[option.name]]
    if choices := getattr(option.type, "choices", None):
        return [long, next(str(c) for c in choices if c != option.default)]
    if option.type.name == "integer range":
        return [long, "7"]
    if "path" in option.type.name or option.metavar == "FILE":
        (folder / "named").write_text('{"format": 1, "findings": []}')
        return [long, str(folder / "named")]
    return [long, "named"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[str]], Any]:
    """Return what a command line asks its job for, the job itself left away."""

    def ask(command: str, options: list[str]) -> Any:
        home, plain = JOBS[command]
        words = command.removesuffix(" --mirror").split()
        told: list[Any] = []

        async def job(*args: Any, **kwargs: Any) -> None:
            told.append((args, {k: v for k, v in kwargs.items() if k not in ("stdin", "on_event", "on_set")}))

        def run_with(opened: Any, work: Any, *, verbose: bool) -> NoReturn:
            del opened, verbose
            asyncio.run(work(None))
            raise Exit(0)

        def run(work: Any, style: Any, *, verbose: bool) -> NoReturn:
            run_with(style, work, verbose=verbose)

        folder, _, function = home.rpartition(".")
        monkeypatch.setattr(import_module(folder), function, job)
        module = import_module(MODULES.get(command, f"mediamirror.cli.{words[0]}"))
        monkeypatch.setattr(module, "run", run, raising=False)
        monkeypatch.setattr(module, "run_with", run_with, raising=False)
        app.main([*words, *plain.split(), *options], standalone_mode=False)
        return told

    return ask


@pytest.mark.parametrize(("command", "name"), cases())
def test_the_option_changes_what_the_job_is_asked_for(
    command: str, name: str, asked: Callable[[str, list[str]], Any], tmp_path: Path
) -> None:
    option = named_options(command)[name]
    plain, changed = asked(command, []), asked(command, typed(option, tmp_path))
    assert len(plain) == len(changed) == 1
    assert changed != plain


def test_a_repeated_option_is_kept_whole(asked: Callable[[str, list[str]], Any]) -> None:
    [(_, told)] = asked("mirror", ["--include", "*.webp", "--include", "*.jpg"])
    assert told["options"].select.include == ("*.webp", "*.jpg")
