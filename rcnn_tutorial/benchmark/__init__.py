"""This package beside torchvision's Faster R-CNN: the same work, measured in one run (`rcnn-tutorial benchmark`).

`peer` builds torchvision's detector out of the same parts, `reference` holds the target layers in NumPy, `measure` runs
the sides in turn, `cases` says what is run.
"""
