"""Bad input that is no data set: runs, commands, photographs, videos, notebooks, pages, and the machine itself."""

import errno
import json
import os
import zlib
from pathlib import Path
from unittest.mock import patch

import nbformat
import numpy as np
import torch
from mishaps import Attempt, call, change, command, copy, mishap
from nbformat.v4 import new_code_cell, new_output
from photographs import LANDSCAPE, PORTRAIT, VIDEO, real
from PIL import Image
from projects import chapter, executed, figure_cell, workspace, write_executed, write_project
from trees import label_file

from traunet import chapters, publish, results
from traunet.provenance import file_sha256

RUN, COMMAND, MEDIA, NOTEBOOK, BOOK, MACHINE = (
    "run",
    "command",
    "photograph or video",
    "notebook",
    "book",
    "machine",
)


def predicted(folder: Path, file: str | Path = "face.jpg", *more: object) -> Attempt:
    if not (folder / "run").exists():
        copy("run", folder)
    if file == "face.jpg":
        (folder / file).write_bytes(real(PORTRAIT).read_bytes())
    rest = more or ("--out", folder / "faces.csv")
    return command("predict", folder / file, "--run", folder / "run", *rest)


@mishap(RUN)
def there_is_no_run(folder):
    (folder / "face.jpg").touch()
    return command("predict", folder / "face.jpg", "--run", folder / "run", "--out", folder / "faces.csv")


@mishap(RUN)
def the_folder_is_no_run(folder):
    (folder / "run").mkdir()
    return predicted(folder)


@mishap(RUN)
def a_file_is_missing(folder):
    (copy("run", folder) / "predictions.parquet").unlink()
    return predicted(folder)


@mishap(RUN)
def a_file_was_changed_by_hand(folder):
    history = copy("run", folder) / "history.csv"
    history.write_text(history.read_text().replace("0.", "1."))
    return predicted(folder)


@mishap(RUN, "its provenance is not JSON")
def no_json(folder):
    (copy("run", folder) / "provenance.json").write_text('{"files": ')
    return predicted(folder)


@mishap(RUN)
def its_provenance_is_a_list(folder):
    (copy("run", folder) / "provenance.json").write_text("[]")
    return predicted(folder)


@mishap(RUN)
def the_checkpoint_is_cut_short(folder):
    checkpoint = copy("run", folder) / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-999])
    return predicted(folder)


def signed(run: Path, name: str) -> None:
    """Let the provenance vouch for a file as it is now."""
    files = json.loads((run / "provenance.json").read_text())["files"]
    files[name] = {"bytes": (run / name).stat().st_size, "sha256": file_sha256(run / name)}
    change(run / "provenance.json", files=files)


@mishap(RUN)
def the_checkpoint_is_of_another_network(folder):
    run = copy("run", folder)
    torch.save({"weight": torch.ones(2)}, run / "checkpoint.pt")
    signed(run, "checkpoint.pt")
    return predicted(folder)


@mishap(RUN)
def the_checkpoint_is_a_pickled_module(folder):
    run = copy("run", folder)
    torch.save(torch.nn.Linear(2, 2), run / "checkpoint.pt")
    signed(run, "checkpoint.pt")
    return predicted(folder)


def of_another_version(folder: Path, **settings: object) -> Attempt:
    run = copy("run", folder)
    change(run / "config.json", **settings)
    signed(run, "config.json")
    return predicted(folder)


@mishap(RUN)
def it_was_made_by_a_version_with_other_settings(folder):
    config = json.loads((copy("run", folder, "other") / "config.json").read_text())
    return of_another_version(folder, align={**config["align"], "margin": 0.1})


@mishap(RUN)
def it_was_made_by_a_version_with_other_variants(folder):
    return of_another_version(folder, variant="tranet_v0")


@mishap(RUN)
def it_was_made_by_a_version_that_noted_less(folder):
    return of_another_version(folder, normalisation=None)


@mishap(COMMAND)
def an_unknown_command(folder):
    return command("trian")


