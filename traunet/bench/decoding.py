"""Decoding and nothing else, in a module that loads as little as aligning does.

The processes that decode start afresh and load what this file imports: anything more, and decoding would look slow
and preparing fast.
"""

from traunet.data.aligning import Advance, Task
from traunet.data.video import numbered


def decode_part(task: Task, advance: Advance) -> None:
    """All that must be done to a stretch in any case: read and decode every packet."""
    advance(sum(1 for _ in numbered(task.stretch)))


def picture_part(task: Task, advance: Advance) -> None:
    """What a reader of pictures does at least: each frame decoded and turned into an RGB image (H, W, 3)."""
    advance(
        sum(
            1 for _, frame in numbered(task.stretch) if frame.reformat(format="rgb24", threads=1).to_ndarray().size
        )
    )
