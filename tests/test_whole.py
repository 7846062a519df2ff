"""A file is written whole, whoever else writes it, or stays as it was."""

import pytest

from traunet.records.keeping import whole


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    file = tmp_path / "file"
    with whole(file) as part:
        part.write_text("former")
    with pytest.raises(UnicodeEncodeError), whole(file) as part:
        part.write_text("half \udcff")
    assert file.read_text() == "former"
    assert list(tmp_path.iterdir()) == [file]


def test_two_who_write_a_file_at_once_do_not_share_a_half(tmp_path):
    file = tmp_path / "file"
    with whole(file) as part, whole(file) as other:  # in two pods they may have the same process number
        part.write_text("one")
        other.write_text("another")
    assert file.read_text() == "one"
    assert list(tmp_path.iterdir()) == [file]
