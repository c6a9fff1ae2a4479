"""mediamirror: mirror responsive images and prove that every variant is what it claims to be.

    from mediamirror import parse_srcset, evaluate_sizes, select, extract, mirror

docs/library.md says what each name is for, and what is promised about it. Names load on first use: importing the package
costs nothing. ``__init__.pyi`` is the same list for type checkers, which so refuse a misspelled name.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_NAMES = {
    "errors": "CatalogError FetchError ImageError MediamirrorError StoreError UsageError",
    "fetch.open": "open_fetcher",
    "fetch.request": "Fetcher Request",
    "jobs.mirror.job": "mirror",
    "jobs.parse": "parse",
    "jobs.run.events": "events",
    "jobs.scrub.job": "scrub",
    "jobs.sync.check": "check",
    "jobs.sync.job": "sync",
    "jobs.verify.job": "verify",
    "markup.extract": "extract extract_document",
    "markup.standard.select": "select",
    "markup.standard.sizes": "evaluate_sizes",
    "markup.standard.srcset": "parse_srcset",
    "model": (
        "Body Candidate Compared Download Event Extraction Finding ImageFacts ImageSet ItemError "
        "Mark ObjectEvent Outcome ParsedSrcset Planned Problem Reference SetResult SetRow Severity "
        "Source Status StoredObject Summary Suppressed SyncEvent SyncSummary Variant Workload"
    ),
    "settings": (
        "CheckOptions CompareOptions FetchOptions JobOptions MirrorOptions ParseOptions ReadOptions "
        "ScrubOptions SelectOptions StoreOptions SyncOptions VerifyOptions"
    ),
    "store.base": "ObjectAttributes Store",
    "store.memory": "MemoryStore",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [*_HOMES]  # noqa: PLE0604 -- each is a string


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
