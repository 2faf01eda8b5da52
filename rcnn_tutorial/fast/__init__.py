"""What is computed another way for speed. Each function equals a plain expression; read that first.

function                     equals                                gain
nms.nms                      torchvision.ops.nms(...)[:count]      12 000 boxes to 2 000: 17 times; 600 to 150: 2.8
crops.grid_sample            torch.nn.functional.grid_sample       300 crops of 256 channels: 2.4 times; of 1 024: 5.2
crops.roi_align              torchvision.ops.roi_align             300 crops of 256 channels: 1.8 times; of 1 024: 4.0
inference.shorten            the same detector in eval mode        ResNet-50 at 600 x 800: 0.86 of the time
inference.fold_batch_norm    the same block in eval mode           a part of the line above; frozen blocks have it too

Crops of fewer channels and all work on a GPU are left to the libraries. Measured on two idle cores of an AMD EPYC with
AVX-512, torch 2.15, both ways in turn, medians. A test puts the libraries in the place of everything here: the trace
and the golden values stay the same.
"""
