"""Notebooks show lines as vectors, photographs at twice the page's pixels, and nothing twice."""

import io
import re
from base64 import b64decode
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from traunet.book.chapters import execute
from traunet.figures import displaying, facefigures, scorefigures
from traunet.figures.style import drawn

FACES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
HISTORY = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "f1_held_out": [0.1, 0.2], "f1_test": np.nan})


def smooth(size: int) -> np.ndarray:
    """A picture like a photograph: no two neighbours far apart, no two the same."""
    slope = np.linspace(0, 200, size)
    noise = np.random.default_rng(1).integers(0, 40, (size, size, 3))
    return (slope[:, None, None] + noise).astype(np.uint8)


def test_a_figure_of_scores_is_shown_as_vectors_and_in_no_other_way():
    data, _ = displaying.shown(scorefigures.training_curves({"fold 1": HISTORY}))
    assert list(data) == ["image/svg+xml"]
    assert data["image/svg+xml"].startswith("<?xml")


def test_a_map_of_numbers_is_no_photograph_but_a_face_is():
    assert not displaying.holds_photographs(drawn(lambda: plt.figure())())
    heat, face = plt.figure(), facefigures.faces(FACES)
    heat.add_subplot().imshow(np.zeros((4, 4)))
    plt.close(heat)
    assert not displaying.holds_photographs(heat)
    assert displaying.holds_photographs(face)


@pytest.mark.parametrize(("size", "kind"), [(4, "image/png"), (300, "image/jpeg")])
def test_faces_have_two_pixels_for_each_of_the_page_and_take_the_smaller_kind(size, kind):
    data, metadata = displaying.shown(facefigures.faces([smooth(size)]))
    assert list(data) == [kind]
    width = Image.open(io.BytesIO(b64decode(data[kind]))).width
    assert metadata == {kind: {"width": width // 2}}


@pytest.mark.parametrize(("size", "kinds"), [(4, ["JPEG", "PNG"]), (300, ["JPEG"])])
def test_a_png_is_packed_well_only_where_it_can_be_the_smaller_kind(monkeypatch, size, kinds):
    encode, encoded = displaying._encoded, []
    monkeypatch.setattr(displaying, "_encoded", lambda *a, **b: encoded.append(a[1]) or encode(*a, **b))
    displaying.shown(facefigures.faces([smooth(size)]))
    assert encoded == kinds


def test_the_same_figure_is_the_same_file():
    first, again = (displaying.shown(scorefigures.training_curves({"fold 1": HISTORY})) for _ in range(2))
    assert first == again


def test_a_notebook_shows_the_figure_once_and_as_settled(tmp_path: Path):
    code = "import pandas as pd\nfrom traunet.figures import scorefigures\nhistory = pd.DataFrame("
    code += repr(HISTORY.fillna(0).to_dict("list")) + ")\nscorefigures.training_curves({'fold 1': history})"
    parameters = new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[parameters, new_code_cell(code)], metadata=kernel), tmp_path / "a.ipynb")
    done = nbformat.read(execute(tmp_path / "a.ipynb", tmp_path / "out" / "a.ipynb", {}, {}), as_version=4)
    kinds = [set(output.data) for output in done.cells[-1].outputs]
    assert kinds == [{"image/svg+xml", "text/plain"}]
    assert not re.search("/home|/root", done.cells[-1].outputs[0].data["image/svg+xml"])
