"""Pictures and videos are written whole or not at all."""

from fractions import Fraction

import pytest
from test_media import pattern, write_video

from traunet.faces.media import picture_writer, whole_or_nothing


def test_a_failure_leaves_the_old_result_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def fail():
        with whole_or_nothing(target) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_success_replaces_the_old_result(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with whole_or_nothing(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), whole_or_nothing(tmp_path / "nowhere" / "table.csv"):
        pass


@pytest.mark.parametrize(("name", "rate"), [("out.mp4", None), ("out.png", Fraction(20)), ("out", None)])
def test_an_overlay_of_the_wrong_kind_is_refused_before_anything_is_written(tmp_path, name, rate):
    with pytest.raises(ValueError, match="is a file with suffix"), picture_writer(tmp_path / name, rate):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_fails_half_way_leaves_nothing(tmp_path):
    def pictures():
        yield pattern(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "out.mp4", pictures())
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_a_folder_is_refused_before_any_work(tmp_path):
    with (
        pytest.raises(IsADirectoryError, match="is a folder; give the name of a file"),
        whole_or_nothing(tmp_path),
    ):
        pytest.fail("work was begun")
