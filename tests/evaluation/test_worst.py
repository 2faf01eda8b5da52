"""Which mistakes are looked at first."""

from detection_sets import image

from rcnn_tutorial.evaluation import KINDS, Case, find_errors, worst_cases

THERE, ELSEWHERE = [0, 0, 10, 10], [50, 50, 70, 70]


def test_the_worst_of_each_kind_by_hand():
    stray = image([ELSEWHERE, [80, 80, 90, 90]], [1, 1], scores=[0.25, 0.5])
    found = [stray, image([THERE, ELSEWHERE], [2, 1], scores=[0.5, 0.75]), image([], [], scores=[])]
    targets = [image([THERE], [1]), image([THERE], [1]), image([THERE, ELSEWHERE], [1, 1])]
    cases = worst_cases(find_errors(found, targets), found, targets)
    assert list(cases) == list(KINDS)
    assert cases["class"] == [Case("class", 1, 0, 0, 0.5)]
    assert cases["background"] == [Case("background", 1, 1, -1, 0.75), Case("background", 0, 1, -1, 0.5)]
    assert cases["missed"] == [Case("missed", 2, -1, 1, 400.0), Case("missed", 0, -1, 0, 100.0)]
    assert cases["location"] == cases["both"] == cases["duplicate"] == []


def test_no_more_than_count_and_ties_in_order():
    found, targets = [image([ELSEWHERE], [1], scores=[0.5])] * 9, [image([THERE], [1])] * 9
    cases = worst_cases(find_errors(found, targets), found, targets, count=3)
    assert [case.image for case in cases["background"]] == [case.image for case in cases["missed"]] == [0, 1, 2]
