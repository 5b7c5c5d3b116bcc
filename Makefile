# make demo    the main job on the embedded default, ending with the report's path
# make test    the tests
# make check   format, lint, types, import contracts
# make bench   every benchmark; tables land in benchmarks/ (not the experiments that train for hours: see their heads)
#
# Each makes .venv first when it is missing, and only then.

PYTHON ?= python3
BIN := .venv/bin
EXPERIMENTS := benchmarks/matrix_ablation.py benchmarks/matrix_from_scratch.py

.PHONY: demo test check bench venv

demo: venv
	$(BIN)/interplay demo --out runs/demo

# Every worker computes on one thread, and a file stays with one worker, since what it sets up is made once. Files come
# in the order of the folders: by the number of their tests, those of few and slow ones are last, and workers stand idle.
test: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: venv
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: venv
	@set -e; for script in $(filter-out $(EXPERIMENTS),$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python "$$script" --out "$${script%.py}.md"; \
	done

venv: $(BIN)/interplay

# pip puts the command in place last, so a set-up that was interrupted does not count as one.
$(BIN)/interplay:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Interplay needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
