"""What makes a stage stale: the packages that draw, decode and encode its pictures too, and no others."""

import ast
import sys

import pytest

from traunet import config, keys
from traunet.config import SMOKE
from traunet.records import provenance, sources
from traunet.records.provenance import NUMERIC_PACKAGES
from traunet.workspace import PROJECT

HARMLESS = {"filelock", "pandas", "pyarrow", "tqdm"}  # lock, hold and show; a store is known by its content
MODULES = {"cv2": "opencv-python-headless", "feat": "py-feat"}
# What the library takes of config.py beside its classes: no key holds it, and why none need.
KEYLESS = {
    "EXPRESSIONS": "the default of `SynthConfig.expressions`, and a tree is rendered with that field",
    "FOLDS": "in the names of the runs, which the results' key holds",
    "PAPER": "speaks in `misfit`'s advice, and the bench, which is no stage, measures it",
    "PROFILES": "chosen from by name; of the chosen one every field counts",
    "VARIANTS": "in the names of the runs; titles are shown by chapters, which note the file's text as well",
    "canonical_json": "makes what the keys hold",
    "named": "looks up, and says what there is",
}


@pytest.fixture
def installed(monkeypatch):
    """The stages' keys with one package in another version, or none."""
    versions = provenance.versions

    def keys_with(other: str = "") -> dict[str, str]:
        sources.packages.cache_clear()
        monkeypatch.setattr(
            provenance, "versions", lambda wanted: versions(wanted) | dict.fromkeys({other} & {*wanted}, "99")
        )
        return keys.stage_keys(SMOKE, None, None, 1)

    yield keys_with
    sources.packages.cache_clear()


@pytest.mark.parametrize(
    ("package", "stale"),
    [
        ("numpy", {"tree", "store", "trunk", "runs", "results"}),
        ("numba", {"tree", "store", "trunk", "runs", "results"}),
        ("py-feat", {"tree", "store", "trunk", "runs", "results"}),
        ("simplejpeg", {"store", "trunk", "runs", "results"}),
        ("pandas", {"results"}),
        ("jupyterlab", set()),
    ],
)
def test_a_package_makes_stale_what_it_can_move(installed, package, stale):
    before, after = installed(), installed(package)
    assert {stage for stage in before if before[stage] != after[stage]} == stale


@pytest.mark.parametrize(
    ("modules", "also"), [(list(keys.WRITING_TREES), keys.DRAWN_WITH), (list(keys.PREPARING), keys.ALIGNED_WITH)]
)
def test_every_package_that_such_a_stage_loads_is_named(modules, also):
    loaded = set()
    for path in provenance._closure(modules).values():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            loaded |= {name.partition(".")[0] for name in names}
    others = {MODULES.get(name, name) for name in loaded - set(sys.stdlib_module_names) - {"traunet"}}
    assert others - HARMLESS <= {*NUMERIC_PACKAGES, *also}


def test_what_the_library_takes_of_the_settings_is_in_the_keys_or_known_to_need_none():
    taken, whole = set(), set()
    for path in (PROJECT / "traunet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)}
            if isinstance(node, ast.ImportFrom) and node.module == "traunet.config":
                taken |= names
            elif "traunet.config" in names or (getattr(node, "module", "") == "traunet" and "config" in names):
                whole.add(path.name)
    assert whole == set()  # of the whole module anything could be taken
    assert {name for name in taken if not isinstance(getattr(config, name), type)} == set(KEYLESS)
