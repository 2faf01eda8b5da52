"""rcnn-tutorial benchmark: rows and the machine, as a table or as JSON."""

import json

import pytest

from rcnn_tutorial.benchmark import BY_DEFAULT, CASES


@pytest.mark.parametrize("form", ("--json", None))
def test_benchmark_reports_rows_and_machine(run, form, capsys, monkeypatch):
    from rcnn_tutorial.benchmark import cases
    from rcnn_tutorial.benchmark.measure import Row

    rows = [Row("step", 3.0, 4.0, 6.0), Row("alone", 2.0)]
    monkeypatch.setattr(cases, "CASES", {"toy": lambda repeats: rows[:repeats]})
    assert run(["benchmark", "toy", "--repeats", 2, *([form] if form else [])]) == 0
    out = capsys.readouterr().out
    if form:
        report = json.loads(out)
        assert [row["ratio"] for row in report["rows"]] == [0.75, None]
        assert [row["tuned_ratio"] for row in report["rows"]] == [0.5, None] and "torch" in report["machine"]
    else:
        assert "| step | 3 ms | 4 ms | 0.75 | 6 ms | 0.50 |" in out and "| alone | 2 ms |  |" in out


def test_benchmark_runs_what_takes_minutes_unless_a_case_is_named(run, capsys, monkeypatch):
    from rcnn_tutorial.benchmark import cases

    asked = []
    noted = {name: lambda repeats=None, name=name: asked.append((name, repeats)) or [] for name in CASES}
    monkeypatch.setattr(cases, "CASES", noted)
    assert run(["benchmark"]) == 0 and asked == [(name, None) for name in BY_DEFAULT]  # each with its own repeats
    assert run(["benchmark", "learning", "--repeats", 2]) == 0 and asked[-1] == ("learning", 2)
    assert run(["benchmark", "inferr"]) == 2
    assert "'inferr' is no case; did you mean 'infer'?" in capsys.readouterr().err
