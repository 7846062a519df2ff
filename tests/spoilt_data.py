"""Bad data: trees of DISFA, stores of aligned frames, files of weights."""

import pickle
import struct
from pathlib import Path

import numpy as np
import scipy.io
import timm
import torch
from mishaps import Attempt, call, change, command, copy, mishap, run, warned
from trees import draw, label_file, landmark_file, subject_points, video_file, write_tree, write_video

from traunet.config import ModelConfig
from traunet.data.store import IMAGES, AlignedStore
from traunet.model.senet import SENet
from traunet.model.weights import fill_trunk, load_trunk

TREE, STORE, WEIGHTS = "DISFA", "store", "weights"
ONE = "SN001"


def prepared(folder: Path) -> tuple[object, ...]:
    return ("prepare", "--disfa", folder / "DISFA", "--out", folder / "store", "--profile", "smoke")


def refused(folder: Path) -> Attempt:
    return command(*prepared(folder))


def reported(folder: Path) -> Attempt:
    return warned(*prepared(folder))


@mishap(TREE)
def the_folder_is_missing(folder):
    return refused(folder)


@mishap(TREE)
def the_archive_was_not_unpacked(folder):
    (folder / "DISFA").write_bytes(b"PK\x03\x04")
    return refused(folder)


@mishap(TREE)
def the_folder_is_empty(folder):
    (folder / "DISFA").mkdir()
    return refused(folder)


@mishap(TREE)
def the_folder_above_it_is_given(folder):
    copy("tree", folder, "DISFA/unpacked")
    return refused(folder)


@mishap(TREE)
def one_of_its_folders_is_missing(folder):
    (copy("tree", folder) / "Landmark_Points").rename(folder / "elsewhere")
    return refused(folder)


@mishap(TREE)
def its_folders_are_empty(folder):
    for name in ("Videos_LeftCamera", "ActionUnit_Labels", "Landmark_Points"):
        (folder / "DISFA" / name).mkdir(parents=True)
    return refused(folder)


@mishap(TREE)
def a_folder_is_there_twice(folder):
    (copy("tree", folder) / "Video_LeftCamera").mkdir()
    return refused(folder)


def with_labels(folder: Path, content: bytes) -> Attempt:
    label_file(copy("tree", folder), ONE, "AU4").write_bytes(content)
    return refused(folder)


@mishap(TREE)
def a_label_file_is_missing(folder):
    label_file(copy("tree", folder), ONE, "AU4").unlink()
    return refused(folder)


@mishap(TREE)
def a_label_file_is_empty(folder):
    return with_labels(folder, b"")


@mishap(TREE)
def a_line_of_labels_is_broken(folder):
    return with_labels(folder, b"1,0\n2,0\n3;0\n4,0\n5,0\n6,0\n")


@mishap(TREE)
def a_line_of_labels_lacks_its_intensity(folder):
    return with_labels(folder, b"1\n2\n3\n4\n5\n6\n")


@mishap(TREE, "labels were saved as UTF-16")
def other_encoding(folder):
    return with_labels(folder, "1,0\n2,0\n".encode("utf-16"))


@mishap(TREE)
def an_intensity_is_7(folder):
    return with_labels(folder, b"1,0\n2,7\n3,0\n4,0\n5,0\n6,0\n")


@mishap(TREE, "the frames of a label file do not count 1, 2, 3, …")
def frames_do_not_count(folder):
    return with_labels(folder, b"1,0\n2,0\n4,0\n5,0\n6,0\n7,0\n")


@mishap(TREE)
def one_action_unit_has_fewer_labels(folder):
    return with_labels(folder, b"1,0\n2,0\n3,0\n")


@mishap(TREE)
def a_subject_has_no_video(folder):
    video_file(copy("tree", folder), ONE).unlink()
    return refused(folder)


@mishap(TREE)
def a_subject_has_two_videos(folder):
    video = video_file(copy("tree", folder), ONE)
    video.with_suffix(".mp4").write_bytes(video.read_bytes())
    return refused(folder)


@mishap(TREE)
def a_video_is_empty(folder):
    video_file(copy("tree", folder), ONE).write_bytes(b"")
    return refused(folder)


@mishap(TREE)
def a_video_is_no_video(folder):
    video_file(copy("tree", folder), ONE).write_text("<html>Not found</html>\n" * 99)
    return refused(folder)


