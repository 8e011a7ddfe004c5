# perphedge: every target sets up what it needs in .venv; only Python >= 3.11 and make must be there.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup run test lint bench clean

setup: .venv/.runtime ## what running needs

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "perphedge needs Python >= 3.11, found: $$($(PYTHON) --version). Name another with 'make PYTHON=python3.12'." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# The lock holds hashes for everything, the build backend too, so nothing is fetched unchecked.
.venv/.runtime: .venv/.created requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

run: .venv/.runtime ## the demo: a bot piles up correlated longs, perphedge hedges them
	$(BIN)/perphedge demo

test: lint ## linters, types, import direction and the whole test suite
	$(BIN)/python -m pytest -n 2

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.dev ## speed, as ratios against named peers in the same run
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
