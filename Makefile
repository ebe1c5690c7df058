# Needs python3 (3.11 or later) with venv, and make. `make run` is all it takes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# `make run` and `make login` share it: WORKDIR=somewhere make run
WORKDIR ?= .work
GATEWAY = $(BIN)/codex-gateway
PIP = $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check install --constraint deploy/constraints.txt

.DEFAULT_GOAL := run
.PHONY: run login test test-clients bench check fmt

run: $(VENV)/installed ## Start the gateway; simulated answers while nobody is logged in
	@test -f "$(WORKDIR)/config.yaml" || $(GATEWAY) config init --workdir "$(WORKDIR)" 2>/dev/null || \
		$(GATEWAY) config init --workdir "$(WORKDIR)"
	@demo=--demo; \
	if $(GATEWAY) config show --workdir "$(WORKDIR)" 2>/dev/null | grep -q '^  mode: openai_api'; then demo=; \
	elif $(GATEWAY) auth status --workdir "$(WORKDIR)" >/dev/null 2>&1; then demo=; fi; \
	exec $(GATEWAY) serve --workdir "$(WORKDIR)" $$demo

login: $(VENV)/installed ## Log in with a ChatGPT account
	@$(GATEWAY) auth login --workdir "$(WORKDIR)"

# The pure part is covered to the last branch; the rest is judged from outside.
COVERED = --cov=gateway.core --cov=gateway.wire --cov=gateway.dialects --cov-branch \
	--cov-report=term-missing:skip-covered --cov-fail-under=100

test: $(VENV)/installed-dev ## Run the tests
	@$(BIN)/python -m pytest -n 2 -q $(COVERED)

# The programs come from npm, once, into a directory outside the tree (CODEX_GATEWAY_CLIENTS), and so does Node from its wheel.
test-clients: $(VENV)/installed-clients ## Drive the openai and AI SDKs for Node and the Codex CLI against the gateway
	@$(BIN)/python -m tests.clients.install
	@$(BIN)/python -m pytest -n 2 -q tests/clients

# Needs nginx and wrk, and says so. BENCH="--quick" or "--rounds 3 --only json,streams" makes it shorter.
bench: $(VENV)/installed-bench ## Measure the gateway beside nginx and a plain proxy (twelve minutes)
	@$(BIN)/python -m bench.run $(BENCH)

check: $(VENV)/installed-dev ## Format, lint, types and imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/openapi-spec-validator openapi.yaml

fmt: $(VENV)/installed-dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The stamps make a second run instant; the environment is renewed when what it was made from changes.
$(VENV)/installed: pyproject.toml deploy/constraints.txt | $(BIN)/python
	@echo "installing codex-gateway into $(VENV) (once, about a minute)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml deploy/constraints.txt | $(BIN)/python
	@echo "installing codex-gateway and its tools into $(VENV) (once, about two minutes)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-bench: pyproject.toml deploy/constraints.txt | $(BIN)/python
	@echo "installing codex-gateway and httpx into $(VENV) (once, about a minute)"
	@$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/installed

$(VENV)/installed-clients: pyproject.toml deploy/constraints.txt | $(BIN)/python
	@echo "installing Node into $(VENV) (once, about half a minute)"
	@$(PIP) --editable '.[dev,clients]'
	@touch $@ $(VENV)/installed-dev $(VENV)/installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or later is needed: sudo apt install python3 python3-venv (or: make PYTHON=python3.12)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "python3-venv is missing: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
