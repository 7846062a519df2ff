"""A video that is divided shows, stretch by stretch, the very frames that it shows in one go."""

from functools import partial

import numpy as np
import pytest
import trees

from traunet.data import video as video_module
from traunet.data.video import all_before, count_frames, divide, numbered, whole

CODECS = [
    ("v.avi", "mjpeg", {}),
    ("v.avi", "mpeg4", {"g": "6"}),
    ("v.avi", "mpeg4", {"g": "6", "bf": "2"}),  # frames between two key frames lie behind the second
    ("v.mp4", "mpeg4", {"g": "6", "bf": "2"}),
    ("v.mp4", "libx264", {"g": "6", "qmin": "0", "qmax": "51"}),
    ("v.mkv", "libx264", {"g": "6", "qmin": "0", "qmax": "51", "x264-params": "open-gop=1"}),
]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    grain = np.random.default_rng(0).integers(-9, 10, (40, 48, 64, 3))
    return [(trees.grey_of(number) + own).astype(np.uint8) for number, own in enumerate(grain, start=1)]


def shown(stretch) -> dict[int, bytes]:
    return {number: frame.to_ndarray().tobytes() for number, frame in numbered(stretch)}


@pytest.mark.parametrize(("name", "codec", "options"), CODECS)
def test_stretches_show_what_the_whole_shows(tmp_path, images, name, codec, options):
    video = trees.write_video(tmp_path / name, images, codec=codec, options=options)
    expected, stretches = shown(whole(video)), divide(video, 5)
    assert len(stretches) > 2
    assert sorted(expected) == list(range(1, 41))
    firsts = [stretch.first for stretch in stretches]
    assert firsts == [1, *np.cumsum([stretch.frames for stretch in stretches])[:-1] + 1]
    for stretch in stretches:
        numbers = range(stretch.first, stretch.first + stretch.frames)
        assert shown(stretch) == {number: expected[number] for number in numbers}
        from_the_start = shown(all_before(stretch))
        assert {number: from_the_start[number] for number in numbers} == shown(stretch)


@pytest.mark.parametrize(("name", "codec", "options"), CODECS)
def test_an_index_that_leads_elsewhere_is_not_followed(tmp_path, images, monkeypatch, name, codec, options):
    video = trees.write_video(tmp_path / name, images, codec=codec, options=options)
    stretch, real = divide(video, 5)[2], video_module.opened

    class Misled:
        def __init__(self, container):
            self.container = container

        def __getattr__(self, name):
            return getattr(self.container, name)

        def seek(self, *_, **__):
            self.container.seek(0)

    class Opened:
        def __init__(self, path):
            self.context = real(path)

        def __enter__(self):
            return Misled(self.context.__enter__())

        def __exit__(self, *details):
            return self.context.__exit__(*details)

    expected = shown(stretch)
    monkeypatch.setattr(video_module, "opened", Opened)
    assert shown(stretch) == expected


def test_a_video_without_key_frames_is_not_divided(tmp_path, images):
    video = trees.write_video(
        tmp_path / "v.avi", images, codec="mpeg4", options={"g": "600", "sc_threshold": "1000000000"}
    )
    assert [stretch.frames for stretch in divide(video, 5)] == [40]


def test_a_damaged_frame_keeps_its_number_in_its_stretch(tmp_path, images):
    video = trees.write_video(tmp_path / "v.avi", images)
    trees.spoil_frame(video, 14)
    expected = shown(whole(video))
    assert sorted(expected) == [number for number in range(1, 41) if number != 14]
    together: dict[int, bytes] = {}
    for stretch in divide(video, 5):
        together |= shown(stretch)
    assert together == expected


def test_a_video_that_was_cut_short_is_divided_as_far_as_it_goes(tmp_path, images):
    video = trees.write_video(tmp_path / "v.avi", images)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    stretches = divide(video, 5)
    assert sum(stretch.frames for stretch in stretches) == count_frames(video) < 40
    assert list(map(partial(len), map(shown, stretches)))[:-1] == [stretch.frames for stretch in stretches][:-1]
