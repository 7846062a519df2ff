"""No code runs from data, names in files lead nowhere else, and no release known to be malicious can come in."""

import ast
import json
import os
import pickle
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest
import scipy.io
import torch
import yaml
from mishaps import call, change, copy
from nbformat.v4 import new_code_cell
from packaging.requirements import Requirement
from packaging.version import Version
from projects import chapter, executed, figure_cell, workspace, write_executed, write_project
from spoilt import spoilt_runs

from traunet.book import chapters, publish
from traunet.book.chapters import ChapterError
from traunet.data.annotations import read_landmarks
from traunet.data.store import AlignedStore
from traunet.doctor import pins
from traunet.records.provenance import file_sha256
from traunet.workflow import marks
from traunet.workspace import PROJECT

third_party_noise = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
SOURCES = [*sorted((PROJECT / "traunet").rglob("*.py")), *sorted((PROJECT / "book" / "_ext").glob("*.py"))]
# Calls that run, or can run, what stands in a file; and the keyword that takes the danger away, where one does.
DANGEROUS = {
    **dict.fromkeys(("eval", "exec", "__import__", "os.system", "os.popen", "runpy.run_path"), None),
    **dict.fromkeys(("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open"), None),
    **dict.fromkeys(
        ("joblib.load", "pd.read_pickle", "pandas.read_pickle", "dill.load", "cloudpickle.load"), None
    ),
    **dict.fromkeys(("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all"), None),
    **dict.fromkeys(("torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"), None),
    **dict.fromkeys(("shutil.unpack_archive", "tarfile.open"), None),
    "torch.load": ("weights_only", True),
    "load_from_checkpoint": ("weights_only", True),
}
# Where one stands all the same, and why it may.
EXCUSED = {"traunet/fitting/loop.py": ["pickle.loads"]}  # what the process that started this one hands over


