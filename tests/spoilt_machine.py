"""What a machine refuses."""

import errno
import os
from pathlib import Path
from unittest.mock import patch

from mishaps import Attempt, command, copy, mishap
from spoilt_runs import predicted
from trees import label_file

MACHINE = "machine"


def refusing(attempt: Attempt, call: str, number: int, file: Path | None = None) -> Attempt:
    """The attempt on a machine that refuses one call, as the operating system would."""
    error = OSError(number, os.strerror(number), *([str(file)] if file else []))

    def said() -> str:
        with patch(call, side_effect=error):
            return attempt.said()

    return Attempt(said)


def writing(folder: Path, number: int, file: str | None = None) -> Attempt:
    (folder / "disk").mkdir()
    attempt = predicted(folder, "face.jpg", "--out", folder / "disk" / "faces.csv")
    return refusing(attempt, "pandas.DataFrame.to_csv", number, folder / file if file else None)


def reading(folder: Path, number: int) -> Attempt:
    attempt = command("prepare", "--disfa", copy("tree", folder), "--out", folder / "store", "--profile", "smoke")
    return refusing(attempt, "traunet.data.disfa.read_tree", number, label_file(folder / "DISFA", "SN001", "AU1"))


@mishap(MACHINE)
def the_disk_is_full(folder):
    return writing(folder, errno.ENOSPC)


@mishap(MACHINE)
def your_share_of_the_disk_is_used_up(folder):
    return writing(folder, errno.EDQUOT)


@mishap(MACHINE)
def the_folder_is_read_only(folder):
    return writing(folder, errno.EROFS, "disk/faces.csv")


@mishap(MACHINE)
def a_file_is_not_yours_to_read(folder):
    return reading(folder, errno.EACCES)


@mishap(MACHINE)
def the_data_set_vanishes_while_it_is_read(folder):
    return reading(folder, errno.ENOENT)


@mishap(MACHINE)
def the_network_disk_does_not_answer(folder):
    return reading(folder, errno.ESTALE)


@mishap(MACHINE)
def too_many_files_are_open(folder):
    return reading(folder, errno.EMFILE)


@mishap(MACHINE)
def a_file_lies_where_a_folder_should_be(folder):
    copy("tree", folder)
    (folder / "file").touch()
    return command(
        "prepare", "--disfa", folder / "DISFA", "--out", folder / "file" / "store", "--profile", "smoke"
    )
