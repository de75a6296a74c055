# Everything runs from .venv, which is made on first use and again whenever pyproject.toml or the lock changes; the native
# kernel is built again whenever its sources change. NATIVE=0 goes on without the kernel where it cannot be built;
# LATEST=1 installs the newest packages that pyproject.toml allows in place of the locked ones.
PYTHON ?= python3
ARGS ?=
NATIVE ?= 1
LATEST ?=
FUZZ_EXAMPLES ?= 20000

export FUZZ_EXAMPLES
export VECPHE_REQUIRE_NATIVE := $(NATIVE)

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(NATIVE)
STAMP := $(VENV)/.built-$(NATIVE)
NATIVE_SOURCES := $(shell find src/native -name '*.h' -o -name '*.cpp')
LOCK := requirements.lock
CLUSTER_LOCK := requirements-cluster.lock
PIP_INSTALL := -m pip install --quiet --quiet --disable-pip-version-check
INSTALL := $(BIN)/python $(PIP_INSTALL)
# What builds the kernel is installed already; an environment of its own would fetch it anew, and not from the lock.
BUILD := $(INSTALL) --no-build-isolation --no-deps --editable .

# Says what is being done, does it, and says how long that took; $(1) is its name, $(2) the command.
step = printf '%s ... ' '$(1)' >&2 && started=$$(date +%s) && $(2) && echo "$$(($$(date +%s) - started)) s" >&2

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-pythons test-lowest test-cluster cluster-environment test-flower flower-environment fuzz lint lock mutants mutants-random format bench targets check-gpu \
	results documents docs gate gate-baseline gate-regressions wheels clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The stamp is written last and the environment is emptied first, so an interrupted install starts over.
$(INSTALLED): pyproject.toml $(LOCK)
	@$(call step,1 of 3: making $(VENV),$(PYTHON) -m venv --clear $(VENV))
ifdef LATEST
	@$(call step,2 of 3: installing the newest packages and building the native kernel,$(INSTALL) --editable ".[dev]")
else
	@$(call step,2 of 3: installing the packages of $(LOCK),$(INSTALL) --require-hashes --requirement $(LOCK))
	@$(call step,3 of 3: building the native kernel,$(BUILD))
endif
	@touch $@ $(STAMP)

$(STAMP): $(INSTALLED) $(shell find src/native -type f)
	@if [ -n "$$(find src/native -type f -newer $(STAMP))" ]; then \
		$(call step,building the native kernel,$(BUILD)); fi
	@touch $@

run: $(STAMP) ## Train on encrypted gradients and compare with phe; ARGS="--help" lists the options
	@$(BIN)/vecphe run $(ARGS)

# A worker a core, up to four; WORKERS=0 runs the tests in one process, for debuggers.
WORKERS := auto
PYTEST = $(BIN)/python -m pytest --benchmark-disable -n $(WORKERS) --maxprocesses 4 --dist loadscope

test: $(STAMP) ## Run the tests, slow ones left out; ARGS goes to pytest
	$(PYTEST) $(ARGS)

test-all: $(STAMP) ## Run all tests, slow ones too
	$(PYTEST) -m "" $(ARGS)

fuzz: $(STAMP) ## Run the tests on generated input for longer; FUZZ_EXAMPLES=20000 is how many a test
	VECPHE_HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest --benchmark-disable -m fuzz $(ARGS)

