"""Every option of the detector, as one tree of frozen dataclasses.

Each field's comment gives the name that the post (and the reference code) uses for it, and says so where our
default differs. A config is plain data: `to_dict` and `from_dict` carry it through JSON unchanged, so that a
checkpoint holds the exact detector it was trained as.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import reprlib
import typing
from dataclasses import dataclass, field

from rcnn_tutorial.errors import ConfigError

BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101", "vgg16", "mobilenet_v2", "small")
OPTIMIZERS = ("sgd", "adamw", "muon")
# What leaves the weights that a training ends with as they are, so that a resumed one may change it.
FREE = ("training.workers", "training.checkpoint_every", "training.on_bad_file", "training.deterministic")
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


# What must hold for a detector to make sense: (field, test of its value and the whole config, remedy).
_POSITIVE = (lambda v, c: 0 < v < 2**31, "use a positive number below 2^31")
_SHARE = (lambda v, c: 0 <= v <= 1, "use a number between 0 and 1")
_WEIGHT = (lambda v, c: 0 <= v < math.inf, "use 0 or more")
_DETECTOR_RULES = (
    ("classes", lambda v, c: len(v) > 0 and len(set(v)) == len(v), "give at least one class, each name once"),
    ("preprocessing.target_size", lambda v, c: v >= 16, "use at least 16 pixels"),
    ("preprocessing.max_size", lambda v, c: v >= c.preprocessing.target_size, "use at least target_size"),
    ("preprocessing.pad_to", lambda v, c: 1 <= v <= 4096, "use a number of pixels from 1 (no padding) to 4096"),
    ("preprocessing.mean", lambda v, c: len(v) == 3 and math.isfinite(sum(v)), "give three numbers"),
    ("preprocessing.std", lambda v, c: len(v) == 3 and 0 < min(v) <= max(v) < math.inf, "give three positive numbers"),
    ("backbone.tail_stride", lambda v, c: v in (1, 2), "use 1 or 2"),
    ("anchors.base_size", *_POSITIVE),
    ("anchors.scales", lambda v, c: len(v) > 0 and 0 < min(v) <= max(v) < math.inf, "give at least one positive scale"),
    ("anchors.ratios", lambda v, c: len(v) > 0 and 0 < min(v) <= max(v) < math.inf, "give at least one positive ratio"),
    ("rpn.channels", *_POSITIVE),
    ("rpn.sigma", *_POSITIVE),
    ("rpn.class_loss_weight", *_WEIGHT),
    ("rpn.box_loss_weight", *_WEIGHT),
    ("proposals.train_pre_nms_top_n", *_POSITIVE),
    ("proposals.train_post_nms_top_n", *_POSITIVE),
    ("proposals.test_pre_nms_top_n", *_POSITIVE),
    ("proposals.test_post_nms_top_n", *_POSITIVE),
    ("proposals.nms_threshold", *_SHARE),
    ("anchor_targets.positive_overlap", *_SHARE),
    (
        "anchor_targets.negative_overlap",
        lambda v, c: 0 <= v <= c.anchor_targets.positive_overlap,
        "use a number between 0 and positive_overlap",
    ),
    ("anchor_targets.batch_size", *_POSITIVE),
    ("anchor_targets.foreground_fraction", *_SHARE),
    (
        "proposal_targets.background_high",
        lambda v, c: c.proposal_targets.background_low <= v <= c.proposal_targets.foreground_threshold,
        "use a number between background_low and foreground_threshold",
    ),
    ("proposal_targets.batch_size", *_POSITIVE),
    ("proposal_targets.foreground_fraction", *_SHARE),
    ("proposal_targets.target_means", lambda v, c: len(v) == 4 and math.isfinite(sum(v)), "give four numbers"),
    ("proposal_targets.target_stds", lambda v, c: len(v) == 4 and min(v) > 0, "give four positive numbers"),
    ("crop_pooling.method", lambda v, c: v in ("crop", "align", "pool"), "use crop, align or pool"),
    ("crop_pooling.size", *_POSITIVE),
    ("classification.sigma", *_POSITIVE),
    ("classification.class_loss_weight", *_WEIGHT),
    ("classification.box_loss_weight", *_WEIGHT),
    ("inference.nms_threshold", *_SHARE),
    ("inference.max_detections", *_POSITIVE),
)
_TRAINING_RULES = (
    ("steps", *_POSITIVE),
    ("steps", lambda v, c: v >= 4 or not c.alternating, "alternating training has 4 phases, so use at least 4"),
    ("batch_size", *_POSITIVE),
    ("optimizer", lambda v, c: v in OPTIMIZERS, f"use {', '.join(OPTIMIZERS)}"),
    ("learning_rate", *_POSITIVE),
    ("momentum", *_SHARE),
    ("weight_decay", *_WEIGHT),
    ("schedule", lambda v, c: v in ("step", "cosine", "constant"), "use step, cosine or constant"),
    ("step_at", *_SHARE),
    ("warmup", lambda v, c: 0 <= v < 1, "use a share of the steps below 1"),
    ("clip_norm", lambda v, c: 0 <= v < math.inf, "use 0 (no limit) or more"),
    ("average_decay", lambda v, c: 0 <= v < 1, "use 0 (no average) or a number below 1"),
    (
        "scale_jitter",
        lambda v, c: len(v) == 2 and 0.1 <= v[0] <= v[1] <= 10,
        "give (smallest, largest) zoom between 0.1 and 10",
    ),
    ("color_jitter", *_SHARE),
    ("seed", lambda v, c: -(2**63) <= v < 2**63, "use a whole number of at most 64 bits"),
    ("workers", lambda v, c: v >= 0, "use 0 or more"),
    ("checkpoint_every", *_POSITIVE),
    ("on_bad_file", lambda v, c: v in ("fail", "skip"), "use fail or skip"),
)


# What a field takes, in the words of an error message.
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_LISTS = {float: "a list of numbers", str: "a list of names"}


def _check(config, rules) -> None:
    """Raise ConfigError, naming field, value and remedy, for a config that cannot work."""
    _check_types(config)
    for path, holds, remedy in rules:
        value = config
        for name in path.split("."):
            value = getattr(value, name)
        if not holds(value, config):
            raise ConfigError(f"{path} = {value!r}: {remedy}")


def _check_types(config, section: str = "") -> None:
    """Raise ConfigError, naming field and value, unless every field holds what its annotation says.

    A whole number may stand for a float, as in JSON; nothing else stands for another type, and nan for no number.
    """
    for name, hint in _hints(type(config)).items():
        value, path = getattr(config, name), f"{section}{name}"
        if dataclasses.is_dataclass(hint) and isinstance(value, hint):
            _check_types(value, f"{path}.")
        elif dataclasses.is_dataclass(hint):
            raise ConfigError(f"{path} = {reprlib.repr(value)}: expected a {hint.__name__}")
        elif not _fits(value, hint):
            expected = _KINDS.get(hint) or _LISTS[typing.get_args(hint)[0]]
            raise ConfigError(f"{path} = {reprlib.repr(value)}: expected {expected}")


def _fits(value, hint) -> bool:
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, typing.get_args(hint)[0]) for item in value)
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return (isinstance(value, int) and abs(value) < 2**63) or (isinstance(value, float) and not math.isnan(value))
    return isinstance(value, hint)


_hints = functools.cache(typing.get_type_hints)


@dataclass(frozen=True)
class PreprocessingConfig:
    """Section "Image Pre-Processing": scale the short side to `target_size`, cap the long one at `max_size`."""

    target_size: int = 600  # targetSize, TRAIN.SCALES: pixels of the shorter side
    max_size: int = 1000  # maxSize, TRAIN.MAX_SIZE: the longer side never exceeds this
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # PIXEL_MEANS, RGB in [0, 1]; ImageNet's, not the image's
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)  # 1 for Caffe weights; torchvision's divide by it
    pad_to: int = 1  # training: pad the scaled image to multiples of so many pixels, for few sizes; 1: never


@dataclass(frozen=True)
class BackboneConfig:
    """Section "Network Organization": which network is split into head and tail, and what of it stays fixed."""

    name: str = "resnet50"  # resnet18 | resnet34 | resnet50 | resnet101 | vgg16 | mobilenet_v2 | small
    tail_stride: int = 1  # stride of the tail's first block; the reference changes layer4's 2 to 1
    frozen_blocks: int = 2  # RESNET.FIXED_BLOCKS + 1: how many leading blocks of the head are never trained
    frozen_batch_norm: bool = True  # statistics and affine parameters both fixed


@dataclass(frozen=True)
class AnchorConfig:
    """Section "Anchor Generation Layer"."""

    base_size: int = 16  # side in pixels of the square that every shape is derived from
    scales: tuple[float, ...] = (8, 16, 32)  # ANCHOR_SCALES: multiples of base_size, not pixels
    ratios: tuple[float, ...] = (0.5, 1, 2)  # ANCHOR_RATIOS: height / width


@dataclass(frozen=True)
class RPNConfig:
    """Section "Region Proposal Network"."""

    channels: int = 512  # RPN_CHANNELS: width of the 3x3 convolution
    sigma: float = 3.0  # smooth L1 turns linear at 1 / sigma^2
    class_loss_weight: float = 1.0  # rpn_cross_entropy's share of the total loss
    box_loss_weight: float = 1.0  # rpn_loss_box's share of the total loss


@dataclass(frozen=True)
class ProposalConfig:
    """Section "Proposal Layer": how many boxes go into and come out of non-maximum suppression."""

    train_pre_nms_top_n: int = 12000  # TRAIN.RPN_PRE_NMS_TOP_N
    train_post_nms_top_n: int = 2000  # TRAIN.RPN_POST_NMS_TOP_N
    test_pre_nms_top_n: int = 6000  # TEST.RPN_PRE_NMS_TOP_N
    test_post_nms_top_n: int = 300  # TEST.RPN_POST_NMS_TOP_N
    nms_threshold: float = 0.7  # RPN_NMS_THRESH: IoU above which the lower-scored box goes

    def top_n(self, training: bool) -> tuple[int, int]:
        """(boxes before NMS, boxes after NMS) of the mode."""
        if training:
            return self.train_pre_nms_top_n, self.train_post_nms_top_n
        return self.test_pre_nms_top_n, self.test_post_nms_top_n


@dataclass(frozen=True)
class AnchorTargetConfig:
    """Section "Anchor Target Layer"."""

    positive_overlap: float = 0.7  # TRAIN.RPN_POSITIVE_OVERLAP: type B foreground at or above this IoU
    negative_overlap: float = 0.3  # TRAIN.RPN_NEGATIVE_OVERLAP: background below this IoU
    batch_size: int = 256  # TRAIN.RPN_BATCHSIZE: anchors (not images) that enter the loss, an image
    foreground_fraction: float = 0.5  # TRAIN.RPN_FG_FRACTION: at most this share of them is foreground
    clobber_positives: bool = False  # TRAIN.RPN_CLOBBER_POSITIVES: background wins over type A where both apply
    positive_weight: float = -1.0  # TRAIN.RPN_POSITIVE_WEIGHT: share of the box loss on foreground; -1: uniform
    border: float = 0.0  # RPN_ALLOWED_BORDER: pixels by which an anchor may leave the image


@dataclass(frozen=True)
class ProposalTargetConfig:
    """Section "Proposal Target Layer"."""

    foreground_threshold: float = 0.5  # TRAIN.FG_THRESH: foreground at or above this IoU
    background_high: float = 0.5  # TRAIN.BG_THRESH_HI: background below this IoU ...
    background_low: float = 0.1  # TRAIN.BG_THRESH_LO: ... and at or above this one (shipped configs: 0.0)
    batch_size: int = 128  # TRAIN.BATCH_SIZE: ROIs (not images) that enter the loss, an image (shipped configs: 256)
    foreground_fraction: float = 0.25  # TRAIN.FG_FRACTION: at most this share of them is foreground
    append_ground_truth: bool = False  # TRAIN.USE_GT: add the objects' own boxes to the ROIs
    target_means: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # TRAIN.BBOX_NORMALIZE_MEANS
    target_stds: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)  # TRAIN.BBOX_NORMALIZE_STDS


@dataclass(frozen=True)
class CropPoolingConfig:
    """Section "Crop Pooling"."""

    method: str = "crop"  # POOLING_MODE: crop (affine_grid + grid_sample) | align (RoIAlign) | pool (RoIPool)
    size: int = 7  # POOLING_SIZE: rows and columns of every crop
    max_pool: bool = False  # crop at twice the size, then 2x2 max pool, as the reference does for VGG16
    align_corners: bool = True  # theta is exact only with True; False is grid_sample's own default today
    detach_rois: bool = True  # no gradient into the RPN through the ROI's coordinates, as in the reference

    @property
    def is_linear(self) -> bool:
        """Whether a crop is a weighted sum of cells, which a maximum is not."""
        return self.method in ("crop", "align") and not self.max_pool


@dataclass(frozen=True)
class ClassificationConfig:
    """Sections "Classification Layer" and "Calculating Classification Layer Loss"."""

    sigma: float = 1.0  # smooth L1 turns linear at 1 / sigma^2
    class_loss_weight: float = 1.0  # cross_entropy's share of the total loss
    box_loss_weight: float = 1.0  # loss_box's share of the total loss


@dataclass(frozen=True)
class InferenceConfig:
    """Section "Implementation Details: Inference"."""

    score_threshold: float = 0.0  # test_net's thresh: keep boxes scored above this
    nms_threshold: float = 0.3  # TEST.NMS: IoU above which the lower-scored box of the same class goes
    max_detections: int = 100  # max_per_image


@dataclass(frozen=True)
class Config:
    """A whole detector: its classes and the options of every stage, in the order of the data."""

    classes: tuple[str, ...] = VOC_CLASSES  # without background, which is label 0; class i of this tuple is i + 1
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    anchors: AnchorConfig = field(default_factory=AnchorConfig)
    rpn: RPNConfig = field(default_factory=RPNConfig)
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    anchor_targets: AnchorTargetConfig = field(default_factory=AnchorTargetConfig)
    proposal_targets: ProposalTargetConfig = field(default_factory=ProposalTargetConfig)
    crop_pooling: CropPoolingConfig = field(default_factory=CropPoolingConfig)
    classification: ClassificationConfig = field(default_factory=ClassificationConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)

    def __post_init__(self):
        _check(self, _DETECTOR_RULES)


@dataclass(frozen=True)
class TrainingConfig:
    """Section "Implementation Details: Training". The defaults are the reference's recipe on VOC 2007."""

    steps: int = 70_000  # TRAIN's max_iters
    batch_size: int = 1  # TRAIN.IMS_PER_BATCH: images a step
    optimizer: str = "sgd"  # sgd | adamw | muon
    learning_rate: float = 0.001  # TRAIN.LEARNING_RATE: the schedule's highest
    momentum: float = 0.9  # TRAIN.MOMENTUM (sgd, and the kernels that muon moves)
    weight_decay: float = 1e-4  # TRAIN.WEIGHT_DECAY: not applied to biases and norms
    double_bias: bool = True  # TRAIN.DOUBLE_BIAS: biases learn twice as fast (sgd only)
    schedule: str = "step"  # step | cosine | constant
    step_at: float = 5 / 7  # TRAIN.STEPSIZE / max_iters: where "step" divides the rate by ten
    warmup: float = 0.0  # share of the steps over which the rate rises linearly from a hundredth
    clip_norm: float = 0.0  # largest norm of the whole gradient; 0 leaves it alone (the reference does)
    average_decay: float = 0.0  # exponential moving average of the weights, saved in place of the last; 0: none
    flip: bool = True  # TRAIN.USE_FLIPPED: mirror half of the images
    scale_jitter: tuple[float, float] = (1.0, 1.0)  # range of a random zoom before preprocessing
    color_jitter: float = 0.0  # strength of random brightness, contrast and saturation; 0: none
    seed: int = 0
    group_shapes: bool = False  # batches of photos of like shape: an epoch as before, in another order
    workers: int = 0  # processes that load data; the result does not depend on it
    on_bad_file: str = "fail"  # fail | skip (take the next image): about an image or annotation that cannot be read
    amp: bool = False  # autocast to bfloat16 in the networks
    deterministic: bool = False  # on a GPU: the same weights from every run, at some cost; CPUs give them anyway
    checkpoint_every: int = 500  # steps between checkpoints; the last step always writes one
    alternating: bool = False  # the paper's 4-step alternating training instead of joint training

    def __post_init__(self):
        _check(self, _TRAINING_RULES)


