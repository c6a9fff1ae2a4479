"""A pytest plugin: a failure is named when it happens, and a line every half minute says how far the run is."""

from __future__ import annotations

import time
from threading import Event, Lock, Thread
from typing import Any

import pytest

EVERY = 30.0
"""Seconds from one line to the next."""
_SHOWN = 3
"""Tests under way that a line names, the longest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("progress_every", "seconds between two lines of progress", default=str(EVERY))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # workers have no terminal
        config.pluginmanager.register(Progress(config, float(config.getini("progress_every"))))


class Progress:
    """Prints from the process that has the terminal. Lines of progress are for runs with workers (``-n``): others are captured."""

    def __init__(self, config: pytest.Config, every: float) -> None:
        self._config = config
        self._every = every
        self._lock = Lock()
        self._end = Event()
        self._running: dict[str, float] = {}
        self._total = self._done = self._failed = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self) -> None:
        Thread(target=self._report, daemon=True).start()

    def pytest_sessionfinish(self) -> None:
        self._end.set()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = len(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        with self._lock:
            self._running[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        with self._lock:
            self._running.pop(nodeid, None)
            self._done += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed += 1
            self._say(f"FAILED {report.nodeid} ({report.when}): {_reason(report)}", red=True)

    def _report(self) -> None:
        while not self._end.wait(self._every):
            with self._lock:
                since = sorted((began, nodeid) for nodeid, began in self._running.items())
            now = time.monotonic()
            under_way = ", ".join(f"{nodeid} ({now - began:.0f} s)" for began, nodeid in since[:_SHOWN])
            line = f"{self._done:,} of {self._total:,} tests done, {self._failed} failed"
            line = line if self._total else "finding the tests"
            self._say(f"{line}; running: {under_way}" if under_way else line)

    def _say(self, line: str, **style: bool) -> None:
        terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            if terminal._tw.width_of_current_line:
                terminal.line("")
            terminal.write_line(line, **style)
            terminal.flush()


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(getattr(crash, "message", None) or report.longrepr or "").strip().splitlines()
    return lines[0][:200] if lines else "no reason given"
