# Each target is one verb and does its own set-up. A second run installs nothing.

VENV := .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python
PORT ?= 5001
TASK ?= multiclass
TESTS := pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
# Compiled files are kept, else each server that tests start would compile the product
KEPT := PYTHONDONTWRITEBYTECODE=
DEMO := demo/fridge$(if $(filter-out multiclass,$(TASK)),_$(TASK))

.DEFAULT_GOAL := help

serve: $(VENV)/.serve ## install, build the demo model once, serve it on port 5001 (TASK=detection PORT=N ARGS="--flags")
	$(RUN) -m examples.fridge build --task $(TASK) --output $(DEMO)
	exec $(RUN) -m server --model $(DEMO) --page-samples $(DEMO)/pictures --port $(PORT) $(ARGS)

test: $(VENV)/.dev $(VENV)/.tools ## install, run all tests, up to four at once (ARGS="-k name", ARGS="-n 0" for one after the other)
	$(KEPT) $(RUN) -m $(TESTS) $(ARGS)

coverage: $(VENV)/.dev $(VENV)/.tools ## run all tests and print how much of the product they cover, branches included
	$(KEPT) $(RUN) -m coverage run -m $(TESTS)
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

check: $(VENV)/.dev ## lint, formatting, types, import directions, changelog
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m scripts.changelog

fix: $(VENV)/.dev ## apply the fixes of the linter and the formatter
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

docs: $(VENV)/.dev ## write the generated tables into docs/
	$(RUN) -m scripts.tables

bench: $(VENV)/.dev ## measure this machine: rates, latencies and the ratio to the in-process ceiling (ARGS="--quick")
	$(RUN) -m benchmarks.serving $(ARGS)

bench-explain: $(VENV)/.dev ## measure explanations: whether they point at the object, and what they cost (ARGS="--quick")
	$(RUN) -m benchmarks.explain_quality $(ARGS)
	$(RUN) -m benchmarks.explain_speed $(ARGS)
	$(RUN) -m benchmarks.explain_lanes $(ARGS)

failures: $(VENV)/.dev ## run the failures that the server claims to survive (ARGS="--peers litserve,mosec,azureml")
	$(RUN) -m benchmarks.failures $(ARGS)

image: ## build the container image (DEVICE=cpu or cuda)
	docker build --build-arg DEVICE=$(or $(DEVICE),cpu) $(if $(BASE),--build-arg BASE=$(BASE)) --tag sightglass:$(or $(DEVICE),cpu) .

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Stamp files: make installs again only when one of the files they depend on is newer
$(VENV)/.serve: pyproject.toml constraints.txt scripts/install
	PYTHON=$(PYTHON) scripts/install $(VENV) openvino
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt scripts/install
	PYTHON=$(PYTHON) scripts/install $(VENV) dev
	@touch $@ $(VENV)/.serve

# Without these tools some tests are skipped, and the next run tries to install them again
$(VENV)/.tools: scripts/test_tools | $(VENV)/.dev
	@scripts/test_tools && touch $@ || true

.PHONY: serve test coverage check fix docs bench bench-explain failures image help
