# What an operator and a developer type. STACK names the stack file Pulumi.<STACK>.yaml.
#
# Two virtual environments: the engine looks for the plugin of every provider package in the program's own, so .venv
# holds the program's pins alone; .venv-dev holds them all and the tools. Both are made and kept at the pins as needed.

STACK ?= dev
PYTHON ?= python3
MAKEFLAGS += --no-print-directory
NAME =
ROOM =
# What is typed reaches the recipes' shell as a variable and never as text, so that it cannot be a command.
export STACK NAME ROOM

OPS = .venv/bin/python -m ops
DEV = .venv-dev/bin
program = $(PYTHON) -m ops.venvs .venv --stack="$$STACK"
tools = $(PYTHON) -m ops.venvs .venv-dev
# YES=1 and SHOW_SECRETS=1 count, YES=0 does not.
on = $(filter-out 0 no false,$(1))

ifeq ($(origin STACK),file)
PLANNED = $(patsubst Pulumi.%.yaml,%,$(wildcard Pulumi.*.yaml))
else
PLANNED = "$$STACK"
endif
SCRIPTS = $(shell grep -rIlE '^\#!.*\b(ba|da)?sh\b' .ci tests bench prosody 2>/dev/null)
LUA = $(shell find prosody tests -name '*.lua' -not -path '*/golden/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help up preview refresh destroy verify token outputs config env plan test lint bench clean
.PHONY: lint-python lint-lua lint-shell lint-yaml

help: ## this list
	@echo "make TARGET [STACK=dev] [YES=1]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## bring the stack up; STACK=dev without asking, another one after a look at the preview (YES=1: without)
	@$(program) && $(OPS) up --stack="$$STACK" $(if $(call on,$(YES)),--yes)

preview: ## show what `up` would change
	@$(program) && $(OPS) preview --stack="$$STACK"

refresh: ## compare the state with what really runs, and correct the state
	@$(program) && $(OPS) refresh --stack="$$STACK" $(if $(call on,$(YES)),--yes)

destroy: ## remove the stack with its volumes; asks first (YES=1: does not)
	@$(program) && $(OPS) destroy --stack="$$STACK" $(if $(call on,$(YES)),--yes)

verify: ## ask the running stack whether calls will work (docs/verify.md); ARGS='--json', ARGS='--address 192.0.2.10'
	@$(tools) && $(DEV)/python -m ops verify --stack="$$STACK" $(ARGS)

token: ## print a join link for ROOM=name; ARGS='--moderator --name NAME --expires 1h'
	@$(tools) && $(DEV)/python -m ops token --stack="$$STACK" --room="$$ROOM" $(ARGS)

outputs: ## show the stack's outputs; SHOW_SECRETS=1 with the secrets, NAME=videoServiceProperties that one alone
	@$(program) && $(OPS) outputs --stack="$$STACK" $(if $(NAME),"$$NAME") $(if $(call on,$(SHOW_SECRETS)),--show-secrets)

config: ## pulumi config for this machine alone: ARGS='set --secret jwtAppSecret'; without ARGS the list
	@$(program) && $(OPS) config --stack="$$STACK" $(ARGS)

env: ## for plain pulumi commands on a stack that make brought up: eval "$(make env)"
	@$(program) && $(OPS) env --stack="$$STACK"

plan: ## show every resource with no engine, no Docker, no credentials; of all stacks, or of STACK
	@$(tools)
	@between=:; for stack in $(PLANNED); do \
		$$between && $(DEV)/python -m ops plan --stack="$$stack" || exit $$?; between=echo; \
	done

test: ## run all tests; those that need Docker, Prosody or root say so where they are skipped
	@$(tools) && $(DEV)/python -m pytest -rs $(ARGS)
	@$(DEV)/python -m pytest -rs -m 'engine or prosody or netns or servers' $(ARGS)

lint: lint-python lint-lua lint-shell lint-yaml ## check style and types

lint-python:
	@$(tools)
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy --strict __main__.py components ops tests $(patsubst %/__init__.py,%,$(wildcard bench/__init__.py))

lint-lua:
	@if command -v luacheck >/dev/null; then set -x; luacheck --quiet $(LUA); \
	elif command -v luac5.4 >/dev/null; then set -x; luac5.4 -p $(LUA); \
	elif command -v luac >/dev/null; then set -x; luac -p $(LUA); \
	else echo "skipped: Lua checks need luacheck or luac (Debian: lua-check)"; fi
	@if command -v stylua >/dev/null; then set -x; stylua --check $(LUA); \
	else echo "skipped: the format of Lua needs stylua (cargo install stylua)"; fi

lint-shell:
	@$(tools)
	$(if $(SCRIPTS),$(DEV)/shellcheck $(SCRIPTS),@echo "no shell scripts")

lint-yaml:
	@$(tools)
	$(DEV)/yamllint --strict .
	$(DEV)/check-jsonschema --builtin-schema vendor.github-workflows $(wildcard .github/workflows/*.yml)
	$(DEV)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(DEV)/zizmor --offline --quiet .github

bench: ## measure the program against its targets; needs Docker and the Pulumi CLI
	@$(tools) && $(DEV)/python -m bench $(ARGS)

clean: ## remove the virtual environments and caches; state and passphrase in .local stay
	rm -rf .venv .venv-dev .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.local/*' -prune -exec rm -rf {} +
