"""This package beside torchvision's Faster R-CNN: the same work, measured in one run (`rcnn-tutorial benchmark`).

`peer` builds torchvision's detector out of the same parts, `measure` runs both sides in turn, `cases` says what is run.
"""