@mishap(TREE)
def a_video_is_a_list_of_other_files(folder):
    video = video_file(copy("tree", folder), ONE)
    video.rename(video.with_name("secret.avi"))
    video.write_text("ffconcat version 1.0\nfile secret.avi\n")
    return refused(folder)


@mishap(TREE)
def a_video_leads_nowhere(folder):
    video = video_file(copy("tree", folder), ONE)
    video.unlink()
    video.symlink_to(folder / "unplugged" / video.name)
    return refused(folder)


@mishap(TREE)
def a_video_is_cut_short(folder):
    video = video_file(copy("tree", folder), ONE)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 6 // 10])
    return reported(folder)


@mishap(TREE)
def a_video_is_longer_than_its_labels(folder):
    points = subject_points(ONE, 9, 96, 128)
    images = (draw(number, own, 96, 128) for number, own in enumerate(points, start=1))
    write_video(video_file(copy("tree", folder), ONE), images)
    return reported(folder)


@mishap(TREE)
def a_video_has_no_labels(folder):
    label_file(copy("tree", folder), ONE, "AU4").parent.rename(folder / "labels")
    return refused(folder)


@mishap(TREE)
def a_subject_has_no_landmarks(folder):
    landmark_file(copy("tree", folder), ONE, 1).parent.parent.rename(folder / "landmarks")
    return refused(folder)


@mishap(TREE)
def the_landmark_files_are_not_unpacked(folder):
    inner = landmark_file(copy("tree", folder), ONE, 1).parent
    for file in inner.iterdir():
        file.unlink()
    (inner / "landmarks.zip").write_bytes(b"PK\x03\x04")
    return refused(folder)


@mishap(TREE)
def some_landmark_files_are_missing(folder):
    tree = copy("tree", folder)
    for frame in (2, 4, 5):
        landmark_file(tree, ONE, frame).unlink()
    return reported(folder)


def with_landmarks(folder: Path, content: object) -> Attempt:
    file = landmark_file(copy("tree", folder), ONE, 3)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        scipy.io.savemat(file, {"pts": content})
    return reported(folder)


@mishap(TREE)
def a_landmark_file_is_damaged(folder):
    return with_landmarks(folder, b"no MATLAB file")


@mishap(TREE)
def a_landmark_file_is_empty(folder):
    return with_landmarks(folder, b"")


@mishap(TREE)
def a_landmark_file_has_68_points(folder):
    return with_landmarks(folder, np.ones((68, 2)))


@mishap(TREE)
def a_landmark_is_not_a_number(folder):
    points = subject_points(ONE, 6, 96, 128)[2]
    points[7] = np.nan
    return with_landmarks(folder, points)


@mishap(TREE)
def a_landmark_file_holds_objects(folder):
    return with_landmarks(folder, np.array([["a", {"b": 1}]], dtype=object))


@mishap(TREE)
def the_landmarks_of_a_frame_are_no_face(folder):
    return with_landmarks(folder, np.full((66, 2), 5.0))


@mishap(TREE)
def a_frame_has_two_landmark_files(folder):
    file = landmark_file(copy("tree", folder), ONE, 3)
    file.with_name("l00003_lm.mat").write_bytes(file.read_bytes())
    return refused(folder)


