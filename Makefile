# Each command sets up what it needs; the second time it starts at once.
#
#   make run      open http://127.0.0.1:7860          make run ARGS="--port 8000"
#   make test     the whole test suite                make test ARGS="tests/test_geometry.py -x"
#   make lint     style, format and types
#   make bench    how fast rows and forward passes are on this machine
#   make train    every bundled network, in order     make train DATA=folder/of/packs
#
# PYTHON names another interpreter (3.11 or newer), VENV another folder for the environment.

PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
# Python compiles what it imports; compiling all that is installed would take a minute more.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-compile

.PHONY: run test lint bench train browser
.DEFAULT_GOAL := run

run: $(VENV)/.for-running
	$(BIN)/python app.py $(ARGS)

# One thread a worker: two workers with two threads each would only get in each other's way. A worker
# that dies ends the run: what killed it would kill its replacement, or the replacement would wait.
test: $(VENV)/.for-testing browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 $(ARGS)

lint: $(VENV)/.for-testing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.for-running
	$(BIN)/python -m vizattn bench $(ARGS)

train: $(VENV)/.for-running
	@test -d "$(DATA)" || { echo "make train needs the folder of the picture packs: make train DATA=folder" >&2; exit 1; }
	$(BIN)/python -m models.training --data "$(DATA)" $(ARGS) \
		$$($(BIN)/python -c 'from models.training.recipes import RECIPES; print(*RECIPES)')

$(VENV)/.for-running: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.for-testing: requirements-dev.txt $(VENV)/.for-running
	$(PIP) -r requirements-dev.txt
	@touch $@

# Debian keeps venv's own needs in a package of its own.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
			&& apt-get -q update && apt-get -qy install --no-install-recommends $$package; \
	} || { echo "Python's venv is missing: run 'sudo apt-get install python3-venv', then this again." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The tests of the page need a browser, Chinese characters, and what Playwright's own program needs.
browser:
	@for name in $$VIZATTN_CHROMIUM chromium chromium-browser google-chrome; do \
		command -v "$$name" >/dev/null && found=yes; done; \
	missing=$${found:-chromium fonts-wqy-microhei}; missing=$${missing#yes}; \
	/sbin/ldconfig -p | grep -q libatomic.so.1 || missing="$$missing libatomic1"; \
	test -z "$$missing" && exit 0; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get -q update && DEBIAN_FRONTEND=noninteractive \
			apt-get -qy install --no-install-recommends $$missing; \
	else echo "Not installed: $$missing. Tests of the page may be skipped or fail." >&2; fi
