# Every target works on a fresh clone; `setup` makes .venv on first use and is a no-op after that.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
SEED   ?= 1
# Processes that run tests; each file runs in one of them, in the order that tests/conftest.py gives.
JOBS   ?= 2
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
export RAY_USAGE_STATS_ENABLED = 0
export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO = 0
export TOKENIZERS_PARALLELISM = false
export PYTHONWARNINGS = ignore::SyntaxWarning

.PHONY: setup demo test test-fast check format bench docs clean

setup: $(VENV)/.stamp

$(VENV)/.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing bai and everything it is tested with (a few minutes the first time)"
	@$(BIN)/pip install --quiet --constraint constraints.txt torch
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/python -m bai demo --seed $(SEED)

test: setup
	$(PYTEST) tests

test-fast: setup
	$(PYTEST) tests --ignore tests/threats --ignore tests/conformance -m "not slow and not ray and not docker"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_imports.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m benchmarks

docs: setup
	$(BIN)/python docs/build.py
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) site build dist
