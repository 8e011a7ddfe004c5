# perphedge: every target sets up what it needs in .venv; only Python >= 3.11 and make must be there.
PYTHON ?= python3
# Our matrices are small: more threads cost more than they give.
export OPENBLAS_NUM_THREADS ?= 1
BIN := .venv/bin
# Tests start hundreds of processes; without compiled modules each takes half a second longer.
unexport PYTHONDONTWRITEBYTECODE
# Warnings of pip are about the machine's own settings; errors are shown.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

.PHONY: help setup run test test-long test-freqtrade search kill lint bench image sbom clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile

setup: .venv/.runtime ## what running needs, into .venv
	@echo "Ready: $(BIN)/perphedge --help"

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "perphedge needs Python >= 3.11, found: $$($(PYTHON) --version 2>&1). Name another with 'make PYTHON=python3.12'." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "No virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

# The lock holds hashes for everything, the build backend too, so nothing is fetched unchecked.
.venv/.runtime: .venv/.created requirements.lock pyproject.toml
	@echo "Installing perphedge and what it needs into .venv; once, one to three minutes ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "Installing what tests and linters need into .venv; once, about a minute ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

run: .venv/.runtime ## the demo: a bot piles up correlated longs, perphedge hedges them
	@$(BIN)/perphedge demo

test: lint ## linters, types, import direction and all tests but the longest
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-long: .venv/.dev ## stories of many processes that make test tells in short; some minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long

search: .venv/.dev ## properties on examples that were not tried before
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest -n 2 --dist loadfile $(shell grep -l hypothesis tests/test_*.py)

kill: .venv/.dev ## real engines killed at every boundary that they cross, in twelve scenes
	$(BIN)/python -m tests.kill_matrix --seeds 3

# The bot wants other versions of what we use, so it lives apart; no lock of ours knows it.
FREQTRADE := 2026.9
.venv-freqtrade/.created-$(FREQTRADE):
	@echo "Installing freqtrade $(FREQTRADE) into .venv-freqtrade; once, two to five minutes ..."
	@$(PYTHON) -m venv --clear .venv-freqtrade
	@.venv-freqtrade/bin/python -m pip --disable-pip-version-check --quiet --quiet install freqtrade==$(FREQTRADE)
	@touch $@

test-freqtrade: .venv/.dev .venv-freqtrade/.created-$(FREQTRADE) ## a real freqtrade trading on perphedge venue, hedged; minutes
	$(BIN)/python -m pytest -m freqtrade tests/freqtrade

lint: .venv/.dev ## ruff, mypy and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The peers are heavy and needed for nothing else.
.venv/.bench: .venv/.dev requirements-bench.lock
	@echo "Installing what the benchmarks compare with into .venv; once, one to three minutes ..."
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@touch $@

bench: .venv/.bench ## speed, as ratios against named peers in the same run
	$(BIN)/python -m benchmarks

image: .venv/.created ## the Dockerfile's install steps, in a clean environment without Docker; two minutes
	$(BIN)/python -m release.image_steps

sbom: .venv/.runtime ## dist/sbom.json: what the lock installs, as a CycloneDX bill of materials
	@mkdir -p dist
	$(BIN)/python -m release.sbom > dist/sbom.json

clean: ## remove .venv and caches
	rm -rf .venv .venv-freqtrade .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
