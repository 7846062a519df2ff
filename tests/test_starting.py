"""What lies where a user stands, perhaps a data set from elsewhere, is read as data and never run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from trees import write_tree

from traunet.machines.starting import SAFE_PATH, from_known_places
from traunet.workspace import PROJECT

CALL = "from traunet.cli import main\nif __name__ == '__main__':\n    raise SystemExit(main())\n"
# What the children of one command or another import: to read videos, to plan the book, to build the site.
EVIL = ("selectors", "pkgutil", "av", "cv2", "snakemake", "jupyter_book", "torch")


@pytest.fixture
def tree(tmp_path) -> Path:
    """A tree with modules in it that leave a mark where they are run."""
    root = write_tree(tmp_path / "tree", ["SN001"], frames=6)
    for name in EVIL:
        mark = tmp_path / f"{name} was run"
        (root / f"{name}.py").write_text(f"open({str(mark)!r}, 'w'); raise SystemExit('run')")
    return root


@pytest.mark.parametrize("as_module", [True, False])
@pytest.mark.parametrize(
    "command", ["doctor --disfa .", "prepare --out ../store --disfa .", "book --dry-run --profile smoke --disfa ."]
)
def test_modules_in_a_data_set_are_not_run(tree, tmp_path, command, as_module):
    script = tmp_path / "bin" / "traunet"  # as pip writes it
    script.parent.mkdir()
    script.write_text(CALL)
    start = ["-m", "traunet"] if as_module else [script]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TRAUNET_BUILD": str(tmp_path / "build")}
    done = subprocess.run(
        [sys.executable, *start, *command.split()],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert not list(tmp_path.glob("* was run"))
    assert "Traceback" not in done.stderr
    assert done.returncode == command.startswith("doctor"), done.stderr


def test_in_the_librarys_own_folder_what_it_starts_runs_what_lies_there(monkeypatch):
    monkeypatch.delenv(SAFE_PATH, raising=False)
    monkeypatch.chdir(PROJECT)
    with from_known_places():
        assert SAFE_PATH not in os.environ


def test_what_the_environment_said_holds_again_afterwards(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for before in ("", None):
        monkeypatch.setenv(SAFE_PATH, before) if before is not None else monkeypatch.delenv(SAFE_PATH)
        with from_known_places():
            assert os.environ[SAFE_PATH] == "1"
        assert os.environ.get(SAFE_PATH) == before
