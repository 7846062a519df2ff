"""A sealed folder tells what of it was changed, taken away or put there since it was written."""

import json

import pytest

from traunet.records.sealing import SEAL, broken, contents, seal


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "results.json").write_text('{"f1": 51.3}')
    (folder / "table1.csv").write_text("method,Avg\nTRA-Net,51.3\n")
    seal(folder)
    return folder


def test_what_is_as_it_was_written_is_whole_and_hidden_files_do_not_count(results):
    (results / ".made-from").write_text("a key")
    assert broken(results) == []
    assert list(contents(results)) == ["results.json", "table1.csv"]


def test_one_digit_that_was_changed_is_told_with_its_file(results):
    (results / "results.json").write_text('{"f1": 91.3}')
    assert broken(results) == [f"{results / 'results.json'} is not as it was written"]


def test_a_file_that_is_gone_and_one_that_was_put_there_are_told(results):
    (results / "table1.csv").rename(results / "table9.csv")
    assert broken(results) == [
        f"{results / 'table1.csv'} is missing",
        f"{results / 'table9.csv'} was put there afterwards",
    ]


def test_a_change_that_is_taken_back_is_none(results):
    text = (results / "table1.csv").read_text()
    (results / "table1.csv").write_text(text.replace("51.3", "91.3"))
    (results / "table1.csv").write_text(text)
    assert broken(results) == []


@pytest.mark.parametrize("text", [None, "no JSON", "[1, 2]"])
def test_a_folder_whose_note_is_lost_is_not_trusted(results, text):
    (results / SEAL).unlink() if text is None else (results / SEAL).write_text(text)
    (found,) = broken(results)
    assert found.startswith(f"{results / SEAL} cannot be read")


def test_who_writes_the_note_anew_is_not_found_as_the_module_says(results):
    (results / "results.json").write_text('{"f1": 91.3}')
    (results / SEAL).write_text(json.dumps(contents(results)))
    assert broken(results) == []


def test_a_link_is_told_whatever_the_note_says_and_is_not_read(results, tmp_path):
    (tmp_path / "private").write_text("private")
    (results / "table1.csv").unlink()
    (results / "table1.csv").symlink_to(tmp_path / "private")
    told = [f"{results / 'table1.csv'} is a link; remove it"]
    assert broken(results) == told
    seal(results)
    assert list(contents(results)) == ["results.json"]
    assert broken(results) == told


def test_a_folder_that_lies_elsewhere_behind_a_link_is_whole(results, tmp_path):
    (tmp_path / "link").symlink_to(results)
    assert broken(tmp_path / "link") == []
