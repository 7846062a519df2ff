# make book [PROFILE=demo] [DISFA=dir] [WEIGHTS=file]   everything, from nothing to build/<profile>/site/html
#           [MACHINES=slurm|kubernetes|dir]             on a cluster (book/machines.md); dir: settings of your own
#           [SEEDS=3]                                   each network trained three times: how far chance moves the scores
# make plan [...]     what `make book` would do, and why
# make pdf [...]      the book as one file, build/<profile>/site/traunet.pdf (needs Chromium)
# make test           everything that proves it        make check    style, types, layers
# make lab            JupyterLab on notebooks/         make format   lay out the source
# make bench          speed and memory, measured here   (then `make book` shows them)
# make lock           pin requirements.in anew         make clean    remove build/
#
# The first of them sets up .venv (about 8 GB). To use an environment of your own, such as conda's, with the pinned
# packages in it: make book PYTHON=python

KNOWN := PROFILE DISFA WEIGHTS SEEDS MACHINES PYTHON SYSTEM_PYTHON NEWEST
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
unknown := $(filter-out $(KNOWN) MAKE%,$(given))
$(if $(unknown),$(error there is no option $(unknown); there are, in capitals, $(KNOWN)))
PROFILE ?= demo
DISFA ?=
WEIGHTS ?=
SEEDS ?=
MACHINES ?=
SYSTEM_PYTHON ?= python3
# As they were given: make would run what stands in $(shell ...), of the environment's too.
GIVEN := PROFILE DISFA WEIGHTS SEEDS MACHINES SYSTEM_PYTHON
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
export $(GIVEN)

# Of the command line alone: modules of clusters export a PYTHON that has nothing of ours.
ifeq ($(origin PYTHON),command line)
READY :=
else
PYTHON := .venv/bin/python
READY := .venv/ready
endif

# They come through the environment, whatever letters they have: pasted here, the shell would run what stands in them.
ON = $(if $(MACHINES),--machines "$$MACHINES")
OPTIONS = --profile "$$PROFILE" $(if $(DISFA),--disfa "$$DISFA") $(if $(WEIGHTS),--weights "$$WEIGHTS") \
    $(if $(SEEDS),--seeds "$$SEEDS")

# A path as it is seen from anywhere.
absolute = $$($(PYTHON) -c 'import os, sys; print(os.path.abspath(os.path.expanduser(sys.argv[1])))' "$$$(1)")

.PHONY: book pdf plan test bench check format lab lock clean

book: $(READY)
	@$(PYTHON) -m traunet book $(OPTIONS) $(ON)

pdf: book
	@$(PYTHON) -m traunet pdf $(OPTIONS)

plan: $(READY)
	@$(PYTHON) -m traunet book $(OPTIONS) $(ON) --dry-run

# As many tests at a time as there are cores: each on one of them, or their threads wait for each other.
test: $(READY)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto

bench: $(READY)
	@$(PYTHON) -m traunet bench

check: $(READY)
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m pyright --pythonpath "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

format: $(READY)
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lab: $(READY)
	$(if $(DISFA),TRAUNET_DISFA="$(call absolute,DISFA)") $(if $(WEIGHTS),TRAUNET_WEIGHTS="$(call absolute,WEIGHTS)") \
	    $(if $(SEEDS),TRAUNET_SEEDS="$$SEEDS") $(PYTHON) -m jupyter lab notebooks

clean:
	rm -rf build .snakemake

# --- setting up ------------------------------------------------------------------------------------------------------

.venv/ready: requirements.lock pyproject.toml .ci/setup .ci/packages
	@sh .ci/setup "$$SYSTEM_PYTHON"
	@touch $@

# The versions at hand stay unless requirements.in forbids them; `make lock NEWEST=1` takes the newest.
lock: $(READY)
	$(PYTHON) -m uv pip compile requirements.in --universal --python-version 3.11.0 --generate-hashes \
	    --python $(PYTHON) --no-build-isolation --no-header --no-annotate $(if $(value NEWEST),--upgrade) \
	    --output-file requirements.lock
