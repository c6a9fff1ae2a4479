"""The engines that come with the program: processes of this machine, and Ray.

Both speak with processes of our own through pipes. `Processes` has one for each worker; `OnRay` one that speaks to Ray, which has its
workers where it wants.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import pickle
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any, Self

from mediamirror.documents import apart
from mediamirror.errors import MediamirrorError, UsageError, WorkerLost
from mediamirror.first_use import replace
from mediamirror.jobs.mirror.publish import Stripper
from mediamirror.jobs.mirror.results import Results
from mediamirror.jobs.mirror.spread import Crew, Engine, Finished, Job, Told, Work
from mediamirror.jobs.run.destination import now
from mediamirror.model import Problem
from mediamirror.processes import start
from mediamirror.settings import inherited_environment
from mediamirror.store.base import Store

log = logging.getLogger("mediamirror")


@asynccontextmanager
async def open_engine(job: Job) -> AsyncIterator[Engine]:
    """Open the engine that the options ask for; its workers end with the block. Raises `UsageError` where none can work."""
    options = job.options
    workers = options.engine.workers or os.cpu_count() or 1
    rate = options.fetch.limit_rate
    check = replace(options.check, workers=1)
    fetch = replace(options.fetch, limit_rate=max(1, rate // workers) if rate else None)
    theirs = replace(job, options=replace(options, check=check, fetch=fetch))
    if options.engine.engine == "ray":
        async with OnRay(theirs, options.engine.workers, options.engine.ray_address) as ray:
            yield ray
    else:
        async with Processes(theirs, workers) as processes:
            yield processes


@asynccontextmanager
async def open_crew(
    job: Job, store: Store, tell: Callable[[Problem], None], stripper: Stripper | None
) -> AsyncIterator[tuple[Crew, Results]]:
    """Open the workers that share a run, and what their results are written to; on leaving the crew says how it went."""
    results = Results(store, now())
    try:
        async with open_engine(job) as engine:
            crew = Crew(engine, job.options, tell, stripper)
            yield crew, results
    finally:
        await results.flush()
    crew.conclude()


_WORKER, _BRIDGE = "mediamirror.jobs.mirror.worker", "mediamirror.jobs.mirror.ray_bridge"
_PATIENCE, _RAY_PATIENCE = 1.5, 3.5
"""Seconds that a process gets to end by itself."""
OVERLAP = 5.0
"""Seconds after the death of Ray's driver in which its workers may still be at it (3 s were seen)."""
_KNOCK_SECONDS = 5.0
_MOST_LOST = 4
"""Tasks of a cluster that may be lost in a row before it is joined, or started, anew."""
_SLOWLY = {"RAY_agent_register_timeout_ms": "180000"}
"""A cluster that is started here has time for it: on a busy machine Ray gives itself up after 30 s."""
_LAST_WORDS = 5


class Processes:
    """Workers that are processes of this machine. See `spread.Engine`. Use as an async context manager."""

    def __init__(self, job: Job, workers: int) -> None:
        self._job = job
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
        worker = await _Worker.start(_WORKER, self._job, logging.ERROR, _PATIENCE)
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

    async def __aexit__(self, *_: object) -> None:
        """End all of them."""
        await asyncio.gather(*(worker.end() for worker in self._all))


