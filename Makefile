# Every command that a person needs; `make` alone lists them.

DEVICE ?= cpu
VENV := $(if $(filter gpu,$(DEVICE)),.venv-gpu-pytorch,.venv)
# An environment keeps the Python that it was made with until PYTHON= names another.
PYTHON ?= $(shell $(VENV)/bin/python -c '' 2>/dev/null && echo $(VENV)/bin/python || echo python3)
RUN = PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python
LESSON_OPTION = $(if $(LESSON),--lesson "$(LESSON)")

# Which environment runs which notebooks in the tests: one for both halves, or one for each.
HALVES := $(if $(filter gpu,$(DEVICE)),.venv-gpu-pytorch:pytorch .venv-gpu-tensorflow:tensorflow,\
	.venv:pytorch:tensorflow)
NBVAL = --nbval-current-env --nbval-cell-timeout=120 -p paired.authors.validation -n 2 --dist loadfile

# These read the records that the notebooks leave when they are validated.
PARITY = tests/test_parity.py tests/test_planted_mistakes.py

.DEFAULT_GOAL := help
.PHONY: help env lab test doctor update lock outputs exercises sync lint format new-lesson bench \
	pictures chromium clean

help: ## list these commands
	@echo "The same network in PyTorch and in TensorFlow. Start with: make lab"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Options, for example make lab LESSON=04 PORT=9000:"
	@echo "  LESSON=04       one lesson instead of all      PORT=9000    where JupyterLab listens"
	@echo "  DEVICE=gpu      the environment for a GPU      PYTHON=...   the Python to use (3.11 to 3.13)"
	@echo "  TORCH_INDEX=... another place for torch's CPU build on Linux; see env/README.md"

env: ## make the environment in .venv, if it is not there (every other command does it too)
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here." \
		"Install Python 3.11 to 3.13 from python.org or your system, or name one: PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" env/install.py --device "$(DEVICE)" $(if $(TORCH_INDEX),--torch-index "$(TORCH_INDEX)")

lab: env ## open the course in JupyterLab; LESSON=04: that lesson, both halves side by side
	@$(RUN) -m paired.machine.lab $(LESSON_OPTION) $(if $(PORT),--port "$(PORT)")

test: env chromium ## prove everything: lint, tests, every stored output, every pair
	@began=$$(date +%s); \
	stage() { \
		printf '\n== %s\n' "$$1"; stage=$$1; stage_began=$$(date +%s); shift; \
		"$$@" || { printf '\nFailed at: %s. What is wrong is said above.\n' "$$stage" >&2; exit 1; }; \
		printf '   %s s\n' "$$(($$(date +%s) - stage_began))"; \
	}; \
	lint() { $(MAKE) --no-print-directory lint; }; \
	notebooks() { \
		flags=$$1; folders=$$2; \
		for half in $(HALVES); do \
			set --; \
			for framework in $$(echo "$${half#*:}" | tr : ' '); do \
				for folder in $$folders; do set -- "$$@" $$folder/*_$$framework.ipynb; done; \
			done; \
			$${half%%:*}/bin/python -m pytest $$flags $(NBVAL) "$$@" || return 1; \
		done; \
	}; \
	export PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; \
	stage "1 of 6: lint" lint; \
	stage "2 of 6: unit tests, and generated files are fresh" \
		python -m pytest tests -m "not browser" -n 3 --dist loadgroup $(addprefix --ignore=,$(PARITY)); \
	stage "3 of 6: every stored output of the lessons and solutions is what running gives" \
		notebooks "--nbval --nbval-sanitize-with env/nbval-sanitize.cfg" "notebooks solutions"; \
	stage "4 of 6: the exercises run as a student gets them" notebooks "--nbval-lax" "exercises"; \
	stage "5 of 6: both halves of every pair are the same network" \
		python -m pytest -n 2 $(PARITY); \
	stage "6 of 6: JupyterLab in a real browser" python -m pytest tests -m browser; \
	printf '\nEverything passed, in %s s.\n' "$$(($$(date +%s) - began))"

doctor: env ## what is installed, what each framework sees, and what to do about each problem
	@$(RUN) -m paired.machine.doctor $(if $(JSON),--json)

update: env ## bring the course up to date without touching your own work
	@$(RUN) -m paired.machine.update
	@$(MAKE) --no-print-directory env

outputs: env ## run the notebooks and store their outputs; LESSON=04: only that lesson
	@$(RUN) -m paired.authors.outputs $(LESSON_OPTION)

exercises: env ## write exercises/ from solutions/
	@$(RUN) -m paired.authors.exercises

sync: env ## copy shared cells to the other half
	@$(RUN) -m paired.authors.sync

lint: env ## check the code's style and the contract of every pair, in seconds
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --check --quiet . || { echo "Some files are not formatted: make format" >&2; exit 1; }
	@$(RUN) -m paired.authors.lint

format: env ## format the code, the notebooks' too, and mend what ruff can
	@$(RUN) -m ruff check --fix --quiet . || true
	@$(RUN) -m ruff format .

new-lesson: env ## start a pair: NUMBER=03 SLUG=backprop TITLE="Backpropagation by hand"
	@$(RUN) -m paired.authors.new_lesson "$(NUMBER)" "$(SLUG)" "$(TITLE)"

bench: env ## seconds for each notebook, and what validation costs
	@$(RUN) -m paired.authors.bench

pictures: env ## take the lessons' pictures of TensorBoard and Visdom again, in Chromium; LESSON=05
	@$(RUN) -m paired.authors.pictures $(LESSON_OPTION)

lock: ## resolve env/requirements.in into the locks; UPGRADE=1: to the newest versions
	@"$(PYTHON)" env/lock.py $(if $(UPGRADE),--upgrade)

# Only for CI, where the machine is thrown away: on a person's nothing outside the checkout is touched.
chromium:
	@if [ "$$CI" = true ] && command -v apt-get >/dev/null && ! command -v chromium >/dev/null \
		&& ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then \
		if [ "$$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi; \
		if $$sudo true 2>/dev/null; then \
			mkdir -p .cache; echo "Installing Debian's chromium for the browser tests"; \
			{ $$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qy \
				--no-install-recommends chromium; } >.cache/chromium.log 2>&1 \
				|| echo "  that failed; see .cache/chromium.log" >&2; \
		fi; \
	fi

clean: ## remove everything that these commands made; your notebooks stay
	rm -rf .venv .venv-gpu-* .cache .jupyter .records .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
