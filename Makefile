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
CLUSTER_STAMP := $(VENV)/.installed-cluster
PLOTS := .dvc/plots.html
# DVC runs stages as `python -m stages...`, which must be the Python of the environment, in the shell that SHELL names.
export PATH := $(abspath $(BIN)):$(PATH)
export SHELL
# With these, Python finds other modules, or none; BASH_ENV can change PATH.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONOPTIMIZE PYTHONINSPECT BASH_ENV CDPATH

# The stamp holds the path of the environment (of earlier versions of this file, nothing). A moved or copied environment,
# or one whose Python is gone, is made again.
PLACE := $(and $(realpath $(BIN)/python),$(realpath $(VENV)))
ifneq ($(or $(file < $(STAMP)),$(PLACE)),$(PLACE))
.PHONY: $(STAMP)
endif

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: repro studies study quick recipes experiments compare bench verify release reliability test coverage mutation test-slow test-trained remotes test-remotes boosting test-boosting cluster test-cluster test-keras lint readme lock clean help setup committed

# Only from the command line: WSL, for example, sets NAME in the environment.
NAME :=
AT_ONCE :=
SCHEDULER :=
repro: committed  ## check params.yaml and run all changed stages (the default target); AT_ONCE=4 runs four at once
	@python -m stages.check_params
	$(if $(AT_ONCE)$(SCHEDULER),python -m cluster $(if $(AT_ONCE),--at-once='$(AT_ONCE)') $(if $(SCHEDULER),--scheduler='$(SCHEDULER)'),python -m dvc repro)

studies: committed  ## train what is new in the studies, and write docs/studies.md (hours; AT_ONCE=2 runs two stages at once)
	@python -m stages.check_params
	python -m studies.check
	$(if $(AT_ONCE)$(SCHEDULER),python -m cluster $(if $(AT_ONCE),--at-once='$(AT_ONCE)') $(if $(SCHEDULER),--scheduler='$(SCHEDULER)'),python -m dvc repro) studies/dvc.yaml

study: setup  ## run a study with fewer rows and seeds, in the folder .dvc/tmp/studies (three minutes; NAME=softmax)
	@python -m studies.classroom --name='$(NAME)'

quick: setup  ## run the stages on 1,500 images, in the folder .dvc/tmp/quick (a minute)
	@python -m tools.quick

recipes: setup  ## train the notebook's nets with benchmarks/recipes.yaml, as an experiment outside the workspace
	@python -m benchmarks.recipes

experiments: setup  ## compare the accuracies and the settings of experiments
	@python -m tools.experiments

compare: setup  ## compare settings, metrics, curves and pictures: A=HEAD B=workspace (defaults), and C=NAME
	@python -m tools.compare $(foreach revision,$(or $(A),HEAD) $(or $(B),workspace) $(C),'$(revision)')

bench: committed  ## time the models and the notebook's own cells (an hour or two; MODELS="knn edit" selects parts, MODELS=cluster times stages at once)
	@python -m benchmarks $(MODELS)

verify: setup  ## hash all files of dvc.lock, in the workspace and in the cache, and list those that differ
	@python -m tools.verify

VERSION :=
STAGE :=
release: committed  ## register a version of a model that others can fetch (NAME=mlp-48 VERSION=v1.0.0, also STAGE=prod)
	@python -m tools.release --name='$(NAME)' --version='$(VERSION)' --stage='$(STAGE)'

reliability: cluster committed  ## test with bad input, faults and interruptions (an hour; PARTS="kill params" selects campaigns)
	@python -m tests.campaigns $(PARTS)

# The tests of a file run in one process, because they share expensive fixtures.
test: committed  ## run the tests, except the slow ones and those of remotes, clusters and trained models
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not remotes and not trained and not cluster'

coverage: committed  ## run the same tests, and list the code and branches that they do not cover
	rm -f .coverage .coverage.*
	python -m coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m 'not slow and not remotes and not trained and not cluster'
	python -m coverage combine --quiet
	python -m coverage report

mutation: committed  ## list mutants of the pure modules that no test detects (ten minutes)
	@python -m tests.campaigns.mutation

test-slow: committed  ## run the slow tests: experiments, versions and the README's walkthrough
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m slow

