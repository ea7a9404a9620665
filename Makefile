# `make drill` and `make test` do all their own set-up: Python 3.11 or newer and make are enough.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
EXPERIMENT ?= experiments/region-loss.yaml

# The lab is two dozen Python processes: without compiled bytecode each of them would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: drill test lint bench bench-truth bench-100k sweep lab wheel clean

drill: $(VENV)/.lab-installed  ## lose the primary region in the embedded lab
	@$(BIN)/blackstart lab run -- $(BIN)/blackstart run $(EXPERIMENT)

lab: $(VENV)/.lab-installed  ## the embedded lab alone, until Ctrl-C
	@$(BIN)/blackstart lab up

test: $(VENV)/.dev-installed  ## every test, on real processes; ARGS=tests/changes only some
	$(BIN)/python $(if $(ARGS),-m pytest $(ARGS),tests/run.py $(ALSO))

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev-installed  ## figures, ours and the peers', from one run
	$(BIN)/python tests/bench/run.py $(ARGS)

bench-truth: $(VENV)/.dev-installed  ## our numbers and the peers' against planted outages; ARGS=--seeds=5 more of them
	$(BIN)/python tests/bench/truth.py $(ARGS)

bench-100k: $(VENV)/.dev-installed  ## 100,000 users through a region loss: a quiet machine, 12 GB, fourteen minutes
	@$(PIP) -e '.[lab,dev,load]'
	$(BIN)/python tests/bench/users.py $(ARGS)

sweep: $(VENV)/.dev-installed  ## kill drills at every boundary of the gate; nothing may be left
	$(BIN)/python tests/crash/sweep.py $(ARGS)

wheel: $(VENV)/.dev-installed  ## build the wheel and test it with the source out of reach
	$(BIN)/python tests/wheel.py

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Blackstart needs Python 3.11, 3.12 or 3.13: install it, or set PYTHON=…"; exit 2; }
	@echo "installing Blackstart into $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv $(VENV) || { echo "the venv module is missing: on Debian and Ubuntu, apt install python3-venv"; exit 2; }

$(VENV)/.lab-installed: $(VENV)/bin/python pyproject.toml
	@$(PIP) -e '.[lab]'
	@touch $@

$(VENV)/.dev-installed: $(VENV)/bin/python pyproject.toml
	@$(PIP) -e '.[lab,load,web,dev]'
	@touch $@ $(VENV)/.lab-installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
