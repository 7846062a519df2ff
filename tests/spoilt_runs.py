"""Bad runs, and commands that cannot be followed."""

import json
from pathlib import Path
from unittest.mock import patch

import torch
from mishaps import Attempt, change, command, copy, mishap
from photographs import PORTRAIT, real

from traunet.records.provenance import file_sha256

RUN, COMMAND = "run", "command"


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
    (copy("run", folder) / "history.csv").unlink()
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


@mishap(RUN)
def the_checkpoint_was_changed_in_the_middle(folder):
    checkpoint = copy("run", folder) / "checkpoint.pt"
    content = checkpoint.read_bytes()
    middle = len(content) // 2
    checkpoint.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    return predicted(folder)


@mishap(RUN)
def its_provenance_lists_no_files(folder):
    change(copy("run", folder) / "provenance.json", files=None)
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
