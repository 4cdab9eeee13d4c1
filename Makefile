# One virtual environment, .venv, holds the demo or, on top of it, the tools of
# development. A stamp in it tells what is installed, so a second run is instant.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

# nginx lives in a directory that a user's PATH may lack.
export PATH := $(PATH):/usr/sbin
# Keep pyright to the version in the lock, and from asking whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help demo walk test model chaos rules check bench profile lock clean
.DELETE_ON_ERROR:

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 8

demo: .venv/.demo ## Run the example shop (STORE=, PORT= and APPS= choose store, port, frameworks)
	@exec $(BIN)/python -m examples.shop.demo

walk: .venv/.demo ## Walk through the example shop as a client would (STORE=, APPS=)
	@exec $(BIN)/python -m examples.shop.walk

# A run of all tests also shows what docs/reference/security.md says that they show. It has two
# processes, each of which runs whole files, so that a file's servers are started once.
test: .venv/.dev ## Run the tests (ARGS=... goes to pytest)
	@tools/programs.sh
	$(BIN)/python -m pytest $(or $(ARGS),-p tools.matrix --numprocesses=2 --dist=loadfile)

# A search of three requests takes minutes; pytest takes a test of five minutes for one that hangs.
model: rules ## Run the long model tests, and take each rule out to see its test fail
	$(BIN)/pytest -o faulthandler_timeout=1800 tests/model/long_machine.py tests/model/long_explorer.py $(ARGS)

chaos: .venv/.dev ## Run the long tests of faults: servers that die, freeze and move, disks that are full
	@tools/programs.sh
	$(BIN)/pytest -s -o faulthandler_timeout=1800 tests/chaos/long_*.py $(ARGS)

rules: .venv/.dev ## Take each rule out of a copy of the library, and see its test fail
	@tools/programs.sh
	$(BIN)/python -m tools.rules

check: .venv/.dev ## Check style, types, layers and documentation
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/api.py
	$(BIN)/python tools/docs.py

bench: .venv/.bench ## Measure against other libraries (QUICK=1: 90 seconds, to see that it works)
	@tools/programs.sh bench
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(ARGS)

profile: .venv/.bench ## Show where the time of a request goes (ARGS="redis write" and the like)
	@tools/programs.sh bench
	$(BIN)/python -m bench.profile $(ARGS)

# The other locks take their versions from dev's, so that one environment suits all.
COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --extra redis --extra postgresql \
	--extra mysql --extra tokens --python-version 3.11 \
	--universal --generate-hashes --annotation-style line \
	--no-header --no-emit-index-url --no-emit-find-links --no-python-downloads $(ARGS)
lock: .venv/.dev ## Lock the requirements anew (ARGS=--upgrade to take newer versions)
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/demo.in -c requirements/dev.txt -o requirements/demo.txt
	$(COMPILE) requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt

clean: ## Remove all that the other targets made
	rm -rf .venv dist profile.html .hypothesis .*_cache
	find . -name __pycache__ -prune -exec rm -r {} +

# pip rather than python: where ensurepip is missing (Debian without python3-venv),
# venv fails but leaves a python behind.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"coatcheck needs Python 3.11 or newer; name one: make PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/.demo: requirements/demo.txt pyproject.toml | $(BIN)/pip
	$(PIP) --require-hashes -r requirements/demo.txt
	$(PIP) --no-deps --no-build-isolation --check-build-dependencies -e .
	@touch $@

# The lock has one package without a wheel; it is built by the setuptools just installed.
.venv/.dev: requirements/dev.txt .venv/.demo
	$(PIP) --require-hashes --use-pep517 --no-build-isolation -r requirements/dev.txt
	@touch $@

.venv/.bench: requirements/bench.txt .venv/.demo
	$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@
