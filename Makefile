# `make demo` and `make test` need Python 3.11 or later and a package registry; they make .venv themselves.
# Tools are run as `python -m`, by relative paths, so that the path of the checkout may hold spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore

RUN := .venv/bin/python
PIP := $(RUN) -m pip install -qq
# Says every half minute that a command which prints nothing is still running.
ALOUD := $(RUN) -m fixtures.aloud
PYTEST_ARGS ?=
CHECKED := $(addprefix tests/,redact report store markup lint/test_lint_rules.py cli/test_help_and_completion.py cli/test_quiet.py)

.PHONY: help demo test check lint fmt bench bench-extract bench-verify torture docs clean

help: ## Say what there is to make
	@echo 'make demo     mirror the seed document from a real site into a directory and a bucket'
	@echo 'make test     lint, then run all tests; compares with Chromium (installed by apt when root)'
	@echo 'make check    lint and the tests that need no server: for each edit, in under a minute'
	@echo 'make lint     formatting, ruff, mypy --strict, import directions'
	@echo 'make fmt      put the code into shape'
	@echo 'make bench    measure us beside rclone, and what a command costs from its start; needs nginx (installed by apt when root);'
	@echo '              BEFORE=COMMIT measures that commit beside this one'
	@echo 'make bench-extract  measure the reading of a page and of text'
	@echo 'make bench-verify   measure verify, by header and by decoding, beside plain Pillow; needs nginx'
	@echo 'make torture  the long sweeps: runs and workers killed at every moment, stripped files in two browsers,'
	@echo '              archives in two players, saved pages beside Chromium, then fuzzing; 25 minutes; needs strace and Firefox (installed by apt when root)'
	@echo 'make docs     write docs/commands.md, docs/configuration.md and docs/rules/ anew from the code'
	@echo 'make clean    remove .venv and everything made'

demo: .venv/.stamp-demo ## The main job, on real parts
	@$(RUN) -m fixtures.demo

test: lint ## Everything that CI runs
	@$(RUN) -m fixtures.browser.chromium
	@$(RUN) -m fixtures.players
	@$(RUN) -m pytest -n 3 --dist loadfile $(PYTEST_ARGS)

check: lint ## What every edit should pass
	@$(RUN) -m pytest -n 3 $(CHECKED) $(PYTEST_ARGS)

lint: .venv/.stamp-dev
	@$(RUN) -m ruff format --check --quiet . || { echo 'Some files are not formatted: make fmt'; exit 1; }
	@$(RUN) -m ruff check --quiet .
	@$(ALOUD) 'lint: types' $(RUN) -m mypy --no-error-summary -p mediamirror -p fixtures -p bench -p torture -p fuzz
	@$(ALOUD) 'lint: imports' sh -c '.venv/bin/lint-imports >.venv/lint-imports.log 2>&1' || { cat .venv/lint-imports.log; exit 1; }
	@echo 'lint: clean'

fmt: .venv/.stamp-dev
	@$(RUN) -m ruff format --quiet .
	@$(RUN) -m ruff check --quiet --fix .

bench: .venv/.stamp-demo
	@$(RUN) -m bench.mirror $(BENCH_ARGS)
	@$(RUN) -m bench.start $(if $(BEFORE),--before-commit $(BEFORE))
	@$(RUN) -m bench.archives

bench-extract: .venv/.stamp-dev
	@$(RUN) -m bench.extract $(BENCH_ARGS)

bench-verify: .venv/.stamp-demo
	@$(RUN) -m bench.verify $(BENCH_ARGS)

torture: .venv/.stamp-dev
	@command -v strace >/dev/null || { test "$$(id -u)" = 0 && apt-get install -qq -y strace >/dev/null; } || true
	@$(RUN) -m torture $(if $(KILLS),--kills $(KILLS)) $(TORTURE_ARGS)
	@$(RUN) -m torture.workers --images 6000
	@$(RUN) -m torture.workers --engine ray --images 2000 --hosts 30 --kills 3
	@$(RUN) -m torture.cluster --images 2000 --hosts 40
	@$(RUN) -m torture.strip
	@$(RUN) -m fixtures.players pywb
	@$(RUN) -m torture.replay
	@$(RUN) -m torture.saved_pages
	@$(RUN) -m fuzz.run --seconds 60

docs: .venv/.stamp-dev
	@$(RUN) -m docs.generate

clean:
	@rm -rf .venv demo-out bench/out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps form a chain, so that two goals under `make -j` never install into .venv at the same time.

.venv/.stamp-venv:
	@test -n '$(PYTHON)' || { echo 'mediamirror needs Python 3.11 or later, and none was found. Try: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.stamp-demo: .venv/.stamp-venv pyproject.toml
	@$(ALOUD) 'Installing what the demo needs into .venv (once, about a minute)' $(PIP) -e '.[demo]'
	@touch $@

.venv/.stamp-dev: .venv/.stamp-demo pyproject.toml
	@$(ALOUD) 'Installing what tests and lint need into .venv (once, about a minute)' $(PIP) -e '.[demo,test,lint]'
	@touch $@
