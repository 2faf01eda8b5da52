"""What is measured: each case takes a number of repeats, has one of its own, and returns the rows of one report."""

from rcnn_tutorial.benchmark import CASES as NAMES
from rcnn_tutorial.benchmark.detectors import detectors
from rcnn_tutorial.benchmark.generations import generations
from rcnn_tutorial.benchmark.learning import learning
from rcnn_tutorial.benchmark.photo import infer
from rcnn_tutorial.benchmark.slider import explorer
from rcnn_tutorial.benchmark.start import start
from rcnn_tutorial.benchmark.toy import growth, toy

CASES = dict(zip(NAMES, (toy, infer, detectors, start, explorer, learning, growth, generations), strict=True))
