"""Everything, from nothing to the site, as a graph of jobs; `make book` runs it, `make plan` says what it would do.

A job calls `traunet`, which finds its result or makes it. What is stale is decided by keys: hashes of the settings,
the data, and the library's source (traunet/keys.py). Marks in done/, and the executed notebooks, are all that
Snakemake itself looks after.
"""

import os
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote

from traunet.book import contents, freshness
from traunet.workflow import flow, plugins
from traunet.config import VARIANTS
from traunet.keys import published_hash
from traunet.records.sources import library_text
from traunet.workspace import Workspace

plugins.adapt()
# A job on another machine reads this file again. What it must know comes with `config`; its environment may differ.
for name in ("build", "disfa", "weights", "seeds"):
    if name in config:
        os.environ[f"TRAUNET_{name.upper()}"] = unquote(str(config[name] or ""))
WORKSPACE = Workspace.of(config.get("profile", "demo"))
# One core each, unless a job says otherwise: libraries that start a thread per core fight over them.
THREADED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADED, "1") | WORKSPACE.environment)  # so that jobs and notebooks find the same
KEYS = WORKSPACE.keys
FOLDER = Path(os.path.relpath(WORKSPACE.folder))
DONE, LOGS = FOLDER / "done", FOLDER / "logs"
NOTEBOOKS = contents.notebooks()
PAGES = [str(path) for path in Path("book").rglob("*") if path.is_file() and path.suffix != ".pyc"]
PAGES += [name for name in ("CITATION.cff", "LICENSE") if Path(name).is_file()]

