# What one does with a checkout. CI calls lint and test only.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint bench fuzz schema tree docs docs-run docs-update lowest release clean

demo: $(READY)
	$(BIN)/lamina demo

# A process for each core, of one thread each: processes of several threads would share the cores.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt ".[bench]"
	for script in benchmarks/*.py; do $(BIN)/python $$script --write || exit 1; done

schema: $(READY)
	$(BIN)/python -m lamina.recipe.schema

# 2,000 damaged files for each reader and loader; the suite has 50 each. TARGETS="tiff recipe" chooses.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz.run --count 2000 $(TARGETS)

# The packages, two levels deep, a sentence each.
tree: $(READY)
	@$(BIN)/python -m tools.tree

# The documents as a site in docs/site, without a network; a warning is an error.
docs: $(READY)
	$(BIN)/python -m sphinx -q -W --keep-going -j 1 -b html docs docs/site

# Runs every block of the documents, those that take minutes too.
docs-run: $(READY)
	$(BIN)/python -m pytest tests/docs tests/tools -m "slow or not slow"

# Rewrites outputs, tables, tree and layers in the documents from real runs, and the page of reliability. PAGES="docs/ink.md ..."
# chooses pages; PAGES=--slow also runs what takes minutes.
docs-update: $(READY)
	$(BIN)/python -m tools.pages $(PAGES)
	$(BIN)/python -m tools.reliability --write

# The suite with the lowest versions that the floors in pyproject.toml allow.
lowest:
	$(PYTHON) -m tools.lowest .venv-lowest

# make release VERSION=0.2.0: the fragments in changes/ become a section of CHANGELOG.md.
release: $(READY)
	$(BIN)/python -m tools.changelog release $(VERSION)

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found; try: make PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) .venv-lowest lamina-demo
