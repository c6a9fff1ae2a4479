"""Options that count only beside others: the one place that says where, and refuses them elsewhere.

Who asks for something is told when it will not be done. What says how to ask, how fast and up to which limit promises nothing, and
is taken where nothing is asked, too. What a config file or a variable says is for other commands as well, and is left where it
does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from mediamirror.first_use import pattern

Given: TypeAlias = Any
Need: TypeAlias = tuple[str, Callable[[Given], object], str]
"""Names of options with spaces between, whether they count where these values are given, and what is said where they do not."""


NUMBERED = pattern(r"%(?:0?[1-9])?d")
"""The place of a number in a file's name."""


def _is_bucket(*places: object) -> bool:
    return any(isinstance(place, str) and place[:5].lower() == "s3://" for place in places)


def _in_bucket(names: str) -> Callable[[Given], bool]:
    return lambda given: _is_bucket(*(getattr(given, name) for name in names.split()))


def _with(name: str) -> Callable[[Given], bool]:
    return lambda given: bool(getattr(given, name))


def _without(name: str) -> Callable[[Given], bool]:
    return lambda given: not getattr(given, name)


def _without_engine(given: Given) -> bool:
    return bool(given.engine == "in-process")


def _is_tar(given: Given) -> bool:
    return given.format_ == "webdataset" or str(given.output).lower().endswith(".tar")


def _is_tar_or_archive(given: Given) -> bool:
    return _is_tar(given) or str(given.output).lower().endswith((".wacz", ".warc", ".warc.gz"))


def _is_wacz(path: object) -> bool:
    return str(path).lower().endswith(".wacz")


def _follows(given: Given) -> bool:
    return bool(given.depth or given.follow_sitemap)


def _leads_on(given: Given) -> bool:
    return given.follow_sitemap or not given.depth or any("://" in each for each in given.inputs)


_PLACE = "endpoint_url region profile no_sign_request"
_SOURCE_PLACE = "source_endpoint_url source_region source_profile"
_WRITE = "acl cache_control storage_class create_bucket metadata"
_READ = "as_ base_url field links follow_sitemap depth same_host max_pages"
_READ_LIMITS = "max_document_size max_document_memory max_documents max_sets max_candidates"
_ARCHIVES = "offline all_images keep_data check_hashes"
_JUDGED = "root fail_empty tolerance ladder estimate baseline write_baseline"
_OF_A_BUCKET = "only for a bucket, s3://bucket/prefix; a directory has nothing of it."
_REACH = "only to reach a bucket, and what is given is a directory: write s3://bucket/prefix, or omit it."
_UNDOES = "not with --undo, which uses the records beside the pages: omit it."
_MAPS = "not with --map, which has old and new URLs: omit one of them."

_PAGES: list[Need] = [
    ("same_host max_pages", _follows, "only with --depth N or --follow-sitemap, which follow pages."),
    ("depth", _leads_on, "only for an INPUT that is a URL, or with --follow-sitemap: from there links are followed."),
]
_KEYS: list[Need] = [
    (_PLACE, _in_bucket("source destination"), _REACH),
    (_SOURCE_PLACE, _in_bucket("source"), "only to reach SRC where it is a bucket."),
]
_MENDED: list[Need] = [(_PLACE, lambda given: _is_bucket(given.dest or given.to), _REACH)]

