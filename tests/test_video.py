"""A video that is divided shows, stretch by stretch, the very frames that it shows in one go."""

import shutil
from functools import partial
from pathlib import Path

import chunks
import numpy as np
import pytest
import trees

from traunet.data import packets
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


COUNTED = [  # FFmpeg numbers the packets of an AVI file in the file's order, and frames are shown in another
    ("v.avi", "libx264", {"g": "12", "bf": "2", "qmin": "0", "qmax": "51", "x264-params": "b-adapt=0:scenecut=0"}),
    *(("packed.avi", "mpeg4", {"g": "6", "bf": between}) for between in "123"),
]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    grain = np.random.default_rng(0).integers(-9, 10, (40, 48, 64, 3))
    return [(trees.grey_of(number) + own).astype(np.uint8) for number, own in enumerate(grain, start=1)]


def shown(stretch) -> dict[int, bytes]:
    return {number: frame.to_ndarray().tobytes() for number, frame in numbered(stretch)}


def write(path: Path, images, codec: str, options: dict) -> Path:
    video = trees.write_video(path, images, codec=codec, options=options)
    return chunks.write_avi(path, chunks.packed(video), b"DIVX", 64, 48) if path.stem == "packed" else video


def seen(frame) -> float:
    """The background by which a frame is recognised."""
    return float(np.median(frame.to_ndarray(format="rgb24")))


@pytest.mark.parametrize(("name", "codec", "options"), CODECS + COUNTED)
def test_every_frame_has_the_number_that_a_player_shows_it_at(tmp_path, images, name, codec, options):
    video = write(tmp_path / name, images, codec, options)
    grey = {number: seen(frame) for number, frame in numbered(whole(video))}
    assert list(grey) == list(range(1, 41))
    assert list(grey.values()) == pytest.approx([trees.grey_of(number) for number in grey], abs=4)
    assert count_frames(video).frames == 40


def test_a_file_that_tells_its_times_is_not_decoded_to_number_its_frames(tmp_path, images, monkeypatch):
    """It would take as long again as preparing."""
    mp4 = trees.write_video(tmp_path / "v.mp4", images, codec="mpeg4", options={"g": "6", "bf": "2"})
    avi = write(tmp_path / "packed.avi", images, "mpeg4", {"g": "6", "bf": "2"})
    monkeypatch.setattr(video_module, "_decoded", lambda stretch: pytest.fail("decoded"))
    assert sorted(whole(mp4).numbers) == list(range(1, 41))
    with pytest.raises(pytest.fail.Exception):
        whole(avi)


@pytest.mark.parametrize(("name", "codec", "options"), COUNTED)
def test_damage_that_leaves_no_way_to_number_the_frames_behind_is_refused(tmp_path, images, name, codec, options):
    video = write(tmp_path / name, images, codec, options)
    assert [stretch.frames for stretch in divide(video, 5)] == [40]
    trees.spoil_frame(video, 14)
    with pytest.raises(ValueError, match=rf"{name}: a frame behind \d+ does not decode.*copy the video again"):
        list(numbered(whole(video)))


def test_frames_that_a_recorder_left_out_keep_their_numbers(tmp_path, images):
    written = trees.write_video(tmp_path / "v.avi", images)
    gone = (7, 20, 21)
    video = chunks.write_avi(
        tmp_path / "gaps.avi", chunks.without(chunks.chunks_of(written), gone), b"MJPG", 64, 48
    )
    grey = {number: seen(frame) for stretch in divide(video, 5) for number, frame in numbered(stretch)}
    assert sorted(set(range(1, 41)) - set(grey)) == list(gone)
    assert list(grey.values()) == pytest.approx([trees.grey_of(number) for number in grey], abs=4)
    assert count_frames(video).frames == 40
    assert whole(video).left_out == list(gone)


def test_uneven_times_are_no_frames_left_out():
    assert packets._by_time([0, 33, 67, 100, 133]) == [1, 2, 3, 4, 5]
    assert packets._by_time([0, 40, 20]) == [1, 3, 2]
    assert packets._by_time([*range(0, 200, 10), 5000]) == list(range(1, 22))
    assert packets._by_time([]) == packets._by_time([0, 0]) == packets._by_time([None]) == []
    assert packets._by_time([7]) == [1]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("v.avi", "mpeg4", {"g": "10", "sc_threshold": "1000000000"}),
        ("v.mp4", "libx264", {"g": "10", "bf": "0", "sc_threshold": "0", "qmin": "0", "qmax": "51"}),
        ("v.mkv", "libx264", {"g": "10", "bf": "2", "sc_threshold": "0", "x264-params": "open-gop=1"}),
    ],
)
def test_what_is_predicted_from_a_damaged_frame_is_damaged(tmp_path, name, codec, options):
    """Up to the next key frame, even if the decoder says nothing: it goes on from a wrong picture."""
    grain = np.random.default_rng(0).integers(0, 256, (48, 150, 3), dtype=np.uint8)
    images = [np.ascontiguousarray(grain[:, number : number + 64]) for number in range(40)]  # it moves
    video = trees.write_video(tmp_path / name, images, codec=codec, options=options)
    sound = shown(whole(video))
    trees.spoil_frame(video, 14)
    left = shown(whole(video))
    assert left.items() <= sound.items()
    assert 4 <= len(sound) - len(left) <= 12
    assert {*range(1, 10), *range(24, 41)} <= left.keys()


def test_a_path_with_a_colon_is_no_protocol(tmp_path, images, monkeypatch):
    trees.write_video(tmp_path / "plain.avi", images)
    for name in ("take 12:30.avi", "concat:a.avi", "file:b.avi", "50%20.avi"):
        shutil.copy(tmp_path / "plain.avi", tmp_path / name)
        monkeypatch.chdir(tmp_path)
        assert count_frames(Path(name)).frames == 40


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


@pytest.mark.parametrize(("codec", "fourcc"), [("msmpeg4", b"DIV3"), ("msmpeg4v2", b"MP42"), ("flv", b"FLV1")])
def test_an_index_that_calls_every_frame_a_key_frame_is_not_believed(tmp_path, images, codec, fourcc):
    """Their decoders begin with any frame, without a word, and go on from a grey picture."""
    options = {"g": "10", "sc_threshold": "1000000000"}
    written = trees.write_video(tmp_path / "v.avi", images, codec=codec, options=options)
    every = [(content, True) for content, _ in chunks.chunks_of(written)]
    video = chunks.write_avi(tmp_path / "keys.avi", every, fourcc, 64, 48)
    expected, stretches = shown(whole(video)), divide(video, 5)
    assert [stretch.first for stretch in stretches] == [1, 11, 21, 31]
    assert {number: frame for stretch in stretches for number, frame in shown(stretch).items()} == expected


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
    assert sum(stretch.frames for stretch in stretches) == count_frames(video).frames < 40
    assert list(map(partial(len), map(shown, stretches)))[:-1] == [stretch.frames for stretch in stretches][:-1]


def test_a_video_of_an_unknown_codec_is_an_error_that_names_it(tmp_path, images):
    file = write(tmp_path / "a.avi", images, "mjpeg", {})
    file.write_bytes(file.read_bytes().replace(b"MJPG", b"QZQZ").replace(b"mjpg", b"qzqz"))
    with pytest.raises(ValueError, match=r"a\.avi: nothing here decodes its codec; convert it"):
        count_frames(file)
