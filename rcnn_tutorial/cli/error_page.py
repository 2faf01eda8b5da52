"""The page that `rcnn-tutorial evaluate --errors --out DIR` writes: the kinds of errors, each with its worst cases."""

from __future__ import annotations

import base64
import io

import jinja2

from rcnn_tutorial.cli.error_report import SCORE, Mistakes, largest_confusions, number
from rcnn_tutorial.evaluation import Evaluation, worst_cases
from rcnn_tutorial.figures.drawing import bare_figure_of
from rcnn_tutorial.figures.error_cases import MEANING, case_scene, case_sentence
from rcnn_tutorial.targets import image_name

PAGE = "errors.html"
WIDTH = 5.0  # inches of a picture
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("rcnn_tutorial.course", "templates"),
    autoescape=lambda name: name.endswith(".html"),
    undefined=jinja2.StrictUndefined,
)


def make_page(mistakes: Mistakes, result: Evaluation, dataset, weights: str, data: str) -> str:
    """The whole page as HTML, its pictures embedded. weights, data: what the command calls them."""
    report, matrix = mistakes.report, f"Detections scored {SCORE:g} and above, IoU above {mistakes.foreground:g}"
    cases = worst_cases(mistakes.errors, result.detections, result.targets)
    kinds = [
        {
            "name": kind,
            "meaning": MEANING[kind],
            "count": report.counts[kind],
            "gain": number(report.gains[kind]),
            "cases": [_picture(case, mistakes, result, dataset) for case in cases[kind]],
        }
        for kind in report.counts
    ]
    return _TEMPLATES.get_template("errors.html").render(
        weights=weights,
        data=data,
        images=result.images,
        lead=_lead(mistakes),
        kinds=kinds,
        overall=[(name, number(gain)) for name, gain in report.overall.items()],
        cells=largest_confusions(mistakes),
        matrix_words=f"{matrix}; the largest numbers off the diagonal of the confusion matrix, two classes first.",
    )


def _lead(mistakes: Mistakes) -> str:
    near, far = mistakes.foreground, mistakes.background
    return (
        f"AP (area, IoU above {near:g}): {number(mistakes.report.ap)}. A detection is right above an IoU of {near:g} "
        f"with an object of its class, and touches nothing up to an IoU of {far:g}."
    )


def _picture(case, mistakes: Mistakes, result: Evaluation, dataset) -> tuple[str, str]:
    """(data URI, sentence) of one case."""
    index = result.indices[case.image]
    image, target = dataset[index]
    about = case, result.detections[case.image], result.targets[case.image], mistakes.classes
    sentence = case_sentence(*about, f"Image {image_name(target, f'number {index}')}")
    data = io.BytesIO()
    bare_figure_of(case_scene(image, *about), WIDTH).savefig(data, format="jpeg", pil_kwargs={"quality": 85})
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}", sentence
