"""One set of pinned versions, for pip and conda users alike, and nothing used that is not asked for."""

import ast
import csv
import importlib.metadata
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from traunet.doctor import pins
from traunet.workspace import PROJECT

LOCK = PROJECT / "requirements.lock"
OURS = {"traunet", *(path.stem for path in (PROJECT / "tests").glob("*.py"))}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted() -> list[str]:
    lines = (PROJECT / "requirements.in").read_text().splitlines()
    return [normal(re.split(r"[=<>]", line)[0]) for line in lines if line and not line.startswith("#")]


def imported(folder: str) -> set[str]:
    names = set()
    for path in Path(PROJECT, folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - OURS


def test_conda_users_get_the_pinned_packages_and_a_python_that_they_are_for():
    environment = yaml.safe_load((PROJECT / "environment.yml").read_text())
    python = next(item for item in environment["dependencies"] if str(item).startswith("python="))
    required = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert all(isinstance(item, str) for item in environment["dependencies"])  # pip's come from .ci/packages
    assert required == ">=" + python.removeprefix("python=")


def test_every_package_that_is_asked_for_is_pinned():
    assert set(wanted()) <= {normal(name) for name in pins(LOCK)}


def test_every_pinned_package_has_hashes_and_none_comes_from_an_address():
    blocks = re.split(r"\n(?=\w)", LOCK.read_text())
    assert all("--hash=sha256:" in block and "==" in block for block in blocks)
    assert "://" not in LOCK.read_text()


def test_pip_fetches_nothing_without_a_hash(tmp_path):
    """Nor to build what comes as source: in isolation it would take the newest tools for that."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$*"\nfor last; do :; done\ntest ! -f "$last" || sed "s/^/  /" "$last"\n')
    python.chmod(0o755)
    done = subprocess.run(["sh", PROJECT / ".ci" / "packages", python], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    calls = [line for line in done.stdout.splitlines() if not line.startswith((" ", "-I -c "))]
    assert all(call.startswith("-m pip install ") and "--no-build-isolation" in call for call in calls)
    *fetching, own = calls
    assert all("--require-hashes" in call for call in fetching)
    assert own.endswith("--no-deps --editable .")
    tools = done.stdout.partition(fetching[1])[0]
    assert re.findall(r"^  ([a-z]\S*)==", tools, re.MULTILINE) == ["packaging", "setuptools", "wheel"]
    assert tools.count("--hash=sha256:") >= 3
    assert fetching[1].endswith("--requirement requirements.lock")


def test_no_other_file_installs_packages():
    files = [PROJECT / ".ci" / "setup", PROJECT / "Makefile", *(PROJECT / ".binder").iterdir()]
    files.append(PROJECT / "book" / "_ext" / "launch.py")
    assert [file.name for file in files if re.search(r"pip3? (install|download)", file.read_text())] == []
    assert "sh .ci/packages .venv/bin/python" in files[0].read_text()


def test_no_package_overwrote_what_another_one_wrote():
    """Two of NVIDIA's did, each with a library of the same name for another CUDA."""
    owners = defaultdict(set)
    for record in Path(sysconfig.get_path("purelib")).glob("*.dist-info/RECORD"):
        for file, *_ in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            owners[file].add(record.parent.name)
    assert len(owners) > 10_000
    assert {file: names for file, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("folder", ["traunet", "tests"])
def test_nothing_is_imported_that_is_not_asked_for(folder):
    owners = importlib.metadata.packages_distributions()
    strangers = [
        name for name in imported(folder) if not {normal(o) for o in owners.get(name, [])} & set(wanted())
    ]
    assert strangers == []


def test_no_other_flavour_of_opencv_is_pinned():
    assert [name for name in pins(LOCK) if "opencv" in name] == ["opencv-python-headless"]


def test_the_packages_that_the_book_is_fixed_to_are_asked_for_by_name():
    fixed = {"jupyterlab", "jupyter-book", "papermill", "torch", "matplotlib", "seaborn", "pandas", "grad-cam"}
    assert fixed <= set(wanted())
