# Every command that a person needs; `make` alone lists them.

DEVICE ?= cpu
VENV := $(if $(filter gpu,$(DEVICE)),.venv-gpu-pytorch,.venv)
# An environment keeps the Python that it was made with until PYTHON= names another.
PYTHON ?= $(shell $(VENV)/bin/python -c '' 2>/dev/null && echo $(VENV)/bin/python || echo python3)
RUN = PATH="$$PWD/$(VENV)/bin:$$PATH" $(VENV)/bin/python
LESSON_OPTION = $(if $(LESSON),--lesson "$(LESSON)")

# What a person has set for other work: modules that hide ours, another kernel, another backend.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP JUPYTER_PATH MPLBACKEND

.DEFAULT_GOAL := help
.PHONY: help env lab test doctor update lock outputs exercises summary sync lint format new-lesson bench \
	pictures measure site programs clean grade handout bundle hub

help: ## list these commands
	@echo "The same network in PyTorch and in TensorFlow. Start with: make lab"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Options, for example make lab LESSON=04 PORT=9000:"
	@echo "  LESSON=04       one lesson instead of all      PORT=9000    where JupyterLab listens"
	@echo "  DEVICE=gpu      the environment for a GPU      PYTHON=...   the Python to use (3.11 to 3.13)"
	@echo "  EXTRAS=NAME     what a lesson needs besides; make lab LESSON=11 to 13 adds it by itself"
	@echo "  BUNDLE=folder   install from what make bundle wrote, without a network"
	@echo "  TORCH_INDEX=... another place for torch's CPU build on Linux; see env/README.md"

env: ## make the environment in .venv, if it is not there (every other command does it too)
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here." \
		"Install Python 3.11 to 3.13 from python.org or your system, or name one: PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" env/install.py --device "$(DEVICE)" $(if $(TORCH_INDEX),--torch-index "$(TORCH_INDEX)") \
		$(if $(EXTRAS),--extras "$(EXTRAS)") $(if $(BUNDLE),--bundle "$(BUNDLE)") $(NEEDS)

lab: NEEDS = $(LESSON_OPTION)
lab: env ## open the course in JupyterLab; LESSON=04: that lesson, both halves side by side
	@$(RUN) -m paired.machine.lab $(LESSON_OPTION) $(if $(PORT),--port "$(PORT)")

test: env programs ## prove everything: lint, every stored output, every pair, tests; LESSON=04: that lesson
	@$(RUN) -m paired.authors.prove $(LESSON_OPTION)

doctor: env ## what is installed, what each framework sees, and what to do about each problem
	@$(RUN) -m paired.machine.doctor $(if $(JSON),--json)

update: env ## bring the course up to date without touching your own work
	@$(RUN) -m paired.machine.update
	@$(MAKE) --no-print-directory env

grade: env ## how far you are in each exercise; SUBMISSIONS=folder: judge what a class has handed in
	@$(RUN) -m paired.grading $(if $(SUBMISSIONS),"$(SUBMISSIONS)")

handout: env ## write the course without its solutions to handout.zip; HANDOUT=folder: there
	@$(RUN) -m paired.machine.handout "$(or $(HANDOUT),handout.zip)"

hub: override EXTRAS := $(EXTRAS),hub
hub: env ## a class on this machine, in JupyterHub; HOST=0.0.0.0: for the room, STUDENTS=file: only they
	@$(RUN) -m paired.machine.hub $(if $(filter command,$(firstword $(origin HOST))),--host "$(HOST)") \
		$(if $(PORT),--port "$(PORT)") $(if $(STUDENTS),--students "$(STUDENTS)") \
		$(if $(SEATS),--seats "$(SEATS)") $(if $(WORD),--word "$(WORD)") $(if $(FORGET),--forget "$(FORGET)")

bundle: FOLDER := $(or $(BUNDLE),bundle)
bundle: override BUNDLE :=
bundle: env ## write all packages to bundle/, for a room without a network; BUNDLE=folder: there
	@$(RUN) env/bundle.py "$(FOLDER)" "$(EXTRAS)" $(if $(TORCH_INDEX),"$(TORCH_INDEX)")

outputs: env ## run the notebooks and store their outputs; LESSON=04: only that lesson
	@$(RUN) -m paired.authors.outputs $(LESSON_OPTION)

exercises: env ## write exercises/ from solutions/
	@$(RUN) -m paired.authors.exercises

summary: env ## write SUMMARY.md, all verdicts on one page, from CLAIMS.md and the lessons
	@$(RUN) -m paired.authors.summary

sync: env ## copy shared cells to the other half
	@$(RUN) -m paired.authors.sync

lint: env ## check the code's style and the contract of every pair, in seconds
	@$(RUN) -m paired.authors.lint

format: env ## format the code, the notebooks' too, and mend what ruff can
	@$(RUN) -m ruff check --fix --quiet . || true
	@$(RUN) -m ruff format .

new-lesson: env ## start a pair: NUMBER=03 SLUG=backprop TITLE="Backpropagation by hand"
	@$(RUN) -m paired.authors.new_lesson "$(NUMBER)" "$(SLUG)" "$(TITLE)"

bench: env ## what each lesson and each stage of the tests costs, in seconds; LESSON=04: that lesson
	@$(RUN) -m paired.authors.bench $(LESSON_OPTION)

pictures: env ## take the lessons' pictures of TensorBoard and Visdom again, in Chromium; LESSON=05
	@$(RUN) -m paired.authors.pictures $(LESSON_OPTION)

measure: env ## take the times again that lessons show, minutes of CPU on a quiet machine; LESSON=08
	@$(RUN) -m paired.authors.measure $(LESSON_OPTION)

site: override EXTRAS := $(EXTRAS),site
site: env ## the lessons as pages, both halves side by side, from what is stored: site/index.html
	@$(RUN) -m paired.authors.website

lock: ## resolve env/requirements.in into the locks; UPGRADE=1: to the newest versions
	@"$(PYTHON)" env/lock.py $(if $(UPGRADE),--upgrade)

# Only for CI, where the machine is thrown away: on a person's nothing outside the checkout is touched.
programs:
	@has() { command -v "$$1" >/dev/null; }; wanted=; \
	has chromium || has chromium-browser || has google-chrome || wanted=chromium; \
	has bwrap || wanted="$$wanted bubblewrap"; \
	has g++ || wanted="$$wanted g++"; \
	has R || wanted="$$wanted r-base-core r-cran-reticulate"; \
	if [ "$$CI" = true ] && [ "$$wanted" ] && has apt-get; then \
		if [ "$$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi; \
		if $$sudo true 2>/dev/null; then \
			mkdir -p .cache; echo "Installing what some tests run, of Debian: $$wanted"; \
			{ $$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qy \
				--no-install-recommends $$wanted; } >.cache/programs.log 2>&1 \
				|| echo "  that failed; see .cache/programs.log" >&2; \
		fi; \
	fi

clean: ## remove everything that these commands made; your notebooks stay
	rm -rf .venv .venv-gpu-* .cache .jupyter .records .pytest_cache .ruff_cache site
	find . -name __pycache__ -prune -exec rm -rf {} +
