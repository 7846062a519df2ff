"""From a photograph or video to action units: real faces in, one row per face and frame out, or a refusal."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from photographs import GROUP, HEADS, LANDSCAPE, LEAVING, NOBODY, PORTRAIT, VIDEO, pixels, real
from PIL import Image

from traunet import facs
from traunet.config import SMOKE, AlignConfig
from traunet.data.align import nose_midpoint, target_points
from traunet.detect import (
    COLUMNS,
    FaceNumbers,
    NoFaceError,
    align_face,
    caveat,
    detect,
    load_network,
    predict_file,
)
from traunet.faces.landmarks import Box, DlibLandmarks
from traunet.faces.media import MediaError, open_media, picture_writer
from traunet.model.tranet import build
from traunet.model.weights import Normalisation
from traunet.records.provenance import file_sha256
from traunet.runs import DamagedRunError, Run

ALIGN = AlignConfig(size=64)


class Stripes(torch.nn.Module):
    """Eight answers that depend on the face: the contrast of red in eight rows of the picture."""

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.02))

    def forward(self, images):
        assert images.dtype == torch.uint8
        return self.gain * (images[:, 0, 4::8].float().mean(2) - 128)


@pytest.fixture(scope="module")
def net():
    return Stripes()


@pytest.fixture(scope="module")
def finder():
    return DlibLandmarks()


@pytest.fixture(scope="module")
def quick_finder():
    """Searches small pictures, since some of the videos are wide."""
    return DlibLandmarks(longest=320)


def clip(name, path, frames):
    """A real video's chosen frames, counted from 0, as a video of their own."""
    media = open_media(real(name))
    with picture_writer(path, media.rate) as write:
        for number, picture in enumerate(media.pictures()):
            if number in frames:
                write(picture)
    return path


def test_an_aligned_real_face_obeys_both_rules_of_the_paper(finder):
    align = AlignConfig(size=224)
    nose, chin = target_points(align)
    for name in HEADS[:3]:
        (face,) = finder.faces(pixels(name))
        (again,) = finder.faces(np.pad(align_face(pixels(name), face, align), [(64, 64), (64, 64), (0, 0)]))
        assert np.linalg.norm(nose_midpoint(again.landmarks) - 64 - nose) < 0.04 * align.size
        assert np.linalg.norm(again.landmarks[facs.CHIN] - 64 - chin) < 0.06 * align.size


def test_a_photograph_of_a_group_gives_a_row_for_each_face(net, finder, tmp_path):
    result = predict_file(real(GROUP), net, ALIGN, tmp_path / "group.csv", finder=finder)
    table = pd.read_csv(tmp_path / "group.csv")
    assert tuple(table.columns) == COLUMNS
    assert set(table["file"]) == {GROUP}
    assert list(table["frame"]) == [1] * 4
    assert list(table["face"]) == [1, 2, 3, 4]
    assert table["left"].is_monotonic_increasing
    assert table[list(facs.AUS)].stack().between(0, 1).all()
    assert len(table[list(facs.AUS)].drop_duplicates()) == 4
    np.testing.assert_allclose(table[list(facs.AUS)], result.table[list(facs.AUS)], atol=5e-5)


def test_a_face_gets_the_same_answer_alone_and_among_others(net, finder):
    (together,) = detect([pixels(GROUP)], net, ALIGN, finder)
    for face, probabilities in together:
        alone = torch.from_numpy(align_face(pixels(GROUP), face, ALIGN)).permute(2, 0, 1)[None]
        np.testing.assert_allclose(net(alone).sigmoid()[0].detach(), probabilities, rtol=1e-5)


