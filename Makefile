# Every target works from a fresh clone with python3, pip and make alone: the first one makes $(VENV).

VENV ?= .venv
PYTHON ?= python3
LOCK_PYTHON ?= python3.11

LOCK := requirements/dev.lock
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
LOWEST := requirements/lowest.lock
INTEROP := requirements/interop.lock
EXAMPLES := requirements/examples.lock
ENGINES := requirements/engines.lock
FRAMEWORKS := requirements/frameworks.lock
TENSORFLOW := requirements/tensorflow.lock
SPAN_TESTS := tests/compat tests/encryption tests/signing tests/runtime/test_split_trees.py tests/convert/boosters \
    tests/convert/operators/test_trees.py tests/convert/passes/test_trees.py \
    $(addprefix tests/update/test_,publish.py update.py) \
    $(addprefix tests/convert/test_,differential.py gate.py schema.py structural_proof.py)
GOLDEN_TESTS = $(shell grep -rl --include='test_*.py' update_goldens tests)
PIP_QUIET := -qq --disable-pip-version-check --no-input $(if $(CI),--no-compile)

# When PYTHON is not given and python3 is too old, one of these serves.
ifeq ($(origin PYTHON),file)
OTHER_PYTHONS := python3.13 python3.12 python3.11 python3.14
endif
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format bench bench-packages matrix goldens wheel minimal newest lowest interop test-arm test-arm-short lock clean examples engines frameworks tensorflow

help: ## Print this list
	@echo "usage: make TARGET   (makes $(VENV) when it is missing or older than $(LOCK))"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## Make the virtual environment with the locked versions

$(STAMP): pyproject.toml $(LOCK)
	@found=""; for candidate in "$(PYTHON)" $(OTHER_PYTHONS); do \
	    if "$$candidate" -c '$(NEW_ENOUGH)' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "edge-infer needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1 || true)." >&2; \
	    echo "Install one, then name it: make PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	[ "$$found" = "$(PYTHON)" ] || echo "$(PYTHON) is older than 3.11: using $$found"; \
	echo "making $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv "$(VENV)"
	@$(BIN)/python -m pip install $(PIP_QUIET) -r $(LOCK)
	@$(BIN)/python -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Train, convert, prove and run a small model
	@$(BIN)/edge-infer demo

test: $(STAMP) ## Run all tests
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(STAMP) ## Check format, lint and types
	@failed=0; \
	$(BIN)/ruff format --check --output-format concise . || failed=1; \
	$(BIN)/ruff check --output-format concise . || failed=1; \
	$(BIN)/mypy || failed=1; \
	exit $$failed

format: $(STAMP) ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(STAMP) ## Measure side by side and write benchmarks/results.md
	@$(BIN)/python -m benchmarks

bench-packages: ## Time packages' models beside their own sessions (after make frameworks)
	@"$(VENV)-frameworks/bin/python" -m benchmarks.packaged_models

matrix: $(STAMP) ## Fit, convert and compare every estimator; write artifacts/SUPPORT.md
	@$(BIN)/python -m matrix

goldens: $(STAMP) ## Write the golden files of the tests anew; look at the diff afterwards
	@if [ -z "$(GOLDEN_TESTS)" ]; then echo "no test has golden files"; \
	else $(BIN)/python -m pytest -q --update-goldens $(GOLDEN_TESTS) && git status --short; fi

wheel: $(STAMP) ## Build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

minimal: $(STAMP) ## Prove that the wheel works alone, without the converter's dependencies
	@PYTHON="$(abspath $(BIN)/python)" tests/minimal_install.sh

newest: $(STAMP) ## Run a short form of the conversion tests with the newest releases of all libraries
	@rm -rf "$(VENV)-newest"; $(BIN)/python -m venv "$(VENV)-newest"
	@"$(VENV)-newest/bin/python" -m pip install $(PIP_QUIET) --upgrade "pip>=25.1"
	@"$(VENV)-newest/bin/python" -m pip install $(PIP_QUIET) --editable ".[convert,secure,skops,update]" --group span
	@"$(VENV)-newest/bin/python" -m pip freeze --exclude-editable
	@"$(VENV)-newest/bin/python" -m pytest -q $(SPAN_TESTS)

