"""What a chapter offers as a notebook: links that open what is there, commands that exist."""

import ast
import os
import re
import stat
import subprocess
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from extensions import extension
from projects import chapter, executed, figure_cell

from traunet import cli
from traunet.book import chapters, publish
from traunet.config import PROFILES
from traunet.workspace import PROJECT

launch = extension("launch")
ADDRESS, COMMIT = "https://github.com/someone/traunet", "0123abc"
NOTEBOOKS = [f"notebooks/{name}.ipynb" for name in publish.notebooks()]


def app(repository: str = "", version: str = "main") -> SimpleNamespace:
    return SimpleNamespace(config=SimpleNamespace(repository=repository, repository_version=version))


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_binder_and_colab_open_a_notebook_that_is_in_the_repository(path):
    links = launch.elsewhere(ADDRESS, COMMIT, path)
    binder, colab = urlsplit(links["Binder"]), urlsplit(links["Colab"])
    assert binder.path == f"/v2/gh/someone/traunet/{COMMIT}"
    opened = {parse_qs(binder.query)["labpath"][0], unquote(colab.path.partition(f"/blob/{COMMIT}/")[2])}
    assert opened == {path}
    listed = subprocess.run(["git", "ls-files", path], cwd=PROJECT, capture_output=True, text=True)
    assert (PROJECT / path).is_file()
    assert listed.returncode or listed.stdout.strip() == path  # without git, the file alone


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_what_they_open_is_a_notebook_whose_first_code_needs_no_library(path):
    notebook = chapters.read(PROJECT / path)
    first = chapters.code_cells(notebook)[0].source
    names: dict = {}
    exec(compile(ast.parse(first), path, "exec"), {}, names)
    assert names["profile"] in PROFILES


@pytest.mark.parametrize(
    "address", ["", "https://example.org/a/b", "https://github.com/someone", "github.com/a/b"]
)
def test_without_a_repository_on_github_there_is_neither_button(address):
    assert launch.elsewhere(address, "main", NOTEBOOKS[0]) == {}


def test_a_repository_is_named_in_one_setting_or_by_githubs_own_machines(monkeypatch):
    for name in ("GITHUB_REPOSITORY", "GITHUB_SHA"):
        monkeypatch.delenv(name, raising=False)
    assert launch.public(app()) == ("", "main")
    assert launch.public(app(ADDRESS + "/")) == (ADDRESS, "main")
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/traunet")
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    assert launch.public(app()) == (ADDRESS, COMMIT)


def test_the_setting_is_in_the_books_configuration():
    settings = yaml.safe_load((PROJECT / "_config.yml").read_text())["sphinx"]["config"]
    assert "repository" in settings


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("data", ["synthetic DISFA", "DISFA"])
def test_the_commands_are_ones_that_make_and_traunet_know(profile, data):
    lines = launch.commands(profile, data, "01_data").splitlines()
    make, traunet, lab = (line.split() for line in lines if not line.startswith("#"))
    targets = re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert {make[1], lab[1]} <= set(targets)
    given = cli.parser().parse_args(traunet[1:])
    assert (given.name, given.profile, bool(given.disfa)) == ("01_data", profile, data == "DISFA")
    assert f"PROFILE={profile}" in make
    assert ("DISFA=dir" in make, "WEIGHTS=file" in make) == (data == "DISFA", profile == "paper")


def test_the_profile_is_the_one_that_the_notebook_was_given():
    source = chapter(figure_cell("1 + 1"))
    done = executed(source)
    done.cells[2].source = '# Parameters\nprofile = "paper"\n'
    assert launch.profile_of(done) == "paper"


def test_a_notebook_as_written_is_its_source_again():
    source = chapter(figure_cell("1 + 1"))
    done = executed(source)
    done.cells[1].metadata["tags"].append("remove-cell")
    again = launch.as_written(done)
    assert [(cell.source, cell.metadata) for cell in again.cells] == [
        (cell.source, cell.metadata) for cell in source.cells
    ]


def test_the_first_cell_for_colab_fetches_this_commit_and_uses_files_that_are_there():
    said = launch.colab_cell(ADDRESS, COMMIT)
    assert f"git clone {ADDRESS} " in said
    assert COMMIT in said
    used = re.findall(r"/content/traunet/(\S+)", said)
    assert used
    assert all((PROJECT / path).is_file() for path in used)


def test_binder_leaves_the_packages_to_its_last_step_and_finds_a_python_that_they_are_for():
    folder = PROJECT / ".binder"
    asked = (folder / "requirements.txt").read_text().splitlines()
    assert [line for line in asked if not line.startswith("#")] == []
    assert "\nsh .ci/packages python\n" in (folder / "postBuild").read_text()
    conda = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    assert f"python={(folder / 'runtime.txt').read_text().strip().removeprefix('python-')}" in conda


def test_binders_last_step_is_a_program_without_mistakes_of_grammar():
    script = PROJECT / ".binder" / "postBuild"
    assert script.stat().st_mode & stat.S_IXUSR
    assert subprocess.run(["sh", "-n", script]).returncode == 0


def make(*words: str, **environment: str) -> subprocess.CompletedProcess:
    known = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    command = ["make", "--dry-run", *words]
    return subprocess.run(command, cwd=PROJECT, env=known | environment, capture_output=True, text=True)


@pytest.mark.parametrize("word", ["profile=smoke", "DISFA_DIR=/data", "Disfa=/data"])
def test_an_option_that_make_does_not_know_is_not_passed_over(word):
    done = make("book", "SEEDS=3", word)
    assert done.returncode
    assert f"there is no option {word.partition('=')[0]}; there are, in capitals, PROFILE DISFA" in done.stderr


def test_a_python_that_is_exported_is_not_ours():
    """Modules of clusters export one, and nothing of the lock is in it."""
    assert "\npython3 -m traunet" not in "\n" + make("plan", PYTHON="python3").stdout
    assert "\npython3 -m traunet" in "\n" + make("plan", "PYTHON=python3").stdout