def test_a_smaller_copy_of_a_photograph_gives_nearly_the_same_answer(net, finder):
    large = pixels(PORTRAIT)
    small = np.asarray(Image.fromarray(large).resize((large.shape[1] * 3 // 4, large.shape[0] * 3 // 4)))
    ((_, from_large),), ((_, from_small),) = detect([large, small], net, ALIGN, finder)
    np.testing.assert_allclose(from_small, from_large, atol=0.06)


def test_pictures_without_faces_have_empty_lists(net, finder):
    assert detect([np.zeros((64, 64, 3), np.uint8)] * 2, net, ALIGN, finder) == [[], []]


def test_a_real_video_gives_one_row_a_frame_and_an_overlay_of_the_same_length(net, quick_finder, tmp_path):
    overlay = tmp_path / "overlay.mp4"
    result = predict_file(real(VIDEO), net, ALIGN, tmp_path / "out.csv", overlay, note="note", finder=quick_finder)
    drawn = open_media(overlay)
    before, after = next(open_media(real(VIDEO)).pictures()), list(drawn.pictures())
    assert list(result.table["frame"]) == list(range(1, 73))
    assert set(result.table["face"]) == {1}
    assert drawn.rate == open_media(real(VIDEO)).rate
    assert len(after) == 72
    assert after[0].shape[0] > before.shape[0]  # the note stands below
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "overlay.mp4"]


def test_frames_that_a_face_has_left_have_no_row_and_are_counted(net, quick_finder, tmp_path):
    video = clip(LEAVING, tmp_path / "leaving.mp4", range(0, 169, 12))
    result = predict_file(video, net, ALIGN, tmp_path / "out.csv", finder=quick_finder)
    assert result.frames == 15
    assert 0 < result.frames_without_face < 15
    assert set(result.table["frame"]) < set(range(1, 16))
    assert str(result).endswith(f" in 15 frames; {result.frames_without_face} without a face")


def test_a_table_is_no_spreadsheet(net, tmp_path):
    with pytest.raises(
        ValueError, match=r"out\.xlsx: the table is written as CSV; give a name that ends in \.csv"
    ):
        predict_file(real("single_face.jpg"), net, ALIGN, tmp_path / "out.xlsx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("=HYPERLINK(1)+cmd.jpg", "./=HYPERLINK(1)+cmd.jpg"),
        ("-1.jpg", "./-1.jpg"),
        ("a\x1b\udcff.jpg", r"a\x1b\udcff.jpg"),
    ],
)
def test_a_name_in_the_table_is_no_formula_and_moves_no_cursor(net, quick_finder, tmp_path, name, told):
    (tmp_path / name).symlink_to(real(PORTRAIT))
    predict_file(tmp_path / name, net, ALIGN, tmp_path / "out.csv", finder=quick_finder)
    assert set(pd.read_csv(tmp_path / "out.csv")["file"]) == {told}


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_batch_size_changes_nothing(net, finder, tmp_path, batch_size):
    video = clip(VIDEO, tmp_path / "short.mp4", range(6))
    whole = predict_file(video, net, ALIGN, tmp_path / "whole.csv", finder=finder, batch_size=6)
    parts = predict_file(video, net, ALIGN, tmp_path / "parts.csv", finder=finder, batch_size=batch_size)
    pd.testing.assert_frame_equal(whole.table, parts.table, rtol=1e-4)


def test_an_overlay_of_a_photograph_changes_it_only_where_it_draws(net, finder, tmp_path):
    predict_file(real(GROUP), net, ALIGN, tmp_path / "out.csv", tmp_path / "out.png", finder=finder)
    before, after = pixels(GROUP), np.asarray(Image.open(tmp_path / "out.png"))
    changed = (before != after).any(axis=2)
    assert before.shape == after.shape
    assert 0.01 < changed.mean() < 0.15


def test_faces_keep_their_numbers_when_their_order_changes():
    numbers = FaceNumbers()
    left, right = Box(0, 0, 99, 99), Box(300, 0, 399, 99)
    assert numbers.of([left, right]) == [1, 2]
    assert numbers.of([Box(310, 5, 409, 104), Box(10, 0, 109, 99)]) == [2, 1]
    assert numbers.of([]) == []
    assert numbers.of([right]) == [2]
    assert numbers.of([Box(600, 0, 699, 99), left]) == [3, 1]


def test_two_faces_never_share_a_number():
    numbers = FaceNumbers()
    numbers.of([Box(0, 0, 99, 99)])
    assert numbers.of([Box(30, 0, 129, 99), Box(5, 0, 104, 99)]) == [2, 1]


def test_a_photograph_without_a_face_is_refused_and_leaves_nothing(net, quick_finder, tmp_path):
    with pytest.raises(NoFaceError, match=f"{LANDSCAPE}: no frontal face"):
        predict_file(real(LANDSCAPE), net, ALIGN, tmp_path / "o.csv", tmp_path / "o.png", finder=quick_finder)
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_a_face_is_refused_and_leaves_nothing(net, quick_finder, tmp_path):
    video = clip(NOBODY, tmp_path / "nobody.mp4", range(0, 95, 10))
    with pytest.raises(NoFaceError, match=r"nobody\.mp4: no frontal face in 10 frame"):
        predict_file(video, net, ALIGN, tmp_path / "o.csv", tmp_path / "o.mp4", finder=quick_finder)
    assert list(tmp_path.iterdir()) == [video]


def test_a_video_cut_short_is_refused_and_leaves_nothing(net, finder, tmp_path):
    video = tmp_path / "cut.mp4"
    video.write_bytes(clip(VIDEO, tmp_path / "short.mp4", range(4)).read_bytes()[:-500])
    with pytest.raises(MediaError, match=r"cut\.mp4"):
        predict_file(video, net, ALIGN, tmp_path / "out.csv", tmp_path / "out.mp4", finder=finder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.mp4", "short.mp4"]


def test_text_is_refused(net, finder, tmp_path):
    (tmp_path / "face.jpg").write_text("no picture")
    with pytest.raises(MediaError, match=r"face\.jpg: neither"):
        predict_file(tmp_path / "face.jpg", net, ALIGN, tmp_path / "out.csv", finder=finder)


@pytest.mark.parametrize("outputs", [("face.png", "out.png"), ("out.csv", "face.png")])
def test_the_file_to_read_is_never_overwritten(net, finder, tmp_path, outputs):
    photograph = tmp_path / "face.png"
    Image.fromarray(pixels(HEADS[0])).save(photograph)
    before = photograph.read_bytes()
    csv, overlay = (tmp_path / name for name in outputs)
    with pytest.raises(ValueError, match="is the file to read"):
        predict_file(photograph, net, ALIGN, csv, overlay, finder=finder)
    assert photograph.read_bytes() == before
    assert list(tmp_path.iterdir()) == [photograph]


def test_the_table_and_the_overlay_cannot_be_one_file(net, finder, tmp_path):
    Image.fromarray(pixels(HEADS[0])).save(tmp_path / "face.png")
    (tmp_path / "a.png").write_text("of before")
    with pytest.raises(ValueError, match=r"a\.png: the table and the overlay cannot be one file"):
        predict_file(tmp_path / "face.png", net, ALIGN, tmp_path / "a.png", tmp_path / "a.png", finder=finder)
    assert (tmp_path / "a.png").read_text() == "of before"


NORMALISATION = Normalisation("BGR", (90.0, 100.0, 130.0), 1.0)


@pytest.fixture(scope="module")
def network():
    """An untrained network of the smallest profile."""
    torch.manual_seed(0)
    return build("tranet", SMOKE.model, SMOKE.align, NORMALISATION).eval()


@pytest.fixture(scope="module")
def run(network, tmp_path_factory):
    """A run that holds this network."""
    path = tmp_path_factory.mktemp("runs") / "tranet-fold1-0123456789ab"
    path.mkdir()
    torch.save(network.state_dict(), path / "checkpoint.pt")
    settings = {"model": SMOKE.model, "align": SMOKE.align, "normalisation": NORMALISATION}
    config = {"variant": "tranet", **{name: asdict(part) for name, part in settings.items()}}
    return Run(path, json.loads(json.dumps(config)), {"synthetic": True, "files": {"checkpoint.pt": noted(path)}})


def noted(run: Path) -> dict[str, object]:
    file = run / "checkpoint.pt"
    return {"bytes": file.stat().st_size, "sha256": file_sha256(file)}


def test_the_network_of_a_run_answers_as_it_did_when_it_was_saved(run, network, finder, tmp_path):
    net, align = load_network(run)
    image = torch.from_numpy(pixels(HEADS[0])[:64, :64].copy()).permute(2, 0, 1)[None]
    torch.testing.assert_close(net(image), network(image))
    result = predict_file(real(PORTRAIT), net, align, tmp_path / "out.csv", finder=finder)
    assert result.table[list(facs.AUS)].stack().between(0, 1).all()


def test_a_checkpoint_of_another_network_is_refused(run):
    other = replace(run, config={**run.config, "variant": "senet"})
    with pytest.raises(DamagedRunError, match="does not hold the weights of this senet"):
        load_network(other)


def test_a_cut_checkpoint_is_refused(run, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(run.checkpoint.read_bytes()[:5000])
    with pytest.raises(DamagedRunError, match="delete the folder"):
        load_network(replace(run, path=tmp_path))


def test_a_run_on_rendered_heads_says_so_and_one_on_disfa_does_not(run):
    assert "rendered heads" in caveat(run)
    assert caveat(replace(run, provenance={"synthetic": False})) == ""
