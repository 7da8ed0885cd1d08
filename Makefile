# The one door for people. `make up` and `make test` are all the set-up there is.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-installed
DEV    := $(VENV)/.dev-installed

.PHONY: up demo test check schema bench bench-curves bench-rivals soak fuzz chaos flash-sale coverage serve-subgraph format clean help
.DEFAULT_GOAL := help

help: ## say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Galleria needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(BIN)/python
	@echo "Installing what the services need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[subgraphs,agents]'
	@touch $@

$(DEV): pyproject.toml $(RUN)
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[subgraphs,agents,dev]'
	@touch $@

up: $(RUN) ## start the database, the five subgraphs and the gateway, seed them, serve until Ctrl-C
	@exec $(BIN)/python -m gateway up

demo: $(RUN) ## a finite tour that checks itself
	@exec $(BIN)/python -m gateway demo

test: $(DEV) ## the tests
	@$(BIN)/python -m tests.kit.prerequisites
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(DEV) ## format, lint, types, contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## write the format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(RUN) ## print the five subgraph schemas and compose them again
	@mkdir -p .data
	$(BIN)/python -m subgraphs print --all --out schema/subgraphs
	$(BIN)/python -m subgraphs print --all --format json > .data/subgraphs.json
	$(BIN)/python -m gateway compose --subgraphs .data/subgraphs.json --write schema

bench: $(DEV) ## measure; see tests/benchmarks/README.md
	$(BIN)/python -m tests.benchmarks

bench-curves: $(DEV) ## measure the gateway as entities, subgraphs, connections and types grow (about 5 minutes)
	$(BIN)/python -m tests.benchmarks --only curves

bench-rivals: $(DEV) ## measure the gateway beside others, which npm installs into .data (about 6 minutes)
	@$(BIN)/python -m tests.benchmarks.rivals.contenders
	$(BIN)/python -m tests.benchmarks --only rivals

soak: $(DEV) ## a million requests to one gateway, and what it holds meanwhile (about 15 minutes); SOAK='--requests 100000' for fewer
	$(BIN)/python -m tests.benchmarks.soak $(SOAK)

fuzz: $(DEV) ## the laws on 1000 random graphs (about 15 minutes); FUZZ='--from 5000 --worlds 50' for others
	$(BIN)/python -m tests.properties $(FUZZ)

chaos: $(DEV) ## people buy while every process is killed and connections break, then the audit (about 3 minutes); CHAOS='--seed 5 --seconds 120'
	@$(BIN)/python -m tests.chaos $(CHAOS)

flash-sale: $(DEV) ## 2,000 buyers race for 500 units through the whole house, then the audit; FLASH='--buyers 500 --units 100'
	@$(BIN)/python -m tests.chaos.flash $(FLASH)

coverage: $(DEV) ## the tests with branch coverage, shown by file
	$(BIN)/coverage run -m pytest -q -m 'not story and not browser'
	$(BIN)/coverage report --skip-covered --sort=cover

serve-subgraph: $(RUN) ## start one subgraph of a running house by hand: make serve-subgraph NAME=catalog
	@test -f .data/house.env || { echo "Nothing is up: .data/house.env is written by make up"; exit 1; }
	@set -a; . ./.data/house.env; exec $(BIN)/python -m subgraphs serve $(NAME)

clean: ## remove the environment and all local data
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
