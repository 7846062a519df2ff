"""Every setting of the project. Where the paper gives a value, it is the default, and its sentence is beside it.

Where it gives none, the default is ours; what bears on a network is then among the decisions below. A profile
bundles the settings for one kind of machine; `smoke` and `demo` list each departure from the paper with its reason
in `Profile.departures`, from which the book makes its page.

A setting is a field of one of these classes. Fields count by value in what makes a stage stale (`traunet.keys`);
the text of this file does not, so that a constant beside the classes makes nothing stale.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from traunet import bounds
from traunet.facs import DISFA_AUS, MAX_INTENSITY


@dataclass(frozen=True)
class Expression:
    """Action units that go together, each with how strongly it takes part (0 to 1); rate: how often it happens."""

    parts: tuple[tuple[str, float], ...]
    rate: float


# Everyday expressions first; then every AU alone, and the mouth once more, which moves most.
EXPRESSIONS = (
    Expression((("AU6", 0.9), ("AU12", 1.0)), 2.0),
    Expression((("AU6", 1.0), ("AU12", 1.0), ("AU25", 1.0), ("AU26", 0.5)), 2.0),
    Expression((("AU1", 1.0), ("AU2", 1.0)), 1.0),
    Expression((("AU1", 0.9), ("AU2", 1.0), ("AU5", 0.8), ("AU25", 0.8), ("AU26", 1.0)), 1.0),
    Expression((("AU1", 1.0), ("AU4", 0.8), ("AU15", 0.8)), 0.6),
    Expression((("AU4", 0.9), ("AU9", 1.0), ("AU17", 0.5)), 1.0),
    Expression((("AU9", 1.0), ("AU25", 0.7)), 0.6),
    Expression((("AU4", 0.8), ("AU20", 0.9), ("AU25", 0.8), ("AU26", 0.5)), 0.5),
    *(Expression(((au, 1.0),), 0.8) for au in DISFA_AUS),
    Expression((("AU4", 1.0),), 1.2),
    Expression((("AU25", 1.0),), 1.8),
    Expression((("AU25", 0.9), ("AU26", 0.9)), 1.2),
)


@dataclass(frozen=True)
class SynthConfig:
    """A synthetic DISFA: how many heads, how many frames of each, how large, how expressive."""

    frames: int = 4845  # a subject's; SN010 has one frame fewer, as in DISFA
    height: int = 768
    width: int = 1024
    fps: int = 20
    share_factor: float = 1.0  # multiplies DISFA's share of frames at every intensity of every AU
    expressions: tuple[Expression, ...] = EXPRESSIONS  # which AUs go together
    takes: int = 1  # scenes (light, camera, room) among which a subject's frames are divided; DISFA has one
    seed: int = 0


@dataclass(frozen=True)
class AlignConfig:
    """The aligned frame: "The output shape of similarity transformation was 3 X 224 X 224." (section 4.1)."""

    size: int = 224  # pixels, height and width
    center: tuple[float, float] = (0.5, 0.5)  # (x, y) of the nose's midpoint, as shares of the size
    chin: float = 0.95  # y of the chin, as a share of the size

    def __post_init__(self):
        bounds.beyond_reason(AlignConfig, size=self.size)
        x, y = self.center
        if not all(isinstance(share, int | float) and 0 <= share <= 2 for share in (x, y, self.chin)):
            raise ValueError(f"center {self.center!r}, chin {self.chin!r}: give shares of the size, 0 to 2")


@dataclass(frozen=True)
class ModelConfig:
    """SENet-50's shape and the widths of what stands on it.

    Decision: 512 channels at the decoder's end and in each branch to its end, as many as block 3 has, whose shape
    the decoder restores; the paper gives no width. The other reading widens a branch from one soft attention to
    the next.
    Decision: 512 hidden units between "two FC layers to predict AU" (section 3), as many as the channels that
    enter; the paper gives no number. The alternatives are fewer or more.
    Decision: 16 for the "reduction ratio r" (section 3); the paper gives no number. VGGFace2's weights fix it for
    the trunk alone; the decoder's SE and the channel half of each CBAM take the same. The alternatives are other
    ratios there.
    """

    width: int = 64  # channels of the stem; stage n has 4 * width * 2**(n - 1)
    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    reduction: int = 16  # r of equation 2
    branch_width: int = 512  # channels of the decoded features and of a branch; block 3 has as many
    hidden: int = 512  # between the two fully connected layers of a branch

    def __post_init__(self):
        bounds.beyond_reason(ModelConfig, width=self.width, reduction=self.reduction)
        bounds.beyond_reason(ModelConfig, branch_width=self.branch_width, hidden=self.hidden)
        papers = ModelConfig.depths
        most = tuple(bounds.BEYOND * depth for depth in papers)
        fitting = len(self.depths) == len(papers) and all(map(bounds.is_whole, self.depths, (1,) * 4, most))
        if not fitting:
            raise ValueError(f"depths {self.depths!r}: give whole numbers from 1 to {most}")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained; the defaults are section 4.1's.

    Decision: the first evaluation is after epoch 10: the paper begins "when the model was close to convergence"
    (section 4.1) and does not say when that is. The alternatives: after the first epoch, which gives the choice
    more tries, or by a rule on the loss.
    Decision: training ends after 100 epochs even if the score still rises; the paper names no cap. The alternative
    is none.
    Decision: the rate is constant. The paper says "initial learning rate of 0.001" (section 4.1), which may mean
    that it fell later, and names no schedule. The other readings: a fall by steps, along a cosine, or when the
    score stalls.
    Decision: a frame is flipped with probability 0.5; the paper says "random" and gives no probability. The
    alternatives are all other shares.
    """

    threshold: int = 3  # "intensity equal or higher than C-level was regarded as positive"
    batch_size: int = 64  # "For each batch, 64 frames were randomly selected"
    batches_per_epoch: int = 100  # "1 epoch contained 100 batches"
    learning_rate: float = 0.001  # "initial learning rate of 0.001"
    final_learning_rate: float | None = None  # reached along a cosine at max_epochs; None: the rate is constant
    momentum: float = 0.9
    weight_decay: float = 0.001
    flip_probability: float = 0.5  # "a random horizontally flip strategy was used during training"
    first_evaluation: int = 10  # epochs trained before the first; "when the model was close to convergence"
    patience: int = 10  # "stop training when the performance did not increase after 10 epochs"
    max_epochs: int = 100
    held_out_subjects: int = 0  # training subjects kept aside to choose the epoch; 0: the test fold, as the paper
    evaluation_stride: int = 1  # every n-th frame of each subject when choosing the epoch; final scores use all
    seed: int = 0

    def __post_init__(self):
        bounds.whole(1, MAX_INTENSITY, threshold=self.threshold)
        bounds.whole(1, batch_size=self.batch_size, batches_per_epoch=self.batches_per_epoch)
        bounds.whole(1, max_epochs=self.max_epochs, first_evaluation=self.first_evaluation, patience=self.patience)
        bounds.whole(1, evaluation_stride=self.evaluation_stride)
        bounds.whole(0, held_out_subjects=self.held_out_subjects, seed=self.seed)
        bounds.share(momentum=self.momentum, weight_decay=self.weight_decay)
        bounds.share(flip_probability=self.flip_probability)
        bounds.falling(self.learning_rate, self.final_learning_rate)

    @property
    def rates(self) -> tuple[float, float]:
        """The first learning rate and the last, which are the same where the rate is constant."""
        first, last = self.learning_rate, self.final_learning_rate
        return first, first if last is None else last


