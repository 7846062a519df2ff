"""The names of VGGFace2's SENet-50 in its releases, and what SENet calls the same."""

import re

FILES = "senet50_ft_dims_2048.pth or senet50_ft_weight.pkl"  # the authors' and the port's
HEADS = ("fc", "classifier", "feat_extract")  # what stands on the trunk in the releases, and is not used


def ports_name(name: str) -> str | None:
    """A name of the PyTorch port -> SENet's; None if it is not the trunk's.

    >>> ports_name("layer1.0.conv4.weight")
    'layer1.0.se.down.weight'
    """
    if not re.match(r"(conv1|bn1|layer[1-4])\.", name):
        return None
    return re.sub(r"(layer\d\.\d\.)conv([45])", lambda m: m[1] + ("se.down" if m[2] == "4" else "se.up"), name)


AUTHORS_PARTS = {
    "1x1_reduce": "conv1",
    "1x1_reduce_bn": "bn1",
    "3x3": "conv2",
    "3x3_bn": "bn2",
    "1x1_increase": "conv3",
    "1x1_increase_bn": "bn3",
    "1x1_down": "se.down",
    "1x1_up": "se.up",
    "1x1_proj": "downsample.0",
    "1x1_proj_bn": "downsample.1",
}
AUTHORS_STEM = {"conv1_7x7_s2": "conv1", "conv1_7x7_s2_bn": "bn1"}


def authors_name(name: str) -> str | None:
    """A Caffe-style name of the authors' release -> SENet's; None if it is not the trunk's.

    >>> authors_name("conv2_1_1x1_down.weight")
    'layer1.0.se.down.weight'
    """
    module, _, kind = name.rpartition(".")
    if module in AUTHORS_STEM:
        return f"{AUTHORS_STEM[module]}.{kind}"
    match = re.fullmatch(r"conv([2-5])_(\d)_(\w+)", module)
    if not match or match[3] not in AUTHORS_PARTS:
        return None
    return f"layer{int(match[1]) - 1}.{int(match[2]) - 1}.{AUTHORS_PARTS[match[3]]}.{kind}"
