# What an operator and a developer type. STACK names the stack file Pulumi.<STACK>.yaml.
#
# Four virtual environments, made and kept at the locked versions as needed (ops/environment.py): .venv has the
# program's packages alone, as the engine looks for the plugin of every provider package there; .venv-ops what a plan
# and verify need; .venv-policies the policy pack's; .venv-dev everything and the tools.

STACK ?= dev
PYTHON ?= python3
MAKEFLAGS += --no-print-directory
NAME =
ROOM =
TIER =
BASE = main
FROM =

# `plan` without STACK is of all stacks.
NAMED_STACK := $(filter-out file,$(origin STACK))
# Nothing that is typed is carried out. make expands a variable's $(...) where it uses or exports it: as plain text from
# here on. The shell sees it as a variable, never as text of a recipe. ARGS is split into words in ops/environment.py.
as_typed = $(foreach name,$(1),$(eval override $(name) := $$(value $(name))))
KNOWN := STACK PYTHON NAME ROOM BASE FROM TIER ARGS YES SHOW_SECRETS POLICIES
strange := $(filter-out $(KNOWN),$(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))
$(if $(strange),$(warning $(strange): no variable of this Makefile, which has $(KNOWN)))
$(call as_typed,STACK PYTHON NAME ROOM BASE FROM TIER ARGS YES SHOW_SECRETS POLICIES)
$(call as_typed,$(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name))))
export STACK PYTHON NAME ROOM BASE FROM TIER ARGS

# Words that are no target belong in a variable: `make config set httpPort 8001` would set nothing.
words := $(filter-out $(shell sed -n 's/^\([a-z-]*\):.*/\1/p' Makefile),$(MAKECMDGOALS))
ifneq ($(words),)
$(error no such target: $(words). Words for a target go into ARGS, as in: make config ARGS='set httpPort 8001'; the stack is STACK=NAME)
endif

in = "$$PYTHON" -m ops.environment
operate = $(in) program --stack="$$STACK" -- python -m ops
DEV = .venv-dev/bin
# YES=1 and SHOW_SECRETS=1 count, YES=0 does not.
on = $(filter-out 0 no false,$(1))
# POLICIES=1: the engine holds a preview or an up to the rules, too (docs/policies.md).
pack = $(if $(call on,$(POLICIES)),$(in) policies)
rules = $(if $(call on,$(POLICIES)),--policies)

