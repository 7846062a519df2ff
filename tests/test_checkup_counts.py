"""Labels are held against the counts that DISFA was published with, and lengths and pictures against its own."""

import dataclasses
from pathlib import Path

import numpy as np
from test_checkup import remarks

from traunet.checkup.counts import intensity_lines
from traunet.checkup.films import Film
from traunet.checkup.subject import Examined
from traunet.checkup.tree import unlike_disfa
from traunet.data.folds import SUBJECTS
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
