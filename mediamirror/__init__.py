"""mediamirror: mirror responsive images and prove that every variant is what it claims to be.

    from mediamirror import parse_srcset, evaluate_sizes, select, extract, mirror

Names load on first use: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module

# Not from typing, whose loading would be most of what happens before a signal is answered (``__main__``).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mediamirror.jobs.mirror.job import mirror
    from mediamirror.jobs.parse import parse
    from mediamirror.jobs.scrub.job import scrub
    from mediamirror.jobs.sync.check import check
    from mediamirror.jobs.sync.job import sync
    from mediamirror.jobs.verify.job import verify
    from mediamirror.markup.extract import extract
    from mediamirror.markup.standard.select import select
    from mediamirror.markup.standard.sizes import evaluate_sizes
    from mediamirror.markup.standard.srcset import parse_srcset

__version__ = "0.1.0"

__all__ = ["check", "evaluate_sizes", "extract", "mirror", "parse", "parse_srcset", "scrub", "select", "sync", "verify"]

_HOMES = {
    "check": "mediamirror.jobs.sync.check",
    "sync": "mediamirror.jobs.sync.job",
    "evaluate_sizes": "mediamirror.markup.standard.sizes",
    "extract": "mediamirror.markup.extract",
    "mirror": "mediamirror.jobs.mirror.job",
    "parse": "mediamirror.jobs.parse",
    "parse_srcset": "mediamirror.markup.standard.srcset",
    "scrub": "mediamirror.jobs.scrub.job",
    "select": "mediamirror.markup.standard.select",
    "verify": "mediamirror.jobs.verify.job",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
