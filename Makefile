# Each target sets itself up first: .venv, made with PYTHON (make lab PYTHON=python3.12).
PYTHON ?= python3
ARGS ?=

venv := .venv
python := $(venv)/bin/python
learn := $(venv)/installed
tools := $(venv)/installed-test
# Workers of one thread each (see conftest.py): whole files, the longest first. At the end stand
# what was skipped, and why, and what took longest.
pytest = $(python) -m pytest -n auto --dist=loadfile --no-loadscope-reorder --durations=10 -rs
allow_root := $(if $(filter 0,$(shell id -u)),--allow-root)

# The C library keeps memory for the next step instead of handing it back to the system: training
# is a fifth to a quarter faster on Linux. Other systems do not read these.
export MALLOC_MMAP_THRESHOLD_ ?= 4294967296
export MALLOC_TRIM_THRESHOLD_ ?= 4294967296
# mnist_helpers sets this too, but a notebook may import torch before it: see there.
export GOMP_SPINCOUNT ?= 1000

another := Name another: make lab PYTHON=python3.13
no_python := There is no $(PYTHON) here, and this needs Python 3.11 or newer. $(another)
old_python := $(PYTHON) is older than Python 3.11, which this needs. $(another)

.PHONY: help lab test test-weekly train notebooks test-portable exercises wheels minutes site slides film seeds experiments claims bench ladder fork lint

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

lab: $(learn) ## Open JupyterLab at the first notebook
	@# A python3 kernel of the user's own would hide the one in .venv.
	env -u JUPYTER_PATH JUPYTER_PREFER_ENV_PATH=1 $(python) -m jupyterlab \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
		--ServerApp.ip=127.0.0.1 $(allow_root) $(ARGS)

test: lint ## Check the code and run every notebook and every test (ARGS="-n 0": one at a time)
	$(pytest) --nbval notebooks tests $(ARGS)

test-weekly: $(tools) ## Run what is too long for each push: notebooks in an emulated Colab, without extras, ...
	$(pytest) -m weekly tests $(ARGS)

train: $(learn) ## Train the network in the terminal (ARGS=--help shows the options)
	$(python) -m mnist_helpers train $(ARGS)

notebooks: $(tools) ## Execute all notebooks again and clean them, before a commit
	$(python) tools/notebooks.py $(ARGS)

test-portable: $(tools) ## Run the notebooks with other arithmetic: AVX2 only, then two threads
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(pytest) --nbval $(or $(ARGS),notebooks)
	OMP_NUM_THREADS=2 $(python) -m pytest --nbval $(or $(ARGS),notebooks)

exercises: $(learn) ## Write copies for a room, without the solutions and with them, also as zips
	$(python) tools/exercises.py $(ARGS)

wheels: $(learn) ## Gather all packages for an installation without the internet (ARGS=--cpu)
	$(python) tools/wheels.py $(ARGS)

minutes: $(tools) ## Compute each notebook's minutes, and write the schedules (ARGS=--measure runs all)
	$(python) tools/workshop.py $(ARGS)

site: $(tools) ## Build the site into site/, offline (ARGS=--pdf: the path as one PDF, too)
	$(python) tools/website.py $(ARGS)

slides: $(tools) ## Make the slides for docs/workshop.md: one HTML file a schedule, in slides/
	$(python) tools/slides.py $(ARGS)

film: $(tools) ## Film the explorer for the README
	$(python) tools/film.py $(ARGS)

seeds: $(learn) ## Measure the test accuracy of notebook 05's recipe over ten seeds
	$(python) tools/seeds.py $(ARGS)

experiments: $(tools) ## Run the experiments of a notebook of the lab: make experiments ARGS=08
	$(python) tools/experiments.py $(ARGS)

claims: $(tools) ## Write docs/claims.md from what the experiments measured
	$(python) tools/claims.py

bench: $(learn) ## Compare the plain lesson, notebook 13 and two other projects (ARGS="--device cuda")
	$(python) tools/bench.py $(ARGS)

ladder: $(tools) ## Measure how far the accuracy can go, ten seeds a rung (ARGS=--far: on a GPU, further)
	$(python) tools/ladder.py $(ARGS)

fork: $(learn) ## Put another repository's address everywhere: make fork URL=https://github.com/you/repo
	$(python) tools/fork.py $(URL)

lint: $(tools) ## Check code and notebooks with ruff
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) tools/form.py

$(learn): requirements.txt pyproject.toml
	@command -v '$(PYTHON)' > /dev/null || { echo '$(no_python)' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(old_python)")'
	@$(python) -m pip --version > /dev/null 2>&1 || '$(PYTHON)' -m venv --clear $(venv)
	@echo 'Installing into $(venv): a few minutes, and 6 GB on Linux. Later runs start at once.'
	$(python) -m pip install -r requirements.txt
	@touch $@

$(tools): $(learn)
	$(python) -m pip install -e '.[test,extras]'
	@touch $@
