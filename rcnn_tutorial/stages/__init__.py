"""The detector's stages, one file each, in the order in which an image flows through them.

preprocessing -> (head) -> anchors -> rpn -> proposal -> anchor_target -> rpn_loss -> proposal_target -> crop_pooling
-> (tail) classification -> inference; nms serves proposal and inference, sampling the two target layers.
Every function here is pure: tensors and options in, a small NamedTuple out.
"""