lowest: $(STAMP) ## Run the same tests with the lowest versions that pyproject.toml allows (Python 3.11 or 3.12)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || { \
	    echo "the lowest versions have no wheels for Python 3.13: make lowest PYTHON=/path/to/python3.11" >&2; exit 1; }
	@rm -rf "$(VENV)-lowest"; $(BIN)/python -m venv "$(VENV)-lowest"
	@"$(VENV)-lowest/bin/python" -m pip install $(PIP_QUIET) -r $(LOWEST)
	@"$(VENV)-lowest/bin/python" -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable .
	@"$(VENV)-lowest/bin/python" -m pytest -q -W default $(SPAN_TESTS)

interop: $(STAMP) ## Check signatures against the public tool model_signing
	@$(BIN)/python -m venv --clear "$(VENV)-interop"
	@"$(VENV)-interop/bin/python" -m pip install $(PIP_QUIET) -r $(INTEROP)
	@MODEL_SIGNING="$(abspath $(VENV)-interop/bin/model_signing)" $(BIN)/python -m pytest -q tests/interop

test-arm: $(STAMP) ## Run on emulated 64-bit Arm and record how its answers differ (needs Debian's apt, x86-64)
	@$(BIN)/python -m tests.arm --root "$(VENV)-arm" --work "$(VENV)-arm-work"

test-arm-short: $(STAMP) ## The same in a short form, recording nothing: what the CI runs
	@$(BIN)/python -m tests.arm --short --root "$(VENV)-arm" --work "$(VENV)-arm-work"

examples: $(STAMP) ## Run the examples that need packages of their own: web services, and Node where npm is there
	@$(BIN)/python -m venv --clear "$(VENV)-examples"
	@"$(VENV)-examples/bin/python" -m pip install $(PIP_QUIET) -r $(EXAMPLES)
	@"$(VENV)-examples/bin/python" -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable .
	@modules=""; folder="$(abspath $(VENV)-examples)/node"; \
	if command -v npm >/dev/null; then \
	    mkdir -p "$$folder" && cp examples/node-runtime/package.json examples/node-runtime/package-lock.json "$$folder" && \
	    npm --prefix "$$folder" ci --ignore-scripts --no-audit --no-fund --loglevel error >/dev/null && \
	    modules="$$folder/node_modules" || exit 1; \
	else echo "npm is not installed: the tests of the Node example are skipped"; fi; \
	EXAMPLES_PYTHON="$(abspath $(VENV)-examples/bin/python)" EXAMPLES_NODE_MODULES="$$modules" \
	    $(BIN)/python -m pytest -q tests/examples

engines: $(STAMP) ## Score a million rows with Spark (needs Java 17 or newer), Ray and DuckDB
	@$(BIN)/python -m venv --clear "$(VENV)-engines"
	@"$(VENV)-engines/bin/python" -m pip install $(PIP_QUIET) -r $(ENGINES)
	@"$(VENV)-engines/bin/python" -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable .
	@command -v java >/dev/null || echo "java is not installed: the tests of Spark are skipped"
	@"$(VENV)-engines/bin/python" -m pytest -q tests/engines

frameworks: $(STAMP) ## Convert models of PyTorch (its CPU build, some 1.5 GB) and Keras on it, and run the examples of deep models
	@[ -f "$(VENV)-frameworks/.installed" ] && [ "$(VENV)-frameworks/.installed" -nt $(FRAMEWORKS) ] || { \
	    $(BIN)/python -m venv --clear "$(VENV)-frameworks" && \
	    "$(VENV)-frameworks/bin/python" -m pip install $(PIP_QUIET) -r $(FRAMEWORKS) && \
	    "$(VENV)-frameworks/bin/python" -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable . && \
	    touch "$(VENV)-frameworks/.installed"; }
	@"$(VENV)-frameworks/bin/python" -m pytest -q tests/frameworks

tensorflow: $(STAMP) ## Convert SavedModels of TensorFlow (its CPU build, some 2 GB), and models of Keras on it
	@[ -f "$(VENV)-tensorflow/.installed" ] && [ "$(VENV)-tensorflow/.installed" -nt $(TENSORFLOW) ] || { \
	    $(BIN)/python -m venv --clear "$(VENV)-tensorflow" && \
	    "$(VENV)-tensorflow/bin/python" -m pip install $(PIP_QUIET) -r $(TENSORFLOW) && \
	    "$(VENV)-tensorflow/bin/python" -m pip install $(PIP_QUIET) --no-deps --no-build-isolation --editable . && \
	    touch "$(VENV)-tensorflow/.installed"; }
	@"$(VENV)-tensorflow/bin/python" -m pytest -q tests/tensorflow

