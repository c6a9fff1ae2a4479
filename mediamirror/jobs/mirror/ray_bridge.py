"""The process that speaks to Ray for a run: shards on stdin, results on stdout. Started by ``python -m``.

Ray is kept out of the run's own process on purpose (what follows was tried with Ray 2.60): it prints to stdout, takes SIGTERM for
itself, and ends the process it is loaded in when its control service is gone. Here all of that ends this process, and the run goes on
with another. Ray itself tries nothing again (``max_retries=0``), neither deaths nor exceptions nor tasks that ran out of memory: the
run decides that. Each node takes the credentials of the store from its own environment: in a ``runtime_env`` Ray would log them.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import queue
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from threading import Thread
from typing import Any, BinaryIO

from mediamirror import __version__
from mediamirror.documents.reader_process import die_with_parent, receive, send
from mediamirror.errors import MediamirrorError, UsageError, WorkerLost
from mediamirror.jobs.mirror.spread import Finished, Job, Work
from mediamirror.jobs.mirror.worker import Worker, open_worker
from mediamirror.redact import redact_log
from mediamirror.scratch import scratch_folder

_PROBE_SECONDS = 300.0
_STARTS = 3
"""How often a cluster of this machine is started, if it does not come up."""
_LONGEST_FOLDER = 20


class _Kept:
    """A worker with a loop of its own, in a thread: it lives on in Ray's process from shard to shard."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.loop = asyncio.new_event_loop()
        Thread(target=self.loop.run_forever, daemon=True).start()
        self._stack = AsyncExitStack()
        opening = self._stack.enter_async_context(open_worker(job))
        self.worker: Worker = asyncio.run_coroutine_threadsafe(opening, self.loop).result()


_kept: _Kept | None = None


def run_shard(job: Job, work: Work) -> Iterator[Any]:
    """Run one shard in a process of Ray's, yielding results as they come, and `Finished` or an error last."""
    global _kept  # noqa: PLW0603 - what a process of Ray's keeps from call to call
    try:
        if _kept is None or _kept.job != job:
            _kept = _Kept(job)
    except MediamirrorError as error:
        yield error
        return
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def tell(records: Any) -> None:
        told.put(records)

    future = asyncio.run_coroutine_threadsafe(_kept.worker.run(work, tell), _kept.loop)
    future.add_done_callback(lambda _: told.put(None))
    try:
        while (records := told.get()) is not None:
            yield records
        yield future.result()
    finally:
        future.cancel()


def probe(job: Job) -> tuple[str, str | None]:
    """Return the version of a node, and why it can't work for this run, if it can't."""

    async def try_it() -> None:
        async with open_worker(job):
            pass

    try:
        asyncio.run(try_it())
    except MediamirrorError as error:
        return __version__, error.message
    return __version__, None


class _Bridge:
    def __init__(self, job: Job, answers: BinaryIO) -> None:
        self.job = job
        self._answers = answers
        self._ray: Any = importlib.import_module("ray")
        self._running: dict[int, Any] = {}
        self._stack = ExitStack()

    def answer(self, number: int, what: object) -> None:
        send(self._answers, (number, what))

    def open(self, workers: int | None, address: str | None) -> int:
        """Join or start a cluster, and ask each node whether it can work; returns the number of workers."""
        ray = self._ray
        where: dict[str, Any] = {"address": address}
        if address is None:
            # Sockets lie there, whose paths the system bounds to about a hundred characters.
            if len(tempfile.gettempdir()) > _LONGEST_FOLDER:
                tempfile.tempdir = "/tmp"  # noqa: S108 - the folder below it has a name that nobody can guess
            where = {
                "num_cpus": workers or os.cpu_count() or 1,
                "_temp_dir": str(self._stack.enter_context(scratch_folder())),
            }
        for left in reversed(range(1 if address else _STARTS)):
            try:
                ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
                break
            except Exception as error:  # of no kind in common
                if not left:
                    why = str(error).strip().partition("\n")[0]
                    raise UsageError(f"Ray can't be used{f' at {address}' if address else ''}: {why}") from error
                ray.shutdown()  # on a busy machine a cluster may not come up in Ray's own time
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if workers is not None and workers > cpus:
            raise UsageError(f"The cluster has {cpus} CPUs, too few for --workers {workers}: each worker takes one.")
        self._probe()
        return workers or cpus

    def _probe(self) -> None:
        ray = self._ray
        affinity = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        asked = {
            ray.remote(probe)
            .options(num_cpus=0, max_retries=0, scheduling_strategy=affinity(node["NodeID"], soft=False))
            .remote(self.job): node["NodeManagerAddress"]
            for node in ray.nodes()
            if node["Alive"]
        }
        for ref, name in asked.items():
            try:
                version, why = ray.get(ref, timeout=_PROBE_SECONDS)
            except Exception as error:
                reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
                raise UsageError(f"The node {name} of the cluster can't work for this run: {reason[0]}") from error
            if version != __version__:
                raise UsageError(
                    f"The node {name} has mediamirror {version}, and this is {__version__}: install the same."
                )
            if why is not None:
                raise UsageError(f"The node {name} of the cluster can't work for this run: {why}")

    def start(self, number: int, work: Work) -> None:
        options = {"num_cpus": 1, "max_retries": 0, "num_returns": "streaming", "name": f"shard {work.number}"}
        self._running[number] = self._ray.remote(run_shard).options(**options).remote(self.job, work)
        Thread(target=self._relay, args=(number, self._running[number]), daemon=True).start()

    def _relay(self, number: int, results: Any) -> None:
        told: object = None
        try:
            for ref in results:
                told = self._ray.get(ref)
                self.answer(number, told)
        except Exception as error:
            words = [line.strip() for line in str(error).splitlines() if line.strip()]
            first = words[0].partition(". ")[0] if words else ""  # what follows are guesses and identifiers
            told = WorkerLost(f"{type(error).__name__}: {redact_log(first)}"[:300])
            self.answer(number, told)
        if not isinstance(told, Finished | MediamirrorError):
            self.answer(number, WorkerLost("it ended early"))
        self._running.pop(number, None)

    def cancel(self, number: int) -> None:
        results = self._running.get(number)
        if results is not None:
            self._ray.cancel(results, force=True)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends, and leaves nothing behind."""
        for results in list(self._running.values()):
            self._ray.cancel(results, force=True)
        self._ray.shutdown()
        self._stack.close()


def main() -> None:
    """Serve shards until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    die_with_parent()
    job, workers, address = receive(orders)
    bridge = _Bridge(job, answers)

    def stop(*_: object) -> None:
        bridge.close()
        os._exit(0)

    try:
        count = bridge.open(workers, address)
    except MediamirrorError as error:
        send(answers, error)
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)  # after Ray has set its own, with which it aborts
    send(answers, count)
    while (order := receive(orders)) is not None:
        number, work = order
        if work is None:
            bridge.cancel(number)
        else:
            bridge.start(number, work)
    stop()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(redact_log(f"{type(error).__name__}: {error}"), file=sys.stderr)  # noqa: T201 - the run reads it
        raise SystemExit(1) from None
