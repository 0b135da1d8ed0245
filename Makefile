# Everything here needs Python 3.11 or later, make and pip; no compiler, Node, Docker or Redis.
#
#   make run     set up, then page, API, workers and embedded server on this machine
#   make test    set up, then the whole test suite
#   make check   ruff and mypy
#   make compose-test   the composed containers, driven over HTTP (needs Docker)
#   make figures   the README's swaps (needs the sprites' layer sheets)
#   make manual   writes anew what is generated in docs/: http.md, the table of settings, the manual's pictures
#   make page-figure   the README's picture of the page (needs Chromium)
#   make serving-speed   measures how fast clips are encoded, into docs/results.md
#   make pointer-lag   measures how soon the plane follows the pointer, into docs/results.md (needs Chromium)
#   make screenshots   every view of the page as a picture, into var/screenshots (needs Chromium)
#
# PIP_ARGS is added to every `pip install`. On Linux without an NVIDIA GPU the small CPU build of PyTorch is enough:
#   make run TORCH_INDEX=<the address that pytorch.org/get-started shows for "Linux, Pip, CPU">

SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
TORCH_INDEX ?=
PIP_ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A run starts many processes: without compiled modules on disk each of them compiles all of ours anew.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
PYTEST_ARGS ?=
TEST_PROCESSES ?= 4

# What is installed follows the content of these files, not their dates, which a checkout changes.
LISTS := pyproject.toml constraints.txt $(wildcard requirements/*.txt)
KEY := $(shell cat $(LISTS) | cksum | cut -d' ' -f1)
RUN_READY := $(VENV)/.ready-run-$(KEY)
TEST_READY := $(VENV)/.ready-test-$(KEY)
BIN := $(VENV)/bin

.PHONY: run test check compose-test figures manual page-figure serving-speed pointer-lag screenshots clean
.DEFAULT_GOAL := run

run: $(RUN_READY)
	@exec $(BIN)/twofold up $(ARGS)

test: $(TEST_READY)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

compose-test: $(TEST_READY)
	$(BIN)/python -m pytest -c pyproject.toml tests/compose $(PYTEST_ARGS)

# The README's swaps, from the shipped model and held-out characters; SPRITES holds the layer sheets.
SPRITES ?= ../shared/data/sprites
figures: $(RUN_READY)
	@clips=$$(mktemp -d) && trap "rm -rf $$clips" EXIT && \
	$(BIN)/twofold samples $$clips --count 5 --sprites $(SPRITES) && \
	static=$$(ls $$clips/sprite_* | head -4 | sed 's/^/-s /') && \
	dynamic=$$(ls $$clips/sprite_* | sed 's/^/-d /') && \
	$(BIN)/twofold swap --local --model sprites-vae $$static $$dynamic -o docs/figures/swap_sprites.png

# The manual's pictures are made by its own commands; the test that runs them keeps what it has made.
manual: $(TEST_READY)
	$(BIN)/python -m tests.manual
	TWOFOLD_TEST_FIGURES=docs/figures $(BIN)/python -m pytest tests/end_to_end/test_manual.py $(PYTEST_ARGS)

screenshots: $(TEST_READY)
	$(BIN)/python -m pytest tests/web/screenshots.py $(PYTEST_ARGS)

page-figure: $(TEST_READY)
	$(BIN)/python -m pytest tests/web/page_figure.py $(PYTEST_ARGS)

serving-speed: $(TEST_READY)
	$(BIN)/python -m pytest tests/end_to_end/serving_speed.py $(PYTEST_ARGS)

pointer-lag: $(TEST_READY)
	$(BIN)/python -m pytest tests/web/pointer_lag.py $(PYTEST_ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Twofold needs Python 3.11 or later, and none is on PATH: install it," \
		"or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# With TORCH_INDEX, PyTorch goes first and alone, so that this index is asked for nothing else.
$(RUN_READY): | $(BIN)/python
	@if [ -z "$(TORCH_INDEX)" ] && [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
		echo "No NVIDIA GPU here. If pip starts to fetch gigabytes of CUDA libraries, stop it and give the CPU build:" \
		"see TORCH_INDEX at the head of the Makefile."; fi
	@if [ -n "$(TORCH_INDEX)" ]; then \
		$(BIN)/pip install --quiet --retries 1 --timeout 10 --no-deps -c constraints.txt --index-url "$(TORCH_INDEX)" torch \
		|| echo "TORCH_INDEX did not give PyTorch; going on with the build that pip finds by itself." >&2; fi
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -e .
	@rm -f $(VENV)/.ready-*
	@touch $@

$(TEST_READY): $(RUN_READY)
	$(BIN)/pip install --quiet $(PIP_ARGS) -c constraints.txt -r requirements/test.txt
	@touch $@
