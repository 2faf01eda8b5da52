"""Every option of the detector, as one tree of frozen dataclasses.

A field states an option once: type and range, default, meaning, the name that the post (and the reference code) uses
for it, and the flag of `train` (see `fields.option`). A config is plain data: `to_dict` and `from_dict` carry it
through JSON unchanged, so that a checkpoint holds the exact detector it was trained as.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from rcnn_tutorial.fields import (
    ALL_FINITE,
    ALL_POSITIVE,
    POSITIVE,
    Count,
    Names,
    Natural,
    Positive,
    Positives,
    Rule,
    Share,
    SmallShare,
    Weight,
    at_least,
    between,
    check,
    fields_of,
    option,
)

Backbone = Literal["resnet18", "resnet34", "resnet50", "resnet101", "vgg16", "mobilenet_v2", "small"]
Optimizer = Literal["sgd", "adamw", "muon"]
BACKBONES, OPTIMIZERS = get_args(Backbone), get_args(Optimizer)
VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

ENOUGH_STEPS = Rule(lambda v, c: v >= 4 or not c.alternating, "alternating training has 4 phases, so use at least 4")
Seed = Annotated[int, Rule(lambda v, _: -(2**63) <= v < 2**63, "use a whole number of at most 64 bits")]
Zoom = Annotated[tuple[float, float], Rule(lambda v, _: 0.1 <= v[0] <= v[1] <= 10, "use (low, high) from 0.1 to 10")]
Three = tuple[float, float, float]
Four = tuple[float, float, float, float]


@dataclass(frozen=True)
class PreprocessingConfig:
    """Section "Image Pre-Processing": scale the short side to targetSize, cap the long one at maxSize."""

    target_size: Annotated[int, at_least(16)] = option(600, "pixels of the shorter side", "TRAIN.SCALES", flag=True)
    max_size: Annotated[int, at_least("target_size")] = option(
        1000, "most pixels of the longer side", "TRAIN.MAX_SIZE", flag=True
    )
    mean: Annotated[Three, ALL_FINITE] = option(
        (0.485, 0.456, 0.406), "subtracted; RGB in [0, 1]: ImageNet's, not the image's", "PIXEL_MEANS"
    )
    std: Annotated[Three, ALL_POSITIVE] = option(
        (0.229, 0.224, 0.225), "what the difference is divided by; 1 for Caffe weights"
    )
    pad_to: Annotated[int, between(1, 4096)] = option(
        1,
        "training only: pad scaled photos to multiples of so many pixels, such as 128, so that few sizes occur and "
        "more photos share a pass; features along padded borders change, and so may the result; 1: no padding",
        flag=True,
    )


@dataclass(frozen=True)
class BackboneConfig:
    """Section "Network Organization": which network is split into head and tail, and what of it stays fixed."""

    name: Backbone = option("resnet50", "network to split into head and tail", flag="--backbone")
    tail_stride: Literal[1, 2] = option(1, "stride of the tail's first block; torchvision's layer4 has 2", flag=True)
    frozen_blocks: int = option(2, "leading blocks of the head that never train", "RESNET.FIXED_BLOCKS + 1", flag=True)
    frozen_batch_norm: bool = option(
        True, "fixed statistics, fixed affine parameters: never train batch norm", flag=True
    )


@dataclass(frozen=True)
class AnchorConfig:
    """Section "Anchor Generation Layer"."""

    base_size: Count = option(16, "side in pixels of the square that every shape is derived from")
    scales: Positives = option((8, 16, 32), "anchor sizes / base_size (16 pixels)", "ANCHOR_SCALES", "--anchor-scales")
    ratios: Positives = option((0.5, 1, 2), "anchor heights / widths", "ANCHOR_RATIOS", "--anchor-ratios")


@dataclass(frozen=True)
class RPNConfig:
    """Section "Region Proposal Network"."""

    channels: Count = option(512, "width of the RPN's 3x3 convolution", "RPN_CHANNELS", "--rpn-channels")
    sigma: Positive = option(3.0, "the RPN's smooth L1 turns linear at 1 / sigma^2")
    class_loss_weight: Weight = option(1.0, "factor of this loss in the total", "rpn_cross_entropy")
    box_loss_weight: Weight = option(1.0, "factor of this loss in the total", "rpn_loss_box")


@dataclass(frozen=True)
class ProposalConfig:
    """Section "Proposal Layer": how many boxes go into and come out of non-maximum suppression."""

    train_pre_nms_top_n: Count = option(12000, "boxes before NMS, training", "TRAIN.RPN_PRE_NMS_TOP_N")
    train_post_nms_top_n: Count = option(2000, "boxes after NMS, training", "TRAIN.RPN_POST_NMS_TOP_N")
    test_pre_nms_top_n: Count = option(6000, "boxes before NMS, detecting", "TEST.RPN_PRE_NMS_TOP_N")
    test_post_nms_top_n: Count = option(300, "boxes after NMS, detecting", "TEST.RPN_POST_NMS_TOP_N")
    nms_threshold: Share = option(0.7, "IoU above which the lower-scored box goes", "RPN_NMS_THRESH")

    def top_n(self, training: bool) -> tuple[int, int]:
        """(boxes before NMS, boxes after NMS) of the mode."""
        if training:
            return self.train_pre_nms_top_n, self.train_post_nms_top_n
        return self.test_pre_nms_top_n, self.test_post_nms_top_n


@dataclass(frozen=True)
class AnchorTargetConfig:
    """Section "Anchor Target Layer"."""

    positive_overlap: Share = option(0.7, "type B foreground at or above this IoU", "TRAIN.RPN_POSITIVE_OVERLAP")
    negative_overlap: Annotated[float, between(0, "positive_overlap")] = option(
        0.3, "background below this IoU", "TRAIN.RPN_NEGATIVE_OVERLAP"
    )
    batch_size: Count = option(256, "anchors per image in the RPN's loss", "TRAIN.RPN_BATCHSIZE", "--anchors-per-image")
    foreground_fraction: Share = option(0.5, "largest share of foreground among the anchors", "TRAIN.RPN_FG_FRACTION")
    clobber_positives: bool = option(False, "background wins over type A", "TRAIN.RPN_CLOBBER_POSITIVES")
    positive_weight: float = option(-1.0, "foreground's share of the loss; -1: uniform", "TRAIN.RPN_POSITIVE_WEIGHT")
    border: float = option(0.0, "pixels by which an anchor may leave the image", "RPN_ALLOWED_BORDER")


@dataclass(frozen=True)
class ProposalTargetConfig:
    """Section "Proposal Target Layer". The reference ships configs with background_low 0.0 and batch_size 256."""

    foreground_threshold: float = option(0.5, "foreground at or above this IoU", "TRAIN.FG_THRESH")
    background_high: Annotated[float, between("background_low", "foreground_threshold")] = option(
        0.5, "background below this IoU", "TRAIN.BG_THRESH_HI"
    )
    background_low: float = option(0.1, "least IoU of a background ROI", "TRAIN.BG_THRESH_LO", flag=True)
    batch_size: Count = option(128, "ROIs per image in the classifier's loss", "TRAIN.BATCH_SIZE", "--rois-per-image")
    foreground_fraction: Share = option(
        0.25, "largest share of foreground among the ROIs", "TRAIN.FG_FRACTION", "--roi-foreground"
    )
    append_ground_truth: bool = option(False, "add the objects' boxes to the ROIs", "TRAIN.USE_GT", flag=True)
    target_means: Annotated[Four, ALL_FINITE] = option(
        (0.0, 0.0, 0.0, 0.0), "subtracted from the targets of a box", "TRAIN.BBOX_NORMALIZE_MEANS"
    )
    target_stds: Annotated[Four, ALL_POSITIVE] = option(
        (0.1, 0.1, 0.2, 0.2), "what the difference is divided by", "TRAIN.BBOX_NORMALIZE_STDS"
    )


@dataclass(frozen=True)
class CropPoolingConfig:
    """Section "Crop Pooling". Methods: crop (affine_grid + grid_sample), align (RoIAlign), pool (RoIPool)."""

    method: Literal["crop", "align", "pool"] = option("crop", "how a ROI is cropped", "POOLING_MODE", "--pooling")
    size: Count = option(7, "rows and columns of a crop", "POOLING_SIZE", "--crop-size")
    max_pool: bool = option(False, "crop at twice the size, then 2x2 max pool (crop alone)", flag="--crop-max-pool")
    align_corners: bool = option(True, "theta is exact only with it; grid_sample's own default is off")
    detach_rois: bool = option(True, "no gradient into the RPN through the ROIs (align and pool have none)", flag=True)

    @property
    def is_linear(self) -> bool:
        """Whether a crop is a weighted sum of cells, which a maximum is not."""
        return self.method in ("crop", "align") and not self.max_pool


@dataclass(frozen=True)
class ClassificationConfig:
    """Sections "Classification Layer" and "Calculating Classification Layer Loss"."""

    sigma: Positive = option(1.0, "the classifier's smooth L1 turns linear at 1 / sigma^2")
    class_loss_weight: Weight = option(1.0, "factor of this loss in the total", "cross_entropy")
    box_loss_weight: Weight = option(1.0, "factor of this loss in the total", "loss_box")


@dataclass(frozen=True)
class InferenceConfig:
    """Section "Implementation Details: Inference"."""

    score_threshold: float = option(0.0, "keep boxes scored above this", "thresh of test_net")
    nms_threshold: Share = option(0.3, "IoU above which the lower-scored box of the same class goes", "TEST.NMS")
    max_detections: Count = option(100, "most detections per image", "max_per_image")


@dataclass(frozen=True)
class Config:
    """A whole detector: its classes and the options of every stage, in the order of the data."""

    classes: Names = option(VOC_CLASSES, "names of the labels 1, 2, ...; 0 is background, without a name", flag=True)
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    backbone: BackboneConfig = BackboneConfig()
    anchors: AnchorConfig = AnchorConfig()
    rpn: RPNConfig = RPNConfig()
    proposals: ProposalConfig = ProposalConfig()
    anchor_targets: AnchorTargetConfig = AnchorTargetConfig()
    proposal_targets: ProposalTargetConfig = ProposalTargetConfig()
    crop_pooling: CropPoolingConfig = CropPoolingConfig()
    classification: ClassificationConfig = ClassificationConfig()
    inference: InferenceConfig = InferenceConfig()

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class TrainingConfig:
    """Section "Implementation Details: Training". The defaults are the reference's recipe on VOC 2007."""

    steps: Annotated[int, POSITIVE, ENOUGH_STEPS] = option(70_000, "training steps", "max_iters", flag=True)
    batch_size: Count = option(1, "images per step", "TRAIN.IMS_PER_BATCH", flag=True)
    optimizer: Optimizer = option("sgd", "how the weights are moved", flag=True)
    learning_rate: Positive = option(0.001, "highest learning rate", "TRAIN.LEARNING_RATE", "--learning-rate --lr")
    momentum: Share = option(0.9, "momentum of sgd, and of muon's kernels", "TRAIN.MOMENTUM", flag=True)
    weight_decay: Weight = option(1e-4, "pull towards 0 of all but biases and norms", "TRAIN.WEIGHT_DECAY", flag=True)
    double_bias: bool = option(True, "biases learn twice as fast (sgd alone)", "TRAIN.DOUBLE_BIAS", flag=True)
    schedule: Literal["step", "cosine", "constant"] = option("step", "course of the learning rate", flag=True)
    step_at: Share = option(5 / 7, "share of steps before `step` divides the rate by ten", "TRAIN.STEPSIZE", flag=True)
    warmup: SmallShare = option(0.0, "share of the steps over which the rate rises from a hundredth", flag=True)
    clip_norm: Weight = option(0.0, "largest norm of the whole gradient; 0: any", flag=True)
    average_decay: SmallShare = option(0.0, "moving average of the weights, saved in their place; 0: none", flag=True)
    flip: bool = option(True, "mirror half of the images", "TRAIN.USE_FLIPPED", flag=True)
    scale_jitter: Zoom = option((1.0, 1.0), "least and largest random zoom before preprocessing", flag=True)
    color_jitter: Share = option(0.0, "strength of random brightness, contrast and saturation; 0: none", flag=True)
    seed: Seed = option(0, "of weights, order of the images, augmentation and sampling", flag=True)
    group_shapes: bool = option(False, "batches of photos of like shape, and so in another order", flag=True)
    workers: Natural = option(0, "processes that load images; the result stays the same", flag=True, free=True)
    on_bad_file: Literal["fail", "skip"] = option("fail", "what an unreadable file does", flag=True, free=True)
    amp: bool = option(False, "compute the networks in bfloat16", flag=True)
    deterministic: bool = option(False, "same weights from every run on a GPU too, as on a CPU", flag=True, free=True)
    checkpoint_every: Count = option(500, "steps between checkpoints; the last writes one too", flag=True, free=True)
    alternating: bool = option(False, "the paper's 4-step training instead of joint training", flag=True)

    def __post_init__(self):
        check(self)


# What a resumed run may change.
FREE = tuple(f"training.{name}" for name, field in fields_of(TrainingConfig) if field.metadata["free"])

# The recipe for the small backbone and random weights: one cycle of Muon and, for what it leaves, AdamW.
TOY_TRAINING = TrainingConfig(
    steps=600, batch_size=8, optimizer="muon", learning_rate=8e-3, schedule="cosine", warmup=0.15, clip_norm=5.0
)


def reference_config(backbone: Backbone = "resnet50", classes: tuple[str, ...] = VOC_CLASSES) -> Config:
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