lint: $(STAMP) ## Check style, types and the direction of imports
	$(BIN)/clang-format --dry-run --Werror $(NATIVE_SOURCES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

mutants: $(STAMP) ## Plant each fault of tests/mutants in a copy, and see its tests fail; ARGS="--rows 16,21" or "--list"
	$(BIN)/python -m tests.mutants.replay $(ARGS)

COUNT ?= 60
SEED ?=
mutants-random: $(STAMP) ## Plant COUNT faults drawn at random, all over the package; SEED=1 draws the same ones again
	$(BIN)/python -m tests.mutants.sample --count $(COUNT) $(if $(SEED),--seed $(SEED)) $(ARGS)

# What builds the site goes into the same environment, when it is first asked for.
DOCS_LOCK := requirements-docs.lock
$(VENV)/.docs: $(INSTALLED) $(DOCS_LOCK)
	@echo "Adding what builds the site to $(VENV)"
	@$(INSTALL) --require-hashes --requirement $(DOCS_LOCK)
	@touch $@

docs: $(STAMP) $(VENV)/.docs ## Build the site into build/docs/html: tutorials and examples are run, and warnings are errors
	@rm -rf docs/generated build/docs
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs/html
	$(BIN)/python -m sphinx -b doctest -W -q -D plot_gallery=0 docs build/docs/doctest

UV := build/uv/bin/uv
$(UV):
	@$(PYTHON) -m venv --clear build/uv
	@build/uv/bin/python $(PIP_INSTALL) uv

COMPILE = $(UV) pip compile --quiet pyproject.toml --generate-hashes --upgrade --no-annotate --custom-compile-command "make $@"
lock: $(UV) ## Renew the locks: the newest packages that pyproject.toml allows, for every Python it allows
	$(COMPILE) --extra dev --universal --python-version 3.10 --output-file $(LOCK)
	$(COMPILE) --extra build --extra dask --extra ray --extra test --universal --python-version 3.10 \
		--output-file $(CLUSTER_LOCK)
	$(COMPILE) --extra docs --universal --python-version 3.11 --constraint $(LOCK) --output-file $(DOCS_LOCK)
	$(COMPILE) --extra flower --extra test --extra build --universal --python-version 3.11 --output-file $(FLOWER_LOCK)

# Flower's own bounds would hold back the packages of all others: it has an environment and a lock of its own.
FLOWER := build/flower
FLOWER_LOCK := requirements-flower.lock
FLOWER_STAMP := $(FLOWER)/$(notdir $(STAMP))
flower-environment: ## Install what make test-flower needs into build/flower (Python 3.11 or later)
	@$(MAKE) --no-print-directory $(FLOWER_STAMP) VENV=$(FLOWER) LOCK=$(FLOWER_LOCK)

test-flower: flower-environment ## Run the tests of vecphe.flower with Flower itself: simulations and deployments, some minutes
	@$(MAKE) --no-print-directory test-all VENV=$(FLOWER) LOCK=$(FLOWER_LOCK) WORKERS=0 ARGS="tests/flower $(ARGS)"

PYTHON_VERSIONS ?= 3.10 3.11 3.12 3.13 3.14
test-pythons wheels: export UV := $(UV)
test-pythons wheels: export PYTHON_VERSIONS := $(PYTHON_VERSIONS)
test-pythons: $(UV) ## Run the tests on every Python found of PYTHON_VERSIONS="3.10 3.11 ...", each in its own environment
	@.ci/each-python sh -c '$(MAKE) --no-print-directory test VENV=build/pythons/$$PYTHON_VERSION'

LOWEST := build/lowest
test-lowest: $(UV) ## Run the tests with the lowest versions that pyproject.toml allows, on the lowest Python
	$(COMPILE) --extra bench --extra build --extra test --resolution lowest-direct --python-version 3.10 --output-file $(LOWEST).txt
	@UV=$(UV) PYTHON_VERSIONS=3.10 .ci/each-python sh -c '$(MAKE) --no-print-directory test VENV=$(LOWEST) LOCK=$(LOWEST).txt'

# Ray and Dask bring dozens of packages, so they have an environment and a lock of their own.
CLUSTER := build/cluster
cluster-environment:
	@$(MAKE) --no-print-directory VENV=$(CLUSTER) LOCK=$(CLUSTER_LOCK) $(CLUSTER)/$(notdir $(STAMP))

test-cluster: cluster-environment ## Run the tests on local clusters of Dask and Ray: some minutes
	timeout --signal=INT --kill-after=30 1200 \
		$(CLUSTER)/bin/python -m pytest --benchmark-disable -m "cluster and not slow" tests/cluster $(ARGS)

wheels: $(UV) ## Build a wheel into dist/ for each Python found, and test it there without a compiler
	@rm -rf dist build/wheels
	@$(UV) build --quiet --sdist --out-dir dist
	@.ci/each-python .ci/wheel

format: $(STAMP) ## Rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(NATIVE_SOURCES)

bench: $(STAMP) ## Measure rounds on this machine: vecphe bench run; ARGS="--quick" for less than a minute
	$(BIN)/vecphe bench run $(ARGS)

targets: $(STAMP) ## Hold this machine against the speed targets of the project
	$(BIN)/python -m benchmarks.targets $(ARGS)

# On the Python that is there, so that a machine without a network will do. It needs cupy-cuda13x[ctk] (or 12x), numpy,
# gmpy2, cryptography, joblib, scikit-learn, click, rich, typer, pytest, pytest-benchmark, hypothesis and phe.
GPU_PYTHON ?= python3
check-gpu: export PYTHONPATH := src:.:$(PYTHONPATH)
check-gpu: ## Check the cuda engine on this machine's GPU: tests, memory checker, speeds into build/gpu.json; 6 minutes
	@mkdir -p build
	@if $(GPU_PYTHON) -c "from vecphe.arithmetic.cuda_device import why_no_device; exit(bool(why_no_device()))"; then \
		$(GPU_PYTHON) -m pytest --benchmark-disable -q \
			-k "(cuda and not host and not test_cuda) or on_the_device" tests/arithmetic && \
		if command -v compute-sanitizer > /dev/null; then \
			compute-sanitizer --tool memcheck --error-exitcode 9 $(GPU_PYTHON) -m benchmarks.gpu --quick; \
		else echo "no compute-sanitizer here: MEMORY ACCESSES ARE NOT CHECKED"; fi && \
		$(GPU_PYTHON) -m benchmarks.gpu --save build/gpu.json; \
	else \
		echo "NO GPU HERE: THE DEVICE IS NOT UNDER TEST; a dry run of the same checks on the CPU" && \
		$(GPU_PYTHON) -m benchmarks.gpu --dry-run; \
	fi

gate: $(STAMP) ## Hold counts and speeds against benchmarks/baseline.json, about 2 minutes; ARGS="--counts-only" for seconds of it
	$(BIN)/vecphe bench check benchmarks/baseline.json $(ARGS)

RESULTS := benchmarks/results
results: $(STAMP) ## Measure again what the documents' tables are made of: about half an hour, on a quiet machine
	-for engine in $$($(BIN)/python -c 'from benchmarks.documents import ENGINES; print(*ENGINES)'); do \
		VECPHE_ENGINE=$$engine $(BIN)/python -m benchmarks.targets --save $(RESULTS)/targets/$$engine.json; done
	$(BIN)/vecphe bench run --key-lengths 1024,2048,3072 --clients 3,5,10 --values 11,1000 --save $(RESULTS)/rounds.json --force
	$(BIN)/python -m benchmarks.time_profile --save $(RESULTS)/profile.json
	$(BIN)/python -m benchmarks.operation_counts --save $(RESULTS)/operation_counts.json
	-$(MAKE) gate-regressions ARGS="--save $(RESULTS)/regressions.json"
	$(MAKE) documents

documents: $(STAMP) ## Write the tables of README.md and docs/performance.md from the saved results
	$(BIN)/python -m benchmarks.documents

gate-baseline: $(STAMP) ## Take a new baseline on this machine, which should be quiet: some minutes
	for engine in ifma gmp; do $(BIN)/vecphe bench baseline benchmarks/baseline.json --engine $$engine || exit; done
	for engine in ifma256 fma512 fma256 portable; do \
		$(BIN)/vecphe bench baseline benchmarks/baseline.json --counts-only --engine $$engine || exit; done

gate-regressions: $(STAMP) ## Plant regressions in copies of the package and see the gate name them: some minutes
	$(BIN)/python -m tests.mutants.gate $(ARGS)

CHECK_PYTHON := $(BIN)/python
include src/native/check/check.mk
check-native: ## Check the native kernel: bounds, sanitizers, constant time, fuzzing, other CPUs and systems (needs clang-14, libgmp-dev, valgrind)

clean: ## Remove the environment, caches and build output
	rm -rf $(VENV) build dist .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +
