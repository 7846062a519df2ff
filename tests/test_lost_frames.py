"""Frames that a copy lost, a recorder skipped or a file hides never lend their numbers to others."""

import struct
from functools import partial
from pathlib import Path

import chunks
import numpy as np
import pytest
import trees
from odd_media import with_a_latin_title
from test_checkup import remarks, report
from test_store import prepared

from traunet.checkup.films import watch
from traunet.data.disfa import length_notes
from traunet.data.packets import Index, _Chunk, _lost
from traunet.data.video import Stretch, count_frames, divide, numbered, numbered_frames, whole

FRAMES = 24
MPEG4, B_FRAMES = ("mpeg4", {"g": "6"}), ("mpeg4", {"g": "6", "bf": "2"})


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    grain = np.random.default_rng(0).integers(-9, 10, (FRAMES, 48, 64, 3))
    return [(trees.grey_of(number) + own).astype(np.uint8) for number, own in enumerate(grain, start=1)]


def overwrite(video: Path, place: int, content: bytes) -> Path:
    data = video.read_bytes()
    video.write_bytes(data[:place] + content + data[place + len(content) :])
    return video


def pictures(*stretches: Stretch) -> dict[int, int]:
    """Which picture (from 1) has which number."""
    frames = [(number, frame.to_ndarray(format="rgb24")) for part in stretches for number, frame in numbered(part)]
    return {number: round((float(np.median(picture)) - 20) / 9) + 1 for number, picture in frames}


@pytest.mark.parametrize(("codec", "options"), [("mjpeg", {}), MPEG4, B_FRAMES])
@pytest.mark.parametrize("number", [1, 2, 9])
def test_a_lost_chunk_header_is_refused(tmp_path, images, codec, options, number):
    video = trees.write_video(tmp_path / "v.avi", images, codec=codec, options=options)
    trees.lose_frame(video, number)
    with pytest.raises(ValueError, match=rf"v\.avi: 1 of the frames .* frame {number}, .*; copy the video again"):
        count_frames(video)
    with pytest.raises(ValueError, match="cannot be found"):
        divide(video, 5)


def test_a_chunk_whose_length_is_damaged_so_that_it_swallows_others_is_refused(tmp_path, images):
    video = trees.write_video(tmp_path / "v.avi", images)
    lengths = [len(content) + len(content) % 2 + 8 for content, _ in chunks.chunks_of(video)]
    first = video.read_bytes().index(b"movi") + 4
    overwrite(video, first + sum(lengths[:7]) + 4, struct.pack("<I", sum(lengths[7:10]) - 8))
    with pytest.raises(ValueError, match="2 of the frames in its index cannot be found, the first is frame 9,"):
        count_frames(video)


def test_a_last_chunk_that_is_lost_is_only_one_frame_fewer(tmp_path, images):
    video = trees.write_video(tmp_path / "v.avi", images)
    trees.lose_frame(video, FRAMES)
    assert pictures(whole(video)) == {number: number for number in range(1, FRAMES)}


def without_index(video: Path) -> Path:
    return overwrite(video, video.read_bytes().rindex(b"idx1"), b"JUNK")


def with_half_an_index(video: Path) -> Path:
    """Its first four entries are gone, and FFmpeg lays the others on the wrong chunks."""
    return overwrite(video, video.read_bytes().rindex(b"idx1") + 8, bytes(64))


def cut_short(video: Path) -> Path:
    trees.cut(video, 0.6)
    return video


def with_gaps(video: Path) -> Path:
    return chunks.write_avi(video, chunks.without(chunks.chunks_of(video), [7, 20]), b"MJPG", 64, 48)


def packed(video: Path) -> Path:
    return chunks.write_avi(video, chunks.packed(video), b"DIVX", 64, 48)


@pytest.mark.parametrize("codec_and_options", [("mjpeg", {}), MPEG4, B_FRAMES])
@pytest.mark.parametrize("change", [without_index, with_half_an_index, cut_short])
def test_a_sound_chunk_is_never_taken_for_lost(tmp_path, images, codec_and_options, change):
    codec, options = codec_and_options
    video = change(trees.write_video(tmp_path / "v.avi", images, codec=codec, options=options))
    found = pictures(whole(video))
    assert len(found) >= 8
    assert all(number == picture for number, picture in found.items())


def test_gaps_and_chunks_that_hold_two_frames_are_not_taken_for_lost(tmp_path, images):
    gaps = with_gaps(trees.write_video(tmp_path / "gaps.avi", images, codec="mjpeg"))
    assert whole(gaps).left_out == [7, 20]
    two = packed(trees.write_video(tmp_path / "two.avi", images, codec="mpeg4", options={"g": "6", "bf": "1"}))
    assert pictures(whole(two)) == {number: number for number in range(1, FRAMES + 1)}


