"""Times taken in turn, memory of the work alone, and what a report says of them and of the machine."""

import torch

from rcnn_tutorial.benchmark.measure import Row, as_table, compare_times, machine, median_times, peak_memory, processor


def test_the_sides_take_turns_and_warm_up_first():
    turns = []
    times = median_times({name: lambda name=name: turns.append(name) for name in "ab"}, repeats=3, warmup=2)
    assert turns == list("ab") * 5 and times.keys() == {"a", "b"} and min(times.values()) >= 0


def test_a_row_compares_with_the_peer_as_it_comes_and_tuned():
    sides = []

    def prepare(side, what):
        sides.append((side, what))
        return lambda: None

    row = compare_times("step", prepare, 1, "toy")
    assert sides == [("ours", "toy"), ("peer", "toy"), ("tuned", "toy")] and row.unit == "ms"
    table = as_table([Row("step", 3.0, 4.0, 6.0), Row("alone", 2.0, unit="MB")])
    assert "| step | 3 ms | 4 ms | 0.75 | 6 ms | 0.50 |" in table and "| alone | 2 MB |  |  |  |  |" in table


def allocate(megabytes):
    return lambda: [torch.ones(megabytes, 2**18).exp_().sum() for _ in range(3)]


def test_the_memory_of_the_work_is_counted_and_nothing_before_it():
    assert 48 < peak_memory(allocate, 64) < 96  # looked at every few milliseconds


def test_the_machine_is_named_with_the_instructions_that_matter(tmp_path):
    listed = tmp_path / "cpuinfo"
    listed.write_text("model name : Some CPU\nflags : fpu avx2 sse amx_tile\n\n", encoding="utf-8")
    assert processor(listed) == "Some CPU (avx2, amx_tile)"
    listed.write_text("model name : Old CPU\nflags : fpu\n", encoding="utf-8")
    assert processor(listed).startswith("Old CPU (none of avx2,")
    assert torch.backends.cpu.get_cpu_capability() in processor(tmp_path / "nowhere")
    assert processor() in machine() and torch.__version__ in machine()