@dataclass(frozen=True)
class TrunkConfig:
    """The small trunk, trained as VGGFace2 trained the paper's: on whose face it is."""

    identities: int = 200
    frames: int = 16  # of each identity, every one in another light, room and camera
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 0.05
    seed: int = 1000


@dataclass(frozen=True)
class Profile:
    """One way to run everything, from nothing to the site."""

    name: str
    synth: SynthConfig = field(default_factory=SynthConfig)
    align: AlignConfig = field(default_factory=AlignConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    trunk: TrunkConfig | None = None  # None: the trunk's weights come from a file
    departures: tuple[tuple[str, str], ...] = ()  # (what differs from the paper, why)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by its part and name, as `train.threshold`; those of the trunk where one is trained."""
        parts = {name: part for name, part in vars(self).items() if dataclasses.is_dataclass(part)}
        return {f"{name}.{key}": value for name, part in parts.items() for key, value in vars(part).items()}

    @property
    def heads(self) -> SynthConfig:
        """How the heads are rendered on which the trunk is trained; ValueError if its weights come from a file."""
        if self.trunk is None:
            raise ValueError(f"profile {self.name!r} trains no trunk: its weights come from a file")
        films = {"frames": self.trunk.frames, "takes": self.trunk.frames, "fps": 1, "seed": self.trunk.seed}
        return dataclasses.replace(self.synth, **films)


@dataclass(frozen=True)
class Variant:
    """A row of Table 2, or a version of the whole network."""

    name: str
    title: str  # as printed in the paper


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("senet", "SENet-50"),
        Variant("senet_cbam", "SENet-50 + CBAM"),
        Variant("senet_hm", "SENet-50 + HM"),
        Variant("hm_cbam_no_channel", "SENet-50 + HM + CBAM w/o AT"),
        Variant("hm_cbam_no_spatial", "SENet-50 + HM + CBAM w/o ST"),
        Variant("tranet_residual", "TRA-Net with residual structure"),
        Variant("tranet", "TRA-Net"),
        Variant("tranet_v1", "TRA-Net, version 1"),
    )
}
FOLDS = (1, 2, 3)