@pytest.mark.parametrize("labelled", [FRAMES - 3, FRAMES - 2, FRAMES - 1, FRAMES])
def test_where_there_are_as_many_pictures_as_labels_a_gap_is_none(tmp_path, images, labelled):
    """FFmpeg, too, leaves an empty chunk in an AVI file that it gives sound, and no frame is lacking."""
    video = with_gaps(trees.write_video(tmp_path / "gaps.avi", images, codec="mjpeg"))
    there = [number for number in range(1, FRAMES + 1) if number not in (7, 20)]
    numbers = range(1, len(there) + 1) if labelled == len(there) else there
    assert pictures(*divide(video, 5, labelled)) == dict(zip(numbers, there, strict=True))
    assert count_frames(video, labelled).frames == max(numbers)
    film = watch(video, labelled=labelled)
    assert film.decoded == len(there)
    assert film.left_out == (() if labelled == len(there) else (7, 20))


@pytest.mark.parametrize("labelled", [None, FRAMES - 3, FRAMES - 2, FRAMES - 1, FRAMES])
def test_where_neither_number_is_that_of_the_labels_it_is_said(tmp_path, images, labelled):
    video = with_gaps(trees.write_video(tmp_path / "gaps.avi", images, codec="mjpeg"))
    in_doubt = labelled in (FRAMES - 3, FRAMES - 1)
    assert count_frames(video, labelled).doubtful == 2 * in_doubt
    if labelled:
        said = [note for note in length_notes(video, count_frames(video, labelled), labelled) if "tell" in note]
        assert len(said) == in_doubt
        assert all("left out 2 of its frames" in note and "off by as many" in note for note in said)


@pytest.mark.parametrize("every", [8, 3])
def test_a_file_that_tells_its_times_may_lack_many_frames(tmp_path, images, every):
    """As one of a variable rate does, from which what repeats was dropped."""
    there = [number for number in range(1, FRAMES + 1) if number % every != 2]
    shown, options = [images[number - 1] for number in there], {"bf": "0", "g": "6"}
    video = trees.write_video(tmp_path / "v.mp4", shown, codec="libx264", options=options, numbers=there)
    for labelled in (FRAMES, FRAMES + 6):  # the latter of a film that is cut short besides
        assert pictures(*divide(video, 5, labelled)) == {number: number for number in there}


PYRAMID = {"g": "24", "bf": "3", "qmin": "0", "qmax": "51", "x264-params": "b-pyramid=normal:b-adapt=0:scenecut=0"}


@pytest.mark.parametrize(("codec", "options"), [B_FRAMES, ("libx264", PYRAMID)])
def test_a_cut_between_frames_that_trade_places_is_no_gap_of_the_recorder(tmp_path, images, codec, options):
    """The last picture is there, and those that are shown before it came behind it in the file."""
    video = trees.write_video(tmp_path / "v.mkv", images, codec=codec, options=options)
    content, gaps = video.read_bytes(), 0
    for share in np.linspace(0.3, 0.95, 27):
        video.write_bytes(content[: int(len(content) * share)])
        gaps += len(whole(video, FRAMES).left_out)
        count = count_frames(video, FRAMES)
        assert count.frames < FRAMES
        assert not count.doubtful
        assert not any("recorder" in note for note in length_notes(video, count, FRAMES))
    assert gaps


def test_a_gap_before_the_last_frames_stays_in_doubt_where_the_file_was_cut_short_too():
    """Frames 4, 5 and 7 of 20 are lacking; 7 may have stood behind 8 in the file, as 2 behind 3."""
    index = Index([0, 20, 10, 50, 70], [True] + [False] * 4, reorders=True, labelled=20)
    assert (index.frames, index.gaps, index.cut_off, index.doubtful) == (8, 3, 1, 2)
    in_order = index._replace(times=[0, 10, 20, 50, 70])
    assert index._replace(labelled=7).doubtful == in_order.doubtful == 3


@pytest.mark.parametrize("labelled", [FRAMES - 3, FRAMES - 2, FRAMES])
def test_a_gap_in_a_file_that_holds_frames_in_another_order_is_refused_unless_it_is_none(
    tmp_path, images, labelled
):
    """An AVI file has no times; the frames behind the gap would be two off, and nothing would say so."""
    options = {"bf": "2", "g": "6", "x264-params": "scenecut=0:b-adapt=0"}
    made = chunks.chunks_of(trees.write_video(tmp_path / "v.avi", images[2:], codec="libx264", options=options))
    content = [*made[:10], (b"", False), (b"", False), *made[10:]]
    video = chunks.write_avi(tmp_path / "gaps.avi", content, b"H264", 64, 48)
    if labelled == len(made):
        assert count_frames(video, labelled) == (labelled, 0)
        assert pictures(*divide(video, 5, labelled)) == {number: number + 2 for number in range(1, FRAMES - 1)}
        return
    for read in (count_frames, whole, partial(divide, length=5)):
        with pytest.raises(ValueError, match=r"gaps\.avi: 2 of its frames were left out, .* convert it"):
            read(video, labelled=labelled)