@mishap(TREE, "bad_frames.csv has other columns")
def other_columns(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("name,from,to\nSN001,2,3\n")
    return refused(folder)


@mishap(TREE, "bad_frames.csv has a range that ends before it begins")
def backward_range(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("subject,first,last\nSN001,5,2\n")
    return refused(folder)


@mishap(TREE)
def not_one_frame_can_be_used(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("subject,first,last\nSN001,1,6\n")
    return refused(folder)


def trained(folder: Path, store: Path, profile: str = "smoke") -> Attempt:
    weights = folder / "trunk.pt"
    weights.touch()
    rest = ("--variant", "tranet", "--fold", 1, "--profile", profile, "--weights", weights)
    return command("train", "--store", store, *rest)


@mishap(STORE)
def people_of_another_data_set(folder):
    write_tree(folder / "DISFA", subjects=("SN099",), frames=3)
    code, lines = run(*prepared(folder))
    assert code == 0, lines
    return trained(folder, folder / "store")


@mishap(STORE)
def there_is_no_store(folder):
    return trained(folder, folder / "store")


@mishap(STORE)
def it_was_aligned_with_other_settings(folder):
    return trained(folder, copy("store", folder), "demo")


@mishap(STORE)
def its_pictures_are_cut_short(folder):
    images = copy("store", folder) / IMAGES
    images.write_bytes(images.read_bytes()[:-99])
    return trained(folder, folder / "store")


@mishap(STORE)
def its_table_is_damaged(folder):
    table = copy("store", folder) / "frames.parquet"
    table.write_bytes(bytes(table.stat().st_size))
    return trained(folder, folder / "store")


@mishap(STORE)
def its_manifest_is_cut_short(folder):
    manifest = copy("store", folder) / "manifest.json"
    manifest.write_text(manifest.read_text()[:100])
    return trained(folder, folder / "store")


@mishap(STORE)
def its_manifest_lacks_an_entry(folder):
    change(copy("store", folder) / "manifest.json", align=None)
    return trained(folder, folder / "store")


@mishap(STORE)
def its_manifest_names_files_elsewhere(folder):
    change(copy("store", folder) / "manifest.json", bytes={"../../passwords": 99})
    return trained(folder, folder / "store")


@mishap(STORE)
def a_picture_in_it_is_damaged(folder):
    images = copy("store", folder) / IMAGES
    images.write_bytes(bytes(images.stat().st_size))
    return call(lambda: AlignedStore.open(folder / "store").image(0))


@mishap(STORE)
def there_is_a_store_already(folder):
    copy("tree", folder)
    copy("store", folder)
    return refused(folder)


@mishap(STORE)
def the_new_one_would_be_written_over_other_files(folder):
    copy("tree", folder)
    (folder / "store").mkdir()
    (folder / "store" / "thesis.txt").write_text("all of it")
    return refused(folder)


def loaded(folder: Path, name: str, content: object = None) -> Attempt:
    file = folder / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    return call(load_trunk, file)


@mishap(WEIGHTS)
def the_file_is_missing(folder):
    return command("pretrain", "--profile", "smoke", "--weights", folder / "senet50_ft_weight.pkl")


@mishap(WEIGHTS)
def a_folder_is_given(folder):
    (folder / "weights").mkdir()
    return command("pretrain", "--profile", "smoke", "--weights", folder / "weights")


@mishap(WEIGHTS)
def the_file_is_empty(folder):
    return loaded(folder, "senet50_ft_weight.pkl", b"")


@mishap(WEIGHTS)
def a_web_page_was_saved_in_its_place(folder):
    return loaded(folder, "senet50_ft_weight.pkl", b"<!DOCTYPE html><html><body>Quota exceeded</body></html>")


@mishap(WEIGHTS)
def the_file_is_cut_short(folder):
    torch.save({"conv1.weight": torch.ones(64, 3, 7, 7)}, folder / "whole.pth")
    return loaded(folder, "senet50_ft_dims_2048.pth", (folder / "whole.pth").read_bytes()[:20000])


@mishap(WEIGHTS)
def the_pickle_is_cut_short(folder):
    content = pickle.dumps({"conv1.weight": np.ones((64, 3, 7, 7), np.float32)}, protocol=2)
    return loaded(folder, "senet50_ft_weight.pkl", content[:20000])


@mishap(WEIGHTS)
def it_is_a_pickled_module(folder):
    return loaded(folder, "senet50_ft_pytorch.pth", torch.nn.Linear(2, 2))


class Malice:
    def __reduce__(self):
        return exec, ("raise SystemExit('the pickle ran code')",)


@mishap(WEIGHTS)
def it_is_a_pickle_that_runs_a_program(folder):
    return loaded(folder, "senet50_ft_weight.pkl", pickle.dumps({"conv1.weight": Malice()}, protocol=2))


@mishap(WEIGHTS)
def it_is_a_checkpoint_of_another_program(folder):
    state = {"epoch": 3, "state_dict": {"conv1.weight": torch.ones(64, 3, 7, 7)}}
    return loaded(folder, "checkpoint.pth.tar", state)


@mishap(WEIGHTS)
def it_is_of_another_architecture(folder):
    torch.save(timm.create_model("resnet18").state_dict(), folder / "resnet18.pth")
    with torch.device("meta"):
        trunk = SENet(ModelConfig())
    return call(lambda file: fill_trunk(trunk, load_trunk(file)[0], file), folder / "resnet18.pth")


@mishap(WEIGHTS)
def it_is_in_another_format(folder):
    header = b'{"conv1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return loaded(folder, "model.safetensors", struct.pack("<Q", len(header)) + header + bytes(4))
