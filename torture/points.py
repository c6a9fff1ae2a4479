"""Named points at which a run can be killed. They are put around the program's functions from here: it carries none itself."""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the program: a function by module and name, and whether the kill comes before or after it, or halfway.

    With ``command`` only those calls count that hand this function over as their first argument.
    """

    module: str
    name: str
    when: str
    command: str | None = None


POINTS = {
    "body-arrives": Point("mediamirror.fetch.body", "Spool.take", "after"),
    "body-spilled": Point("mediamirror.fetch.body", "Spool.spill", "after"),
    "before-note": Point("mediamirror.catalog.catalog", "Catalog.write", "before", "put_fetches"),
    "inside-note": Point("mediamirror.catalog.results", "put_fetched", "after"),
    "after-note": Point("mediamirror.catalog.catalog", "Catalog.write", "after", "put_fetches"),
    "half-written": Point("mediamirror.store.files", "_write_all", "halfway"),
    "before-rename": Point("mediamirror.store.files", "_publish", "before"),
    "after-rename": Point("mediamirror.store.files", "sync_directory", "before"),
    "after-file": Point("mediamirror.store.directory", "DirectoryStore.put", "after"),
    "before-put": Point("mediamirror.store.s3.store", "S3Store.put", "before"),
    "after-put": Point("mediamirror.store.s3.store", "S3Store.put", "after"),
    "part-sent": Point("mediamirror.store.s3.multipart", "MultipartUploads._send_part", "after"),
    "before-record": Point("mediamirror.catalog.catalog", "Catalog.write", "before", "put_outcomes"),
    "inside-record": Point("mediamirror.catalog.results", "put_outcome", "after"),
    "after-record": Point("mediamirror.catalog.catalog", "Catalog.write", "after", "put_outcomes"),
    "inside-plan": Point("mediamirror.catalog.planned", "_put_document", "after"),
    "before-segment": Point("mediamirror.jobs.mirror.job", "write_segment", "before"),
    "after-segment": Point("mediamirror.jobs.run.manifest", "_mark", "before"),
    "before-finish": Point("mediamirror.catalog.catalog", "Catalog.write", "before", "finish_run"),
    "after-finish": Point("mediamirror.catalog.catalog", "Catalog.write", "after", "finish_run"),
    "before-remember": Point("mediamirror.catalog.catalog", "Catalog.write", "before", "put_holdings"),
    "after-remember": Point("mediamirror.catalog.catalog", "Catalog.write", "after", "put_holdings"),
    "before-forget": Point("mediamirror.catalog.catalog", "Catalog.write_durably", "before", "drop_holdings"),
    "after-forget": Point("mediamirror.catalog.catalog", "Catalog.write_durably", "after", "drop_holdings"),
    "after-delete": Point("mediamirror.store.files", "remove", "after"),
    "after-bucket-delete": Point("mediamirror.store.s3.store", "S3Store.delete", "after"),
}

MIRROR_POINTS = (
    "body-arrives",
    "before-note",
    "inside-note",
    "after-note",
    "before-record",
    "inside-record",
    "after-record",
)
EVERY_RUN = ("before-finish", "after-finish")
DIRECTORY_POINTS = ("half-written", "before-rename", "after-rename", "after-file")
GC_POINTS = ("before-forget", "after-forget")
BUCKET_POINTS = ("before-put", "after-put", "after-segment")


def plant(point: Point, number: int) -> None:
    """Replace the point's function by one that kills this process at its ``number``-th call."""
    *path, last = point.name.split(".")
    owner: Any = functools.reduce(getattr, path, importlib.import_module(point.module))
    real, passed = getattr(owner, last), Passing(number)
    setattr(owner, last, _halfway(passed) if point.when == "halfway" else _around(real, point, passed))


class Passing:
    """Counts down; the process dies at nought."""

    def __init__(self, number: int) -> None:
        self._left = number

    def is_last(self) -> bool:
        """Count one; whether it is the one to die at."""
        self._left -= 1
        return self._left == 0

    def __call__(self) -> None:
        """Count one, and die if it is the one."""
        if self.is_last():
            die()


def die() -> None:
    """End this process as ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def _around(real: Callable[..., Any], point: Point, passed: Passing) -> Callable[..., Any]:
    def counts(when: str, args: tuple[Any, ...]) -> bool:
        return when == point.when and (point.command is None or args[1].__name__ == point.command)

    @functools.wraps(real)
    def plain(*args: Any, **kwargs: Any) -> Any:
        if counts("before", args):
            passed()
        result = real(*args, **kwargs)
        if counts("after", args):
            passed()
        return result

    @functools.wraps(real)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if counts("before", args):
            passed()
        result = await real(*args, **kwargs)
        if counts("after", args):
            passed()
        return result

    return awaited if asyncio.iscoroutinefunction(real) else plain


def _halfway(passed: Passing) -> Callable[[int, bytes], None]:
    def write(descriptor: int, chunk: bytes) -> None:
        last = passed.is_last()
        os.write(descriptor, chunk[: len(chunk) // 2])
        if last:
            die()
        os.write(descriptor, chunk[len(chunk) // 2 :])

    return write
