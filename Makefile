# Quorate: every task of the house. `make` alone lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# A clean environment whatever the caller's shell has set.
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE VIRTUAL_ENV
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
LIBRARIES := $(VENV)/.libraries-installed
QUORATE := $(VENV)/.quorate-installed

WORKERS ?= 2
SECONDS ?= 60
TARGET ?= execution
SEEDS ?= 1:200
PYTEST := $(BIN)/python -m pytest -q
COMETBFT_VERSION := v0.38.26
COMETBFT_V1_VERSION := v1.0.1

# The libraries have wheels for these versions; see docs/decisions/001-dependencies.md.
PYTHON ?=
PYTHON_CHECK := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.PHONY: help setup demo test check check-static bench sim prove fuzz rewrite approve-formats lock
.PHONY: cometbft cometbft-v1 clean

help: ## list every task
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Settings: PYTHON=python3.12  WORKERS=2  SECONDS=60  TARGET=execution  SEEDS=1:200"

setup: $(QUORATE) ## make .venv from requirements.lock (once; the other tasks do it by themselves)
	@:

demo: $(QUORATE) ## show four validators at work on this machine, two of them killed
	@$(BIN)/quorate demo

# Machine code first: a test's node would otherwise wait for it, longer than the test waits for the node.
test: $(QUORATE) ## run all tests but the sweeps of make sim
	@$(BIN)/quorate warm
	@$(PYTEST) -n $(WORKERS) --dist worksteal -m "not long"

check: check-static ## lint, types, house rules and the quick tests; before each commit
	@$(BIN)/quorate warm
	@$(PYTEST) -n $(WORKERS) --dist worksteal -m "not slow and not long"

check-static: $(QUORATE) ## lint and types only
	@status=0; \
	$(BIN)/ruff check --quiet --output-format concise . || status=1; \
	$(BIN)/mypy --no-error-summary || status=1; \
	exit $$status

bench: $(QUORATE) ## measure this machine
	@$(BIN)/quorate bench

sim: $(QUORATE) ## the long sweeps, then seeded worlds that try to break validators, SEEDS=1:200
	@$(BIN)/quorate warm
	@$(PYTEST) -n $(WORKERS) --dist worksteal -m "long"
	@$(BIN)/quorate sim --seeds $(SEEDS)

prove: $(QUORATE) ## prove the rules and the products, check the voting rules exhaustively: some minutes
	@$(BIN)/quorate prove-rules
	@$(BIN)/quorate prove-products
	@$(PYTEST) tests/formal -m "not slow"
	@$(PYTEST) tests/ordering -m "slow"

fuzz: $(QUORATE) ## fuzz TARGET=execution for SECONDS=60: spec and kernels must agree
	@$(BIN)/quorate fuzz $(TARGET) --seconds $(SECONDS)

rewrite: $(QUORATE) ## regenerate the expected output in tests/tables; read the diff
	@$(PYTEST) -m tables --rewrite

approve-formats: $(QUORATE) ## regenerate tests/vectors; say why in the commit message
	@$(PYTEST) -m vectors --approve-formats

lock: ## resolve pyproject.toml into requirements.lock again (needs uv)
	@PATH="$(CURDIR)/$(BIN):$$PATH"; command -v uv >/dev/null || \
	  { echo "make lock needs uv: $(BIN)/python -m pip install uv" >&2; exit 1; }; \
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --extra cometbft --extra plots --extra prove \
	  --custom-compile-command "make lock" $(LOCK_OPTIONS) pyproject.toml -o requirements.lock

cometbft: .cometbft/bin/cometbft ## build CometBFT for its engine and its tests (needs go)
	@:

cometbft-v1: .cometbft/v1/cometbft ## build the other line, for the tests that name it by COMETBFT_V1
	@:

.cometbft/bin/cometbft: VERSION := $(COMETBFT_VERSION)
.cometbft/v1/cometbft: VERSION := $(COMETBFT_V1_VERSION)
.cometbft/bin/cometbft .cometbft/v1/cometbft:
	@command -v go >/dev/null || { echo "make cometbft needs go; docs/cometbft.md names the" \
	  "release binaries." >&2; exit 1; }; \
	echo "Building CometBFT $(VERSION) into $(@D): once, some minutes."; \
	GOBIN="$(CURDIR)/$(@D)" go install github.com/cometbft/cometbft/cmd/cometbft@$(VERSION)

clean: ## delete caches and build outputs; .venv stays
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(LIBRARIES): requirements.lock
	@set -e; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if "$$python" -c '$(PYTHON_CHECK)' >/dev/null 2>&1; then found="$$python"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "Quorate needs Python 3.11, 3.12 or 3.13 with its venv module; none of" \
	      "$(strip $(PYTHON) python3), python3.13, python3.12, python3.11 is one." >&2; \
	    echo "Install one (Debian: python3 and python3-venv) or name it:" \
	      "make setup PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with $$("$$found" --version)."; \
	  "$$found" -m venv --clear $(VENV); \
	fi; \
	echo "Installing the pinned libraries into .venv: once, some 120 MB to download," \
	  "half a minute to three minutes."; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  --require-hashes -r requirements.lock
	@touch $@

$(QUORATE): $(LIBRARIES) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	  --no-deps -e .
	@touch $@
