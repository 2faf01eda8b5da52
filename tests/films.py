"""Small films for tests, and films read back; both by PyAV itself, without the package's code."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from rcnn_tutorial.data import ToyScenes


def pictures(count: int, size: tuple[int, int] = (80, 96)) -> list[np.ndarray]:
    """Toy scenes (height, width, 3) uint8, another one in every frame."""
    scenes = ToyScenes("val", size=size)
    return [(scenes[index][0] * 255).byte().permute(1, 2, 0).numpy() for index in range(count)]


def make_film(path: Path, frames: list[np.ndarray], rate=Fraction(10), stamps=None, codec="libx264", turned=0) -> Path:
    """Write frames, which are to be shown at `stamps`, in units of 1 / rate (default: one after the other)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        if turned:
            stream.set_display_rotation(turned)
        for stamp, pixels in zip(stamps or range(len(frames)), frames, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = stamp, 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_film(path: Path) -> tuple[list[np.ndarray], list[Fraction], Fraction]:
    """Its frames, when each is shown, in seconds, and its average rate."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        times = [frame.pts * frame.time_base for frame in frames]
        return [frame.to_ndarray(format="rgb24") for frame in frames], times, stream.average_rate