NEEDS: dict[str, list[Need]] = {
    "parse": _PAGES,
    "mirror": [
        (
            f"{_READ} {_ARCHIVES} fail_empty rungs min_width include exclude",
            lambda given: given.inputs or not given.retry_failed,
            "only with INPUTs; without one, --retry-failed tries again all that failed. Give the INPUTs too.",
        ),
        *_PAGES,
        (_WRITE, _in_bucket("to"), _OF_A_BUCKET),
        (_PLACE, _in_bucket("to"), _REACH),
        ("ray_address", lambda given: given.engine == "ray", "only with --engine ray, whose cluster it names."),
        ("engine", _without("dry_run"), "not with --dry-run, in which there is no work to share."),
        (_ARCHIVES, _without_engine, "not with an --engine: its workers see no archives, which are read here."),
        ("fresh_for", _without("refetch"), "not with --refetch, which downloads everything again."),
        ("credentials_for", _with("header"), "only with -H, whose headers it sends to that host, too."),
        ("error_file", _without("dry_run"), "not with --dry-run, in which nothing can fail."),
        ("archive", _without("dry_run"), "not with --dry-run, in which nothing is fetched."),
        ("archive", _with("inputs"), "it holds the pages of the INPUTs: give them too."),
        ("engine", _without("archive"), "not with --archive: worker processes do not write it."),
        ("archive", _without_engine, "not with an --engine, whose workers write no archive."),
        (
            "archive_size",
            lambda given: given.archive and (NUMBERED.search(str(given.archive)) or _is_wacz(given.archive)),
            "only with --archive, of a WACZ or with a place for the number in FILE, as in site-%05d.warc.gz.",
        ),
        ("public_url", _with("rewrite_to"), "it says where rewritten pages point: give --rewrite-to OUT with it."),
        ("rewrite_to", _without("dry_run"), "it needs what --dry-run does not make: omit one of them."),
        ("rewrite_to", _with("inputs"), "it rewrites the INPUTs: give the pages, or rewrite them after the run."),
    ],
    "verify": [
        (
            "sample allow_unrecorded source repair second restart dry_run catalog",
            _with("mirror"),
            "only with --mirror DEST, which reads what is stored; with INPUTs omit it.",
        ),
        (
            f"{_READ} {_ARCHIVES} {_READ_LIMITS} {_JUDGED}",
            _without("mirror"),
            "only with INPUTs, which are read and judged; with --mirror omit it.",
        ),
        *_PAGES,
        ("estimate", lambda given: given.check == "decode", "not with --check header: it needs every pixel."),
        (_PLACE, _in_bucket("mirror second"), "only to reach a bucket, --mirror s3://bucket/prefix."),
        (_SOURCE_PLACE, _in_bucket("second"), "only to reach --from where it is a bucket."),
        ("second dry_run", _with("repair"), "it says how to repair what is damaged: give --repair with it."),
        ("credentials_for", _with("header"), "only with -H, whose headers it sends to that host, too."),
    ],
    "rewrite": [
        (
            f"as_ base_url mirror catalog {_PLACE} cacert public_url map strict fix partial_sets workers",
            _without("undo"),
            _UNDOES,
        ),
        (f"mirror catalog {_PLACE} cacert", lambda given: given.map is None, _MAPS),
        (f"{_PLACE} cacert", _in_bucket("mirror"), _REACH),
        (
            "format_",
            lambda given: not (given.stdout or given.diff),
            "not with --stdout or --diff, which print the page.",
        ),
    ],
    "map": [(_PLACE, _in_bucket("dest"), _REACH)],
    "sync": [
        *_KEYS,
        (_WRITE, _in_bucket("destination"), _OF_A_BUCKET),
        ("attributes", _in_bucket("destination"), _OF_A_BUCKET),
        ("max_delete force", _with("delete"), "only with --delete, which it bounds."),
        (
            "size_only attributes",
            _without("ignore_existing"),
            "not with --ignore-existing, which compares nothing that is there.",
        ),
    ],
    "check": [
        *_KEYS,
        ("attributes", _in_bucket("destination"), _OF_A_BUCKET),
        ("missing_on_src", _without("one_way"), "not with --one-way, which does not look for such keys."),
    ],
    "report": [(_PLACE, lambda given: given.destination is None or _is_bucket(given.destination), _REACH)],
    "catalog ls": _MENDED,
    "catalog show": _MENDED,
    "catalog export": [
        *_MENDED,
        ("rungs", _is_tar, "only for samples: --format webdataset, or -o FILE.tar."),
        ("shard_size", _is_tar_or_archive, "only for samples and web archives: -o FILE.tar, .wacz, .warc.gz or .warc."),
        (
            "shard_size",
            lambda given: NUMBERED.search(str(given.output)) or _is_wacz(given.output),
            "only with a place for the number in FILE, as in news-%06d.tar.",
        ),
    ],
    "catalog gc": [*_MENDED, ("max_delete", _with("delete"), "only with --delete, which it bounds.")],
    "catalog rebuild": _MENDED,
    "catalog import": _MENDED,
}


def refusal(command: str, given: Given, typed: Callable[[str], bool], words: Callable[[str], str]) -> str | None:
    """Return what is wrong with the options of a command line, or None.

    ``typed`` says whether an option stands in it, ``words`` how it is written there.
    """
    for names, counts, why in NEEDS.get(command, ()):
        if (told := [words(name) for name in names.split() if typed(name)]) and not counts(given):
            return f"{', '.join(told)}: {why}"
    return None
