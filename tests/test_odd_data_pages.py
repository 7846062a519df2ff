"""The chapters that look at the data itself can be made of any that a book can be made of, however odd."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import trees
from IPython.core.interactiveshell import InteractiveShell

from traunet.config import FOLDS, SMOKE, VARIANTS, AlignConfig
from traunet.data.align import nose_midpoint
from traunet.data.disfa import read_tree
from traunet.data.preparing import prepare
from traunet.facs import AUS, CHIN, DISFA_AUS
from traunet.workspace import PROJECT

PEOPLE = ("SN001", "SN002", "SN003", "SN004", "SN006", "SN011")  # two of each fold
FRAMES = 8

pytestmark = pytest.mark.filterwarnings("ignore:.*(are kept out|landmark file|belong to no):UserWarning")


def cells(name: str) -> dict[str, str]:
    """The code of a chapter by its cells' ids."""
    page = json.loads((PROJECT / "notebooks" / f"{name}.ipynb").read_text())
    return {cell["id"]: "".join(cell["source"]) for cell in page["cells"] if cell["cell_type"] == "code"}


def printed(name: str, ws: Any) -> dict[str, str]:
    """Run all cells of a chapter, its checks too, upon this workspace: what each prints, by the cell's id."""
    shell: Any = InteractiveShell(user_ns={"made": ws})
    told = {}
    for cell, code in cells(name).items():
        with redirect_stdout(io.StringIO()) as out:
            result = shell.run_cell(code.replace("Workspace.of(profile)", "made"))
        result.raise_error()
        told[cell] = out.getvalue()
    return told


def spoil_landmarks(root: Path) -> None:
    """What a tracker that has lost the face leaves, and what a cut download does."""
    sound = trees.face_points((60.0, 40.0), 24.0)
    near = sound.copy()
    near[CHIN] = nose_midpoint(sound) + np.array([1.2, 0])
    for subject, frame, points in [
        ("SN011", 1, np.full((66, 2), -1.0)),  # a file of zeros
        ("SN002", 2, np.full((66, 2), 40.0)),
        ("SN003", 1, near),
    ]:
        trees.write_landmarks(trees.landmark_file(root, subject, frame), points)
    for subject, frames in (("SN004", range(1, FRAMES + 1)), ("SN001", range(2, FRAMES + 1))):
        for frame in frames:
            trees.landmark_file(root, subject, frame).write_bytes(b"cut")


def spoil_labels(root: Path) -> None:
    """Nobody shows AU9, and nobody is ever without AU12."""
    for subject in PEOPLE:
        codes = trees.intensities_of(subject, FRAMES)
        codes[:, DISFA_AUS.index("AU9")] = 0
        codes[:, DISFA_AUS.index("AU12")] = np.arange(FRAMES) % 2 + 4
        trees.write_labels(root, subject, codes)


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> SimpleNamespace:
    """A workspace upon a tree, of a laboratory's own, in which much is amiss."""
    folder = tmp_path_factory.mktemp("odd")
    root = trees.write_tree(folder / "DISFA", PEOPLE, frames=FRAMES)
    spoil_landmarks(root)
    spoil_labels(root)
    trees.spoil_frame(trees.video_file(root, "SN006"), 3)
    (root / "bad_frames.csv").write_text("subject,first,last\nSN006,5,6\n")
    (root / "anna").mkdir()
    (root / "README-anna.txt").touch()
    store = prepare(read_tree(root), folder / "store", AlignConfig(size=64), workers=1, progress=False)
    profile = replace(SMOKE, train=replace(SMOKE.train, held_out_subjects=1))
    dataset = store.manifest["dataset"]
    return SimpleNamespace(tree=lambda: root, store=lambda: store, profile=profile, dataset=dataset)


def test_the_chapter_on_the_data_is_made_and_names_what_is_read_of_a_folder_and_nothing_beside(odd):
    told, store = printed("01_data", odd)["tree"], odd.store()
    assert f"{len(PEOPLE)} subjects, {len(store)} frames, {len(store.usable)} of them aligned" in told
    folders = "ActionUnit_Labels/\nLandmark_Points/\nVideos_LeftCamera/\nbad_frames.csv\n"
    assert folders in told
    assert "anna" not in told


def test_a_threshold_of_which_nothing_is_published_is_said_and_the_chapter_goes_on(odd):
    profile = replace(odd.profile, train=replace(odd.profile.train, threshold=4))
    told = printed("01_data", SimpleNamespace(**{**vars(odd), "profile": profile}))
    assert "Nothing is published of DISFA for D or more" in told["tab-shares"]
    assert "published" not in printed("01_data", odd)["tab-shares"]


def test_the_chapter_on_action_units_is_made_though_someone_is_never_without_one(odd):
    printed("00_action_units", odd)


def test_a_score_of_an_epoch_that_is_not_defined_is_no_better_than_none():
    """As training chooses: the first epoch's counts as 0, and the next one's 0 is no better."""
    history = pd.DataFrame({"epoch": [1, 2, 3], "f1_test": [np.nan, np.nan, 0.0]})
    subjects = {"train": ["SN001"], "held_out": [], "test": ["SN002"]}
    same = {"data_fingerprint": "a", "trunk_sha256": "b", "selected_on": "test fold"}
    answers = pd.DataFrame({"subject": "SN002", "AU": AUS})
    made = {**same, "subjects": subjects, "chosen_epoch": 2}
    run = SimpleNamespace(provenance=made, predictions=answers, history=history)
    runs = {(variant, fold): run for variant in VARIANTS for fold in FOLDS}
    given = {"ws": SimpleNamespace(every_run=lambda: [runs.values()]), "runs": runs}
    given |= {"AUS": AUS, "VARIANTS": VARIANTS, "FOLDS": FOLDS}
    exec(cells("03_training")["checks"], given)
    history.loc[2, "f1_test"] = 0.1
    with pytest.raises(AssertionError):
        exec(cells("03_training")["checks"], given)


def test_an_au_that_nobody_shows_has_no_frames_in_the_table_of_attention():
    shares = pd.DataFrame({"AU": ["AU1", "AU12"], "hit": [True, False]})
    shares = shares.assign(share=0.5, chance=0.4, everywhere=0.2, untrained=0.3)
    given = {"shares": shares, "AUS": AUS, "pd": pd, "tables": SimpleNamespace(sortable=lambda *_: None)}
    exec(cells("06_attention")["tab-shares"], given)
    assert given["summary"]["frames"].tolist() == [int(au in ("AU1", "AU12")) for au in AUS]