# The recipe for the small backbone and random weights: one cycle of AdamW.
TOY_TRAINING = TrainingConfig(
    steps=600, batch_size=8, optimizer="adamw", learning_rate=5e-3, schedule="cosine", warmup=0.15, clip_norm=5.0
)


def to_dict(config) -> dict:
    """A config dataclass as nested plain dicts, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(kind: type, values: dict):
    """The inverse of `to_dict`; lists become the tuples they were. Raises ConfigError on an unknown field."""
    if not isinstance(values, dict):
        raise ConfigError(f"{kind.__name__}: expected a mapping of fields, got {reprlib.repr(values)}")
    hints = _hints(kind)
    for name in values:
        if name not in hints:
            raise ConfigError(f"{kind.__name__}: unknown field {name!r}; {suggestion(name, hints)}")
    return kind(**{name: _decode(hints[name], value) for name, value in values.items()})


def _decode(hint, value):
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value)
    return tuple(value) if isinstance(value, list) else value


def suggestion(name: str, known) -> str:
    """What to write instead of an unknown name: the one that it most resembles, or all that there are."""
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def differences(old, new, field: str = ""):
    """Yield (dotted field, old value, new value) wherever two trees of plain values differ; a list equals a tuple."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from differences(old.get(key), new.get(key), f"{field}.{key}".lstrip("."))
    elif _as_list(old) != _as_list(new):
        yield field, old, new