PAPER = Profile("paper")
# Each names its settings, or the part that they belong to: a page of the book holds that against the settings.
SMALL_MACHINE = (
    (
        "synth",
        "Where DISFA is not given, heads are rendered. Fewer and smaller pictures, filmed slowly, take minutes. "
        "All shares of positive frames are raised by one factor, so that even the rarest AU occurs.",
    ),
    ("align.size", "The cost of a picture grows with its area; at this size every AU can still be seen."),
    (
        "model.width, model.depths, model.reduction, model.branch_width, model.hidden",
        "SENet-50 takes seconds a picture where there is no GPU. Every part of TRA-Net is there, with fewer "
        "channels and blocks.",
    ),
    (
        "train.batch_size, train.batches_per_epoch, train.max_epochs, train.first_evaluation",
        f"All networks of the book share one short time: {len(VARIANTS)} variants of {len(FOLDS)} folds.",
    ),
    (
        "train.learning_rate, train.final_learning_rate",
        "So few batches need larger steps, and small ones at the end; the paper's rate is constant. The demo's "
        "rate, epochs, picture size and heads were chosen in eight trials by TRA-Net's F1 on the rendered "
        "heads of fold 1, so that fold's score flatters; folds 2 and 3 were not looked at.",
    ),
    (
        "train.held_out_subjects",
        "The epoch is chosen on training subjects kept aside; the paper chooses it on the test fold.",
    ),
    (
        "train.evaluation_stride",
        "Neighbouring frames are alike: every n-th is enough to choose an epoch. The tables use all.",
    ),
    (
        "trunk",
        "VGGFace2's weights fit only SENet-50. A trunk of this size is trained once on other "
        "rendered heads, the way VGGFace2 trained the paper's: on whose face it is.",
    ),
)
DEMO = Profile(
    "demo",
    synth=SynthConfig(frames=200, height=256, width=256, fps=2, share_factor=2.5),
    align=AlignConfig(size=96),
    model=ModelConfig(width=16, depths=(1, 1, 1, 1), reduction=8, branch_width=32, hidden=64),
    train=TrainConfig(
        batch_size=32,
        batches_per_epoch=50,
        learning_rate=0.15,
        final_learning_rate=0.003,
        first_evaluation=12,
        max_epochs=15,
        held_out_subjects=3,
        evaluation_stride=4,
    ),
    trunk=TrunkConfig(),
    departures=SMALL_MACHINE,
)
SMOKE = Profile(
    "smoke",
    synth=SynthConfig(frames=24, height=256, width=256, fps=2, share_factor=2.5),
    align=AlignConfig(size=64),
    model=ModelConfig(width=8, depths=(1, 1, 1, 1), reduction=4, branch_width=16, hidden=32),
    train=TrainConfig(
        batch_size=16,
        batches_per_epoch=4,
        learning_rate=0.02,
        final_learning_rate=0.0002,
        first_evaluation=1,
        max_epochs=2,
        held_out_subjects=3,
        evaluation_stride=4,
    ),
    trunk=TrunkConfig(identities=16, frames=6, epochs=2, batch_size=16),
    departures=SMALL_MACHINE,
)
PROFILES = {profile.name: profile for profile in (SMOKE, DEMO, PAPER)}


def named(kind: str, name: str, known: dict):
    """Look a variant or profile up by name; raise ValueError that lists the known names."""
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}; choose one of: {', '.join(known)}")
    return known[name]


def canonical_json(config) -> str:
    """One JSON text for equal configurations, whatever the order in which they were built."""
    return json.dumps(dataclasses.asdict(config), sort_keys=True)