def calls(source: str) -> list[tuple[str, ast.Call]]:
    """Every call of a source, by the dotted name that is called."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in found]


def dangers(source: str) -> list[str]:
    """What in a source could run code from data."""
    found = []
    for name, node in calls(source):
        given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
        known = next(
            (key for key in DANGEROUS if name == key or ("." not in key and name.endswith(f".{key}"))), None
        )
        if known in ("eval", "exec") and name != known:
            known = None  # net.eval() is torch's
        remedy = DANGEROUS[known] if known else None
        if known and (remedy is None or given.get(remedy[0]) is not remedy[1]):
            found.append(name)
        if given.get("allow_pickle") or given.get("shell"):
            found.append(f"{name}, allow_pickle or shell")
        if name.endswith(".fit") and "ckpt_path" in given and given.get("weights_only") is not True:
            found.append(f"{name}, ckpt_path")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_module_of_ours_runs_code_from_a_file(path):
    assert dangers(path.read_text(encoding="utf-8")) == EXCUSED.get(str(path.relative_to(PROJECT)), [])


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "eval(text)",
        "pickle.load(file)",
        "yaml.load(text, Loader)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "Adapter.load_from_checkpoint(path)",
        "trainer.fit(net, ckpt_path=path)",
    ],
)
def test_the_search_finds_what_it_looks_for(source):
    assert dangers(source)


def test_the_search_lets_pass_what_is_harmless():
    assert dangers("net.eval(); torch.load(p, weights_only=True); yaml.safe_load(t); np.load(p)") == []


class Malice:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_that_would_run_a_program_does_not(tmp_path):
    run = copy("run", tmp_path)
    torch.save({"weight": Malice(tmp_path / "ran")}, run / "checkpoint.pt")
    spoilt_runs.signed(run, "checkpoint.pt")
    assert "checkpoint.pt" in spoilt_runs.predicted(tmp_path).said()
    assert not (tmp_path / "ran").exists()


def test_landmarks_in_a_pickle_or_an_array_of_objects_run_nothing(tmp_path):
    for number, content in enumerate(
        (Malice(tmp_path / "ran"), np.array([Malice(tmp_path / "ran")], dtype=object))
    ):
        inner = tmp_path / f"landmarks{number}" / "SN001" / "tmp_frame_lm"
        inner.mkdir(parents=True)
        (inner / "SN001_0000_lm.mat").write_bytes(pickle.dumps(content))
        scipy.io.savemat(inner / "SN001_0001_lm.mat", {"pts": np.array([["a", {"b": 1}]], dtype=object)})
        _, reason, notes = read_landmarks(inner.parent.parent, "SN001", 2, 1)
        assert list(reason) == ["damaged landmarks"] * 2
        assert len(notes) == 1
    assert not (tmp_path / "ran").exists()


def test_landmarks_of_a_store_that_are_a_pickle_are_refused(tmp_path):
    store = copy("store", tmp_path)
    np.save(store / "landmarks.npy", np.array([Malice(tmp_path / "ran"), "x" * 10**6], dtype=object))
    manifest = json.loads((store / "manifest.json").read_text())
    change(
        store / "manifest.json",
        bytes={**manifest["bytes"], "landmarks.npy": (store / "landmarks.npy").stat().st_size},
        sha256={**manifest["sha256"], "landmarks.npy": file_sha256(store / "landmarks.npy")},
    )
    with pytest.raises(ValueError, match=r"allow_pickle|Python objects"):
        AlignedStore.open(store).landmarks(0)
    assert not (tmp_path / "ran").exists()


def test_arrow_is_of_a_version_that_no_longer_unpickles_what_a_table_brings():
    assert Version(pins(PROJECT / "requirements.lock")["pyarrow"]) >= Version("14.0.1")  # CVE-2023-47248


def test_marks_that_are_none_do_not_hold_whatever_they_name(tmp_path):
    work = workspace(tmp_path)
    done, key = work.folder / "done", work.keys["store"]
    (work.folder / "store").mkdir(parents=True)
    marks.write(done / "good", work, "store", [work.folder / "store"])
    for number, made in enumerate((["/etc"], {"/etc": ""}, {"/etc": "another"}, {"/nowhere": ""}, "/etc", None)):
        (done / f"bad{number}").write_text(json.dumps({"stage": "store", "key": key, "made": made}))
    for number, text in enumerate(('["a list"]', "\0", "null")):
        (done / f"worse{number}").write_text(text)
    assert len(marks.stale(work)) == 9
    assert done / "good" not in marks.stale(work)


@pytest.mark.parametrize("part", ["smoke", "smoke/store"])
def test_a_part_of_the_build_folder_may_lie_elsewhere_behind_a_link(tmp_path, part):
    work, scratch = workspace(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    link = work.root / part
    link.parent.mkdir(parents=True)
    link.symlink_to(scratch)
    (work.folder / "store").mkdir(exist_ok=True)
    marks.write(work.folder / "done" / "store", work, "store", [work.folder / "store"])
    assert marks.stale(work) == {}


def test_a_manifest_that_names_a_place_elsewhere_is_read_as_damaged(tmp_path):
    store = copy("store", tmp_path)
    (tmp_path / "secret").write_bytes(b"secret")
    change(store / "manifest.json", bytes={"../secret": 6})
    with pytest.raises(ValueError, match="the store is damaged"):
        AlignedStore.open(store)


@pytest.mark.parametrize("name", ["_toc.yml", "_config.yml"])
def test_yaml_that_would_make_an_object_makes_none(tmp_path, name):
    project, staged = write_project(tmp_path / "project"), tmp_path / "staged"
    with (project / name).open("a") as settings:
        settings.write(f'other: !!python/object/apply:os.mkdir ["{tmp_path / "ran"}"]\n')
    done = workspace(tmp_path)
    write_executed(done, project / "notebooks" / "01_data.ipynb")
    assert f"{name}: not plain YAML" in call(publish.stage, done, done.results(), staged, project).said()
    assert not (tmp_path / "ran").exists()


def written(path: Path, *cells: nbformat.NotebookNode, **metadata: object) -> Path:
    notebook = chapter(*cells)
    notebook.metadata.update(metadata)
    nbformat.write(notebook, path)
    return path


@third_party_noise
def test_a_notebook_runs_in_this_python_whatever_kernel_of_that_name_is_installed(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = {"argv": ["touch", str(tmp_path / "ran")], "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(command))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    source = written(tmp_path / "01_data.ipynb", new_code_cell("import sys; print(sys.executable)"))
    done = chapters.read(chapters.execute(source, tmp_path / "out" / "01_data.ipynb", {}, {}))
    assert done.cells[-1].outputs[0].text.strip() == sys.executable
    assert not (tmp_path / "ran").exists()
    assert os.environ["JUPYTER_PATH"] == str(tmp_path / "jupyter")


@pytest.mark.parametrize("kernel", [{"name": "bash"}, {"name": "python3", "language": "R"}, {"name": "../evil"}])
def test_a_notebook_may_not_choose_the_program_that_runs_it(tmp_path, kernel):
    source = written(tmp_path / "01_data.ipynb", new_code_cell("1"), kernelspec={"display_name": "K", **kernel})
    with pytest.raises(ChapterError, match="asks for a kernel with"):
        chapters.execute(source, tmp_path / "out" / "01_data.ipynb", {}, {})
    assert not (tmp_path / "out").exists()


@third_party_noise
def test_an_executed_notebook_keeps_neither_places_nor_orders_for_other_programs(tmp_path):
    orders = {"mystnb": {"execution_mode": "force"}, "jupytext": {"formats": "py"}, "papermill": {"x": 1}}
    source = written(tmp_path / "01_data.ipynb", new_code_cell("1"), **orders)
    done = chapters.read(chapters.execute(source, tmp_path / "out" / "01_data.ipynb", {}, {"key": "k"}))
    assert set(done.metadata) == {"kernelspec", "language_info", "traunet"}
    assert str(tmp_path) not in nbformat.writes(done)


def test_a_staged_notebook_cannot_have_the_site_run_it(tmp_path):
    source = chapter(figure_cell("1 + 1"))
    project, done = write_project(tmp_path / "project", notebook=source), workspace(tmp_path)
    (done.folder / "notebooks").mkdir(parents=True)
    ordered = executed(source)
    ordered.metadata["mystnb"] = {"execution_mode": "force"}
    nbformat.write(ordered, done.folder / "notebooks" / "01_data.ipynb")
    staged = publish.stage(done, done.results(), tmp_path / "staged", project)
    assert "mystnb" not in chapters.read(staged / "notebooks" / "01_data.ipynb").metadata
    assert yaml.safe_load((staged / "_config.yml").read_text())["execute"] == {"execute_notebooks": "off"}


# The releases of lightning that carried a thief of credentials (GHSA-w37p-236h-pfx3); pytorch-lightning is it
# under its other name.
MALICIOUS = {"lightning": ("2.6.2", "2.6.3"), "pytorch-lightning": ("2.6.2", "2.6.3")}


def requirements(path: Path) -> list[Requirement]:
    lines = [line.split(" #")[0].split(" --hash")[0].rstrip("\\ ") for line in path.read_text().splitlines()]
    return [Requirement(line) for line in lines if re.match(r"[A-Za-z0-9]", line)]


@pytest.mark.parametrize("file", ["requirements.in", "requirements.lock"])
@pytest.mark.parametrize("package", MALICIOUS)
def test_no_release_known_to_be_malicious_can_be_resolved(file, package):
    asked = [required for required in requirements(PROJECT / file) if required.name == package]
    assert asked
    assert not [
        v for v in MALICIOUS[package] for required in asked if required.specifier.contains(v, prereleases=True)
    ]


def test_every_way_of_installing_goes_through_the_same_two_files():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["dependencies"]
    assert project["tool"]["setuptools"]["dynamic"] == {"dependencies": {"file": ["requirements.in"]}}
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    names = [re.split(r"[=<>]", item)[0] for item in environment["dependencies"] if isinstance(item, str)]
    assert set(names) == {"python", "pip", "make", "git"}
