PORT ?= 5000
ARGS ?=
# One more than the cores, as tests often wait for a server; make test WORKERS=0 runs in one process.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
BIN := .venv/bin

.PHONY: help setup setup-dev setup-system run test check lint format types imports bench docs lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## make .venv with all that running needs
	@sh requirements/install.sh runtime

run: setup ## serve http://localhost:5000 (make run PORT=5050)
	@exec $(BIN)/aegis serve --port $(PORT)

test: setup-dev setup-system ## run every test (make test ARGS="-k logout")
	@exec $(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: lint types imports ## lint, types and import rules

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: setup-dev ## let ruff mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: setup-dev ## mypy, strict on both packages
	@$(BIN)/mypy

imports: setup-dev ## who may import whom (import-linter)
	@$(BIN)/lint-imports

bench: setup-dev ## measure, see bench/README.md
	@sh requirements/system.sh requirements/system.txt requirements/system-bench.txt
	@exec $(BIN)/python -m bench $(ARGS)

docs: setup-dev ## write the generated documents anew
	@exec $(BIN)/aegis config --markdown > docs/SETTINGS.md
	@exec $(BIN)/python docs/draw_architecture.py

clean: ## remove .venv, caches and builds; instance/ with its data stays
	@rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

setup-dev: ## make .venv with all that development needs, too
	@sh requirements/install.sh development

setup-system:
	@sh requirements/system.sh requirements/system.txt

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"
lock: setup ## compile the locks anew from pyproject.toml and requirements/*.in (UPGRADE=--upgrade)
	@$(COMPILE) $(UPGRADE) requirements/tools.in -o requirements/tools.txt
	@$(COMPILE) $(UPGRADE) requirements/build.in -o requirements/build.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra redis --extra geoip -c requirements/build.txt -o requirements/runtime.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml requirements/development.in --extra redis --extra geoip -o requirements/development.txt
