"""rcnn-tutorial export."""

from __future__ import annotations

import argparse
from pathlib import Path

from rcnn_tutorial.cli.output import emit
from rcnn_tutorial.cli.parser import Parser, positive


def add_options(parser: Parser) -> None:
    """Options of the command."""
    parser.add_argument("--onnx", type=Path, required=True, metavar="FILE", help="the file to write; ends in .onnx")
    parser.add_argument("--weights", default="voc", help="voc, toy, or the path of a checkpoint")
    before_help = "boxes that go into the proposal layer's suppression (default: the detector's)"
    parser.add_argument("--candidates", type=positive, metavar="N", help=before_help)
    after_help = "most proposals that come out of it; fewer are faster (default: the detector's)"
    parser.add_argument("--proposals", type=positive, metavar="N", help=after_help)


def run(args: argparse.Namespace) -> None:
    """Write a detector as an ONNX file, for phones, browsers and other languages."""
    from rcnn_tutorial.checkpoints import load_model
    from rcnn_tutorial.export import check_request, export_onnx

    check_request(args.onnx)
    model = load_model(args.weights)
    model.config = with_proposals(model.config, args.candidates, args.proposals)
    size = export_onnx(model, args.onnx)
    emit("\n".join(_as_text(args.onnx, size, model.config)), f"{args.onnx} is written")


def with_proposals(config, candidates: int | None, proposals: int | None):
    """The config with other numbers of boxes before and after suppression; None leaves one as it is."""
    from dataclasses import replace

    given = {"test_pre_nms_top_n": candidates, "test_post_nms_top_n": proposals}
    changes = {name: number for name, number in given.items() if number is not None}
    return replace(config, proposals=replace(config.proposals, **changes))


def _as_text(path: Path, size: int, config):
    before, after = config.proposals.top_n(training=False)
    yield f"{path}: {size / 1e6:.1f} MB, {len(config.classes)} classes, at most {before} boxes -> {after} proposals"
    yield "  in:  image (3, height, width), RGB floats in [0, 1], of any size"
    yield "  out: boxes (N, 4) in the photo's pixels, labels (N,), scores (N,)"
