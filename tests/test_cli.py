"""The commands: what the user can mend is one line that says how, and an exit code of 2."""

import argparse
import io
import subprocess
import sys

import pytest
from trees import write_tree

from traunet import cli
from traunet.cli import main
from traunet.data.store import AlignedStore

pytestmark = pytest.mark.filterwarnings("ignore:.* as DISFA's are;")  # a test's own pictures are smaller


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAUNET_BUILD", str(tmp_path / "build"))
    monkeypatch.delenv("TRAUNET_DISFA", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # no GPU that a driver lists and torch cannot use


def refused(capsys, *arguments) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("traunet: ")
    assert error.count("\n") == 1
    return error


def test_the_library_and_its_command_line_import_no_torch():
    code = "import sys, traunet.cli, traunet.workflow.flow, traunet.book.publish; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("module", ["book.publish", "workflow.flow", "book.freshness", "book.chapters"])
def test_no_process_builds_the_grammars_of_addresses_that_notebooks_are_not_checked_with(module):
    code = f"import sys, traunet.{module}; sys.exit(sys.modules['rfc3987_syntax'] is not None)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_is_stale_is_told_without_loading_pandas(tmp_path):
    code = (
        "import sys; from traunet.book import freshness; from traunet.workflow import marks;"
        "from traunet.workspace import Workspace;"
        f"w = Workspace.of('smoke', root={str(tmp_path)!r}); w.keys, marks.stale(w), freshness.stale(w);"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_tree_is_prepared_into_a_store_of_ones_own(tmp_path, capsys):
    write_tree(tmp_path / "tree", subjects=("SN001",), frames=3)
    arguments = ["prepare", "--disfa", tmp_path / "tree", "--out", tmp_path / "store", "--profile", "smoke"]
    assert main([str(argument) for argument in arguments]) == 0
    assert "3 of 3 frames aligned" in capsys.readouterr().out
    assert AlignedStore.open(tmp_path / "store").size == 64


def test_the_seed_of_a_training_is_not_taken_for_a_number_of_seeds(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--variant", "tranet", "--fold", "1", "--seed", "1"])
    told = capsys.readouterr().err
    assert "unrecognized arguments: --seed 1" in told
    assert told.startswith("usage: traunet train ")  # and of no other command


def test_a_network_is_trained_again_from_another_seed(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("traunet.workspace.Workspace.run", lambda _, *given: asked.append(given))
    monkeypatch.setattr("traunet.cli._trained", lambda runs: None)
    assert main(["train", "--variant", "tranet", "--fold", "1", "2", "--again", "3", "--profile", "smoke"]) == 0
    assert [(variant, fold, again) for variant, fold, _, again in asked] == [("tranet", 1, 3), ("tranet", 2, 3)]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("-1", "is no number of 0 or more"),
        ("two", "is no number of 0 or more"),
        (f"{2**31}", "is too large; give at most"),
    ],
)
@pytest.mark.parametrize(
    ("command", "option"),
    [(["train", "--variant", "v", "--fold", "1"], "--again"), (["pretrain"], "--workers"), (["synth"], "--seed")],
)
def test_a_number_that_is_none_is_refused_with_its_option(capsys, command, option, number, why):
    with pytest.raises(SystemExit):
        main([*command, f"{option}={number}"])
    assert f"argument {option}: {number} {why}" in capsys.readouterr().err


def test_a_home_folder_is_found_however_its_path_is_given(tmp_path, monkeypatch, capsys):
    """A shell expands the ~ of `--out ~/store`, and leaves that of `--out=~/store`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_tree(tmp_path / "tree", subjects=("SN001",), frames=3)
    assert main(["prepare", "--disfa=~/tree", "--out=~/store", "--profile", "smoke"]) == 0
    assert AlignedStore.open(tmp_path / "store").size == 64
    with pytest.raises(SystemExit):
        main(["prepare", "--out=~nobody-at-all/store"])
    assert "argument --out: ~nobody-at-all/store: nobody here is called so" in capsys.readouterr().err


def test_a_book_that_is_not_built_is_not_printed_and_nothing_is_made_for_it(tmp_path, capsys):
    assert "holds no page book/intro; build the site first" in refused(capsys, "pdf", "--profile", "smoke")
    assert not (tmp_path / "build").exists()


def test_devices_without_a_gpu_are_refused_before_anything_is_made(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    train = ("train", "--variant", "tranet", "--fold", "1", "--profile", "smoke", "--devices", "2")
    assert "2 devices were asked for, but torch finds no GPU here" in refused(capsys, *train)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["predict", "x.jpg", "--run", "r", "--out", "o.csv"], "nothing was written"),
        (["synth", "tree", "--profile", "smoke"], "nothing was written"),
        (["prepare", "--out", "store", "--profile", "smoke"], "the same command goes on from what is finished"),
        (["tables"], "the same command goes on from what is finished"),
    ],
)
def test_a_command_that_was_stopped_says_what_is_left(capsys, monkeypatch, command, said):
    def stop(*_, **__):
        raise KeyboardInterrupt

    for begun in (
        "runs.Run.open",
        "synth.tree.write_tree",
        "workspace.Workspace.tree",
        "workspace.Workspace.results",
    ):
        monkeypatch.setattr(f"traunet.{begun}", stop)
    assert main(command) == 130
    assert capsys.readouterr().err == f"traunet: stopped; {said}\n"


@pytest.fixture
def counted(monkeypatch) -> list[int | None]:
    """In how many processes heads are rendered and frames prepared from now on; nothing is made."""
    made: list[int | None] = []

    def note(*given, workers: int | None = None, **_):
        made.append(workers)
        raise ValueError("as far as this goes")

    monkeypatch.setattr("traunet.synth.tree.write_tree", note)
    monkeypatch.setattr(
        "traunet.data.preparing.prepare", lambda tree, out, config, workers, **_: note(workers=workers)
    )
    return made


@pytest.mark.parametrize("out", [False, True])
def test_a_command_starts_as_many_processes_as_it_is_told(tmp_path, counted, out):
    write_tree(tmp_path / "tree", subjects=("SN001",), frames=3)
    given = ["--profile", "smoke", "--workers", "3"]
    main(["synth", *([str(tmp_path / "other")] if out else []), *given])
    main(["prepare", "--disfa", str(tmp_path / "tree"), *(["--out", str(tmp_path / "s")] if out else []), *given])
    assert counted == [3, 3]


def test_the_trunks_heads_are_rendered_on_the_cores_that_train_it(counted):
    main(["pretrain", "--profile", "smoke", "--threads", "3", "--device", "cpu"])
    assert counted == [3]


@pytest.mark.parametrize("command", ["synth", "prepare"])
def test_no_processes_at_all_are_refused(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--workers", "0"])
    assert "argument --workers: 0 is no number of 1 or more" in capsys.readouterr().err


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert "nowhere: no such folder" in refused(capsys, "prepare", "--disfa", tmp_path / "nowhere")


def test_an_unknown_profile_and_an_unknown_variant_list_the_known(tmp_path, capsys):
    assert "choose one of: smoke, demo, paper" in refused(capsys, "tables", "--profile", "tiny")
    assert "tranet_residual" in refused(capsys, "train", "--variant", "resnet", "--fold", "1")
    assert not (tmp_path / "build").exists()


def test_a_store_made_with_other_settings_is_refused(tmp_path, capsys):
    write_tree(tmp_path / "tree", subjects=("SN001",), frames=3)
    store, disfa = tmp_path / "store", tmp_path / "tree"
    main([str(argument) for argument in ("prepare", "--disfa", disfa, "--out", store, "--profile", "smoke")])
    capsys.readouterr()
    error = refused(capsys, "train", "--store", store, "--variant", "senet", "--fold", 1, "--profile", "demo")
    assert str(store) in error


def test_the_papers_profile_without_disfa_is_refused_before_anything_is_made(tmp_path, capsys):
    assert "DISFA=dir" in refused(capsys, "book", "--profile", "paper")
    assert not (tmp_path / "build").exists()


def test_another_seed_needs_another_folder(capsys):
    assert "--seed needs OUT" in refused(capsys, "synth", "--seed", 3)


def test_a_notebook_and_a_run_that_do_not_exist_are_named(tmp_path, capsys):
    assert "unknown notebook '99_gone'; choose one of: 00_action_units, 01_data" in refused(
        capsys, "notebook", "99_gone", "--profile", "smoke"
    )
    out = tmp_path / "out.csv"
    assert "no such run" in refused(capsys, "predict", "face.jpg", "--run", tmp_path / "gone", "--out", out)
    file = tmp_path / "checkpoint.pt"
    file.touch()
    assert "checkpoint.pt: is no run; give a folder" in refused(
        capsys, "predict", "face.jpg", "--run", file, "--out", out
    )
    assert not out.exists()


def test_the_doctor_says_what_is_here_and_what_is_missing(tmp_path, capsys):
    write_tree(tmp_path / "tree", subjects=("SN001",), frames=3)
    with pytest.raises(SystemExit) as stop:  # a script can tell that this tree is not fit
        main(["doctor", "--profile", "paper", "--disfa", str(tmp_path / "tree")])
    assert stop.value.code == 1
    report = capsys.readouterr().out
    assert "DISFA with 1 subjects" in report
    assert "missing: profile 'paper' needs the trunk's weights" in report


def test_the_doctor_spells_out_what_in_a_name_is_not_utf8_or_moves_the_cursor(monkeypatch):
    monkeypatch.setattr(
        "traunet.doctor.examine", lambda _: iter(["odd: caf\udce9/SN001\x1b[2J\nfit for it", "fit"])
    )
    strict = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", strict)
    assert main(["doctor"]) == 0
    strict.seek(0)
    assert strict.read().splitlines()[:2] == ["odd: caf\\udce9/SN001\\x1b[2J\\nfit for it", "fit"]


def test_the_last_line_spells_out_what_would_move_a_terminals_cursor(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    cli._finish(argparse.Namespace(), cli.Made([tmp_path / "a\x1b[31m é.csv"], note="1 face"), 1.0)
    assert capsys.readouterr().out.startswith("a\\x1b[31m é.csv: 1 face (1 s, ")
