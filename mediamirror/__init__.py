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

    from mediamirror.jobs.check import check
    from mediamirror.jobs.mirror import mirror
    from mediamirror.jobs.parse import parse
    from mediamirror.jobs.scrub import scrub
    from mediamirror.jobs.sync import sync
    from mediamirror.jobs.verify import verify
    from mediamirror.markup.extract import extract
    from mediamirror.markup.select import select
    from mediamirror.markup.sizes import evaluate_sizes
    from mediamirror.markup.srcset import parse_srcset

__version__ = "0.1.0"

__all__ = ["check", "evaluate_sizes", "extract", "mirror", "parse", "parse_srcset", "scrub", "select", "sync", "verify"]

_HOMES = {
    "check": "mediamirror.jobs.check",
    "sync": "mediamirror.jobs.sync",
    "evaluate_sizes": "mediamirror.markup.sizes",
    "extract": "mediamirror.markup.extract",
    "mirror": "mediamirror.jobs.mirror",
    "parse": "mediamirror.jobs.parse",
    "parse_srcset": "mediamirror.markup.srcset",
    "scrub": "mediamirror.jobs.scrub",
    "select": "mediamirror.markup.select",
    "verify": "mediamirror.jobs.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
