"""The hard masks that divide the face, and the branch that reads one region."""

import torch
from torch import Tensor, nn

from traunet.model.blocks import Rows


def region_rows(size: int, center: float) -> list[Rows]:
    """The rows of the upper, middle and lower region, of `size` in all: the first, and the one behind the last.

    "The hard masks split the feature map horizontally, the bottom of M_up and the top of M_low are corresponding
    to y, and the top and the bottom of M_mid are y + H/4 and y - H/4 respectively." (section 3)

    Decision: y counts upwards in "y + H/4" and the middle mask reaches H/4 to both sides of the centre; a row
    belongs to the region that holds its middle, so that upper and lower share no row and leave none out.
    The other reading, in which y counts downwards, leaves the middle mask empty.

    `center` is y as a share of the height, where alignment put the middle of the nose.
    """
    distances = [(row + 0.5) / size - center for row in range(size)]
    upper = sum(distance < 0 for distance in distances)
    first = sum(distance <= -0.25 for distance in distances)
    return [(0, upper), (first, first + sum(abs(distance) < 0.25 for distance in distances)), (upper, size)]


def region_masks(size: int, center: float) -> Tensor:
    """The three hard masks, upper, middle and lower: (3, size, size), one in their region and zero elsewhere."""
    rows = torch.arange(size)
    masks = torch.stack([(rows >= top) & (rows < bottom) for top, bottom in region_rows(size, center)])
    return masks.float()[:, :, None].repeat(1, 1, size)


class HardMasks(nn.Module):
    """I_hm = M_h (x) I (equation 4): features (B, C, H, W) -> one masked copy for each of the masks (R, H, W).

    Decision: the masks act once, on the decoded features; what the branches compute from them is not masked again.
    The other reading masks the features of a branch after every convolution.
    """

    masks: Tensor

    def __init__(self, masks: Tensor):
        super().__init__()
        self.register_buffer("masks", masks, persistent=False)

    def live_rows(self) -> list[Rows]:
        """The rows in which features get through each mask, the first to the last: outside, a branch gets zeros.

        On torch's meta device, where masks have no values and nothing is computed, all rows.
        """
        if self.masks.is_meta:
            return [(0, self.masks.shape[1])] * len(self.masks)
        regions = self.forward(torch.ones_like(self.masks[None, :1]))
        found = [region[0, 0].ne(0).any(dim=1).nonzero().flatten().tolist() for region in regions]
        return [(rows[0], rows[-1] + 1) if rows else (0, 0) for rows in found]

    def forward(self, features: Tensor) -> list[Tensor]:
        if features.shape[-2:] != self.masks.shape[-2:]:
            raise ValueError(
                f"the features are {tuple(features.shape[-2:])} and the masks {tuple(self.masks.shape[-2:])}: "
                "feed images of the size that the network was built for (AlignConfig.size), or build it anew"
            )
        # A mask of single precision would make single precision of all that follows.
        return [features * mask for mask in self.masks.to(features.dtype)]


class RegionBranch(nn.Module):
    """One branch: three soft attentions, each with what follows it, and two FC layers -> logits (B, A).

    "each of which is then fed to a specific branch" ... "three continuous soft mask attention blocks in order to
    gradually refine the attention and learn higher-level features" ... "Finally, the output of the average pooling
    layer is fed to two FC layers to predict AU." (section 3). A hook on `cbams[n].spatial.gate` sees the n-th map.

    Decision: average pooling over the whole map in both versions, and `hidden` units with ReLU between the two
    layers. Flattening version 1's 512 x 28 x 28 map instead would take 205M weights a branch.
    """

    def __init__(self, cbams: list[nn.Module], followers: list[nn.Module], channels: int, hidden: int, aus: int):
        super().__init__()
        self.cbams = nn.ModuleList(cbams)
        self.followers = nn.ModuleList(followers)
        self.predict = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, aus))

    def forward(self, features: Tensor) -> Tensor:
        for cbam, follower in zip(self.cbams, self.followers, strict=True):
            features = follower(cbam(features))
        return self.predict(features.mean((2, 3)))
