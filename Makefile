# osteogrid: `make help` lists the targets. Nothing needs to be installed before but Python >= 3.11 and make.
SHELL := /bin/bash
PYTHON ?= python3
STUDY ?= studies/demo.yaml
STORE ?= runs
CLUSTER ?= local
PORT ?= 5000
BIN := .venv/bin

export STORE
# Large downloads from a busy registry take longer than uv's default of 30 seconds.
export UV_HTTP_TIMEOUT ?= 600
export UV_PYTHON_DOWNLOADS := never

SELECT = $(if $(ONLY),--only "$(ONLY)") $(if $(ARM),--arm "$(ARM)")
WHERE = --cluster $(CLUSTER) $(if $(ADDRESS),--address $(ADDRESS)) $(if $(GPUS),--gpus $(GPUS))
HOW = $(if $(LIMIT),--limit $(LIMIT)) $(if $(RETRY),--retry $(RETRY))

.DEFAULT_GOAL := help
.PHONY: help setup plan sweep status track report paper mlflow-ui test test-unit test-long test-browser lint format benchmark lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: STUDY=$(STUDY) STORE=$(STORE) CLUSTER=local|gpu ADDRESS= GPUS= ONLY= ARM= LIMIT= RETRY=failed PORT=$(PORT)"

setup: .venv/.installed ## install everything into .venv (other targets do it by themselves)

.venv/.installed: requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "osteogrid needs Python 3.11, 3.12 or 3.13; name one with PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/uv pip sync --quiet --require-hashes requirements/lock.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'import cv2' || { echo "OpenCV needs system libraries: apt-get install libgl1 libglib2.0-0 libxcb1"; exit 2; }
	@touch $@

plan: .venv/.installed ## print cells, jobs, what is finished and the time it will take
	@$(BIN)/osteogrid plan $(STUDY) $(SELECT)

sweep: .venv/.installed ## run what is missing of STUDY, then write the report
	@$(BIN)/osteogrid sweep $(STUDY) $(WHERE) $(SELECT) $(HOW)

status: .venv/.installed ## who runs the study, what is done, what failed; WATCH=1 stays until the sweep ends
	@$(BIN)/osteogrid status $(STUDY) $(if $(WATCH),--watch)

track: .venv/.installed ## make MLflow level with the run store
	@$(BIN)/osteogrid track $(STUDY)

report: .venv/.installed ## write the report again
	@$(BIN)/osteogrid report $(STUDY)

paper: .venv/.installed ## tables, figures, methods and checklists for a manuscript; STYLE=narrow|usual|wide
	@$(BIN)/osteogrid paper $(STUDY) $(if $(STYLE),--style $(STYLE)) $(if $(OUTPUT),--output "$(OUTPUT)")

mlflow-ui: .venv/.installed ## compare the runs in a browser, on localhost
	@$(BIN)/osteogrid ui --port $(PORT)

test: .venv/.installed ## all tests but the long ones, with the whole way on a tiny study
	$(BIN)/python -m pytest -q -m "not long"

test-long: .venv/.installed ## the long ones: sweeps that are killed, limited, or refused by a cluster
	$(BIN)/python -m pytest -q -m "long and not browser"

test-unit: .venv/.installed ## the quick tests only, under a minute
	$(BIN)/python -m pytest -q -m "not slow and not long"

test-browser: .venv/.installed ## the report in Chromium: clicks, keys, dark, paper, accessibility
	@command -v "$${CHROMIUM:-chromium}" > /dev/null || { echo "no Chromium: apt-get install chromium, or name one with CHROMIUM=/path/to/chromium"; exit 2; }
	$(BIN)/python -m pytest -q -m browser

lint: .venv/.installed ## formatting, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed ## format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: .venv/.installed ## speed as ratios, each against a peer in the same run
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

lock: ## resolve the dependencies anew: hashes, no addresses
	$(BIN)/uv lock --upgrade
	$(BIN)/uv export --frozen --no-emit-project --no-header --all-groups --output-file requirements/lock.txt > /dev/null

clean: ## remove the demo's files and its run store (never weights, MLflow or other studies)
	rm -rf data/demo $(STORE)/demo
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
