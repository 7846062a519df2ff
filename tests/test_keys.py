"""What makes a stage stale: the packages that draw, decode and encode its pictures too, and no others."""

import ast
import sys

import pytest

from traunet import keys
from traunet.config import SMOKE
from traunet.records import provenance, sources
from traunet.records.provenance import NUMERIC_PACKAGES

HARMLESS = {"filelock", "pandas", "tqdm"}  # lock, hold and show; a store is known by its content
MODULES = {"cv2": "opencv-python-headless", "feat": "py-feat"}


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
    ("modules", "also"), [([keys.WRITING_TREES], keys.DRAWN_WITH), (list(keys.PREPARING), keys.ALIGNED_WITH)]
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
