"""How far a training has come, on disk: written whole after every epoch, found by the next who trains the same."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from traunet.model.torchfiles import refuse_hidden_bulk


def write(path: Path, state: dict[str, Any]) -> None:
    """Replace the file in one step: who is killed meanwhile leaves the former one."""
    # Always the same name, so that a kill leaves one such file and not many; made new, as it may be a link.
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with part.open("xb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """What was written; None if nothing was.

    A damaged file is warned of, put aside, and counts as nothing. Raises OSError if the disk does not answer.
    """
    if not path.is_file():
        return None
    try:
        refuse_hidden_bulk(path)
        # Tensors, numbers and text alone: no code runs from the file.
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything from within torch
        _put_aside(path, error)
        return None


def taken_up(path: Path, take_up: Callable[[dict[str, Any]], None]) -> bool:
    """Whether there was an unfinished training and was taken up; one of another kind counts as damaged."""
    noted = read(path)
    if noted is None:
        return False
    try:
        take_up(noted)
    except Exception as error:  # as above
        _put_aside(path, error)
        return False
    return True


def _put_aside(path: Path, error: Exception) -> None:
    """Warn of a file, which is not removed: hours of training are in it, and perhaps memory alone was short."""
    aside = path.with_name(f"{path.name}.unreadable")
    path.replace(aside)
    warnings.warn(
        f"{path}: an unfinished training that cannot be read ({type(error).__name__}); it begins anew. The "
        f"file is now {aside.name}: delete it, or give it its name back if it is sound",
        stacklevel=3,
    )
