"""Executes the notebooks in place: `python -m rcnn_tutorial.course [NOTEBOOK ...]`, or `make notebooks` for all."""

import sys

from rcnn_tutorial.course.execute import main

sys.exit(main(sys.argv[1:]))