@mishap(COMMAND)
def an_unknown_profile(folder):
    return command("tables", "--profile", "tiny")


@mishap(COMMAND)
def an_unknown_variant(folder):
    return command("train", "--variant", "resnet", "--fold", 1)


@mishap(COMMAND)
def an_unknown_fold(folder):
    return command("train", "--variant", "tranet", "--fold", 4)


@mishap(COMMAND, "the paper's profile without DISFA")
def paper_without_disfa(folder):
    return command("book", "--profile", "paper")


@mishap(COMMAND, "the paper's profile without weights")
def paper_without_weights(folder):
    (folder / "DISFA").mkdir()
    return command("book", "--profile", "paper", "--disfa", folder / "DISFA")


@mishap(COMMAND, "a GPU is asked for and there is none")
def no_gpu(folder):
    attempt = training(folder, "--device", "cuda")

    def said() -> str:
        with patch("torch.cuda.is_available", return_value=False):
            return attempt.said()

    return Attempt(said)


def training(folder: Path, *more: object) -> Attempt:
    (folder / "trunk.pt").touch()
    rest = ("--profile", "smoke", "--store", copy("store", folder), "--weights", folder / "trunk.pt")
    return command("train", "--variant", "tranet", "--fold", 1, *rest, *more)


@mishap(COMMAND)
def an_unknown_device(folder):
    return training(folder, "--device", "gpu")


@mishap(COMMAND)
def no_threads(folder):
    return training(folder, "--threads", 0)


@mishap(COMMAND)
def no_cores(folder):
    return command("book", "--profile", "paper", "--cores", 0)


@mishap(COMMAND, "a seed for the profile's own tree")
def seed_without_folder(folder):
    return command("synth", "--seed", 3)


@mishap(COMMAND)
def a_tree_is_written_over_other_files(folder):
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("all of it")
    return command("synth", folder / "out", "--profile", "smoke")


@mishap(COMMAND)
def an_unknown_notebook(folder):
    return command("notebook", "99_gone", "--profile", "smoke")


@mishap(COMMAND)
def a_notebook_outside_of_the_book(folder):
    return command("notebook", "../../elsewhere", "--profile", "smoke")


@mishap(MEDIA)
def there_is_no_such_file(folder):
    return predicted(folder, "gone.jpg")


@mishap(MEDIA)
def a_folder_of_photographs(folder):
    (folder / "photographs").mkdir()
    return predicted(folder, "photographs")


@mishap(MEDIA)
def an_empty_file(folder):
    (folder / "face.png").touch()
    return predicted(folder, "face.png")


@mishap(MEDIA)
def a_text(folder):
    (folder / "face.png").write_text("no picture here\n" * 99)
    return predicted(folder, "face.png")


