# `make` sets up .venv and runs the pipeline; `make help` lists the rest.
.DEFAULT_GOAL := repro
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REMOTES_STAMP := $(VENV)/.installed-remotes
PLOTS := .dvc/plots.html
# Stages are run as `python -m stages...`: this is what `source .venv/bin/activate` does.
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: repro quick recipes experiments bench verify reliability test coverage mutation test-slow test-trained remotes test-remotes lint readme lock clean help setup

repro: setup  ## check params.yaml, then run what has changed of the pipeline (the default)
	@python -m stages.check_params --structure-only
	dvc repro

quick: setup  ## the same pipeline on 4,000 digits and few epochs, beside the workspace (two minutes)
	@python -m tools.quick

recipes: setup  ## train the notebook's nets by benchmarks/recipes.yaml, as an experiment beside the workspace
	@python -m benchmarks.recipes

experiments: setup  ## compare experiments: accuracies and the settings that differ
	@python -m tools.experiments

bench: setup  ## compare with the notebook's own cells (an hour or two; MODELS="knn softmax": these alone)
	@python -m benchmarks $(MODELS)

verify: setup  ## hash again what dvc.lock names, in the workspace and in the cache, and list what differs
	@python -m tools.verify

reliability: setup  ## campaigns of bad input, faults and interruptions (under an hour; PARTS="kill params": these alone)
	@python -m tests.campaigns $(PARTS)

# A file's tests go to one worker: they share what is costly to make.
test: setup  ## run the tests, but for the slow ones and those of remotes and trained models
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not remotes and not trained'

coverage: setup  ## the same, and which branches of the stages they leave out
	rm -f .coverage .coverage.*
	python -m coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not remotes and not trained'
	python -m coverage combine --quiet
	python -m coverage report

mutation: setup  ## mutants of the pure modules (some ten minutes): which ones no test fails of
	@python -m tests.campaigns.mutation

test-slow: setup  ## run the tests of experiments, versions and the README's walkthrough
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m slow

test-trained: setup  ## run the tests of the models that `make repro` trains
	python -m pytest -m trained tests/test_predict.py

remotes: $(REMOTES_STAMP)  ## add to the environment what models on S3 or SSH need

test-remotes: remotes  ## run the tests of S3 and SSH on servers of their own; fails where a piece is missing
	python -m pytest -m remotes tests/test_remotes.py

lint: setup  ## check style, format and types
	ruff check .
	ruff format --check .
	mypy

readme: setup  ## write the generated parts of README.md: leaderboard, benchmark, stage graph
	@python -m tools.readme

# What both files have is to have one version, hence the constraint.
lock: setup  ## compile the requirements from pyproject.toml again, and libraries.json from them
	python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --group dev pyproject.toml --output-file requirements.txt
	python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --group remotes --constraint requirements.txt \
	    --output-file requirements-remotes.txt
	python -m tools.libraries

clean:  ## remove the environment, caches, and what dvc can bring back (the DVC cache stays)
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache data/checks data/raw data/split models dvc_plots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(STAMP) $(PLOTS)

# The page of `dvc plots show` and `diff`, with its JavaScript from the environment.
$(PLOTS): $(STAMP) tools/plots_template.py
	@python -m tools.plots_template

$(STAMP): requirements.txt
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
	        found=$$python; break
	    fi
	done
	if [ -z "$${found:-}" ]; then
	    echo "setup: needs Python 3.11, 3.12 or 3.13 (what TensorFlow has wheels for), and found none on PATH; name one with 'make PYTHON=/path/to/python'" >&2
	    exit 1
	fi
	echo "setup: installing into $(VENV) with $$("$$found" --version); this takes some minutes once"
	"$$found" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements.txt
	# Without bytecode every process would compile TensorFlow anew.
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	$(BIN)/python -m tools.libraries --check
	touch $(STAMP)

$(REMOTES_STAMP): requirements-remotes.txt $(STAMP)
	@echo "remotes: installing into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r requirements-remotes.txt
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	touch $(REMOTES_STAMP)
