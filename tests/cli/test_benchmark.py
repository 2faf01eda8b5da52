"""rcnn-tutorial benchmark: rows and the machine, as a table or as JSON."""

import json

import pytest

from rcnn_tutorial.config import BENCHMARKS


@pytest.mark.parametrize("form", ("--json", None))
def test_benchmark_reports_rows_and_machine(run, form, capsys, monkeypatch):
    from rcnn_tutorial.benchmark import cases
    from rcnn_tutorial.benchmark.measure import Row

    rows = [Row("step", 3.0, 4.0), Row("alone", 2.0, None)]
    monkeypatch.setattr(cases, "CASES", {"toy": lambda repeats: rows[:repeats]})
    assert run(["benchmark", "toy", "--repeats", 2, *([form] if form else [])]) == 0
    out = capsys.readouterr().out
    if form:
        report = json.loads(out)
        assert [row["ratio"] for row in report["rows"]] == [0.75, None] and "torch" in report["machine"]
    else:
        assert "| step | 3 ms | 4 ms | 0.75 |" in out and "| alone | 2 ms |  |  |" in out


def test_benchmark_runs_all_cases_in_turn_unless_one_is_named(run, capsys, monkeypatch):
    from rcnn_tutorial.benchmark import cases

    asked = []
    monkeypatch.setattr(cases, "CASES", {name: lambda _, name=name: asked.append(name) or [] for name in BENCHMARKS})
    assert run(["benchmark"]) == 0 and tuple(asked) == BENCHMARKS
    assert run(["benchmark", "inferr"]) == 2
    assert "'inferr' is no case; did you mean 'infer'?" in capsys.readouterr().err
