# Everything a person does here, each by one word. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help demo test check unit integration format bench soak lock crds parts clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## deploy, test live, watch for drift, predict from a topic and over a data set: on this machine (EXAMPLE=iris, KAFKA=HOST:PORT)
	@$(BIN)/python examples/demo.py $(if $(EXAMPLE),--example $(EXAMPLE)) $(if $(KAFKA),--kafka $(KAFKA))

test: check unit integration  ## check + unit + integration tests

check: $(VENV)/.dev  ## formatting, lint, types, who may import whom, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/moorage crds generate --check crds

unit: $(VENV)/.dev  ## tests without any server
	$(PYTEST) tests/unit

integration: $(VENV)/.dev parts  ## tests against a real API server, Kafka, S3, time-series databases and processes
	$(PYTEST) tests/integration

soak: $(VENV)/.dev parts  ## the long forms of the load tests
	$(PYTEST) tests/integration -m soak --timeout 3600

bench: $(VENV)/.dev  ## serving, drift, stream and batch beside the peers: rates, CPU, memory
	$(BIN)/python bench/serving.py
	$(BIN)/python bench/drift.py
	$(BIN)/python bench/stream.py
	$(BIN)/python bench/batch.py

format: $(VENV)/.dev  ## format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crds: $(VENV)/.dev  ## write crds/*.yaml from the types
	$(BIN)/moorage crds generate --output crds

parts: $(VENV)/.dev  ## build and fetch the real parts that the integration tests run
	@PYTHONPATH=e2e $(BIN)/python -m parts

lock: $(VENV)/.dev  ## pin requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile $(COMPILE) --all-extras --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile $(COMPILE) $(DEMO_EXTRAS) --group build -c requirements/dev.txt pyproject.toml -o requirements/demo.txt
COMPILE     := --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
DEMO_EXTRAS := --extra serve --extra stream --extra batch --extra test --extra drift --extra local --extra kafka --extra sklearn --extra pandas

clean:  ## remove what was made here: environment, caches, local state
	rm -rf $(VENV) .moorage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build

$(VENV)/.%: requirements/%.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements/$*.txt into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