def test_pictures_of_the_original_video_are_numbered_as_the_stores_are(tmp_path, images):
    video = with_gaps(trees.write_video(tmp_path / "gaps.avi", images, codec="mjpeg"))
    for labelled in (FRAMES - 2, FRAMES):
        shown = [number for number, _ in numbered_frames(video, labelled)]
        assert shown == list(pictures(*divide(video, 5, labelled)))


def test_such_gaps_move_no_frame_of_a_data_set_and_the_doctor_finds_nothing_odd(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"])
    before, video = remarks(report(root)), trees.video_file(root, "SN001")
    first, *others = chunks.chunks_of(video)
    chunks.write_avi(video, [first, (b"", False), *others[:2], (b"", False), *others[2:]], b"MJPG", 128, 96)
    made = prepared(root, tmp_path / "store")
    assert made.frames["usable"].tolist() == 6 * [True]
    for row in made.usable.tolist():
        assert np.median(made.image(row)) == pytest.approx(trees.grey_of(row + 1), abs=4)
    assert remarks(report(root)) == before


def test_an_index_of_other_places_tells_nothing():
    index = [_Chunk(place, time) for time, place in enumerate([10, 35, 50])]
    assert not _lost(index, {110, 120, 130})
    assert not _lost([], {10})
    assert not _lost(index, set())
    assert not _lost(index, {10})  # cut short
    assert _lost(index, {10, 50}) == [index[1]]
    assert _lost(index, {135, 150}) == [index[0]]  # as FFmpeg lays it: 10 stands for what it found first


@pytest.mark.parametrize("late", [1, 3])
def test_a_recorder_that_began_late_leaves_out_the_first_frames(tmp_path, images, late):
    """Players begin when the first chunk that holds something is due."""
    written = trees.write_video(tmp_path / "v.avi", [*images, *images[:16]])
    gone = range(1, late + 1)
    content = chunks.without(chunks.chunks_of(written), gone)
    video = chunks.write_avi(tmp_path / "late.avi", content, b"MJPG", 64, 48)
    found = pictures(*divide(video, 5))
    assert list(found) == list(range(late + 1, 41))
    assert all((number - 1) % 24 + 1 == picture for number, picture in found.items())
    assert whole(video).left_out == list(gone)
    assert count_frames(video).frames == 40


@pytest.mark.parametrize("promised", [0, FRAMES - 3])
def test_a_recorder_that_began_late_and_never_finished_the_header_is_known_by_the_labels(
    tmp_path, images, promised
):
    written = trees.write_video(tmp_path / "v.avi", images)
    content = chunks.without(chunks.chunks_of(written), [1, 2, 3])
    video = chunks.write_avi(tmp_path / "late.avi", content, b"MJPG", 64, 48)
    length = video.read_bytes().index(b"strh") + 8 + 32
    overwrite(video, length, struct.pack("<I", promised))
    found = pictures(*divide(video, 5, labelled=FRAMES))
    assert found == {number: number for number in range(4, FRAMES + 1)}
    assert count_frames(video, FRAMES) == (FRAMES, 0)
    for other in (FRAMES - 4, FRAMES + 1):
        assert count_frames(video, other) == (FRAMES - 3, 3)


@pytest.mark.parametrize("labelled", [None, FRAMES])
def test_a_film_that_begins_later_by_its_header_begins_with_frame_1(tmp_path, images, labelled):
    video = trees.write_video(tmp_path / "v.avi", images)
    start = video.read_bytes().index(b"strh") + 8 + 28
    overwrite(video, start, struct.pack("<I", 3))
    assert pictures(whole(video, labelled)) == {number: number for number in range(1, FRAMES + 1)}


def test_a_file_that_hides_frames_from_players_is_refused(tmp_path, images):
    options = {"g": "12", "bf": "2", "qmin": "0", "qmax": "40"}
    video = trees.write_video(tmp_path / "v.mp4", images, codec="libx264", options=options)
    assert count_frames(video).frames == FRAMES
    hidden = trees.hide_frames(video, tmp_path / "e.mp4", 5)
    with pytest.raises(ValueError, match=r"e\.mp4: an edit list hides 5 of its frames .*; convert it, frame for"):
        count_frames(hidden)


@pytest.mark.parametrize("name", ["v.avi", "v.mkv", "v.mp4"])
def test_a_title_in_another_encoding_is_no_fault_of_the_video(tmp_path, name):
    video = with_a_latin_title(tmp_path / name, 6)
    assert count_frames(video).frames == len(pictures(whole(video))) == 6
