# One word each, the same on a laptop and in CI: make demo · make test · make lint · make bench
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test papers test-slow coverage stopping fuzz lint bench data clean

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; set PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[viewer,test]'
	@touch $@

demo: $(VENV)/ready  ## the bundled recording through source, daemon and viewer; without a display a picture and a summary
	@$(BIN)/streamer demo

test: $(VENV)/ready
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/ready
	$(BIN)/python -m pytest -m slow

coverage: $(VENV)/ready  ## docs/coverage.md: whether every printed interval holds the truth of 1000 simulated emitters
	$(BIN)/python -m tests.coverage --write

stopping: $(VENV)/bench  ## docs/stopping-promise.md: verdicts that stop a run, on 10 000 simulated dots, and beside SPARQ; an hour
	$(BIN)/python -m benchmarks.stopping --write
	$(BIN)/python -m benchmarks.stopping --program --write
	$(BIN)/python -m benchmarks.stopping_sparq --write
	$(BIN)/python -m benchmarks.stopping_certifier --write

papers: $(VENV)/ready  ## docs/papers.md: every number of the source papers, recovered from simulated emitters
	$(BIN)/python -m tests.papers --write

fuzz: $(VENV)/ready  ## 100 000 damaged recordings over all readers
	$(BIN)/python -m tests.sources.fuzz_run

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bench: $(VENV)/ready benchmarks/peers.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(PYTHON) -m venv $(VENV)-peers
	-$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

bench: $(VENV)/bench  ## speed beside the peers, as ratios of one run
	$(BIN)/python -m benchmarks

data: $(VENV)/ready  ## make replay_data/ anew
	$(BIN)/python -m replay_data.make

clean:
	rm -rf $(VENV) $(VENV)-peers benchmarks/.data demo build dist *.egg-info
