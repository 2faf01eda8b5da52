"""The detector's stages, one file each, in the order in which an image flows through them.

preprocessing -> (head) -> anchors -> rpn -> proposal -> anchor_target -> rpn_loss -> proposal_target -> crop_pooling
-> (tail) classification -> inference; nms serves proposal and inference, sampling the two target layers.
Every function here takes tensors and options and returns a small NamedTuple: no state, no files, its inputs unchanged.
What is drawn at random comes from the generator that is passed, or from torch's global one where none is.
"""
