"""A store of painted pictures in memory: each action unit lights its own cell, each subject has its own ground."""

import numpy as np
import pandas as pd

from traunet.config import AlignConfig, ModelConfig, Profile, TrainConfig, TrunkConfig
from traunet.data.original import SUBJECTS
from traunet.facs import AUS, DISFA_AUS

SIZE = 64
CELL = 8
# Where each AU lights up (row, column of the upper left corner) within what its branch sees; also mirrored, as a
# flipped face has the same AUs.
CELLS = {"AU1": (4, 2), "AU2": (4, 12), "AU4": (4, 22), "AU6": (20, 2), "AU9": (20, 22)}
CELLS |= {"AU12": (50, 2), "AU25": (50, 12), "AU26": (50, 22)}

TINY = Profile(
    "tiny",
    align=AlignConfig(size=SIZE),
    model=ModelConfig(width=4, depths=(1, 1, 1, 1), reduction=2, branch_width=8, hidden=8),
    train=TrainConfig(
        batch_size=8,
        batches_per_epoch=2,
        learning_rate=0.02,
        final_learning_rate=0.002,
        first_evaluation=1,
        max_epochs=2,
        held_out_subjects=3,
        evaluation_stride=4,
    ),
    trunk=TrunkConfig(identities=3, frames=8, epochs=2, batch_size=8),
)


class PaintedStore:
    """Has what training asks of an `AlignedStore`; every 7th frame of a subject is unusable."""

    size = SIZE
    fingerprint = "painted"
    manifest = {"dataset": "painted pictures", "synthetic": True}  # noqa: RUF012

    def __init__(self, frames: int = 8, subjects: tuple[str, ...] = SUBJECTS, seed: int = 0):
        generator = np.random.default_rng(seed)
        shape = (frames * len(subjects), len(DISFA_AUS))
        intensities = generator.integers(1, 6, shape) * (generator.random(shape) < 0.4)
        table = pd.DataFrame(intensities.astype(np.int8), columns=list(DISFA_AUS))
        table.insert(0, "subject", np.repeat(subjects, frames))
        table.insert(1, "frame", np.tile(np.arange(1, frames + 1), len(subjects)))
        self.frames = table.assign(usable=table["frame"] % 7 != 0, reason="")
        self.usable = np.flatnonzero(self.frames["usable"])
        self.grounds = {name: generator.integers(40, 120, 3) for name in sorted(set(subjects))}

    def __len__(self) -> int:
        return len(self.frames)

    def image(self, i: int) -> np.ndarray:
        row = self.frames.iloc[i]
        assert row["usable"], f"row {i} is not usable and was asked for"
        noise = np.random.default_rng(i).integers(0, 20, (SIZE, SIZE, 3))
        image = (self.grounds[row["subject"]] + noise).astype(np.uint8)
        for au in AUS:
            top, left = CELLS[au]
            if row[au] >= 3:
                image[top : top + CELL, left : left + CELL] = 255
                image[top : top + CELL, SIZE - left - CELL : SIZE - left] = 255
        return image

    def images(self, indices) -> np.ndarray:
        return np.stack([self.image(i) for i in indices])
