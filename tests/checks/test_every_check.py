"""What all exercises promise: each foreseen wrong answer meets its own sentence, and no answer ends in a traceback."""

import importlib
import pkgutil
import sys

import pytest
import torch
from bs4 import BeautifulSoup

from rcnn_tutorial import checks
from rcnn_tutorial.answers import STAGES
from rcnn_tutorial.checks.checking import STILL, Check, same
from rcnn_tutorial.checks.pictures import in_form_of

MODULES = [
    importlib.import_module(f"{checks.__name__}.{found.name}") for found in pkgutil.iter_modules(checks.__path__)
]
CHECKS = [check for module in MODULES for check in vars(module).values() if isinstance(check, Check)]
ANY_LENGTH = (
    "nms",
    "detections",
    "sample_rois",
    "learns",
)  # whose results may be longer or shorter than the right ones
PAIRS = [(check, pair) for check in CHECKS for pair in check.pairs]
MISTAKES = [(check, misconception) for check in CHECKS for misconception in check.misconceptions]


def name_of(value) -> str:
    return value.name if isinstance(value, Check) else value.says[:40]


@pytest.mark.parametrize(("check", "misconception"), MISTAKES, ids=name_of)
def test_a_misconception_is_recognized_by_its_own_sentence(check, misconception):
    verdict = check(misconception.wrong)
    assert not verdict.passed and verdict.message == misconception.says
    assert verdict.misconceptions == (misconception.says,) and verdict.right < verdict.cases
    if can_be_drawn(check, misconception):
        yours, right = verdict.scenes
        assert yours.caption and yours.size == right.size and content(yours) != content(right)
    else:
        assert verdict.scenes == ()


def can_be_drawn(check: Check, misconception) -> bool:
    """Whether some wrong result has the form of the right one: another shape, or nan, says nothing in a picture."""
    pairs = [(misconception.wrong(*arguments), check.right(*arguments)) for arguments in check.cases()]
    wrong = [(own, good) for own, good in pairs if not same(own, good)]
    return any(in_form_of(good, own, check.name in ANY_LENGTH) is not None for own, good in wrong)


def content(scene) -> list:
    """What a scene draws, without its words."""
    layers = [layer for layer in scene.layers if len(layer.data)]
    return [(layer.role.color, layer.data.tolist(), list(getattr(layer, "labels", ()))) for layer in layers]


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_a_card_shows_a_wrong_case_in_two_pictures_and_in_words(check):
    tried = next(wrong for says, wrong in check.misconceptions if not says.startswith(STILL))
    page = BeautifulSoup(check.judge(tried)._repr_html_(), "html.parser")
    words = [image["alt"] for image in page.find_all("img")]
    assert [text.partition(": ")[0] for text in words] == ["yours", "right"] and words[0][7:] != words[1][7:]


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.parametrize(
    "value", ["seven", object(), [object()], 10**400, float("nan"), 1j, {1: 2}, torch.full((2, 2, 2, 2), torch.inf)]
)
def test_what_has_not_the_form_of_a_result_has_no_picture(check, value):
    assert check.judge(lambda *arguments: value).scenes == ()


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_a_right_answer_has_no_picture(check):
    assert check.judge(check.right).scenes == ()


@pytest.mark.parametrize(("check", "pair"), PAIRS, ids=name_of)
def test_two_slips_at_once_are_both_named_where_they_do_not_look_like_one(check, pair):
    """Some do: who divides where it is to be multiplied, and turns the result upside down, is right."""
    verdict = check.judge(pair.wrong)
    alike = [m.says for m in (*check.misconceptions, *check.pairs)]
    assert verdict.passed or verdict.message == pair.says or verdict.message in alike


@pytest.mark.parametrize("check", [check for check in CHECKS if check.pairs], ids=name_of)
def test_most_pairs_are_told_apart_and_their_switches_off_are_right(check):
    assert all(check.judge(pair.wrong.func).passed for pair in check.pairs)
    told = sum(check.judge(pair.wrong).message == pair.says for pair in check.pairs)
    assert 2 * told >= len(check.pairs)


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_a_check_knows_its_lesson(check):
    assert (
        check.stage in STAGES
        and getattr(importlib.import_module(f"{checks.__name__}.{check.stage}"), check.name) is check
    )


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_there_are_at_least_five_sentences(check):
    assert len({misconception.says for misconception in check.misconceptions}) >= 5


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_what_is_no_answer_gets_a_sentence(check):
    assert "returns nothing yet" in check(lambda *arguments: None).message
    assert "ZeroDivisionError" in check(lambda *arguments: 1 / 0).message
    assert not check(lambda *arguments: torch.zeros(5)).passed
    assert not check(lambda *arguments: "seven").passed
    assert "Pass the function itself" in check(torch.zeros(2, 3)).message


@pytest.mark.parametrize("check", [check for check in CHECKS if check.by_package], ids=name_of)
def test_what_is_called_the_package_s_own_function_is(check):
    """Its right answer comes from a function of the package that is no part of the checks."""
    called = set()
    arguments = check.cases()[0]
    sys.setprofile(lambda frame, event, _: called.add(frame.f_globals["__name__"]) if event == "call" else None)
    try:
        check.right(*arguments)
    finally:
        sys.setprofile(None)
    kinds = ("rcnn_tutorial.checks", "rcnn_tutorial.config")
    assert [name for name in called if name.startswith("rcnn_tutorial.") and not name.startswith(kinds)]