class OnRay:
    """Workers that are tasks of a Ray cluster. See `spread.Engine`. Use as an async context manager.

    Without an ``address`` a cluster of this machine is started, and ended with the run.
    """

    def __init__(self, job: Job, workers: int | None, address: str | None) -> None:
        self._job = job
        self._asked = workers
        self._address = address
        self._workers = 0
        self._bridge: _Worker | None = None
        self._opening = asyncio.Lock()
        self._losses = 0
        """Workers lost in a row."""
        self._numbers = count(1)
        self._told: dict[int, asyncio.Queue[Any]] = {}
        self._hearing: asyncio.Task[None] | None = None

    @property
    def workers(self) -> int:
        """How many CPUs the cluster has, or as many as were asked for."""
        return self._workers

    async def run(self, work: Work) -> Told:
        """Run one shard on a CPU of the cluster."""
        number = next(self._numbers)
        bridge = await self._opened()
        told = self._told[number] = asyncio.Queue()
        whole = False
        try:
            await bridge.give((number, work))
            while not whole:
                said = await told.get()
                whole = isinstance(said, Finished | MediamirrorError)
                if isinstance(said, MediamirrorError):
                    raise said
                self._losses = 0
                yield said
        except WorkerLost as lost:
            self._losses += 1
            if bridge is self._bridge and (self._losses >= _MOST_LOST or "RayletDied" in lost.message):
                self._bridge = None  # it lives, and nobody works for it any more
                await bridge.end()
            raise
        finally:
            self._told.pop(number, None)
            if not whole:
                await bridge.give((number, None))

    async def _opened(self) -> _Worker:
        async with self._opening:
            if self._bridge is None:
                if self._workers or self._job.resumes:
                    await asyncio.sleep(OVERLAP)
                bridge = await _Worker.start(
                    _BRIDGE, (self._job, self._asked, self._address), logging.DEBUG, _RAY_PATIENCE
                )
                try:
                    self._workers = await bridge.told()
                except BaseException:
                    await bridge.end()
                    raise
                self._bridge = bridge
                self._hearing = asyncio.create_task(self._hear(bridge))
            return self._bridge

    async def _hear(self, bridge: _Worker) -> None:
        """Hand what the bridge says to whoever waits for it; what ends the bridge ends all that is under way."""
        try:
            while True:
                number, said = await bridge.told()
                if number in self._told:
                    self._told[number].put_nowait(said)
        except WorkerLost as lost:
            self._bridge = None if self._bridge is bridge else self._bridge
            for waiting in self._told.values():
                waiting.put_nowait(WorkerLost(f"Ray's driver: {lost}"))

    async def __aenter__(self) -> Self:
        """Join or start the cluster: what it can't do is told before anything is asked for, once."""
        if importlib.util.find_spec("ray") is None:
            raise UsageError("--engine ray needs Ray, which is not installed: pip install 'mediamirror[ray]'.")
        if self._address is not None:
            await _knock(self._address)
        try:
            await self._opened()
        except WorkerLost as lost:
            raise UsageError(f"Ray can't be used: {lost}.") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the cluster, or end it where it was started here."""
        if self._hearing is not None:
            self._hearing.cancel()
        if self._bridge is not None:
            await self._bridge.end()


async def _knock(address: str) -> None:
    """Raise `UsageError` for an address that nobody answers at: Ray would wait for a quarter of an hour."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # "auto", which Ray finds at once or not at all
    try:
        async with asyncio.timeout(_KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()
    except (OSError, TimeoutError) as error:
        number = error.errno or 0  # asyncio has words of its own for what the system refuses
        why = os.strerror(number) if number > 0 else error.strerror or f"no answer in {_KNOCK_SECONDS:.0f} s"
        raise UsageError(f"No Ray cluster answers at {address} ({why}): check --ray-address.") from None


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process, level: int, patience: float) -> None:
        self._process = process
        self._level = level
        self._patience = patience
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, module: str, job: object, level: int, patience: float) -> _Worker:
        """Start one; what it says first is that it is ready, or why it can't work. Raises `WorkerLost`.

        Its words are logged at ``level``; ``patience`` is how many seconds it gets to end by itself.
        """
        try:
            process = await start(module, environment=_SLOWLY | inherited_environment(None))
        except OSError as error:
            raise WorkerLost(f"no process can be started ({error.strerror})") from error
        worker = cls(process, level, patience)
        await worker.give(job)
        return worker

    async def give(self, what: object) -> None:
        """Hand over something; one that has died says so when it is asked."""
        with suppress(ConnectionError):
            await apart.write(self._process, pickle.dumps(what))

    async def told(self) -> Any:
        """What it says next. Raises `WorkerLost`, and the `MediamirrorError` that it tells."""
        try:
            said = await apart.read(self._process)
        except (ConnectionError, asyncio.IncompleteReadError):
            raise WorkerLost(self._why(await apart.end(self._process))) from None
        if isinstance(said, MediamirrorError):
            raise said
        return said

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
            async with asyncio.timeout(self._patience):
                await self._process.wait()
        await apart.end(self._process)
        self._listening.cancel()

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - we asked for the pipe
        while line := await self._process.stderr.readline():
            self._words.append(line.decode(errors="replace").rstrip())
            log.log(self._level, "worker %d: %s", self._process.pid, self._words[-1])
