"""How the sides are timed and weighed: in turn, in one process, on the same input.

`torch.utils.benchmark` times one side after the other. Over minutes the speed of a machine drifts by more than the
sides differ; a drift that comes while they take turns hits all of them alike, and leaves the ratios as they are.
"""

from __future__ import annotations

import multiprocessing
import platform
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
import torchvision

SIDES = ("ours", "peer", "tuned")
SAMPLING = 0.002  # seconds between two looks at the memory
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_tile")  # by which convolutions differ in speed

Work = Callable[[], object]


class Row(NamedTuple):
    """One line of the report."""

    name: str
    ours: float
    peer: float | None = None  # as its users write it; None: nothing to compare with
    tuned: float | None = None  # with the same layout and folded batch norm; None: there is nothing to tune
    unit: str = "ms"

    @property
    def ratio(self) -> float | None:
        """Ours as a share of the peer's: below 1 is better."""
        return None if self.peer is None else self.ours / self.peer

    @property
    def tuned_ratio(self) -> float | None:
        """Ours as a share of the tuned peer's."""
        return None if self.tuned is None else self.ours / self.tuned


def compare_times(name: str, prepare: Callable[..., Work], repeats: int, *arguments) -> Row:
    """A row of milliseconds. prepare: takes a side and the arguments and returns the work of that side."""
    return Row(name, **median_times({side: prepare(side, *arguments) for side in SIDES}, repeats))


def compare_memory(name: str, prepare: Callable[..., Work], *arguments) -> Row:
    """A row of megabytes that the work adds at its peak. prepare: as above, a function of a module."""
    return Row(name, **{side: peak_memory(prepare, side, *arguments) for side in SIDES}, unit="MB")


def median_times(sides: dict[str, Work], repeats: int, warmup: int = 1) -> dict[str, float]:
    """Milliseconds of each side: the median of `repeats` runs, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warmup + repeats):
        for name, work in sides.items():
            started = time.perf_counter()
            work()
            if turn >= warmup:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in times.items()}


def peak_memory(prepare: Callable[..., Work], *arguments) -> float:
    """Megabytes that the work adds to a process of its own, at most. prepare: a function of a module."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_peak_of, prepare, arguments, torch.get_num_threads()).result()


def _peak_of(prepare: Callable[..., Work], arguments: tuple, threads: int) -> float:
    torch.set_num_threads(threads)
    work = prepare(*arguments)
    before = _resident()
    samples, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLING):
            samples.append(_resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(samples) - before


def _resident() -> float:
    """Megabytes that this process holds now."""
    return psutil.Process().memory_info().rss / 2**20


def as_table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| measure | ours | peer | ratio | tuned peer | ratio |", "|---|---|---|---|---|---|"]
    for row in rows:
        values = [f"{value:.4g} {row.unit}" if value is not None else "" for value in (row.ours, row.peer, row.tuned)]
        ratio, tuned = (f"{value:.2f}" if value is not None else "" for value in (row.ratio, row.tuned_ratio))
        lines.append(f"| {row.name} | {values[0]} | {values[1]} | {ratio} | {values[2]} | {tuned} |")
    return "\n".join(lines)


def machine() -> str:
    """Processor, instruction sets, threads, versions: what the figures hold for."""
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    return f"{processor()}, {torch.get_num_threads()} threads, {versions}"


def processor(listed: Path = Path("/proc/cpuinfo")) -> str:
    """Model and instruction sets as Linux lists them; elsewhere the model, and the set that torch's kernels use."""
    if not listed.exists():
        return f"{platform.processor() or platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
    lines = (line.partition(":") for line in listed.read_text(encoding="utf-8").splitlines())
    entries = {name.strip(): value.strip() for name, _, value in lines}
    known = set(entries.get("flags", "").split())
    sets = ", ".join(name for name in INSTRUCTIONS if name in known) or f"none of {', '.join(INSTRUCTIONS)}"
    return f"{entries.get('model name', platform.machine())} ({sets})"
