"""A benchmark beside torchvision's detectors: the same work by both, in one run (`rcnn-tutorial benchmark`).

The peer is measured twice: as its users write it, and *tuned* by what anyone can do to it in two lines and what this
package does to itself (weights in channels_last order, batch norm folded where it is fixed).

`peer` builds torchvision's Faster R-CNN out of our parts, `measure` runs the sides in turn, `cases` lists what is run.
"""

CASES = ("toy", "infer", "detectors", "start", "explorer", "learning", "growth", "generations")
BY_DEFAULT = CASES[:5]  # the others take long, or compare ours with ours
