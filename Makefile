# Everything happens in a virtual environment inside the checkout.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# waiting threads that spin slow down everything else on a small machine
export OMP_WAIT_POLICY ?= PASSIVE
export NO_ALBUMENTATIONS_UPDATE := 1

.DEFAULT_GOAL := help
.PHONY: help env demo test test-quick test-oldest audit bench bench-full fuzz chaos endurance lint format build clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

env: $(VENV)/.installed ## make the virtual environment

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@

demo: env ## image stage, temporal stage, stabilized videos, table and report page, on synthetic faces: minutes
	$(BIN)/python -m facestab.run experiment=demo name=demo
	$(BIN)/python -m facestab.report --no-table runs/temporal/demo

test: env lint ## every test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope

test-quick: env ## the tests that need seconds
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope -m "not slow"

test-oldest: ## the quick tests with the oldest versions of all dependencies, in an environment of their own (6 GB)
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet uv
	$(VENV)-oldest/bin/uv pip install --quiet --python $(VENV)-oldest/bin/python --resolution lowest-direct -e ".[dev]"
	OMP_NUM_THREADS=1 $(VENV)-oldest/bin/python -m pytest -n auto --dist loadscope -m "not slow"

audit: env ## known weaknesses of the packages that are installed; exit code 3 and NOT AUDITED where nobody can tell
	$(BIN)/python .ci/audit.py

bench: env ## what prediction, labelling and training take beyond the network, as ratios of one run: eight minutes
	$(BIN)/python experiments/bench/prediction.py
	$(BIN)/python experiments/bench/training.py
	$(BIN)/python experiments/bench/figure.py

bench-full: bench ## and what measuring, smoothing, large videos and the label store cost, and how still a crop is
	$(BIN)/python experiments/bench/spent.py
	$(BIN)/python experiments/bench/beside.py
	$(BIN)/python experiments/bench/metrics.py
	$(BIN)/python experiments/bench/label_store.py
	$(BIN)/python experiments/bench/crop_jitter.py
	$(BIN)/python experiments/bench/figure.py

fuzz: env ## 10,000 damaged files through every reader: ten minutes; what did badly is kept in runs/fuzz
	PYTHONPATH=. $(BIN)/python experiments/fuzz/fuzz.py --keep runs/fuzz

chaos: env ## kill every stage at 200 moments of chance, start it again, compare what it leaves: an hour on a quiet machine
	OMP_NUM_THREADS=1 $(BIN)/python -m experiments.chaos.chaos

endurance: env ## half an hour of 720p and 10,000 clips go through, and nothing may grow: hours
	$(BIN)/python experiments/endurance/endurance.py

lint: env ## style, types, import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: env ## mend the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

build: env ## wheel and source distribution
	$(BIN)/python -m build

clean: ## remove what can be made again, but no runs
	rm -rf $(VENV) $(VENV)-oldest build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
