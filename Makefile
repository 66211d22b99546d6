# One door: every command a person or CI runs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help install demo run test lint types floors rules bench lock clean system soak fuzz

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 12

install: $(BIN)/veille  ## make .venv with veille and everything it needs

$(BIN)/veille: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "veille needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked dependencies (about 650 MB)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(BIN)/veille

demo: install  ## play the bundled night of flooding (ARGS=--exit ends by itself)
	@$(BIN)/veille demo $(ARGS)

run: install  ## the daemon, with ./config.toml
	@$(BIN)/veille run $(ARGS)

test: install system  ## every check, then the tests
	@$(MAKE) --no-print-directory -j 2 lint types floors rules
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

system:  # what some tests need beside Python: apt-get when root, else a message
	@for need in "chromium chromium accessibility" "mosquitto mosquitto MQTT" "prometheus promtool monitoring"; do \
	  set -- $$need; \
	  PATH="$$PATH:/usr/sbin" command -v $$2 >/dev/null || command -v $$2-browser >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing $$1 for the $$3 tests…"; \
	    systemctl mask --runtime $$1.service >/dev/null 2>&1; : the tests need the program, nobody the service; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$1; } >/dev/null || \
	      echo "$$1 could not be installed: the $$3 tests will be skipped" >&2; \
	    systemctl disable $$1.service >/dev/null 2>&1; systemctl unmask --runtime $$1.service >/dev/null 2>&1 || true; \
	  else echo "$$2 is missing, so the $$3 tests will be skipped: apt-get install $$1" >&2; fi; \
	done

lint: install
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .

types: install
	@$(BIN)/mypy --no-error-summary

floors: install
	@$(BIN)/lint-imports --no-cache >/tmp/veille-floors.$$$$ 2>&1 || { cat /tmp/veille-floors.$$$$; exit 1; }; rm -f /tmp/veille-floors.$$$$

rules: install  ## test the shipped rules
	@$(BIN)/veille rules test rules

bench: install  ## measure; the last figures stand in benchmarks/README.md
	@echo "== mutants of the shipped rules that their tests kill"; \
	  found=$$($(BIN)/veille rules test rules --mutants) || { echo "$$found"; exit 1; }; tail -1 <<<"$$found"
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script $(ARGS) || exit 1; done

soak: install  ## the daemon under load and kill -9 for long (ARGS=--minutes 30)
	@PYTHONPATH=tests $(BIN)/python soak/soak.py $(ARGS)

fuzz: install  ## schemathesis against a real server for long (EXAMPLES=200)
	@VEILLE_PHASES=coverage,fuzzing,stateful VEILLE_EXAMPLES=$(or $(EXAMPLES),200) VEILLE_FUZZ_S=14400 $(BIN)/python -m pytest -q tests/acceptance/test_api_fuzz.py $(ARGS)

lock: install  ## write requirements.lock again from pyproject.toml
	@$(BIN)/pip-compile --quiet --extra dev --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --allow-unsafe --strip-extras -o requirements.lock pyproject.toml

clean:  ## remove what make made
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