test-trained: committed  ## run the tests that need the models trained by `make repro`
	python -m pytest -m trained tests/test_predict.py

remotes: $(REMOTES_STAMP)  ## install the packages for DVC remotes on S3 and SSH

test-remotes: remotes committed  ## run the tests of DVC remotes on S3 and SSH with local servers
	python -m pytest -m remotes tests/test_remotes.py

boosting: $(BOOSTING_STAMP)  ## install LightGBM and XGBoost, for baselines declared by import path

test-boosting: boosting committed  ## run the tests of baselines of LightGBM and XGBoost
	python -m pytest -m boosting tests/test_boosting.py

cluster: $(CLUSTER_STAMP)  ## install Dask, for stages at once on this machine (AT_ONCE=4) or on a cluster (SCHEDULER=tcp://...)

test-cluster: cluster remotes committed  ## run the tests of stages at once, on this machine and on others over SSH
	python -m pytest -m cluster tests/test_cluster.py tests/test_machines.py tests/test_study_stages.py

test-keras: committed  ## load saved nets with older versions of Keras, which are installed from the package index
	python -m pytest -m keras tests/test_older_keras.py

lint: setup  ## check style, format, types and generated files
	python -m ruff check .
	python -m ruff format --check .
	python -m mypy
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
	python -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --no-emit-index-url --no-header --upgrade --group cluster --constraint requirements.txt \
	    --output-file requirements-cluster.txt
	python -m tools.libraries

clean:  ## remove the environment, caches and files that DVC can restore (the DVC cache stays)
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache data/checks data/code data/raw data/split models dvc_plots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: $(STAMP) $(PLOTS)

# DVC needs git, and commits to compare with.
committed: setup
	@python -m tools.repository

# The template of `dvc plots show` and `dvc plots diff`, with JavaScript from the environment.
$(PLOTS): $(STAMP) tools/plots_template.py
	@python -m tools.plots_template

# $(call install,FILE,MODULES): installs a requirements file, and imports modules to see that they are in the environment.
define install
if $(BIN)/python -I -m pip config list | grep -E '^(:env:|global|install)\.(dry-run|prefix|python|root|target|user)=' | grep -Eiv "='(0|f|false|n|no|off)'$$" >&2; then
    echo "setup: with these settings, of PIP_... variables or a pip.conf, pip does not install into $(VENV); remove them" >&2
    exit 1
fi
$(BIN)/python -I -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile -r $(1)
if ! $(BIN)/python -I -c 'import sys; [__import__(module) for module in sys.argv[1:]]' $(2); then
    echo "setup: pip reports no error, but has not installed into $(VENV): see '$(BIN)/python -m pip config list'" >&2
    exit 1
fi
# Without bytecode, every process would compile TensorFlow again.
$(BIN)/python -I -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
endef

$(STAMP): requirements.txt
	@for python in "$(PYTHON)" python3 python3.13 python3.12 python3.11; do
	    if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
	        found=$$python; break
	    fi
	done
	if [ -z "$${found:-}" ]; then
	    echo "setup: Python 3.11, 3.12 or 3.13 is needed (TensorFlow has no wheels for others), but none is on PATH; set it with 'make PYTHON=/path/to/python'" >&2
	    exit 1
	fi
	echo "setup: installing into $(VENV) with $$("$$found" --version); this takes a few minutes"
	if ! "$$found" -I -m venv --clear $(VENV); then
	    echo "setup: cannot make $(VENV): is the disk full, or the folder read-only?" >&2
	    exit 1
	fi
	$(call install,requirements.txt,dvc numpy psutil pytest)
	$(BIN)/python -m tools.libraries --check
	(cd $(VENV) && pwd -P) > $(STAMP)

$(REMOTES_STAMP): requirements-remotes.txt $(STAMP)
	@echo "remotes: installing into $(VENV)"
	$(call install,$<,dvc_s3 dvc_ssh)
	touch $@

$(BOOSTING_STAMP): requirements-boosting.txt $(STAMP)
	@echo "boosting: installing into $(VENV)"
	$(call install,$<,lightgbm xgboost)
	touch $@

$(CLUSTER_STAMP): requirements-cluster.txt $(STAMP)
	@echo "cluster: installing into $(VENV)"
	$(call install,$<,distributed)
	touch $@