TIERS = default servers netns prosody engine
SCRIPTS = $(shell grep -rIlE '^\#!.*\b(ba|da)?sh\b' .ci tests bench prosody 2>/dev/null)
LUA = $(shell find prosody tests -name '*.lua' -not -path '*/golden/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help up preview refresh destroy verify token outputs config env import plan review pin test lint lock bench clean
.PHONY: lint-python lint-lua lint-shell lint-yaml

help: ## this list
	@echo "make TARGET [STACK=dev] [YES=1]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## bring the stack up; STACK=dev without asking, another one after a look at the preview (YES=1: without)
	@$(pack)
	@$(operate) up --stack="$$STACK" $(if $(call on,$(YES)),--yes) $(rules)

preview: ## show what `up` would change; POLICIES=1 by the rules of docs/policies.md as well
	@$(pack)
	@$(operate) preview --stack="$$STACK" $(rules)

refresh: ## compare the state with what really runs, and correct the state
	@$(operate) refresh --stack="$$STACK" $(if $(call on,$(YES)),--yes)

destroy: ## remove the stack with its volumes; asks first (YES=1: does not)
	@$(operate) destroy --stack="$$STACK" $(if $(call on,$(YES)),--yes)

verify: ## ask the running stack whether calls will work (docs/verify.md); ARGS='--json', ARGS='--address 192.0.2.10'
	@$(in) ops --args -- python -m ops verify --stack="$$STACK"

token: ## print a join link for ROOM=name; ARGS='--moderator --name NAME --expires 1h'
	@$(in) ops --args -- python -m ops token --stack="$$STACK" --room="$$ROOM"

outputs: ## show the stack's outputs; SHOW_SECRETS=1 with the secrets, NAME=videoServiceProperties that one alone
	@$(operate) outputs --stack="$$STACK" $(if $(NAME),"$$NAME") $(if $(call on,$(SHOW_SECRETS)),--show-secrets)

config: ## pulumi config for this machine alone: ARGS='set --secret jwtAppSecret'; without ARGS the list
	@$(in) program --stack="$$STACK" --args -- python -m ops config --stack="$$STACK"

env: ## for plain pulumi commands on a stack that make brought up: eval "$(make env)"
	@$(operate) env --stack="$$STACK"

import: ## make a stack file of the installation FROM=PATH (docs/moving-in.md); ARGS='--dry-run', ARGS='--renew'
	@$(in) ops --args -- python -m ops import --stack="$$STACK" --from="$$FROM"

plan: ## show on one screen what a stack consists of; ARGS=--full every resource, --json, --mermaid; no engine, no Docker
	@set --; \
	$(if $(NAMED_STACK)$(filter -h --help,$(ARGS)),set -- "$$STACK",for file in Pulumi.?*.yaml; do file=$${file#Pulumi.}; set -- "$$@" "$${file%.yaml}"; done); \
	between=:; code=0; for stack in "$$@"; do \
		$$between; $(in) ops --stack="$$stack" --args -- python -m ops plan --stack="$$stack" || code=$$?; between=echo; \
		if [ "$$code" -ge 128 ]; then break; fi; \
	done; exit $$code

review: ## show what this checkout changes against BASE=main, and what that does to people; ARGS=--markdown, ARGS=--json
	@$(in) ops --args -- python -m ops review --base="$$BASE"

pin: ## ask the registries for the images' digests and write them beside the tags; YES=1 takes those that moved
	@$(in) ops -- python -m ops pin $(if $(call on,$(YES)),--yes)

test: ## run all tests, those that cannot run here say why; TIER=default, servers, netns, prosody or engine: these alone
	$(if $(filter-out $(TIERS),$(TIER)),$(error TIER is one of: $(TIERS)))
	$(if $(filter-out default,$(TIER)),,@$(in) dev --args -- python -m pytest -rs --numprocesses=auto --maxprocesses=4)
	$(if $(filter default,$(TIER)),,@$(in) dev --args -- python -m pytest -rs -m "$${TIER:-servers or netns or prosody or engine}")

lint: lint-python lint-lua lint-shell lint-yaml ## check style and types

lint-python:
	@$(in) dev
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/lint-imports --no-cache --no-logo
	$(DEV)/mypy --strict __main__.py components ops policies tests $(patsubst %/__init__.py,%,$(wildcard bench/__init__.py))

lint-lua:
	@if command -v luacheck >/dev/null; then set -x; luacheck --quiet $(LUA); \
	elif luac=$$(command -v luac5.4 || command -v luac); then \
		for file in $(LUA); do "$$luac" -p "$$file" || exit 1; done; echo "$$luac -p: $(words $(LUA)) files"; \
	else echo "skipped: Lua checks need luacheck or luac (Debian: lua-check)"; fi
	@if command -v stylua >/dev/null; then set -x; stylua --check $(LUA); \
	else echo "skipped: the format of Lua needs stylua (cargo install stylua)"; fi

lint-shell:
	@$(in) dev
	$(if $(SCRIPTS),$(DEV)/shellcheck $(SCRIPTS),@echo "no shell scripts")

lint-yaml:
	@$(in) dev
	$(DEV)/yamllint --strict .
	$(DEV)/check-jsonschema --builtin-schema vendor.github-workflows $(wildcard .github/workflows/*.yml)
	$(DEV)/check-jsonschema --builtin-schema vendor.github-actions $(wildcard .github/actions/*/action.yml)
	$(DEV)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(DEV)/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci .gitlab-ci.yml
	$(DEV)/check-jsonschema --builtin-schema vendor.renovate renovate.json
	$(DEV)/zizmor --offline --quiet --persona auditor .github
	@if command -v actionlint >/dev/null; then set -x; actionlint; \
	else echo "skipped: the workflows' own language needs actionlint (go install)"; fi

lock: ## lock the versions of pyproject.toml in uv.lock, and export them for pip; ARGS=--check writes nothing
	@$(in) lock $(if $(filter --check,$(ARGS)),--check)

bench: ## measure the program against its targets; needs Docker and the Pulumi CLI
	@$(in) dev --args -- python -m bench

clean: ## remove the virtual environments and caches; state and passphrase in .local stay
	rm -rf .venv .venv-ops .venv-dev .venv-policies .venv-uv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.local/*' -prune -exec rm -rf {} +
