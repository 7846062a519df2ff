"""Everything, from nothing to the site, as a graph of jobs; `make book` runs it, `make plan` says what it would do.

A job calls `traunet`, which finds its result or makes it. What is stale is decided by keys: hashes of the settings,
the data, and the library's source (traunet/workspace.py). Marks in done/ are all that Snakemake itself looks after.
"""

import os
import sys
from pathlib import Path

from traunet import chapters, publish
from traunet.config import FOLDS, VARIANTS
from traunet.provenance import code_hash, file_sha256
from traunet.workspace import Workspace

WORKSPACE = Workspace.of(config.get("profile", "demo"), config.get("disfa"), config.get("weights"))
os.environ.update(WORKSPACE.environment)  # so that every job and notebook finds the same workspace
KEYS = WORKSPACE.keys
FOLDER = Path(os.path.relpath(WORKSPACE.folder))
DONE, LOGS = FOLDER / "done", FOLDER / "logs"
NOTEBOOKS = publish.notebooks()
PAGES = [str(path) for path in Path("book").rglob("*") if path.is_file() and path.suffix != ".pyc"]
LOCK = file_sha256(Path("requirements.lock"))
# On DISFA a training fills a GPU or a machine. The small profiles train one network per core, and all its folds in
# one process, since starting torch and Lightning takes as long as an epoch.
LARGE = WORKSPACE.profile.name == "paper"
TRAINING_CORES = workflow.cores if LARGE else 1
FOLD_GROUPS = [str(fold) for fold in FOLDS] if LARGE else ["".join(map(str, FOLDS))]


def job(command, mark=True):
    """The shell command of a job: its log in a file; on the terminal the last line, or more if it failed."""
    finish = "--done {output}" if mark else ""
    call = f'"{sys.executable}" -m traunet {command} --profile {WORKSPACE.profile.name} {finish}'
    return f"if {call} > {{log}} 2>&1; then tail -n 1 {{log}}; else tail -n 40 {{log}}; exit 1; fi"


wildcard_constraints:
    variant="|".join(VARIANTS),
    folds=r"\d+",


# Every mark is asked for, not the site alone: Snakemake would not miss one that the site no longer needs, and it
# removes the mark of a job that it stops.
rule all:
    input:
        [] if WORKSPACE.disfa else DONE / "tree",
        DONE / "store",
        DONE / "trunk",
        expand(DONE / "train-{variant}-{folds}", variant=VARIANTS, folds=FOLD_GROUPS),
        DONE / "results",
        DONE / "site",


rule site:
    input:
        DONE / "results",
        expand(FOLDER / "notebooks" / "{name}.ipynb", name=NOTEBOOKS),
        ["_config.yml", "_toc.yml", *PAGES],
    output:
        DONE / "site",
    log:
        LOGS / "site.log",
    params:
        key=[code_hash(["traunet.publish"]), LOCK],
    shell:
        job("site")


rule synth:
    output:
        DONE / "tree",
    log:
        LOGS / "synth.log",
    params:
        key=KEYS["tree"],
    threads: workflow.cores
    shell:
        job("synth")


rule prepare:
    input:
        [] if WORKSPACE.disfa else DONE / "tree",
    output:
        DONE / "store",
    log:
        LOGS / "prepare.log",
    params:
        key=KEYS["store"],
    threads: workflow.cores
    shell:
        job("prepare")


rule pretrain:
    output:
        DONE / "trunk",
    log:
        LOGS / "pretrain.log",
    params:
        key=KEYS["trunk"],
    threads: workflow.cores
    shell:
        job("pretrain --threads {threads}")


rule train:
    input:
        DONE / "store",
        DONE / "trunk",
    output:
        DONE / "train-{variant}-{folds}",
    log:
        LOGS / "train-{variant}-{folds}.log",
    params:
        key=KEYS["runs"],
        split=lambda wildcards: list(wildcards.folds),
    threads: TRAINING_CORES
    shell:
        job("train --variant {wildcards.variant} --fold {params.split} --threads {threads}")


rule tables:
    input:
        expand(DONE / "train-{variant}-{folds}", variant=VARIANTS, folds=FOLD_GROUPS),
    output:
        DONE / "results",
    log:
        LOGS / "tables.log",
    params:
        key=KEYS["results"],
    shell:
        job("tables")


rule notebook:
    input:
        DONE / "results",
        source="notebooks/{name}.ipynb",
    output:
        FOLDER / "notebooks" / "{name}.ipynb",
    log:
        LOGS / "notebook-{name}.log",
    params:
        key=lambda wildcards: [chapters.library_hash(Path(f"notebooks/{wildcards.name}.ipynb")), LOCK],
    shell:
        job("notebook {wildcards.name}", mark=False)
