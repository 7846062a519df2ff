"""How many parameters each reading of the paper has, beside version 1's "around 77M".

The paper leaves the decoder's kernel, its up-sampling, its skips and the channels of the branches open. These are
closed forms for SENet-50 at r = 16 with 512 hidden units a branch; a test holds the first against the network.
Several unlike readings land near 77M, so the number cannot choose between them.
"""

from dataclasses import dataclass

from traunet import facs

PRINTED = 77_000_000  # "TRA-Net is a light model with around 77M parameteres." (version 1, section 5)
TRUNK = 26_039_024
CLASSIFIER = 2048 * 8631 + 8631  # VGGFace2's last layer, which TRA-Net does not use
REDUCTION = 16
HIDDEN = 512


@dataclass(frozen=True)
class Reading:
    """One way to read section 3: the decoder's parameters, and the channels that enter a branch."""

    name: str
    decoder: int
    width: int
    outside: int = 0  # parameters counted though nothing uses them
    convolutions: int = 18  # version 2's, behind the CBAMs of all branches

    @property
    def version1(self) -> int:
        """Trunk, decoder, and in each branch three CBAMs and two FC layers."""
        fc = sum(_linear(self.width, HIDDEN) + _linear(HIDDEN, len(aus)) for aus in facs.REGION_AUS.values())
        return TRUNK + self.outside + self.decoder + 9 * _cbam(self.width) + fc

    @property
    def version2(self) -> int:
        """Version 1 and the 3x3 convolutions behind the CBAMs: two behind each of nine, where not shared."""
        return self.version1 + self.convolutions * _convolution(self.width, self.width)

    @property
    def near(self) -> tuple[int, ...]:
        """The versions that come within 3 % of the printed number.

        Version 2 counts too: both versions print the same scores, so they may speak of one network, of which the
        first text left the convolutions out.
        """
        return tuple(n for n, count in ((1, self.version1), (2, self.version2)) if abs(count / PRINTED - 1) < 0.03)


def _convolution(channels: int, out_channels: int, kernel: int = 3) -> int:
    return channels * out_channels * kernel**2 + 2 * out_channels  # with BatchNorm, without bias


def _se(channels: int) -> int:
    squeezed = channels // REDUCTION
    return 2 * channels * squeezed + channels + squeezed


def _cbam(channels: int) -> int:
    return 2 * channels * (channels // REDUCTION) + 2 * 7 * 7 + 2


def _linear(channels: int, out_channels: int) -> int:
    return (channels + 1) * out_channels


def _two(deep: int, last: int, kernel: int = 3) -> int:
    """Two decoder stages with SE: `deep` channels to block 4's 1024, and `last` to block 3's 512."""
    return _convolution(deep, 1024, kernel) + _se(1024) + _convolution(last, 512, kernel) + _se(512)


def _three(first: int, second: int) -> int:
    """A convolution at block 5 too, each before its up-sampling: `first` channels leave block 5, `second` 4."""
    stages = ((2048, first), (first + 1024, second), (second + 512, 512))
    return sum(_convolution(channels, out) + _se(out) for channels, out in stages)


TAKEN = Reading("repeat pixels, concatenate the skip, 3x3", _two(3072, 1536), 512)
READINGS = (
    TAKEN,
    Reading("repeat pixels, 3x3, add the skip", _two(2048, 1024), 512),
    Reading("transposed 4x4, add the skip", _two(2048, 1024, kernel=4), 512),
    Reading("transposed 4x4, concatenate the skip", _two(2048, 2048, kernel=4), 1024),
    Reading("3x3 at blocks 5, 4 and 3 to 1024, 512, 512 channels, concatenate", _three(1024, 512), 512),
    Reading("3x3 at blocks 5, 4 and 3 to 1024, 1024, 512 channels, concatenate", _three(1024, 1024), 512),
    Reading("3x3 at blocks 5, 4 and 3 to 2048, 1024, 512 channels, concatenate", _three(2048, 1024), 512),
    Reading(
        "as taken, six convolutions: shared by the branches, or one pair a branch", _two(3072, 1536), 512, 0, 6
    ),
    Reading("as taken, VGGFace2's unused classifier counted", _two(3072, 1536), 512, CLASSIFIER),
    Reading("3x3 at blocks 5, 4 and 3 to 1024, 512, 512, classifier counted", _three(1024, 512), 512, CLASSIFIER),
)
