"""`python -m rcnn_tutorial` is the command `rcnn-tutorial`."""

import sys

from rcnn_tutorial.cli import main

sys.exit(main())
