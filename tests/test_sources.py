"""What is kept of the sources' hashes is what they hash to now."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from traunet import runstore
from traunet.config import SMOKE
from traunet.records import provenance, sources
from traunet.records.sources import code_hash, library_text
from traunet.runstore import train_run
from traunet.workspace import PROJECT, Workspace


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library whose sources may be changed, and a build folder of its own."""
    folder = tmp_path / "copy" / "traunet"
    shutil.copytree(PROJECT / "traunet", folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "__file__", str(folder / "records" / "provenance.py"))
    monkeypatch.setenv("TRAUNET_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(sources, "_first_told", {})
    monkeypatch.setattr(sources, "_at_first", library_text())
    (tmp_path / "build").mkdir()
    return folder


def add(file, text):
    with file.open("a") as source:
        source.write(text)


def test_a_kept_hash_is_that_of_the_sources_whatever_was_edited_since(library):
    hashes = [code_hash("traunet.report")]
    for module, text in (
        ("report", "NEW = 1\n"),
        ("metrics", "NEW = 1\n"),
        ("report", "# New.\n"),
        ("book/site", "NEW = 1\n"),
    ):
        add(library / f"{module}.py", text)
        hashes.append(code_hash("traunet.report"))
        assert code_hash("traunet.report") == provenance.code_hash(["traunet.report"], ["traunet.config"])
    assert len(set(hashes[:3])) == 3
    assert hashes[2] == hashes[3] == hashes[4]


def test_sources_are_followed_once_and_not_again_until_one_is_edited(library, monkeypatch):
    first = code_hash("traunet.report")
    monkeypatch.setattr(provenance, "code_hash", lambda *_: "asked again")
    assert code_hash("traunet.report") == first
    assert code_hash("traunet.metrics") == "asked again"
    add(library / "metrics.py", "# A remark.\n")
    assert code_hash("traunet.report") == "asked again"


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("module", "text", "edited"),
    [
        ("synth/tree", "NEW = 1\n", True),
        ("synth/tree", "half typed(", True),
        ("synth/tree", None, True),
        ("synth/tree", "# A remark.\n", False),
        ("report", "NEW = 1\n", False),
    ],
)
def test_a_process_makes_nothing_of_code_that_was_edited_since_it_began(
    library, monkeypatch, module, text, edited, asked
):
    workspace = Workspace(SMOKE, library.parents[1] / "build")
    made: list[Path] = []
    monkeypatch.setattr(Workspace, "_synthesise", lambda self, out, workers: (made.append(out), out.mkdir()))
    if asked:
        assert workspace.keys
    else:  # what was loaded before the edit may be in use, and nobody knows what that hashed to
        workspace.__dict__["keys"] = {"tree": "key"}
        edited = True
    add(library / f"{module}.py", text) if text else (library / f"{module}.py").unlink()
    if edited:
        with pytest.raises(ValueError, match="edited since this process began; begin again, in a notebook by"):
            workspace.tree()
        assert not workspace.folder.joinpath("disfa").exists()
    else:
        workspace.tree()
    assert len(made) == (not edited)


FROM_THE_FIRST = """
import sys
from pathlib import Path
from traunet import facs
with Path(facs.__file__).open("a") as source:
    source.write(sys.argv[1])
from traunet.records.sources import code_hash, refuse_edited  # as a notebook does, cells later
code_hash("traunet.facs")
refuse_edited("traunet.facs")
"""


@pytest.mark.parametrize(("text", "refused"), [("NEW = 1\n", True), ("", False)])
def test_what_was_edited_between_the_first_import_of_the_library_and_a_later_one_is_found_out(
    library, text, refused
):
    environment = {**os.environ, "PYTHONPATH": str(library.parent)}
    command = [sys.executable, "-c", FROM_THE_FIRST, text]
    said = subprocess.run(command, env=environment, cwd=library.parent, capture_output=True, text=True).stderr
    assert ("ValueError: traunet: its code was edited since this process began" in said) == refused
    assert bool(said) == refused


def test_a_network_is_not_trained_when_the_code_was_edited_since_it_was_named(library, tmp_path, monkeypatch):
    runstore._training_code.cache_clear()
    monkeypatch.setattr("traunet.training.train", lambda *_, **__: pytest.fail("was trained"))
    (tmp_path / "trunk.pt").touch()
    store = SimpleNamespace(fingerprint="0")
    named = partial(train_run, store, tmp_path / "trunk.pt", SMOKE, "senet", 1, tmp_path)  # pyright: ignore
    with pytest.raises(pytest.fail.Exception, match="was trained"):
        named()
    add(library / "training.py", "NEW = 1\n")
    with pytest.raises(ValueError, match="edited since this process began"):
        named()
    runstore._training_code.cache_clear()


def test_no_build_folder_is_made_to_keep_a_hash(library):
    build = library.parents[1] / "build"
    build.rmdir()
    assert code_hash("traunet.metrics") == provenance.code_hash(["traunet.metrics"], ["traunet.config"])
    assert not build.exists()


def test_the_text_of_the_library_is_another_for_a_remark_a_new_module_and_one_that_is_gone(library):
    texts = [library_text()]
    add(library / "metrics.py", "# A remark.\n")
    texts.append(library_text())
    (library / "new.py").write_text("")
    texts.append(library_text())
    (library / "new.py").unlink()
    assert library_text() == texts[1]
    assert len(set(texts)) == 3


def test_what_an_editor_leaves_beside_a_module_is_none(library):
    before = library_text()
    (library / ".#report.py").symlink_to("somebody@somewhere.123:456")
    assert library_text() == before
