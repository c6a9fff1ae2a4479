"""The engines that come with the program: processes of this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

from mediamirror.catalog.results import Record
from mediamirror.documents import apart
from mediamirror.errors import MediamirrorError, UsageError, WorkerLost
from mediamirror.first_use import replace
from mediamirror.jobs.mirror.spread import Engine, Finished, Job, Told, Work
from mediamirror.jobs.mirror.worker import READY
from mediamirror.processes import start
from mediamirror.settings import inherited_environment

log = logging.getLogger("mediamirror")


@asynccontextmanager
async def open_engine(job: Job) -> AsyncIterator[Engine]:
    """Open the engine that the options ask for; its workers end with the block. Raises `UsageError` where none can work."""
    options = job.options
    workers = options.engine.workers or os.cpu_count() or 1
    rate = options.fetch.limit_rate
    theirs = replace(
        options,
        check=replace(options.check, workers=1),
        fetch=replace(options.fetch, limit_rate=max(1, rate // workers) if rate else None),
    )
    async with Processes(replace(job, options=theirs), workers) as engine:
        yield engine


_PATIENCE = 1.5
"""Seconds that a worker gets to end by itself."""
_LAST_WORDS = 5


class Processes:
    """Workers that are processes of this machine. See `spread.Engine`. Use as an async context manager."""

    def __init__(self, job: Job, workers: int) -> None:
        self._job = pickle.dumps(job)
        self._workers = workers
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    @property
    def workers(self) -> int:
        """How many."""
        return self._workers

    async def run(self, work: Work) -> Told:
        """Run one shard in a process of its own for that time."""
        worker = self._idle.pop() if self._idle else await self._start()
        whole = False
        try:
            await worker.give(work)
            while not isinstance(told := await worker.told(), Finished):
                yield told
            whole = True
            yield told
        finally:
            if whole:
                self._idle.append(worker)
            else:
                self._all.discard(worker)
                await worker.end()

    async def _start(self) -> _Worker:
        worker = await _Worker.start(self._job)
        self._all.add(worker)
        try:
            await worker.told()
        except BaseException:
            self._all.discard(worker)
            await worker.end()
            raise
        return worker

    async def __aenter__(self) -> Self:
        """Start them: what they can't do is told before anything is asked for, once."""
        starting = await asyncio.gather(*(self._start() for _ in range(self._workers)), return_exceptions=True)
        self._idle = [each for each in starting if isinstance(each, _Worker)]
        for failure in (each for each in starting if isinstance(each, BaseException)):
            await self.__aexit__(None, None, None)
            raise UsageError(f"No worker can be started: {failure}.") if isinstance(failure, WorkerLost) else failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all of them."""
        await asyncio.gather(*(worker.end() for worker in self._all))


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, job: bytes) -> _Worker:
        """Start one; what it says first is that it is ready, or why it can't work. Raises `WorkerLost`."""
        try:
            process = await start("mediamirror.jobs.mirror.worker", environment=inherited_environment(None))
        except OSError as error:
            raise WorkerLost(f"no process can be started ({error.strerror})") from error
        worker = cls(process)
        with suppress(ConnectionError):  # its end says why
            await apart.write(process, job)
        return worker

    async def give(self, work: Work) -> None:
        """Hand over a shard; one that has died says so when it is asked."""
        with suppress(ConnectionError):
            await apart.write(self._process, pickle.dumps(work))

    async def told(self) -> Sequence[Record] | Finished:
        """What it says next. Raises `WorkerLost`, and the `MediamirrorError` that it tells."""
        try:
            said = await apart.read(self._process)
        except (ConnectionError, asyncio.IncompleteReadError):
            raise WorkerLost(self._why(await apart.end(self._process))) from None
        if isinstance(said, MediamirrorError):
            raise said
        return () if said == READY else said

    def _why(self, status: int) -> str:
        if status < 0:
            return f"process {self._process.pid} was ended by {signal.Signals(-status).name}"
        words = f": {self._words[-1]}" if self._words else ""
        return f"process {self._process.pid} ended with status {status}{words}"

    async def end(self) -> None:
        """End it, in order if it can."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        await apart.end(self._process)
        self._listening.cancel()

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - we asked for the pipe
        while line := await self._process.stderr.readline():
            self._words.append(line.decode(errors="replace").rstrip())
            log.error("worker %d: %s", self._process.pid, self._words[-1])
