PORT ?= 5000
ARGS ?=
BIN := .venv/bin

.PHONY: help setup run lock lint types imports clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## make .venv with all that running needs
	@sh requirements/install.sh runtime

run: setup ## serve http://localhost:5000 (make run PORT=5050)
	@exec $(BIN)/aegis serve --port $(PORT)

setup-dev:
	@sh requirements/install.sh development

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: setup ## compile the locks anew from pyproject.toml and requirements/*.in (UPGRADE=--upgrade)
	@$(COMPILE) $(UPGRADE) requirements/tools.in -o requirements/tools.txt
	@$(COMPILE) $(UPGRADE) requirements/build.in -o requirements/build.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml --extra redis -c requirements/build.txt -o requirements/runtime.txt
	@$(COMPILE) $(UPGRADE) pyproject.toml requirements/development.in --extra redis -o requirements/development.txt
