"""The renderer's compiled functions are kept for the next process where that can be, and work where it cannot."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from traunet.synth import render

NORMALS = """
import numpy as np
import render
normals = render.vertex_normals(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))
print((10 * normals).astype(int).tolist())
"""


@pytest.fixture
def alone(tmp_path) -> Path:
    """A folder with the renderer's module, where the home folder is a file: nothing can be kept there."""
    shutil.copy(render.__file__, tmp_path)
    (tmp_path / "home").touch()
    return tmp_path


def normals(folder: Path) -> str:
    """What a new process says that has no other home than the one there."""
    home = {"HOME": str(folder / "home"), "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", NORMALS], env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_heads_are_rendered_where_neither_the_library_nor_a_home_can_be_written(alone):
    (alone / "__pycache__").touch()  # bars even root, who may write to a read-only folder
    assert normals(alone) == f"{[[5] * 3] * 3}\n"
    assert {path.name for path in alone.iterdir()} == {"render.py", "home", "__pycache__"}


def test_what_was_compiled_is_kept_beside_the_library_where_that_can_be_written(alone):
    normals(alone)
    kept = {path: path.stat().st_mtime_ns for path in (alone / "__pycache__").glob("render.vertex_normals-*")}
    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    normals(alone)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