lock: ## Write requirements/*.lock anew: the newest releases, and the lowest that are allowed (needs Python 3.11)
	@"$(LOCK_PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	    echo "the lock is made with Python 3.11, the oldest that is supported, so that it serves newer ones too:" >&2; \
	    echo "make lock LOCK_PYTHON=/path/to/python3.11" >&2; exit 1; }
	@set -eu; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$(LOCK_PYTHON)" -m venv "$$folder/venv"; pip="$$folder/venv/bin/python -m pip"; \
	$$pip install $(PIP_QUIET) --upgrade "pip>=25.1"; \
	$$pip install $(PIP_QUIET) --editable . --group dev; \
	{ echo "# Every version of a development install. Written by \`make lock\`: do not edit."; \
	  echo "# Resolved with Python 3.11, for Python 3.11 to 3.13."; \
	  $$pip freeze --exclude pip --exclude setuptools --exclude-editable; } > "$$folder/frozen"; \
	sed -E "s/^(lleaves|llvmlite)==.*/&; python_version < '3.14'/" "$$folder/frozen" > "$$folder/dev.lock"; \
	if grep -nE '@|://|^/' "$$folder/dev.lock"; then \
	    echo "the lines above are not plain pins: nothing was written" >&2; exit 1; fi; \
	cp "$$folder/dev.lock" $(LOCK); \
	$$pip install $(PIP_QUIET) uv; \
	{ echo "# The lowest versions that pyproject.toml allows. Written by \`make lock\`: do not edit."; \
	  "$$folder/venv/bin/uv" pip compile --quiet --resolution lowest-direct --python-version 3.11 --no-header \
	      --no-annotate --extra convert --extra secure --extra skops --extra update --group span pyproject.toml; } > $(LOWEST); \
	"$(LOCK_PYTHON)" -m venv --clear "$$folder/venv"; \
	$$pip install $(PIP_QUIET) model-signing pyOpenSSL; \
	{ echo "# The public tool that signatures are checked against, and all it needs. Written by \`make lock\`: do not edit."; \
	  $$pip freeze --exclude pip --exclude setuptools; } > $(INTEROP); \
	"$(LOCK_PYTHON)" -m venv --clear "$$folder/venv"; \
	$$pip install $(PIP_QUIET) --upgrade "pip>=25.1"; \
	$$pip install $(PIP_QUIET) --editable . --group examples; \
	{ echo "# What the web services of examples/ run with. Written by \`make lock\`: do not edit."; \
	  $$pip freeze --exclude pip --exclude setuptools --exclude-editable; } > $(EXAMPLES); \
	"$(LOCK_PYTHON)" -m venv --clear "$$folder/venv"; \
	$$pip install $(PIP_QUIET) --upgrade "pip>=25.1"; \
	$$pip install $(PIP_QUIET) --editable . --group engines; \
	{ echo "# What batches are distributed with: Spark, Ray, DuckDB. Written by \`make lock\`: do not edit."; \
	  $$pip freeze --exclude pip --exclude setuptools --exclude-editable; } > $(ENGINES); \
	"$(LOCK_PYTHON)" -m venv --clear "$$folder/venv"; \
	$$pip install $(PIP_QUIET) --upgrade "pip>=25.1"; \
	$$pip install $(PIP_QUIET) --editable . --group frameworks; \
	{ echo "# What deep models are converted with: PyTorch's CPU build, Keras. Written by \`make lock\`: do not edit."; \
	  $$pip freeze --exclude pip --exclude setuptools --exclude-editable | sed 's/^\(torch==[0-9.]*\)+cpu$$/\1/'; } > $(FRAMEWORKS); \
	"$(LOCK_PYTHON)" -m venv --clear "$$folder/venv"; \
	$$pip install $(PIP_QUIET) --upgrade "pip>=25.1"; \
	$$pip install $(PIP_QUIET) --editable . --group tensorflow; \
	{ echo "# What models of TensorFlow are converted with: its CPU build. Written by \`make lock\`: do not edit."; \
	  $$pip freeze --exclude pip --exclude setuptools --exclude-editable; } > $(TENSORFLOW); \
	echo "$(LOCK): $$(grep -c == $(LOCK)) versions"

clean: ## Remove the virtual environment, builds and caches
	@rm -rf "$(VENV)" "$(VENV)-newest" "$(VENV)-lowest" "$(VENV)-interop" "$(VENV)-arm" "$(VENV)-arm-work" "$(VENV)-examples" "$(VENV)-engines" "$(VENV)-frameworks" "$(VENV)-tensorflow" build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@rm -rf examples/c/predict examples/node-runtime/node_modules
	@find edge_infer convert tests benchmarks matrix examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
