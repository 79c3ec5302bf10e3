# The two commands of this project are `make demo` and `make test`; both build .venv by themselves.
# `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help

help: ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.ready ## Build .venv from the locked, hashed requirements

# Says what it does on standard error: standard output belongs to the command behind it.
.venv/.ready: requirements-dev.lock pyproject.toml
	@deploy/check-prerequisites python
	@echo "building .venv from the locked requirements (about a minute) ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >&2
	@touch $@

demo: setup ## Play the scenarios and stay up; ARGS="--once" ends by itself
	@$(BIN)/crisis-broker demo $(ARGS)

test: setup ## Run every test that can run here, those on a real Kafka included
	@$(BIN)/python -m pytest $(ARGS)

lint: setup ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## Measure; ARGS=--json prints rows
	@$(BIN)/python -m tests.bench $(ARGS)

lock: setup ## Resolve the requirements anew and write them with hashes
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" -c requirements.lock -o requirements-dev.lock

.PHONY: help setup demo test lint bench lock
