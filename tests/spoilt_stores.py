"""Bad stores of aligned frames, and bad files of weights."""

import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import timm
import torch
from mishaps import Attempt, call, change, command, copy, mishap
from spoilt_trees import refused
from trees import write_tree

from traunet.config import DEMO, PAPER, SMOKE
from traunet.data.disfa import read_tree
from traunet.data.preparing import prepare
from traunet.data.store import IMAGES, AlignedStore
from traunet.model.senet import SENet
from traunet.model.weights import Normalisation, fill_trunk, load_trunk, save_trunk

STORE, WEIGHTS = "store", "weights"


def trained(folder: Path, store: Path, profile: str = "smoke") -> Attempt:
    weights = folder / "trunk.pt"
    weights.touch()
    rest = ("--variant", "tranet", "--fold", 1, "--profile", profile, "--weights", weights)
    return command("train", "--store", store, *rest)


@mishap(STORE)
def people_of_another_data_set(folder):
    tree = read_tree(write_tree(folder / "DISFA", subjects=("SN099",), frames=3))
    prepare(tree, folder / "store", SMOKE.align, progress=False)
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
def one_bit_of_its_table_flipped(folder):
    table = copy("store", folder) / "frames.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    return trained(folder, folder / "store")


@mishap(STORE)
def its_landmarks_are_damaged(folder):
    landmarks = copy("store", folder) / "landmarks.npy"
    landmarks.write_bytes(bytes(landmarks.stat().st_size))
    return trained(folder, folder / "store")


@mishap(STORE)
def an_older_version_made_it(folder):
    change(copy("store", folder) / "manifest.json", sha256=None)
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
def it_is_a_small_pickle_that_would_fill_the_memory(folder):
    numbers = [1] * 100
    for _ in range(4):
        numbers = [numbers] * 100
    return loaded(folder, "senet50_ft_weight.pkl", pickle.dumps({"conv1.weight": numbers}, protocol=2))


@mishap(WEIGHTS)
def it_is_a_checkpoint_of_another_program(folder):
    state = {"epoch": 3, "state_dict": {"conv1.weight": torch.ones(64, 3, 7, 7)}}
    return loaded(folder, "checkpoint.pth.tar", state)


@mishap(WEIGHTS)
def it_is_of_another_architecture(folder):
    torch.save(timm.create_model("resnet18").state_dict(), folder / "resnet18.pth")
    with torch.device("meta"):
        trunk = SENet(PAPER.model)
    return call(lambda file: fill_trunk(trunk, load_trunk(file)[0], file), folder / "resnet18.pth")


@mishap(WEIGHTS, "they are SENet-50's, and the profile is not the paper's")
def papers_weights_in_a_small_profile(folder):
    with torch.device("meta"):
        papers, small = SENet(PAPER.model), SENet(DEMO.model)
    return call(fill_trunk, small, papers.state_dict(), folder / "senet50_ft_weight.pkl")


@mishap(WEIGHTS)
def a_value_is_not_finite(folder):
    state = SENet(SMOKE.model).state_dict()
    state["layer1.0.bn1.running_var"][0] = float("nan")
    save_trunk(folder / "trunk.pt", state, Normalisation())
    return call(load_trunk, folder / "trunk.pt")


@mishap(WEIGHTS)
def it_is_in_another_format(folder):
    header = b'{"conv1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return loaded(folder, "model.safetensors", struct.pack("<Q", len(header)) + header + bytes(4))


@mishap(WEIGHTS, "it is Keras's")
def keras_weights(folder):
    return loaded(folder, "rcmalli_vggface_tf_senet50.h5", b"\x89HDF\r\n\x1a\n" + bytes(40))


@mishap(WEIGHTS, "it is Caffe's")
def caffes_weights(folder):
    return loaded(folder, "senet50_ft.caffemodel", b"\x0a\x0bVGG_SENET50" + bytes(40))


@mishap(WEIGHTS)
def it_is_still_packed(folder):
    (folder / "senet50_ft_dims_2048.pth").write_bytes(bytes(40))
    with tarfile.open(folder / "senet50_ft_pytorch.tar", "w") as archive:
        archive.add(folder / "senet50_ft_dims_2048.pth", "senet50_ft_dims_2048.pth")
    return call(load_trunk, folder / "senet50_ft_pytorch.tar")


@mishap(WEIGHTS, "it is a pointer of git-lfs")
def pointer_of_lfs(folder):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 112611321\n"
    return loaded(folder, "senet50_ft_weight.pkl", pointer)
