"""A change makes again exactly what hangs on it: each test makes one in a finished copy of the project."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from projects import call, chapter, write_checkout
from trees import write_tree

from traunet.config import FOLDS, VARIANTS

ALL_FOLDS = "".join(map(str, FOLDS))
TRAININGS = {f"train-{variant}-{ALL_FOLDS}" for variant in VARIANTS}
READING = (
    "from traunet.figures import scorefigures\n"
    "from traunet.workspace import Workspace\nWorkspace.of('smoke').results()"
)
AFTER_TRAINING = {"results", "01_data.ipynb", "site"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the project in which everything is made, from a data set and a weights file."""
    checkout = write_checkout(tmp_path_factory.mktemp("finished") / "project", chapter(new_code_cell(READING)))
    write_tree(checkout / "disfa", subjects=("SN001",), frames=2)
    (checkout / "weights.pt").write_bytes(b"weights")
    done = call(checkout, "-m", "traunet", "finish", ALL_FOLDS, *options(checkout))
    assert done.returncode == 0, done.stdout
    snakemake(checkout, "--touch", "--forceall")  # Snakemake notes down what every mark was made from
    return checkout


def options(checkout: Path) -> list[str]:
    return ["--profile", "smoke", "--disfa", str(checkout / "disfa"), "--weights", str(checkout / "weights.pt")]


def snakemake(checkout: Path, *how: str) -> str:
    given = [f"{name}={checkout / file}" for name, file in (("disfa", "disfa"), ("weights", "weights.pt"))]
    triggers = ["--rerun-triggers", "mtime", "params", "input", "--nolock", "--nocolor"]
    local = ["--profile", "profiles/local", "--workflow-profile", "none", "--resources", "gpu=0"]
    done = call(checkout, "-m", "snakemake", *local, *triggers, *how, "--config", "profile=smoke", *given)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def project(finished, tmp_path):
    """The finished copy, to be changed: as it was, with the same times, in the same place."""
    kept = tmp_path / "kept"
    shutil.copytree(finished, kept)
    yield finished
    shutil.rmtree(finished)
    kept.rename(finished)


def planned(checkout: Path) -> set[str]:
    """The marks and notebooks that would be made now."""
    lines = snakemake(checkout, "--dry-run").splitlines()
    outputs = [line.split(":", 1)[1] for line in lines if line.strip().startswith("output:")]
    return {Path(name.strip()).name for output in outputs for name in output.split(",")}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_another_wording_and_code_of_no_stage_build_the_site_alone_whose_pages_quote_the_library(project):
    for module in ("training", "figures/scorefigures", "config", "data/store"):
        file = project / "traunet" / f"{module}.py"
        file.write_text("# A thought.\n" + file.read_text().replace('"""', '"""Truly: ', 1))
    with (project / "traunet" / "doctor.py").open("a") as file:
        file.write("\nNEW = 1\n")
    assert planned(project) == {"site"}


def test_another_style_of_figures_executes_their_notebooks_and_trains_nothing(project):
    edit(
        project / "traunet" / "figures" / "style.py",
        "STYLE: dict[Any, Any] = {",
        'STYLE: dict[Any, Any] = {"axes.linewidth": 2} | {',
    )
    assert planned(project) == {"01_data.ipynb", "site"}


@pytest.mark.parametrize("file", ["data/published/table1.csv", "traunet/report.py"])
def test_other_published_tables_or_code_of_the_results_make_the_results_again_and_train_nothing(project, file):
    with (project / file).open("a") as changed:
        changed.write("\n" if file.endswith("csv") else "\nNEW = 1\n")
    assert planned(project) == AFTER_TRAINING


def test_a_notebook_that_reads_no_stage_is_not_executed_again_after_training(project):
    source = project / "notebooks" / "01_data.ipynb"
    nbformat.write(chapter(new_code_cell("from traunet import facs")), source)
    snakemake(project, "--touch", "--forceall")
    edit(project / "traunet" / "config.py", "learning_rate=0.02,", "learning_rate=0.03,")
    assert planned(project) == TRAININGS | {"results", "site"}


def test_a_change_in_the_figures_executes_their_notebooks_and_trains_nothing(project):
    with (project / "traunet" / "figures" / "scorefigures.py").open("a") as file:
        file.write("\nNEW = 1\n")
    assert planned(project) == {"01_data.ipynb", "site"}


def test_a_setting_of_training_trains_again_and_prepares_nothing(project):
    edit(project / "traunet" / "config.py", "learning_rate=0.02,", "learning_rate=0.03,")
    assert planned(project) == TRAININGS | AFTER_TRAINING


def test_a_touched_file_of_the_data_set_prepares_again_and_all_that_follows_but_the_trunk(project):
    file = next((project / "disfa").rglob("SN001_au1.txt"))
    os.utime(file, (1, 1))
    assert planned(project) == {"store"} | TRAININGS | AFTER_TRAINING


def test_other_weights_train_again_and_prepare_nothing(project):
    (project / "weights.pt").write_bytes(b"others!")
    assert planned(project) == {"trunk"} | TRAININGS | AFTER_TRAINING


def test_a_notebooks_text_executes_it_alone_and_builds_the_site(project):
    nbformat.write(chapter(new_code_cell("from traunet import facs")), project / "notebooks" / "01_data.ipynb")
    assert planned(project) == {"01_data.ipynb", "site"}


def test_a_page_of_prose_builds_the_site_alone(project):
    with (project / "book" / "intro.md").open("a") as page:
        page.write("\nMore.\n")
    assert planned(project) == {"site"}


def test_other_versions_of_the_packages_execute_the_notebooks_again(project):
    with (project / "requirements.lock").open("a") as lock:
        lock.write("another==1.0 --hash=sha256:0\n")
    assert planned(project) == {"01_data.ipynb", "site"}
