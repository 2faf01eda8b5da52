# Everything on a fresh machine with Python >= 3.11 and make: `make lab` and `make test`.
# Another interpreter: PYTHON=python3.12 make test

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# A stamp for each extra, lab and dev, holds the place and the pyproject.toml that were installed; while both are the
# same, nothing is.
STAMP := $(VENV)/installed
WANTED := { pwd; cat pyproject.toml; }
ENSURE = $(WANTED) | cmp -s - $(STAMP)-$(1) || $(MAKE) --no-print-directory EXTRA=$(1) $(STAMP)

# Which of PyTorch's builds uv takes: auto looks for a GPU; UV_TORCH_BACKEND=cpu make lab does without it.
BACKEND := $(or $(UV_TORCH_BACKEND),auto)
UV := $(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(RUN)
# Does PyTorch's own index have them? No answer within these seconds is a no: some networks swallow what they forbid.
ASK_SECONDS ?= 10
ASK = UV_HTTP_RETRIES=1 UV_HTTP_CONNECT_TIMEOUT=$(ASK_SECONDS) UV_HTTP_TIMEOUT=$(ASK_SECONDS) \
    $(UV) --dry-run --torch-backend=$(BACKEND) torch torchvision
# A build that was asked for by name gives way to no other, but to the one that is there.
NO_BUILD := uv could not install this build; name another, or none, or wait longer: ASK_SECONDS=60
PIP := $(RUN) -m pip install --quiet

# Processes that test side by side: as many as there are CPUs (see tests/conftest.py), or WORKERS=2 make test.
WORKERS ?= auto
# One file per worker at a time, so that a notebook's cells stay in order; one thread each, because
# the threads of two kernels on two cores wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n $(WORKERS) --dist loadfile -rs
NBVAL := --nbval --nbval-cell-timeout=600 --nbval-kernel-startup-timeout=600 --nbval-sanitize-with tests/nbval_sanitize.cfg

.DEFAULT_GOAL := help
.PHONY: help lab test test-gpu test-browser notebooks fuzz site wheelhouse lint clean install

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

lab: ## open JupyterLab on the course
	@$(call ENSURE,lab)
	@$(RUN) -m rcnn_tutorial lab

test: install ## run all tests; every notebook too, its outputs compared
	@$(PYTEST) $(NBVAL) tests notebooks --ignore=tests/browser -m 'not gpu'

test-gpu: install ## run the tests that need a CUDA device; skipped, with the reason, where there is none
	@$(RUN) -m pytest -q -rs -m gpu tests/gpu

test-browser: install ## every notebook in JupyterLab in Chromium, the pages in Chromium and Firefox; screenshots go to build/
	@$(RUN) -c 'import playwright' 2>/dev/null || \
	    { echo "Playwright is missing; install it with: $(VENV)/bin/uv pip install --python $(RUN) '.[browser]'" >&2; exit 1; }
	@command -v "$${CHROMIUM:-chromium}" >/dev/null || command -v google-chrome >/dev/null || \
	    { echo 'Chromium is missing; on Debian and Ubuntu: apt install chromium. Elsewhere: CHROMIUM=/path/to/chrome' >&2; exit 1; }
	@command -v "$${FIREFOX:-firefox-esr}" >/dev/null || command -v firefox >/dev/null || \
	    { echo 'Firefox is missing; on Debian: apt install firefox-esr. Elsewhere: FIREFOX=/path/to/firefox' >&2; exit 1; }
	@test -f "$${AXE:-build/node_modules/axe-core/axe.min.js}" || \
	    { echo 'axe-core is missing; install it with: npm install --prefix build axe-core. Elsewhere: AXE=/path/to/axe.min.js' >&2; exit 1; }
	@test -d "$${ONNXRUNTIME_WEB:-build/node_modules/onnxruntime-web}" || \
	    { echo 'onnxruntime-web is missing; install it with: npm install --prefix build onnxruntime-web@1.30.0. Elsewhere: ONNXRUNTIME_WEB=/path/to/onnxruntime-web' >&2; exit 1; }
	@test -f "$${ESLINT:-build/node_modules/eslint/bin/eslint.js}" || \
	    { echo 'ESLint is missing; install it with: npm install --prefix build eslint@9. Elsewhere: ESLINT=/path/to/eslint.js' >&2; exit 1; }
	@$(RUN) -m pytest -q tests/browser

fuzz: install ## damage annotations, images and checkpoints in 10 000 ways a kind; `make test` tries 200
	@FUZZ_EXAMPLES=10000 $(PYTEST) tests -k damage_never --ignore=tests/browser

notebooks: install ## execute all notebooks in place
	@$(RUN) -m rcnn_tutorial.course

site: install ## write the course as web pages, alive without a kernel, to build/site
	@$(RUN) -m rcnn_tutorial.course.site

wheelhouse: install ## wheels to install from without a network, for four kinds of machines, to build/wheelhouse
	@$(RUN) -m rcnn_tutorial.course.wheelhouse build/wheelhouse

lint: install ## check style, formatting and types
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . && $(RUN) -m mypy

clean: ## remove the environment, builds and caches
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find rcnn_tutorial tests -name __pycache__ -prune -exec rm -rf {} +

install: ## create .venv, the tests' tools too; only when it is missing or pyproject.toml changed
	@$(call ENSURE,dev)

.PHONY: $(STAMP)
$(STAMP):
	@$(PYTHON) -c '' || { echo 'Cannot run $(PYTHON): install Python 3.11 or newer, or name one: PYTHON=python3.12 make test' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo '$(PYTHON) is older than 3.11: install a newer one and name it: PYTHON=python3.12 make test' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo '$(PYTHON) -m venv is missing; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(STAMP)*
	@echo 'Installing .[$(EXTRA)] into $(VENV), once' >&2
	@$(PIP) uv || echo 'uv cannot be had; pip takes its place' >&2
	@if $(ASK) >/dev/null 2>&1 && $(UV) --torch-backend=$(BACKEND) --editable '.[$(EXTRA)]'; then \
	    way='uv --torch-backend=$(BACKEND)'; \
	elif test $(BACKEND) != auto && ! $(RUN) -c 'import torch' 2>/dev/null; then \
	    echo 'UV_TORCH_BACKEND=$(BACKEND): $(NO_BUILD)' >&2; exit 1; \
	elif test -x $(VENV)/bin/uv && { $(RUN) -c 'import torch' 2>/dev/null || \
	    echo "PyTorch's own index serves no build for this machine: taking the plain one, for Linux 6 GB" >&2; } && \
	    env -u UV_TORCH_BACKEND $(UV) --editable '.[$(EXTRA)]'; then \
	    way="uv, what was missing from the plain index, as PyTorch's own gave no build for this machine"; \
	else \
	    way='pip, plain index, as uv did not work'; $(PIP) --editable '.[$(EXTRA)]'; \
	fi && $(RUN) -c 'import torch; print("torch", torch.__version__, end=", ")' >&2 && \
	    du -sk $(VENV) | awk -v way="$$way" '{ printf "%.1f GB in $(VENV), by %s\n", $$1 * 1024 / 1e9, way }' >&2
	@for extra in lab $(EXTRA); do $(WANTED) >$(STAMP)-$$extra; done