# On a cluster every job asks for its own cores (the profile's set-threads); here all cores are shared.
CLUSTER = workflow.remote_exec or workflow.nodes is not None
CORES = 8 if CLUSTER else workflow.cores
GPUS = workflow.global_resources.get("gpu")  # here; on a cluster they are not counted
SHARE = max(1, (GPUS and GPUS.value) or 1)  # trainings at a time
FOLD_GROUPS = flow.fold_groups(WORKSPACE.profile.name, CLUSTER)
# A small training that does all folds works on one core, beside others; any other fills a GPU or a machine.
TRAINING_CORES = max(1, CORES // SHARE) if len(FOLD_GROUPS) > 1 else 1
# For the shell, and then for Snakemake, which fills in what stands in braces.
PYTHON = shlex.quote(sys.executable).replace("{", "{{").replace("}", "}}")


def job(command, mark=True, gpu=False):
    """The shell command of a job: its log in a file; on the terminal the last line, or more if it failed.

    Snakemake removes the log of an earlier attempt. A second name keeps it, however that attempt ended: `.before`.
    """
    finish = "--done {output:q}" if mark else ""
    own = f'{PYTHON} -m traunet.machines.gpus {{resources.gpu}}' if gpu and not CLUSTER else ""
    # A cluster's job that was given a GPU and cannot see it would otherwise take days on its cores.
    device = " --device $(test {resources.gpu} = 0 && echo auto || echo cuda)" if gpu and CLUSTER else ""
    call = f"{own} {PYTHON} -m traunet {command}{device} --profile {WORKSPACE.profile.name} {finish}"
    killed = (
        'test $code -ne 137 || echo "killed from outside, as a machine does that has no memory left; '
        'this job asked for {resources.mem_mb} MB" >> {log:q}'
    )
    keep = "mv -f {log:q}.last {log:q}.before 2> /dev/null || :; : > {log:q}; ln -f {log:q} {log:q}.last || :"
    failed = f"code=$?; {killed}; tail -n 40 {{log:q}}; exit 1"
    warned = "(grep -a '^traunet: warning' {log:q} || :) | head -n 20"  # of the data, above all
    return f"{keep}; if {call} >> {{log:q}} 2>&1; then {warned}; tail -n 1 {{log:q}}; else {failed}; fi"


def gigabytes(number):
    """Memory that doubles when a job is tried again; in MB."""
    return lambda wildcards, attempt: 1000 * number * 2 ** (attempt - 1)


TRAINED = DONE / "train-{variant}-{folds}"
# With SEEDS from other seeds too, of which the tables alone tell.
ALL_TRAINED = expand(TRAINED, variant=VARIANTS, folds=flow.trainings(FOLD_GROUPS, WORKSPACE.seeds))
# The marks of each stage, for the notebooks that read it.
MARKS = {name: [DONE / name] for name in ("tree", "store", "trunk", "results")}
MARKS["runs"] = expand(TRAINED, variant=VARIANTS, folds=FOLD_GROUPS)


def source(wildcards):
    return Path(f"notebooks/{wildcards.name}.ipynb")


def read_by(notebook):
    """The marks of the stages that a notebook reads; a DISFA that was given has none."""
    stages = [stage for stage in freshness.stages(WORKSPACE, Path(notebook)) if stage != "tree" or not WORKSPACE.disfa]
    return [mark for stage in stages for mark in MARKS[stage]]


wildcard_constraints:
    variant="|".join(VARIANTS),
    folds=r"\d+(-again\d+)?",


# Every mark is asked for, not the site alone: Snakemake would not miss one that the site no longer needs, and it
# removes the mark of a job that it stops.
rule all:
    input:
        [] if WORKSPACE.disfa else DONE / "tree",
        DONE / "store",
        DONE / "trunk",
        ALL_TRAINED,
        DONE / "results",
        DONE / "site",


rule site:
    input:
        DONE / "results",
        expand(FOLDER / "notebooks" / "{name}.ipynb", name=NOTEBOOKS),
        ["_config.yml", "_toc.yml", "CITATION.cff", *PAGES, *([os.path.relpath(WORKSPACE.bench)] if WORKSPACE.bench.is_file() else [])],
    output:
        DONE / "site",
    log:
        LOGS / "site.log",
    params:
        key=[library_text(), published_hash(), freshness.environment_hash()],
    resources:
        mem_mb=gigabytes(4),
        runtime=60,  # minutes
    shell:
        job("site")


rule synth:
    output:
        DONE / "tree",
    log:
        LOGS / "synth.log",
    params:
        key=KEYS["tree"],
    threads: CORES
    resources:
        mem_mb=gigabytes(16),
        runtime=480,  # minutes
    shell:
        job("synth --workers {threads}")


rule prepare:
    input:
        [] if WORKSPACE.disfa else DONE / "tree",
    output:
        DONE / "store",
    log:
        LOGS / "prepare.log",
    params:
        key=KEYS["store"],
    threads: CORES
    resources:
        mem_mb=gigabytes(16),
        runtime=480,  # minutes
    shell:
        job("prepare --workers {threads}")


rule pretrain:
    output:
        DONE / "trunk",
    log:
        LOGS / "pretrain.log",
    params:
        key=KEYS["trunk"],
    threads: CORES
    resources:
        mem_mb=gigabytes(8),
        runtime=480,  # minutes
        **({} if WORKSPACE.weights else {"gpu": 1}),
    shell:
        job("pretrain --threads {threads}", gpu=not WORKSPACE.weights)


rule train:
    input:
        DONE / "store",
        DONE / "trunk",
    output:
        TRAINED,
    log:
        LOGS / "train-{variant}-{folds}.log",
    params:
        key=KEYS["runs"],
        folds=lambda wildcards: flow.training_options(wildcards.folds),
    threads: TRAINING_CORES
    resources:
        mem_mb=gigabytes(24),
        runtime=1440,  # minutes
        gpu=1,
    shell:
        job("train --variant {wildcards.variant} {params.folds} --threads {threads}", gpu=True)


rule tables:
    input:
        ALL_TRAINED,
    output:
        DONE / "results",
    log:
        LOGS / "tables.log",
    params:
        key=KEYS["results"],
    resources:
        mem_mb=gigabytes(8),
        runtime=60,  # minutes
    shell:
        job("tables")


rule notebook:
    input:
        lambda wildcards: read_by(source(wildcards)),
        source="notebooks/{name}.ipynb",
    output:
        FOLDER / "notebooks" / "{name}.ipynb",
    log:
        LOGS / "notebook-{name}.log",
    params:
        key=lambda wildcards: freshness.made_from(WORKSPACE, source(wildcards)),
    priority: 1  # before the trainings: what stops the pages on the data is told in minutes, not days later
    resources:
        mem_mb=gigabytes(16),
        runtime=240,  # minutes
    shell:
        job("notebook {wildcards.name:q}", mark=False)