def _as_list(value):
    return [_as_list(item) for item in value] if isinstance(value, list | tuple) else value


def reference_config(backbone: str = "resnet50", classes: tuple[str, ...] = VOC_CLASSES) -> Config:
    """The reference's detector with one of its backbones; VGG16's crops are made twice as large and max-pooled."""
    pooling = CropPoolingConfig(max_pool=backbone == "vgg16")
    return Config(classes=tuple(classes), backbone=BackboneConfig(name=backbone), crop_pooling=pooling)


def toy_config(classes: tuple[str, ...]) -> Config:
    """The small detector that learns drawn shapes from random weights on a CPU (128 px scenes, stride 8)."""
    return Config(
        classes=tuple(classes),
        preprocessing=PreprocessingConfig(target_size=128, max_size=214),
        backbone=BackboneConfig(name="small", tail_stride=2, frozen_blocks=0, frozen_batch_norm=False),
        anchors=AnchorConfig(scales=(1, 2, 4)),
        rpn=RPNConfig(channels=64),
        proposals=ProposalConfig(600, 150, 600, 150),
        anchor_targets=AnchorTargetConfig(batch_size=128),
        proposal_targets=ProposalTargetConfig(
            background_low=0.0, batch_size=16, foreground_fraction=0.5, append_ground_truth=True
        ),
        crop_pooling=CropPoolingConfig(size=4),
        classification=ClassificationConfig(sigma=3.0),
        inference=InferenceConfig(score_threshold=0.05),
    )
