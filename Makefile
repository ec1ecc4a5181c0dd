# One environment for everything, from the lock file; no network beyond package installation, no root.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help env lock run test test-slow lint generate bench detection clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1 — /'

env: $(VENV)/.ready  ## the environment, from requirements/dev.lock

$(VENV)/.ready: requirements/dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lock:  ## write the lock files anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q pyproject.toml -o requirements/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q pyproject.toml --group dev -o requirements/dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q --group pyproject.toml:evidence -o requirements/evidence.lock

run: env  ## play an app's logs through the gate and show what came out (SERVE=1 keeps it running)
	$(BIN)/python -m examples.demo $(if $(SERVE),--serve)

lint: env  ## style, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy docs examples
	$(BIN)/lint-imports

test: lint  ## everything that must be green before a commit
	$(BIN)/pytest -n 2

test-slow: env  ## what takes minutes
	$(BIN)/pytest -m slow

generate: env  ## write every generated file anew
	$(BIN)/python -m docs.generate

bench: env  ## the benchmarks, one table each
	$(BIN)/python -m bench.scrub
	$(BIN)/python -m bench.detectors
	$(BIN)/python -m bench.sources
	$(BIN)/python -m bench.record
	$(BIN)/python -m bench.otlp
	$(BIN)/python -m bench.pipeline
	$(BIN)/python -m bench.otlp_gate

detection: env .venv-evidence/.ready  ## measure what is found, and beside presidio-analyzer; writes docs/detection.md
	$(BIN)/python -m bench.detection --presidio .venv-evidence/bin/python

.venv-evidence/.ready: requirements/evidence.lock
	@test -x .venv-evidence/bin/python || $(PYTHON) -m venv .venv-evidence
	.venv-evidence/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

clean:
	rm -rf $(VENV) .venv-evidence .run .services .hypothesis
