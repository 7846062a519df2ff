"""A network is asked about pictures, and about nothing that only looks like them."""

import numpy as np
import pytest
import torch
from pictures import TINY, PaintedStore

from traunet.attention import grad_cam, settle, spatial_attention
from traunet.detect import predict_faces
from traunet.model import fields
from traunet.model.batches import as_batch
from traunet.model.tranet import build
from traunet.model.weights import Normalisation

IMAGES = PaintedStore(frames=2, subjects=("SN001", "SN002")).images([0, 1])
OTHERS = {
    "shares of 255": IMAGES / np.float32(255),
    "floats to 255": IMAGES.astype(np.float32),
    "one picture": IMAGES[0],
    "grey": IMAGES[..., 0],
    "one channel": IMAGES[..., :1],
    "RGBA": IMAGES[..., [0, 1, 2, 0]],
    "channels first": IMAGES.transpose(0, 3, 1, 2),
    "16 bits": IMAGES.astype(np.uint16),
}
QUESTIONS = {
    "grad_cam": lambda net, images: grad_cam(net, images, "AU12"),
    "spatial_attention": spatial_attention,
    "settle": lambda net, images: settle(net, [images]),
    "predict_faces": lambda net, images: predict_faces(images, net),
    "answer_maps": fields.answer_maps,
}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build("tranet", TINY.model, TINY.align, Normalisation()).eval()


@pytest.mark.parametrize("images", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_other_than_colour_pictures_of_eight_bits_are_refused_in_one_sentence(net, ask, images):
    with pytest.raises(ValueError, match=r"^pictures are \(N, H, W, 3\) uint8 RGB, not .*; one alone is picture"):
        ask(net, images)
    assert not any(part._forward_hooks for part in net.modules())


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_pictures_from_a_store_are_answered(net, ask):
    ask(net, IMAGES)


def test_a_batch_holds_every_pixel_in_its_place():
    batch = as_batch(IMAGES[:, ::-1])
    assert batch.dtype == torch.uint8
    assert (batch[1, 2, 0, 5] == IMAGES[1, -1, 5, 2]).item()
    assert as_batch(IMAGES[:0]).shape == (0, 3, *IMAGES.shape[1:3])
