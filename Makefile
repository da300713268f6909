# Everything runs in $(VENV), which is made on first use and brought up to date when pyproject.toml changes.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Rooms without input and output: every branch is covered, not only most.
comma := ,
empty :=
PURE := codex_client/errors/* codex_client/masking.py codex_client/retry_advice.py codex_client/classify/* \
	codex_client/schema.py codex_client/items.py codex_client/model_variants.py codex_client/prompt.py \
	codex_client/backend_profile.py codex_client/bridge/* codex_client/guard/* codex_client/models/* \
	codex_client/gateway/conversation.py \
	codex_client/events.py codex_client/model_provider.py codex_client/aggregate.py codex_client/condense.py \
	codex_client/payload/* codex_client/decode/* codex_client/client/framer.py codex_client/client/retry.py \
	codex_client/client/rate_limits.py codex_client/auth/claims.py codex_client/auth/pkce.py \
	codex_client/credentials/quota.py codex_client/credentials/quota_state.py codex_client/credentials/selection.py
pure_list := $(subst $(empty) $(empty),$(comma),$(strip $(PURE)))

.PHONY: help test demo peers bench bench-check soak soak-gateway lint format types imports docs clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is %d.%d; name one with make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# With ARGS only the tests it names run: make test ARGS="tests/test_imports.py -x"
ifeq ($(strip $(ARGS)),)
test: suite lint types imports ## run everything: tests, coverage, lint, types, import contract; ARGS="-k name" runs some tests only
else
test: $(READY)
	$(BIN)/python -m pytest $(ARGS)
endif

# A worker for each processor, at most 4: some tests have processes of their own. Not pytest-cov: the project's own pytest
# plugin imports the package before that one starts to measure.
.PHONY: suite
suite: $(READY)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/coverage report --include='$(pure_list)' --fail-under=100

demo: $(READY) ## stream a turn from a server on loopback; LIVE=1 asks the real API, GATEWAY=1 goes through a gateway
	@$(BIN)/python -m $(if $(GATEWAY),tests.support.gateway_demo,codex_client.testing.demo $(if $(LIVE),--live))

# The peers are kept out of the environment that the code is developed in.
BENCH := $(VENV)/bench
LITELLM := $(VENV)/litellm
BENCH_RESULT := build/bench.json

$(BENCH)/.ready: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

# litellm holds openai below 3, so it has an environment of its own; where it does not install, the run leaves it out.
# Its proxy is what the gateway is measured beside. Its form of the Responses API needs mcp, which it does not require.
$(LITELLM)/.ready:
	-$(PYTHON) -m venv $(LITELLM) && \
		$(LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check 'litellm[proxy]' mcp && touch $@

# Clients that nobody here wrote and that have no place beside the others: the gateway is tested with them where
# CODEX_CLIENT_LITELLM_PYTHON and CODEX_CLIENT_NODE_MODULES say where they are.
NODE_PEERS := $(VENV)/node

$(NODE_PEERS)/.ready:
	mkdir -p $(NODE_PEERS)
	npm install --prefix $(NODE_PEERS) --silent --no-audit --no-fund openai
	@touch $@

peers: $(LITELLM)/.ready $(NODE_PEERS)/.ready ## install litellm and openai-node, for the tests that need them

bench: $(BENCH)/.ready $(LITELLM)/.ready ## measure beside the peers; QUICK=1 within a minute, DOCS=1 writes docs/performance.md anew
	$(BENCH)/bin/python -m bench --output $(BENCH_RESULT) --litellm-python $(LITELLM)/bin/python $(if $(QUICK),--quick) $(if $(DOCS),--docs) $(ARGS)

bench-check: ## compare what the last make bench measured with the goals
	@test -f $(BENCH_RESULT) || { echo "there is no $(BENCH_RESULT); run make bench first" >&2; exit 2; }
	@$(BENCH)/bin/python -m bench.goals $(BENCH_RESULT)

# Each run tells its seed; make soak ARGS="--seed 7 --backend trio --only 42" repeats one of its streams.
SECONDS ?= 600

soak: $(READY) ## 200 streams at once with random faults for SECONDS=600: nothing may grow or go astray; Linux only
	$(BIN)/python -m tests.soak --seconds $(SECONDS) $(ARGS)

soak-gateway: $(READY) ## the same for the gateway: a provider with faults, gateways and callers in a process each
	$(BIN)/python -m tests.soak.gateway --seconds $(SECONDS) $(ARGS)

lint: $(READY) ## check style and form
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(READY) ## bring the code into form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(READY) ## check the types, and that every public name has one
	$(BIN)/pyright --pythonpath $(BIN)/python
	@# Here pyright looks for the installed package with the python of PATH and heeds no option.
	PATH="$(abspath $(BIN)):$$PATH" pyright --verifytypes codex_client --ignoreexternal

imports: $(READY) ## check that rooms import only from lower floors
	$(BIN)/lint-imports

docs: $(READY) ## build the documentation into site/, warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean --strict

clean: ## remove the environment and everything built
	rm -rf $(VENV) site build dist .coverage .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
