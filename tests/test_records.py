"""What the book says that it took, from the logs of its steps."""

import json

from extensions import extension

from traunet import cli
from traunet.cli import Made
from traunet.workspace import PROJECT

records = extension("records")


def test_the_last_line_of_a_command_is_read_as_it_is_written(tmp_path, capsys):
    given = cli.parser().parse_args(["tables"])
    cli._finish(given, Made([tmp_path], note="done"), 93.4)
    (tmp_path / "prepare.log").write_text("a bar\n" + capsys.readouterr().out)
    (found,) = records.took(tmp_path).values()
    assert (found.count, found.seconds) == (1, 93)
    assert 0 < found.memory < 100


def test_jobs_of_one_kind_are_added_up_and_their_largest_is_kept(tmp_path):
    for name, line in {"train-a-123": "(60 s, 0.5 GB)", "train-b-123": "took epoch 2 (90 s, 1.2 GB)"}.items():
        (tmp_path / f"{name}.log").write_text(line + "\n")
    assert str(records.took(tmp_path)["train"]) == "2 min in 2 jobs; 1.2 GB"


def test_a_step_that_has_not_ended_has_no_record(tmp_path):
    (tmp_path / "synth.log").write_text("rendering heads: 3/27\n")
    (tmp_path / "tables.log").touch()
    assert records.took(tmp_path) == {}


def test_the_machine_is_that_of_the_runs_behind_the_numbers(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "runs" / "a").mkdir(parents=True)
    numbers = {"x": {"runs": ["a"]}, "printed": {"runs": []}}
    (tmp_path / "results" / "results.json").write_text(json.dumps(numbers))
    facts = {"machine": {"system": "Linux x86_64", "threads": 1, "gpu": None}, "versions": {"torch": "2.9.9"}}
    (tmp_path / "runs" / "a" / "provenance.json").write_text(json.dumps(facts))
    assert records.machine(tmp_path) == "Linux x86_64, no GPU, 1 thread a training, torch 2.9.9"
    assert records.machine(tmp_path / "none") == ""


def test_the_page_on_how_to_reproduce_shows_them_and_types_none():
    assert "```{records}" in (PROJECT / "book" / "reproduce.md").read_text()
