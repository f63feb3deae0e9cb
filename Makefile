# `make` sets up .venv and runs the pipeline; `make help` lists all targets.
.DEFAULT_GOAL := repro
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REMOTES_STAMP := $(VENV)/.installed-remotes
BOOSTING_STAMP := $(VENV)/.installed-boosting
PLOTS := .dvc/plots.html
# DVC runs stages as `python -m stages...`, which must be the Python of the environment.
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: repro quick recipes experiments bench verify reliability test coverage mutation test-slow test-trained remotes test-remotes boosting test-boosting test-keras lint readme lock clean help setup

repro: setup  ## check params.yaml and run all changed stages (the default target)
	@python -m stages.check_params --structure-only
	dvc repro

quick: setup  ## run the pipeline with 4,000 images and few epochs, outside the workspace (a few minutes)
	@python -m tools.quick

recipes: setup  ## train the notebook's nets with benchmarks/recipes.yaml, as an experiment outside the workspace
	@python -m benchmarks.recipes

experiments: setup  ## compare the accuracies and the settings of experiments
	@python -m tools.experiments

bench: setup  ## time the models and the notebook's own cells (an hour or two; MODELS="knn softmax" selects models)
	@python -m benchmarks $(MODELS)

verify: setup  ## hash all files of dvc.lock, in the workspace and in the cache, and list those that differ
	@python -m tools.verify

reliability: setup  ## test with bad input, faults and interruptions (an hour; PARTS="kill params" selects campaigns)
	@python -m tests.campaigns $(PARTS)

# The tests of a file run in one process, because they share expensive fixtures.
test: setup  ## run the tests, except the slow ones and those of remotes and trained models
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not remotes and not trained'

coverage: setup  ## run the same tests, and list the code and branches that they do not cover
	rm -f .coverage .coverage.*
	python -m coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not remotes and not trained'
	python -m coverage combine --quiet
	python -m coverage report

mutation: setup  ## list mutants of the pure modules that no test detects (ten minutes)
	@python -m tests.campaigns.mutation

test-slow: setup  ## run the slow tests: experiments, versions and the README's walkthrough
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m slow

test-trained: setup  ## run the tests that need the models trained by `make repro`
	python -m pytest -m trained tests/test_predict.py

remotes: $(REMOTES_STAMP)  ## install the packages for DVC remotes on S3 and SSH

test-remotes: remotes  ## run the tests of DVC remotes on S3 and SSH with local servers
	python -m pytest -m remotes tests/test_remotes.py

boosting: $(BOOSTING_STAMP)  ## install LightGBM and XGBoost, for baselines declared by import path

test-boosting: boosting  ## run the tests of baselines of LightGBM and XGBoost
	python -m pytest -m boosting tests/test_boosting.py

test-keras: setup  ## load saved nets with older versions of Keras, which are installed from the package index
	python -m pytest -m keras tests/test_older_keras.py

lint: setup  ## check style, format, types and generated files
	ruff check .
	ruff format --check .
	mypy
	python -m tools.stage_deps --check
	python -m tools.libraries --check
	python -m tools.params_schema --check

readme: setup  ## update the generated parts of README.md: leaderboard, benchmark, stage graph
	@python -m tools.readme

# The constraint gives packages in both files the same version.
lock: setup  ## update requirements*.txt from pyproject.toml, and libraries.json from them
	python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --group dev pyproject.toml --output-file requirements.txt
	python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --group remotes --constraint requirements.txt \
	    --output-file requirements-remotes.txt
	python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --group boosting --constraint requirements.txt \
	    --output-file requirements-boosting.txt
	python -m tools.libraries

clean:  ## remove the environment, caches and files that DVC can restore (the DVC cache stays)
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache data/checks data/raw data/split models dvc_plots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(STAMP) $(PLOTS)

# The template of `dvc plots show` and `dvc plots diff`, with JavaScript from the environment.
$(PLOTS): $(STAMP) tools/plots_template.py
	@python -m tools.plots_template

$(STAMP): requirements.txt
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
	        found=$$python; break
	    fi
	done
	if [ -z "$${found:-}" ]; then
	    echo "setup: Python 3.11, 3.12 or 3.13 is needed (TensorFlow has no wheels for others), but none is on PATH; set it with 'make PYTHON=/path/to/python'" >&2
	    exit 1
	fi
	echo "setup: installing into $(VENV) with $$("$$found" --version); this takes a few minutes"
	"$$found" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements.txt
	# Without bytecode, every process would compile TensorFlow again.
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	$(BIN)/python -m tools.libraries --check
	touch $(STAMP)

$(REMOTES_STAMP): requirements-remotes.txt $(STAMP)
	@echo "remotes: installing into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements-remotes.txt
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	touch $(REMOTES_STAMP)

$(BOOSTING_STAMP): requirements-boosting.txt $(STAMP)
	@echo "boosting: installing into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements-boosting.txt
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	touch $(BOOSTING_STAMP)
