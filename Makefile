# Needs make and Python 3.11 or later; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv-bench/.installed
OLD_DUCKDB := 1.4.4 1.5.6
BI := .venv-bi/libraries
SUPERSET_DRIVER := sqlalchemy==1.4.54 duckdb-engine==0.17.0
COPY ?= .demo/data/published/orders.duckdb
BROWSERS := chromium-headless-shell chromium google-chrome
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium-headless-shell
PACKAGE := orders_connector dagster_project tests benchmarks examples docs/site_hooks.py

.DEFAULT_GOAL := help
.PHONY: help install demo dev test lint fix docs site bench notebook clean browser old-engines bi-libraries

help: ## Show this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install into .venv.

demo: $(INSTALLED) ## Load three made-up shops twice with the nightly Dagster job and show the figures.
	@$(BIN)/orders-connector demo

dev: $(INSTALLED) ## Open the Dagster UI on the demo's warehouse, made first if missing.
	@$(BIN)/orders-connector demo --ui

test: lint browser old-engines bi-libraries ## Lint, check types, run all tests.
	@$(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder

lint: $(INSTALLED) ## Check style and types.
	@$(BIN)/ruff check --quiet $(PACKAGE)
	@$(BIN)/ruff format --check --quiet $(PACKAGE)
	@$(BIN)/mypy

fix: $(INSTALLED) ## Repair what the linter can repair.
	@$(BIN)/ruff check --quiet --fix $(PACKAGE)
	@$(BIN)/ruff format --quiet $(PACKAGE)

site: $(INSTALLED) ## Build the site of docs/ into site/, without a warning.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

docs: $(INSTALLED) ## Note metric versions that rose; renew dictionary, metrics and cookbook.
	@$(BIN)/python -c 'from orders_connector.modeling.metrics import note_versions; \
		from orders_connector.modeling.model import load_models; note_versions(load_models())'
	@$(BIN)/orders-connector docs docs
	@$(BIN)/python tests/cookbook.py

bench: $(BENCH_INSTALLED) ## Run the benchmarks, in an environment of their own.
	@.venv-bench/bin/python -m benchmarks

notebook: bi-libraries ## Open the cookbook as a notebook; COPY=FILE for another copy than the demo's.
	@$(BI)/bin/marimo edit --skip-update-check examples/cookbook_notebook.py -- --copy "$(abspath $(COPY))"

clean: ## Remove environments, caches and the demo.
	@rm -rf .venv .venv-bench .venv-bi .demo examples/__marimo__ site .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt
	$(call make_environment,.venv,-c constraints.txt --group dev)

# The tests of the dashboard need a browser; as root on Debian it is installed, elsewhere asked for.
browser:
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing a browser for the tests of the dashboard, once"; \
		$(APT_INSTALL) >/dev/null 2>&1 && exit 0; \
		apt-get update -qq >/dev/null 2>&1 && $(APT_INSTALL) >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "No browser: the tests of the dashboard are skipped. Install chromium-headless-shell or chromium."

# Engines inside BI tools that are to read the published copy; each in a folder of its own.
old-engines: $(OLD_DUCKDB:%=.venv-bi/duckdb-%/.installed)

.venv-bi/duckdb-%/.installed: | $(INSTALLED)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --target $(@D) duckdb==$* \
		&& touch $@ || echo "No DuckDB $*: the tests of what it reads are skipped."

# What analysts and Superset connect with. Superset 6 has an older SQLAlchemy, which the second folder
# puts before that of the first.
bi-libraries: $(BI)/.installed .venv-bi/superset/.installed

$(BI)/.installed: constraints-bi.txt pyproject.toml
	@echo "Installing into $(BI), once; this takes a minute or two"
	@$(PYTHON) -m venv --clear $(BI) \
		&& $(BI)/bin/python -m pip install -qq --disable-pip-version-check -c $< pip \
		&& $(BI)/bin/python -m pip install -qq --disable-pip-version-check -c $< --group bi \
		&& touch $@ || echo "No BI libraries: the tests of BI connections and of the notebook are skipped."

.venv-bi/superset/.installed: | $(INSTALLED)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --target $(@D) $(SUPERSET_DRIVER) \
		&& touch $@ || echo "No SQLAlchemy 1.4: the tests of Superset's driver are skipped."

# Its peers want versions of their own, so the constraints do not hold here.
$(BENCH_INSTALLED): pyproject.toml
	$(call make_environment,.venv-bench,--group bench)

define make_environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(1), once; this takes a minute or two"
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt pip
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check --editable . $(2)
	@touch $(1)/.installed
endef