@mishap(MEDIA)
def a_format_that_is_not_read(folder):
    (folder / "face.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(999))
    return predicted(folder, "face.heic")


@mishap(MEDIA)
def nobody_in_the_picture(folder):
    (folder / "landscape.jpg").write_bytes(real(LANDSCAPE).read_bytes())
    return predicted(folder, "landscape.jpg")


@mishap(MEDIA)
def a_damaged_photograph(folder):
    (folder / "half.jpg").write_bytes(real(PORTRAIT).read_bytes()[:30_000])
    return predicted(folder, "half.jpg")


@mishap(MEDIA)
def a_photograph_that_would_fill_the_memory(folder):
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(folder / "bomb.png")
    content = bytearray((folder / "bomb.png").read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (folder / "bomb.png").write_bytes(content)
    return predicted(folder, "bomb.png")


@mishap(MEDIA)
def a_damaged_video(folder):
    content = real(VIDEO).read_bytes()
    (folder / "half.mp4").write_bytes(content[: len(content) // 2])
    return predicted(folder, "half.mp4")


@mishap(MEDIA)
def the_answer_would_replace_the_photograph(folder):
    return predicted(folder, "face.jpg", "--out", folder / "face.jpg")


@mishap(MEDIA)
def the_answer_would_replace_a_folder(folder):
    (folder / "answers").mkdir()
    return predicted(folder, "face.jpg", "--out", folder / "answers")


@mishap(MEDIA)
def the_folder_of_the_answer_is_missing(folder):
    return predicted(folder, "face.jpg", "--out", folder / "answers" / "faces.csv")


@mishap(MEDIA)
def an_overlay_of_another_kind(folder):
    return predicted(folder, "face.jpg", "--out", folder / "faces.csv", "--overlay", folder / "faces.mp4")


def executing(
    folder: Path, *cells: nbformat.NotebookNode, metadata: dict | None = None, **given: object
) -> Attempt:
    notebook = chapter(*cells)
    notebook.metadata.update(metadata or {})
    nbformat.write(notebook, folder / "01_data.ipynb")
    return call(chapters.execute, folder / "01_data.ipynb", folder / "out" / "01_data.ipynb", given, {})


@mishap(NOTEBOOK)
def a_cell_fails(folder):
    return executing(folder, new_code_cell("1 / 0"), profile="smoke")


@mishap(NOTEBOOK)
def an_unknown_parameter(folder):
    return executing(folder, new_code_cell("1"), epochs=3)


@mishap(NOTEBOOK)
def no_notebook(folder):
    (folder / "01_data.ipynb").write_text("no JSON")
    return call(chapters.execute, folder / "01_data.ipynb", folder / "out.ipynb", {}, {})


@mishap(NOTEBOOK)
def one_that_asks_for_another_program(folder):
    kernel = {"kernelspec": {"name": "bash", "language": "bash", "display_name": "Bash"}}
    return executing(folder, new_code_cell("1"), metadata=kernel)


@mishap(NOTEBOOK)
def a_page_that_would_run_a_script(folder):
    source = chapter(new_code_cell("show()"))
    done = executed(source)
    done.cells[-1].outputs = [new_output("display_data", {"text/html": "<script>alert(1)</script>"})]
    return call(chapters.check, done, source, folder / "01_data.ipynb")


def site_of(folder: Path, notebook: nbformat.NotebookNode | None = None) -> tuple[Path, Attempt]:
    notebook = notebook or chapter(figure_cell("1 + 1"))
    project, done = write_project(folder / "project", notebook=notebook), workspace(folder)
    write_executed(done, project / "notebooks" / "01_data.ipynb")
    done.results()
    return project, call(publish.publish, done, project)


@mishap(BOOK)
def a_number_that_nobody_computed(folder):
    project, attempt = site_of(folder)
    (project / "book" / "intro.md").write_text("# Intro\n\n{res}`table9.none` is a number that nobody computed.\n")
    return attempt


@mishap(BOOK)
def a_table_that_nobody_made(folder):
    project, attempt = site_of(folder)
    table = "```{csv-table} None\n:file: ../results/table9.csv\n```\n"
    (project / "book" / "intro.md").write_text(f"# Intro\n\nA table that nobody made follows here.\n\n{table}")
    return attempt


@mishap(BOOK)
def a_page_without_a_source(folder):
    project, attempt = site_of(folder)
    with (project / "_toc.yml").open("a") as toc:
        toc.write("  - file: book/lost\n")
    return attempt


@mishap(BOOK)
def a_page_from_outside_of_the_project(folder):
    project, attempt = site_of(folder)
    with (project / "_toc.yml").open("a") as toc:
        toc.write("  - file: ../../secret\n")
    return attempt


@mishap(BOOK)
def settings_that_would_run_a_program(folder):
    project, attempt = site_of(folder)
    with (project / "_config.yml").open("a") as config:
        config.write(f'other: !!python/object/apply:os.mkdir ["{folder / "ran"}"]\n')
    return attempt


@mishap(BOOK)
def a_notebook_that_was_not_executed(folder):
    _, attempt = site_of(folder)
    (folder / "build" / "smoke" / "notebooks" / "01_data.ipynb").unlink()
    return attempt


@mishap(BOOK)
def results_that_are_none(folder):
    (folder / "results.json").write_text('{"table2": 51.3}')
    return call(results.read, folder / "results.json")


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
