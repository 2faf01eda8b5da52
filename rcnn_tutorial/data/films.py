"""Films and cameras as frames, and frames as a film: PyAV for files, OpenCV for cameras, imported where they are used.

Neither comes with the package: `pip install av`, `pip install opencv-python-headless`, or the extra `video` for both.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rcnn_tutorial.errors import ConfigError, DataError

TICK = Fraction(1, 90_000)  # seconds; the finest that a camera's frames are told apart by
BT_601 = 6  # FFmpeg's number of the colors that it makes of RGB
LIKELY_RATE = Fraction(30)  # frames per second, where nothing tells
CUT_OFF = 0.9  # a film that ends before this share of the length it announces was hardly made so


class Frame(NamedTuple):
    """One picture of a film: its number from 0, seconds since the first, RGB (H, W, 3) uint8."""

    index: int
    time: Fraction
    pixels: np.ndarray


class Film:
    """The frames of a film file, upright as it is played, to be iterated over once.

    `rate` is in frames per second, `tick` the unit of its times in seconds, `length` its number of frames or None
    where the file does not tell. Raises ConfigError without PyAV, and DataError for a file that is missing, damaged,
    no film, or without frames. Damage behind the first frame ends the frames and is kept in `damage`.
    """

    endless = False

    def __init__(self, path: Path):
        self.name, self.damage = str(path), None
        if not path.exists():
            raise DataError(f"{path}: no such film; check the path")
        self._av = _library("av", "av", f"{path}: films need PyAV")
        try:
            # file: takes the name as it is, and the whitelist keeps a playlist from opening addresses
            self._container = self._av.open(f"file:{path}", options={"protocol_whitelist": "file"})
        except (self._av.FFmpegError, OSError) as error:
            raise DataError(f"{path}: cannot read the film ({_cause(error)}); save or download it again") from error
        if not self._container.streams.video:
            self.close()
            raise DataError(f"{path}: holds no frames, at most sound; name a film")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.rate = self._stream.average_rate or LIKELY_RATE
        self.tick = self._stream.time_base or TICK
        self.length = self._stream.frames or None

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        index, begin, now = -1, None, Fraction(0)
        try:
            for index, frame in enumerate(self._container.decode(self._stream)):
                stamp = index / self.rate if frame.pts is None else frame.pts * frame.time_base
                begin = stamp if begin is None else begin
                now = stamp - begin
                pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))  # counterclockwise
                yield Frame(index, now, np.ascontiguousarray(pixels))
        except self._av.FFmpegError as error:
            if index >= 0:
                words = f"cannot be read beyond frame {index} ({_cause(error)}); save or download it again"
                self.damage = DataError(f"{self.name}: {words}")
                return
            raise DataError(
                f"{self.name}: cannot read the film ({_cause(error)}); save or download it again"
            ) from error
        if index < 0:
            raise DataError(f"{self.name}: holds no frames; save or download it again")
        self._warn_if_cut_off(float(now + 1 / self.rate))

    def _warn_if_cut_off(self, seconds: float) -> None:
        announced = float((self._stream.duration or 0) * self.tick) or (self._container.duration or 0) / 1e6
        if seconds < CUT_OFF * announced:
            words = f"ends after {seconds:.1f} of the {announced:.1f} seconds that it announces"
            warnings.warn(f"{self.name}: {words}; if it was cut off, save or download it again", stacklevel=3)


class Camera:
    """The frames of a camera as they come, to be iterated over once; see `Film` for what it has.

    number: as the system counts cameras, from 0. Raises ConfigError without OpenCV, DataError without such a camera.
    """

    endless, length = True, None
    rate, tick = LIKELY_RATE, TICK

    def __init__(self, number: int):
        self.name, self.damage = f"camera:{number}", None
        os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # it would add lines of its own to ours
        opencv = _library("cv2", "opencv-python-headless", f"{self.name}: cameras need OpenCV")
        self._capture = opencv.VideoCapture(number)
        if not self._capture.isOpened():
            self.close()
            raise DataError(f"{self.name}: no such camera, or another program uses it; connect it or name another")

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let the camera go."""
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        index, begin = 0, time.monotonic()
        while True:
            works, pixels = self._capture.read()  # blue first
            if not works:
                self.damage = DataError(f"{self.name}: gives no more frames; see whether it is still connected")
                if not index:
                    raise self.damage
                return
            yield Frame(index, Fraction(time.monotonic() - begin), np.ascontiguousarray(pixels[..., ::-1]))
            index += 1


class FilmWriter:
    """Frames as an H.264 film in an MP4 file, which is there, whole, when the `with` block has ended without an error.

    A block without a frame writes nothing. H.264 wants even sides: an odd one repeats its last row or column. Raises
    ConfigError without PyAV or its encoder, DataError where the file cannot be written.
    """

    def __init__(self, path: Path, rate: Fraction, tick: Fraction):
        self.path, self.rate, self.tick = path, rate, tick
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._av = _library("av", "av", f"{path}: films need PyAV")
        if "libx264" not in self._av.codecs_available:
            raise ConfigError(f"{path}: this PyAV has no encoder for H.264; run `pip install --force-reinstall av`")
        self._container, self._last = None, -1

    def __enter__(self) -> FilmWriter:
        return self

    def add(self, pixels: np.ndarray, seconds: Fraction) -> None:
        """Append a frame, RGB (H, W, 3) uint8, all of one size, to be shown so many seconds after the beginning."""
        height, width = pixels.shape[:2]
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self._last = max(self._last + 1, round(seconds / self.tick))  # some films count backward now and then
        frame.pts, frame.time_base = self._last, self.tick
        with self._failing():
            if self._container is None:
                self._begin(*pixels.shape[:2])
            self._put(frame)

    def _begin(self, height: int, width: int) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = self._av.open(f"file:{self._temporary}", "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=self.rate, options={"crf": "20"})
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = self.tick
        self._stream.codec_context.colorspace = BT_601  # players take a large film for BT.709 that does not tell

    def _put(self, frame) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = round(1 / self.rate / packet.time_base)  # which counts for the last frame alone
            self._container.mux(packet)

    def __exit__(self, kind, *_) -> None:
        if self._container is None:
            return
        try:
            with self._failing():
                if kind is None:
                    self._put(None)
                self._container.close()
                if kind is None:
                    os.replace(self._temporary, self.path)
        except DataError:
            if kind is None:  # else the first error is the one to tell
                raise
        finally:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (self._av.FFmpegError, OSError) as error:
            words = f"not written ({_cause(error)}); make room or name another place"
            raise DataError(f"{self.path}: {words}") from error


def _library(module: str, package: str, need: str):
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(f"{need}, which is not installed; run `pip install {package}`") from None


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
