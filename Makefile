# Every target prepares .venv by itself; nothing is installed outside this folder.
# Works with GNU make 3.81 and later.

.DEFAULT_GOAL := help
.PHONY: help setup prepared demo run test coverage check lock clean

BIN := .venv/bin

help: ## Show this list
	@echo "topicdesk: a helpdesk that lives in Telegram"
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-17s %s\n", $$1, $$2}'
	@echo
	@echo "  make test ARGS='-k survey'   passes ARGS on; so do demo and run"

setup: prepared ## Only prepare .venv
	@echo "Ready: $$($(BIN)/python --version), $$($(BIN)/topicdesk --version). Next: make demo"

prepared:
	@sh deploy/bootstrap.sh

demo: prepared ## Try everything on this machine: local Telegram, database, bot
	@exec $(BIN)/topicdesk demo $(ARGS)

run: prepared ## Serve the bot that .env describes
	@exec $(BIN)/topicdesk run $(ARGS)

test: prepared ## Run all tests, several files at once
	@exec $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder $(ARGS)

coverage: prepared ## Run all tests and show which branches they leave out; at least 90 %
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n logical --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

check: prepared ## Lint, format, types, import directions; the last measured coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if test -f .coverage; then $(BIN)/coverage report; \
	else echo "Coverage: not measured here yet; 'make coverage' runs all tests for it."; fi

COMPILE := uv pip compile --universal --python-version 3.13 --generate-hashes --no-header \
  --no-emit-index-url --quiet

lock: ## Compile the locks from pyproject.toml anew (needs uv)
	@uv --version >/dev/null 2>&1 || { echo "topicdesk: uv is needed to compile the locks; install uv." >&2; exit 1; }
	$(COMPILE) --all-extras --group dev -o requirements.lock pyproject.toml
	$(COMPILE) --extra sheets --extra vault --extra sentry --extra otel --group build -c requirements.lock -o deploy/requirements.lock pyproject.toml

clean: ## Remove .venv and caches; data/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
