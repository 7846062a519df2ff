"""Labels are held against the counts that DISFA was published with, and lengths and pictures against its own."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import trees
from test_checkup import remarks, report

from traunet.checkup.counts import fold_lines, intensity_lines
from traunet.checkup.films import Film
from traunet.checkup.subject import Examined, examine_subject
from traunet.checkup.tree import unlike_disfa
from traunet.config import AlignConfig
from traunet.data.disfa import read_tree
from traunet.data.layout import find_folders
from traunet.data.original import SUBJECTS
from traunet.data.preparing import prepare
from traunet.facs import AUS, DISFA_AUS
from traunet.scoring import published


def published_subjects() -> list[Examined]:
    """27 subjects without a picture, whose labels together have exactly the published counts."""
    counts, frames = published.intensity_counts(), 130_814
    labels = np.zeros((frames, len(DISFA_AUS)), dtype=np.int8)
    for au in AUS:
        values = np.repeat(range(1, 6), counts.loc[au, list(range(1, 6))].astype(int))
        labels[: len(values), DISFA_AUS.index(au)] = values
    ends = np.cumsum([4845 - (subject == "SN010") for subject in SUBJECTS])
    columns = Examined("").labels.columns
    parts = np.split(labels, ends[:-1])
    return [
        Examined(subject, labels=type(Examined("").labels)(part, columns=columns))
        for subject, part in zip(SUBJECTS, parts, strict=True)
    ]


def test_the_published_counts_are_recognised_and_a_difference_is_named():
    subjects = published_subjects()
    lines = list(intensity_lines(subjects, synthetic=False))
    assert "verdict: same, at every intensity of every published AU" in lines
    row = next(line for line in lines if line.startswith("  AU12")).split()
    assert row[1:6] == row[6:] == ["13943", "6869", "7233", "2577", "172"]
    subjects[3].labels.loc[7, "AU9"] = 5
    lines = list(intensity_lines(subjects, synthetic=False))
    assert "AU9 at 5: 78, not 77" in remarks(lines)
    assert not remarks(list(intensity_lines(subjects[:5], synthetic=False)))


def test_other_lengths_sizes_and_rates_than_disfas_are_odd():
    subjects, film = published_subjects(), Film(Path("a.avi"), 1024, 768, 20.0, "mpeg4", 4845, 4845, ())
    for one in subjects:
        one.film = dataclasses.replace(film, path=Path(f"{one.subject}.avi"))
    assert not list(unlike_disfa(subjects))
    subjects[0].labels = subjects[0].labels.head(4844)
    subjects[2].film = dataclasses.replace(film, path=Path("SN003.avi"), width=640)
    subjects[4].film = dataclasses.replace(film, path=Path("SN005.avi"), fps=25.0)
    lengths, videos = unlike_disfa(subjects)
    assert lengths.startswith("odd: not as many labels as DISFA's 4845 (SN010: one fewer): SN001 4844;")
    assert videos.startswith("odd: videos not of 1024 x 768 at 20 frames/s, as DISFA's are: SN003.avi, SN005.avi;")


def test_base_rates_at_two_and_above_agree_with_those_computed_from_public_lists():
    lines = list(intensity_lines(published_subjects(), synthetic=False))
    ours = next(line for line in lines if line.startswith("  >= 2")).split()[2:]
    known = next(line for line in lines if line.startswith("  published >= 2")).split()[3:]
    assert ours == known


def test_landmarks_that_are_no_face_are_told_and_the_doctor_counts_the_frames_that_preparing_keeps(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=("SN001", "SN031"), missing=[("SN031", 4)])
    for frame, place in ((2, -1.0), (5, 40.0)):  # the first is a file of zeros
        trees.write_landmarks(trees.landmark_file(root, "SN001", frame), np.full((66, 2), place))
    trees.write_landmarks(trees.landmark_file(root, "SN031", 3), trees.face_points((900.0, 40.0), 20.0))
    told = "odd: landmarks of {} are no face, or none in the picture, in {} frames (the first is frame {})"
    text = remarks(report(root))
    assert told.format("SN001", 2, 2) in text
    assert told.format("SN031", 1, 3) in text
    with pytest.warns(UserWarning, match="kept out as 'landmarks are no face'"):
        frames = prepare(read_tree(root), tmp_path / "store", AlignConfig(size=32), 1, progress=False).frames
    for subject, own in frames.groupby("subject"):
        found = examine_subject(root, find_folders(root), str(subject))
        assert found.usable.tolist() == own["usable"].tolist()
        row = next(line.split() for line in fold_lines([found], 1) if f" {own['usable'].sum()} " in line)
        positives = own.loc[own["usable"], list(AUS)] >= 1
        assert row[4::3] == [str(count) for count in positives.sum()]


def test_a_file_of_zeros_is_no_frame_to_look_at(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=("SN001",))
    trees.write_landmarks(trees.landmark_file(root, "SN001", 4), -np.ones((66, 2)))
    sample = examine_subject(root, find_folders(root), "SN001").sample
    assert 4 not in {*sample.calm, *sample.fast}
