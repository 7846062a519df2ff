"""What the operating system refuses is said in words for people, with what to do, on one line."""

import errno
import os
import re

import pytest
import torch

from traunet.machines.advice import advice, concerns_memory, concerns_writing, one_line

KINDS = ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "EIO", "ESTALE")


@pytest.mark.parametrize("kind", [*KINDS, "EMFILE", "ENAMETOOLONG", "EXDEV"])
def test_a_refusal_names_its_file_and_what_to_do_but_no_number(kind, tmp_path):
    number = getattr(errno, kind)
    said = advice(OSError(number, os.strerror(number), str(tmp_path / "store")), tmp_path / "folder")
    assert said.startswith((f"{tmp_path}/store: ", f"{tmp_path}/folder: "))
    assert re.search(r"again|choose|move|ask|mend", said)
    assert "Errno" not in said
    assert "\n" not in said


def test_where_the_system_names_no_file_the_folder_that_was_written_to_is_named(tmp_path):
    assert advice(OSError(errno.EROFS, os.strerror(errno.EROFS)), tmp_path).startswith(
        f"{tmp_path}: cannot be written"
    )
    arrows = OSError(errno.ENOENT, "Failed to open local file '/data/frames.parquet'. Detail: [errno 2] None")
    assert advice(arrows, tmp_path).startswith("/data/frames.parquet: is not there")


def test_who_runs_a_file_server_that_gives_no_locks_is_to_be_asked(tmp_path):
    said = advice(OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)), tmp_path)
    assert said.startswith(f"{tmp_path}: its file server gives no locks now; ask who runs it")


def test_an_error_of_ours_is_passed_on_word_for_word(tmp_path):
    assert advice(ValueError("a.csv: has no rows; add some"), tmp_path) == "a.csv: has no rows; add some"
    assert advice(FileNotFoundError("a.csv: no such file; make it"), tmp_path) == "a.csv: no such file; make it"


def test_a_full_disk_is_named_even_if_the_folder_was_never_made(tmp_path):
    said = advice(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), tmp_path / "not" / "yet")
    assert re.match(rf"{tmp_path}/not/yet: the disk is full \(\d+\.\d GB free here\)", said)


def test_a_message_cannot_move_the_cursor_or_break_the_line():
    assert one_line("a\x1b[2J\r\nfile\tname  here") == "a [2J file name here"


def test_only_torchs_word_for_writing_is_taken_for_a_full_disk():
    assert concerns_writing(RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534"))
    assert not concerns_writing(RuntimeError("PytorchStreamReader failed reading zip archive"))
    assert not concerns_writing(RuntimeError("CUDA out of memory"))


@pytest.mark.parametrize(
    ("error", "first"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has"),
            "CUDA out of memory: ",
        ),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you tried"), "[enforce] DefaultCPU"),
        (RuntimeError("CUDA error: out of memory\nCompile with"), "CUDA error: out of memory: free"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "cuDNN error: CUDNN_STATUS_ALLOC_FAILED: free"),
        (
            RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable\nCUDA kernel"),
            "CUDA error: CUDA-capable device(s) is/are busy or unavailable: free",
        ),
        (MemoryError("Unable to allocate 19. GiB for an array"), "Unable to allocate 19. GiB for an array: free"),
        (MemoryError(), "memory was not enough: free some"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "[Errno 12] Cannot allocate memory: free some"),
    ],
)
def test_memory_that_was_not_enough_is_told_with_what_to_do(error, first, tmp_path):
    said = advice(error, tmp_path)
    assert said.startswith(first)
    assert "--device cpu" in said
    assert "\n" not in said


def test_other_errors_do_not_concern_memory():
    assert not concerns_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not concerns_memory(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
