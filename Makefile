# `make run` and `make test` are the two commands; the rest is below.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= 10
DATA ?= data
PYTEST ?= $(BIN)/python -m pytest

SEEDS ?= 100
FOR ?= 300
.PHONY: run test test-long simulate chaos install check ci fix kafka bench lock clean wheel docs

run: $(VENV)/.run  ## everything embedded, with a demonstration fleet (DEMO=0 for none)
	$(BIN)/chargeledger up --data $(DATA) --demo $(DEMO)

test: install  ## every test that is not marked long
	$(PYTEST) -q -m "not long" -n 2 --dist loadfile

test-long: install  ## the full lengths
	$(PYTEST) -q --hypothesis-profile=full

simulate: install  ## a deployment that breaks, in SEEDS simulated runs
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

chaos: install  ## real processes, brokers and disks that break FOR seconds (SEED=N: as it was then)
	$(BIN)/python -m tests.chaos --seconds $(FOR) $(if $(SEED),--seed $(SEED))

install: $(VENV)/.dev $(VENV)/.npm  ## only install, with what tests and checks need

check: install  ## format, lint, types, import rules, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q -m "not long" -n 2 --dist loadfile

ci: install  ## what a build machine runs: check, with three minutes of seeds that nobody has fixed
	CHARGELEDGER_TEST_SIMULATE_S=180 $(MAKE) check

fix: install  ## mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

kafka: install  ## a Kafka broker on loopback, until Ctrl-C
	$(BIN)/python -m tests.kafka_broker

bench: install  ## the benchmarks; writes docs/performance.md's tables
	$(BIN)/python -m benchmarks

wheel: install  ## dist/chargeledger-*.whl
	rm -rf dist build
	$(BIN)/pip wheel --no-deps --no-build-isolation -w dist . -q

docs: install  ## the generated pages
	$(BIN)/chargeledger settings-page > docs/settings.md
	$(BIN)/chargeledger conformance-page > docs/conformance.md

# Needs uv; writes the hashes that plain pip (23.2 and later) checks.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q \
		requirements-build.in -o requirements-build.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q \
		pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header -q \
		pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ChargeLedger needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.build: requirements-build.lock | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-build.lock
	touch $@

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.build
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Stations written in JavaScript, for the tests; where there is no npm, those are skipped.
$(VENV)/.npm: tests/npm/package-lock.json | $(VENV)/bin/python
	if command -v npm > /dev/null; then cd tests/npm && npm ci --loglevel=error; fi
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis infra/kafka/target tests/npm/node_modules
