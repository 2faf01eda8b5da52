"""Training: an iterator of step reports. The post's section "Implementation Details: Training".

`loop` is where to begin: `train`, step after step. `step` is one step, `optimizers` what moves the weights, `phases`
which network and which losses (joint, or alternating), `runs` the folder that a training keeps, `reproducible` why a
resumed run ends with the same weights, `guards` what is refused.
"""

from rcnn_tutorial.training.loop import train, train_alternating
from rcnn_tutorial.training.optimizers import Muon, build_optimizers, learning_rate, set_rate, update_average
from rcnn_tutorial.training.phases import (
    DETECTOR_LOSSES,
    RPN_LOSSES,
    Phase,
    alternating_phases,
    fixed_parameters,
    joint_phases,
)
from rcnn_tutorial.training.reproducible import image_generators
from rcnn_tutorial.training.runs import CHECKPOINT
from rcnn_tutorial.training.step import StepReport, train_step

__all__ = [
    "CHECKPOINT", "DETECTOR_LOSSES", "RPN_LOSSES", "Muon", "Phase", "StepReport", "alternating_phases",
    "build_optimizers", "fixed_parameters", "image_generators", "joint_phases", "learning_rate", "set_rate", "train",
    "train_alternating", "train_step", "update_average",
]  # fmt: skip
