"""Faster R-CNN, stage by stage, on real tensors.

Conventions, the same in every module:

- **Boxes** are float tensors `(N, 4)`: `x1, y1, x2, y2` in pixels, with *continuous* corners, so that width = x2 - x1.
  The reference code counts *inclusive* corners (width = x2 - x1 + 1); its box becomes ours by `+ [0, 0, 1, 1]`, and a
  box of a VOC XML file (inclusive, counted from 1) becomes `[xmin - 1, ymin - 1, xmax, ymax]`.
- **Labels** are int64: 0 is background, the classes are 1..C.
- **Anchors** lie flat in the order `(y, x, a)`, where `a` runs through the scales of the first ratio, then of the
  second, and so on. Ratio = height / width.
- **Images** are `(3, H, W)` floats in [0, 1], RGB; the model normalizes them itself.
- **The model** is called as torchvision's detectors are: `model(images, targets)` returns a dict of losses in training
  mode, `model(images)` a list of `{"boxes", "labels", "scores"}` in evaluation mode, boxes in the given image's pixels.
- **Random choices** take an explicit `torch.Generator`.
"""

__version__ = "0.1.0"
