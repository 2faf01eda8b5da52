"""How the two sides are timed and weighed: in turn, in one process, on the same input."""

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

SAMPLING = 0.002  # seconds between two looks at the memory


class Row(NamedTuple):
    """One line of the report."""

    name: str
    ours: float
    peer: float | None  # None: nothing to compare with
    unit: str = "ms"

    @property
    def ratio(self) -> float | None:
        """Ours as a share of the peer's: below 1 is better."""
        return None if self.peer is None else self.ours / self.peer


def median_times(sides: dict[str, Callable[[], object]], repeats: int, warmup: int = 2) -> dict[str, float]:
    """Milliseconds of each side: the median of `repeats` runs, taken in turn so that a slow moment hits all."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(warmup + repeats):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            _synchronize()
            if turn >= warmup:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in times.items()}


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(prepare: Callable, *arguments) -> float:
    """Megabytes that the work adds to a process of its own, at most.

    prepare: a function of a module that takes `arguments` and returns the work, a function without arguments.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_peak_of, prepare, arguments, torch.get_num_threads()).result()


def _peak_of(prepare: Callable, arguments: tuple, threads: int) -> float:
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
    lines = ["| measure | ours | peer | ratio |", "|---|---|---|---|"]
    for row in rows:
        peer, ratio = ("", "") if row.peer is None else (f"{row.peer:.4g} {row.unit}", f"{row.ratio:.2f}")
        lines.append(f"| {row.name} | {row.ours:.4g} {row.unit} | {peer} | {ratio} |")
    return "\n".join(lines)


def machine() -> str:
    """Processor, threads, versions: what the figures hold for."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    threads = torch.get_num_threads()
    return f"{device}, {threads} threads, torch {torch.__version__}, torchvision {torchvision.__version__}"


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        names = [
            line.split(":", 1)[1].strip()
            for line in listed.read_text(encoding="utf-8").splitlines()
            if "model name" in line
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
