# Two commands on a fresh machine:  make bench   and   make test.   'make help' lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SUITE ?= quick
HOSTS ?= trixie sid
JOBS ?= 3
BINDING := $(if $(ENGINES),$(filter libvirt,$(ENGINES)),libvirt)
GOAL := $(firstword $(MAKECMDGOALS))
ROOT := $(shell [ "$$(id -u)" = 0 ] && echo yes)
# Make splits a path at blanks, and the scripts of a virtual environment name their interpreter's path in their first line.
quoted = '$(subst ','\'',$(1))'
plain = $(shell printf %s $(call quoted,$(1)) | LC_ALL=C tr -d 'A-Za-z0-9._/+@=,~-')
ifneq ($(call plain,$(value VENV)),)
$(error VENV='$(value VENV)' has characters that make cannot handle: choose a folder named by letters, digits and ._/+@=,~-)
endif
ifneq ($(shell printf %s "$$(pwd)" | LC_ALL=C tr '[:cntrl:]' : | LC_ALL=C tr -cd '":$$`\\'),)
$(error this folder's path has a colon, '$$', '"', '`', '\' or a line break, with which no virtual environment works: move it)
endif
say = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

.PHONY: help setup bench test lint types unit hosts benchmarks format clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 16

bench: setup ## measure suite quick on this host, write the report, and say on one screen what was found
	$(call say,measuring suite $(SUITE))
	@code=0; $(BIN)/tare run $(call quoted,$(SUITE)) || code=$$?; \
	if [ $$code -ne 0 ] && [ $$code -ne 4 ]; then exit $$code; fi; \
	$(BIN)/tare report latest >/dev/null && echo && $(BIN)/tare show latest && exit $$code

test: setup $(VENV)/.dev ## lint, types, unit, contract and system tests: what CI runs
	$(call say,lint)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(call say,types)
	$(BIN)/mypy
	$(call say,tests)
	@[ -z "$(ROOT)" ] || $(BIN)/tare provision examples wheel browser ssh_server || [ $$? -eq 4 ] # for docs/examples/tare-hello, the payload of the other architecture, the pages, and the fleets
	@[ -n "$(ROOT)" ] || echo "not root: tests of real engines are skipped, each with its reason; 'sudo make test' runs them"
	$(if $(ROOT),TARE_PROVISIONED=1) $(BIN)/pytest tests/unit tests/contract tests/system -n $(JOBS) --dist loadscope --no-loadscope-reorder --durations=25 -rR --rerun-show-tracebacks

setup: $(VENV)/.ready ## a virtual environment and the engines (all, or those in ENGINES)
ifdef ROOT
	$(call say,provisioning engines on this host (Ansible; a second run changes nothing))
	@code=0; $(BIN)/tare provision $(foreach engine,$(ENGINES),$(call quoted,$(engine))) || code=$$?; \
	[ $$code -eq 0 ] || [ $$code -eq 4 ] || [ "$(GOAL)" = bench ] || exit $$code # 4: a part failed and was named, the rest is there
	@[ -z "$(BINDING)" ] || $(BIN)/python -c 'import libvirt' 2>/dev/null || $(BIN)/python -m pip install --quiet -e '.[libvirt]' 2>$(VENV)/libvirt.log \
	  || echo "libvirt's Python binding does not build here, for the reason in $(VENV)/libvirt.log: virtual machines will be missing"
else
	@echo "not root: engines are not installed; what this host offers is measured, 'tare doctor' says what is missing and why"
endif

$(VENV)/.ready: pyproject.toml
	$(call say,installing Tare and its Python packages into $(VENV))
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); [ -n "$(ROOT)" ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null && $(PYTHON) -m venv $(VENV); } \
	  || { echo "python3 -m venv does not work: install your distribution's python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet -e '.[engines,provision]'
	@touch $@

$(VENV)/.dev: $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy

unit: $(VENV)/.dev ## tests that need neither root nor engines
	$(BIN)/pytest tests/unit -n $(JOBS) --dist loadscope --no-loadscope-reorder

hosts: setup ## set up, try and measure in other releases of Debian on this kernel (HOSTS="trixie sid")
	$(call say,other releases: $(HOSTS))
	@$(BIN)/python -m tests.hosts $(foreach host,$(HOSTS),$(call quoted,$(host)))

benchmarks: setup $(VENV)/.dev ## Tare's own speed and accuracy, as ratios within one run
	$(BIN)/pytest tests/benchmarks -s

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean: ## remove the virtual environment and caches, never results
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
